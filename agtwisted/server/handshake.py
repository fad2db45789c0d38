"""
SocketCluster's own handshake (C{#handshake}), the second one after WebSocket's.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from agtwisted.errors import SCError, dehydrateError
from agtwisted.protocol.statuses import HANDSHAKE_REJECTED
from agtwisted.server.authentication import (
    NOBODY,
    adopt,
    asksAboutNobody,
    become,
    deauthenticateSelf,
    isBadToken,
    removeAuthToken,
    triggerAuthenticationEvents,
)
from agtwisted.server.middleware import HANDSHAKE, Abandoned, AGAction, Blocked
from agtwisted.server.tokengate import verifyFirst
from agtwisted.sockets.socket import CLOSED, CONNECTING

if TYPE_CHECKING:
    from agtwisted.server.inbound import Call
    from agtwisted.server.serversocket import AGServerSocket


def handshake(socket: AGServerSocket, call: Call) -> Coroutine[Any, Any, None] | None:
    """
    A client introduces itself, perhaps with a token. A bad token does not stop it: it is then nobody.

    @return: C{None} if that is all done; else what is left to do.
    """
    if socket.state != CONNECTING:
        # The reference would count and announce the client again.
        call.reply.end(_status(socket))
        return None
    socket.handshakeStarted()
    server = socket.server
    mayGoOn = server.pacer.mayGoOn()
    token = _tokenIn(call.data)
    if token is not None or not mayGoOn or asksAboutNobody(server) or server.hasMiddleware(HANDSHAKE):
        return _introduce(socket, call, token, mayGoOn)
    become(socket, NOBODY)
    _announce(socket, call, None)
    socket.turns.wakeNow()
    return None


async def _introduce(socket: AGServerSocket, call: Call, token: Any, mayGoOn: bool) -> None:
    if not mayGoOn:
        await socket.server.pacer.turn()
        if socket.state == CLOSED:
            return
    info = await verifyFirst(socket, token)
    if info is None or not await _passMiddleware(socket, call, info):
        return
    oldState = socket.authState
    error: Any = None
    try:
        await adopt(socket, info)
    except (SCError, Blocked) as failure:
        # Else the error, which C{info} keeps, would keep this frame, which keeps C{info}: garbage for every client.
        failure.__traceback__ = None
        if info.signedAuthToken is not None:
            error = failure.error if isinstance(failure, Blocked) else failure
            if isBadToken(error):
                deauthenticateSelf(socket)
    if socket.state == CLOSED:
        return
    _announce(socket, call, error)
    # Those who hear of the connection now get to listen before its next packet, and before its authentication.
    socket.turns.wakeNow()
    if socket.authToken is not None and socket.state != CLOSED:
        triggerAuthenticationEvents(socket, oldState)


def _tokenIn(data: object) -> Any:
    token = data.get("authToken") if isinstance(data, dict) else None
    # What is false in JavaScript is no token; empty lists and objects are bad ones.
    return token if token or isinstance(token, (list, dict)) else None


def _status(socket: AGServerSocket) -> dict[str, Any]:
    return {
        "id": socket.id,
        "pingTimeout": socket.server.pingTimeout,
        "isAuthenticated": socket.authToken is not None,
    }


async def _passMiddleware(socket: AGServerSocket, call: Call, info: object) -> bool:
    if not socket.server.hasMiddleware(HANDSHAKE):
        return True
    action = AGAction(AGAction.HANDSHAKE_SC, socket, info)
    try:
        await socket.server.pass_(socket.middlewareHandshakeStream, action)
    except Blocked as blocked:
        if isinstance(blocked, Abandoned) and socket.state == CLOSED:
            return False
        code = getattr(blocked.error, "statusCode", None)
        if code is None:
            code = HANDSHAKE_REJECTED
            _tellCode(blocked.error, code)
        call.reply.error(blocked.error)
        socket.disconnect(code)
        return False
    return socket.state != CLOSED


def _tellCode(error: object, code: int) -> None:
    # The client finds the code in the error, as in the reference; an error without attributes has no place for it.
    if isinstance(error, Exception):
        error.statusCode = code  # type: ignore[attr-defined]


def _announce(socket: AGServerSocket, call: Call, error: Any) -> None:
    status = _status(socket)
    toClient = dict(status) if error is None else {**status, "authError": dehydrateError(error)}
    if error is not None:
        status["authError"] = error
    socket.opened()
    call.reply.end(toClient)
    socket.askVersion()
    if socket.batchOnHandshake:
        socket.startBatchOnHandshake()
    if error is not None and isBadToken(error):
        removeAuthToken(socket)
    socket.emitEvent("connect", **status)
    socket.server.emitEvent("connection", socket=socket, **status)
    socket.closeHandshakeStream()
