"""
SocketCluster's own handshake (C{#handshake}) in version 14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agtwisted.errors import dehydrateError
from agtwisted.protocol.statuses import HANDSHAKE_REJECTED
from agtwisted.sockets.socket import CLOSED
from agtwisted.streams.emitter import Event
from agtwisted.v14.authentication import processToken
from agtwisted.v14.middleware import HANDSHAKE_SC, MiddlewareRequest
from agtwisted.v14.text import isTrue, member

if TYPE_CHECKING:
    from agtwisted.v14.response import Response
    from agtwisted.v14.serversocket import SCServerSocket


def handshake(socket: SCServerSocket, data: Any, response: Response) -> None:
    """
    A client introduces itself, perhaps with a token. Only the first attempt counts.
    """
    if not socket.isAwaitingHandshake:
        return
    socket.handshakeStarted()
    pacer = socket.server.pacer
    if pacer.mayGoOn():
        _introduce(socket, data, response)
    else:
        pacer.wait(lambda: _introduce(socket, data, response))


def _introduce(socket: SCServerSocket, data: Any, response: Response) -> None:
    presented = member(data, "authToken")

    def decided(error: Any, code: Any) -> None:
        if error is not None:
            _reject(socket, response, error, code)
        elif socket.state != CLOSED:
            # Middleware may have made the client somebody, whatever token it has presented.
            _verify(socket, response, socket.signedAuthToken or (presented if isTrue(presented) else None))

    if socket.state == CLOSED:
        return
    socket.server.passMiddleware(HANDSHAKE_SC, MiddlewareRequest(socket=socket), decided)


def _reject(socket: SCServerSocket, response: Response, error: Any, code: Any) -> None:
    own = getattr(error, "statusCode", None)
    code = own if own is not None else code or HANDSHAKE_REJECTED
    response(socket.server.blocked(HANDSHAKE_SC, error), {"code": code})
    socket.disconnect(code)


def _verify(socket: SCServerSocket, response: Response, signedAuthToken: Any) -> None:
    def processed(error: Any, isBad: bool, oldState: str) -> None:
        if socket.state != CLOSED:
            # No token is no error.
            _accept(socket, response, None if signedAuthToken is None else error, isBad, oldState)

    processToken(socket, signedAuthToken, processed)


def _accept(socket: SCServerSocket, response: Response, error: Any, isBad: bool, oldState: str) -> None:
    server = socket.server
    toClient: dict[str, Any] = {"id": socket.id, "pingTimeout": server.pingTimeout}
    if error is not None:
        toClient["authError"] = dehydrateError(error)
        if isBad:
            socket.deauthenticate()
    isAuthenticated = toClient["isAuthenticated"] = socket.authToken is not None
    status = Event(id=socket.id, pingTimeout=server.pingTimeout, authError=error, isAuthenticated=isAuthenticated)
    socket.opened()
    socket.notify("connect", status)
    server.notify("connection", socket, status)
    if isAuthenticated:
        socket.triggerAuthenticationEvents(oldState)
    # What the application has sent meanwhile goes first, as in the reference.
    response.end(toClient)
    socket.askVersion()
