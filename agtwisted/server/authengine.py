"""
The default authentication engine: it signs and verifies tokens.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred
from zope.interface import implementer

from agtwisted.errors import InvalidArgumentsError
from agtwisted.interfaces import IAuthEngine
from agtwisted.protocol.tokens import KeySource, signToken, verifyToken

__all__ = ["AuthEngine"]


@implementer(IAuthEngine)
class AuthEngine:
    """
    Signs and verifies JSON Web Tokens as SocketCluster's C{ag-auth} does. Its Deferreds have fired already.

    @ivar clock: What tells the wall-clock time, in seconds: the times in tokens are dates.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """
        @param clock: What tells the wall-clock time, in seconds.
        """
        self.clock = clock

    def signToken(self, data: object, key: KeySource | None, **options: Any) -> Deferred[str]:
        """
        Sign a token.

        @param data: The claims.
        @param key: The secret or private key.
        @param options: See L{agtwisted.protocol.tokens.signToken}.
        @return: Fires with the signed token, or fails with a L{agtwisted.protocol.tokens.TokenError}.
        """
        return maybeDeferred(signToken, data, key, options, self.clock())

    def verifyToken(self, signedToken: object, key: KeySource | None, **options: Any) -> Deferred[dict[str, Any]]:
        """
        Verify a token.

        @param signedToken: The token.
        @param key: The secret or public key.
        @param options: See L{agtwisted.protocol.tokens.verifyToken}; C{socket}, the socket that the token came from, is
            for engines that want it, and of no use here.
        @return: Fires with the claims, or fails with a L{agtwisted.protocol.tokens.TokenError}; with
            L{InvalidArgumentsError} if the token is no text.
        """
        if signedToken is not None and not isinstance(signedToken, str):
            return fail(InvalidArgumentsError("Invalid token format - Token must be a string"))
        options.pop("socket", None)
        return maybeDeferred(verifyToken, signedToken, key, options, self.clock())
