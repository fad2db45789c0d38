"""
The way that tokens come in which a client presents: one at a time, a few per turn, and not too many bad ones.

Checking a signature is plain CPU work, 50 to 500 microseconds each. A client that sends tokens by the thousand must
neither hold up everybody else nor keep the server busy for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredLock

from agtwisted.protocol.statuses import POLICY_VIOLATION
from agtwisted.server.authentication import AuthInfo, validate
from agtwisted.sockets.socket import CLOSED

if TYPE_CHECKING:
    from agtwisted.server.serversocket import AGServerSocket

#: Tokens of one client that are verified in one turn; fewer if they are long.
_SLICE = 8
#: Characters that cost about as much again as verifying a short token.
_LONG = 4096
#: Seconds that failures are counted over.
_PERIOD = 60.0

_REASON = "Too many failed authentications"


class TokenGate:
    """
    One client's tokens. Made for clients that present one on an open connection, or a bad one in the handshake.
    """

    __slots__ = ("_socket", "_lock", "_taken", "_failures", "_periodEnd")

    def __init__(self, socket: AGServerSocket) -> None:
        """
        @param socket: whose tokens they are.
        """
        self._socket = socket
        self._lock = DeferredLock()
        self._taken = 0
        self._failures = 0
        self._periodEnd = 0.0

    async def verify(self, signedAuthToken: Any) -> AuthInfo | None:
        """
        Verify a token, in this turn or the next.

        @return: what became of it; C{None} if the connection is gone, perhaps because of this token.
        """
        self._taken += 1 + (len(signedAuthToken) // _LONG if isinstance(signedAuthToken, str) else 0)
        if self._taken >= _SLICE:
            self._taken = 0
            await self._socket.turns.nextTurn()
        if self._socket.state == CLOSED:
            return None
        info = await validate(self._socket, signedAuthToken)
        return info if self.bears(info) else None

    def verifyInOrder(self, signedAuthToken: Any, verified: Callable[[AuthInfo | None], None]) -> Deferred[None]:
        """
        As L{verify}, when the tokens before this one have been dealt with. For those who do not wait for one packet
        before they take the next.

        @param verified: called with what became of it.
        """

        def verify() -> Deferred[None]:
            return Deferred.fromCoroutine(self.verify(signedAuthToken)).addCallback(verified)

        return self._lock.run(verify)

    def bears(self, info: AuthInfo) -> bool:
        """
        Count a token if it was bad. One that is bad after too many others ends the connection.

        @return: whether the connection goes on.
        """
        server = self._socket.server
        limit = server.options.maxFailedAuthenticationsPerMinute
        if info.authTokenError is None or info.signedAuthToken is None or limit is None:
            return True
        now = server.wheel.seconds()
        if now >= self._periodEnd:
            self._failures, self._periodEnd = 0, now + _PERIOD
        self._failures += 1
        if self._failures <= limit:
            return True
        if self._socket.state != CLOSED:
            server.limitHit(
                "maxFailedAuthenticationsPerMinute",
                f"Socket {self._socket.id} failed to authenticate more than {limit} times within a minute",
                self._socket,
            )
            self._socket.end(POLICY_VIOLATION, _REASON, _REASON)
        return False


def gateOf(socket: AGServerSocket) -> TokenGate:
    """
    @return: the gate of a socket, made now if it has none yet.
    """
    if socket._tokenGate is None:
        socket._tokenGate = TokenGate(socket)
    return socket._tokenGate


async def verifyFirst(socket: AGServerSocket, signedAuthToken: Any) -> AuthInfo | None:
    """
    Verify the token of a handshake, which needs no gate while it is good.

    @return: as L{TokenGate.verify}.
    """
    info = await validate(socket, signedAuthToken)
    if info.authTokenError is None or signedAuthToken is None:
        return info
    return info if gateOf(socket).bears(info) else None
