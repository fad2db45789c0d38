"""
Tokens in version 14: who a socket is, and how it becomes and stops being it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from agtwisted.errors import dehydrateError, describe
from agtwisted.protocol.copying import ownCopy
from agtwisted.protocol.statuses import SIGNING_FAILED
from agtwisted.server.authentication import (
    AUTHENTICATED,
    NOBODY,
    UNAUTHENTICATED,
    Authentication,
    AuthInfo,
    become,
    isBadToken,
    signatureOptions,
)
from agtwisted.server.tokengate import gateOf, verifyFirst
from agtwisted.sockets.socket import CONNECTING
from agtwisted.sparinglog import SparingLogger
from agtwisted.streams.emitter import Event
from agtwisted.v14.callbacks import Callback, call
from agtwisted.v14.middleware import AUTHENTICATE, MiddlewareRequest
from agtwisted.v14.text import isTrue

if TYPE_CHECKING:
    from agtwisted.v14.response import Response
    from agtwisted.v14.serversocket import SCServerSocket

log = SparingLogger()

#: Called with what is wrong with a token (C{None} if nothing is), whether the client is to forget it, and what the socket's
#: authentication state was.
Processed = Callable[[Any, bool, str], None]


def processToken(socket: SCServerSocket, signedAuthToken: Any, processed: Processed) -> None:
    """
    Make a socket who its token says, if the token is good and middleware allows it; else it is nobody.
    """

    def verified(info: AuthInfo | None) -> None:
        if info is not None:
            _adopt(socket, info, processed)

    done: Deferred[None]
    if socket.state == CONNECTING:
        done = Deferred.fromCoroutine(verifyFirst(socket, signedAuthToken)).addCallback(verified)
    else:
        done = gateOf(socket).verifyInOrder(signedAuthToken, verified)
    done.addErrback(lambda failure: log.failure("Processing a token has failed.", failure))


def _adopt(socket: SCServerSocket, info: AuthInfo, processed: Processed) -> None:
    oldState = socket.authState
    if info.authTokenError is not None:
        _refuse(socket, info, oldState, processed)
        return
    if not isTrue(info.authToken):
        become(socket, NOBODY)
        processed(None, True, oldState)
        return
    become(socket, Authentication(AUTHENTICATED, info.authToken, info.signedAuthToken))
    request = MiddlewareRequest(socket=socket, authToken=info.authToken, signedAuthToken=info.signedAuthToken)

    def decided(error: Any, isBad: Any) -> None:
        if error is None:
            processed(None, False, oldState)
            return
        error, isBad = socket.server.blocked(AUTHENTICATE, error), bool(isBad)
        # The reference keeps the signed token here.
        become(socket, NOBODY)
        if isBad:
            _announceBadToken(socket, error, info.signedAuthToken)
        processed(error, isBad, oldState)

    socket.server.passMiddleware(AUTHENTICATE, request, decided)


def _refuse(socket: SCServerSocket, info: AuthInfo, oldState: str, processed: Processed) -> None:
    error: Any = info.authTokenError
    isBad = isBadToken(error)
    # Version 14 does not tell clients so.
    del error.isBadToken
    become(socket, NOBODY)
    if info.signedAuthToken is not None:
        socket.emitError(error)
        if isBad:
            _announceBadToken(socket, error, info.signedAuthToken)
    processed(error, isBad, oldState)


def _announceBadToken(socket: SCServerSocket, error: Any, signedAuthToken: Any) -> None:
    status = Event(authError=error, signedAuthToken=signedAuthToken)
    socket.notify("badAuthToken", status)
    socket.server.notify("badSocketAuthToken", socket, status)


def authenticate(socket: SCServerSocket, signedAuthToken: Any, response: Response) -> None:
    """
    A client presents a token on an open connection (C{#authenticate}).
    """

    def processed(error: Any, isBad: bool, oldState: str) -> None:
        if error is None:
            socket.triggerAuthenticationEvents(oldState)
        elif isBad:
            socket.deauthenticate()
        status = {"isAuthenticated": socket.authToken is not None, "authError": dehydrateError(error)}
        response(error if isBad else None, status)

    processToken(socket, signedAuthToken, processed)


def triggerAuthenticationEvents(socket: SCServerSocket, oldState: str) -> None:
    """
    Emit that a socket has become somebody, or somebody else.
    """
    server = socket.server
    if oldState != AUTHENTICATED:
        _stateChanged(socket, oldState, socket.authState, socket.authToken)
    socket.notify("authenticate", socket.authToken)
    server.notify("authentication", socket, socket.authToken)


def deauthenticateSelf(socket: SCServerSocket) -> None:
    """
    Make a socket nobody, without telling the client.
    """
    old = socket.authentication
    become(socket, NOBODY)
    if old.state != UNAUTHENTICATED:
        _stateChanged(socket, old.state, UNAUTHENTICATED, None)
    socket.notify("deauthenticate", old.token)
    socket.server.notify("deauthentication", socket, old.token)


def _stateChanged(socket: SCServerSocket, oldState: str, newState: str, authToken: Any) -> None:
    change = Event(oldState=oldState, newState=newState, authToken=authToken)
    socket.notify("authStateChange", change)
    socket.server.notify("authenticationStateChange", socket, change)


def setAuthToken(socket: SCServerSocket, data: Any, options: dict[str, Any], callback: Callback | None) -> None:
    """
    Make a socket somebody and give the client the token that proves it.
    """
    before, token = socket.authentication, ownCopy(data)
    become(socket, Authentication(AUTHENTICATED, token, before.signed))
    server = socket.server
    given = signatureOptions(socket, token, options)

    def signed(signedAuthToken: str) -> None:
        if socket.authToken is token:
            become(socket, Authentication(AUTHENTICATED, token, signedAuthToken))
            socket.notify("authTokenSigned", signedAuthToken)
        socket.emit("#setAuthToken", {"token": signedAuthToken}, callback)

    def failed(failure: Failure) -> None:
        error: Any = failure.value
        if socket.authToken is token:
            become(socket, NOBODY)
        socket.emitError(error)
        socket.end(SIGNING_FAILED, describe(error), None)
        call(callback, error, None)

    done: Deferred[None] = maybeDeferred(server.auth.signToken, token, server.signatureKey, **given)
    done.addCallbacks(signed, failed)
    done.addErrback(lambda failure: log.failure("Setting a token has failed.", failure))
    # The reference announces a token that could not be signed as well.
    if socket.authToken is token:
        triggerAuthenticationEvents(socket, before.state)
