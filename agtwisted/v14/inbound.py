"""
What clients of version 14 send: one rule for each reserved event, and one for all others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agtwisted.errors import AuthTokenExpiredError, BrokerError, InvalidActionError
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.server.authentication import isExpired
from agtwisted.server.subscriptions import nameTooLong
from agtwisted.sockets.socket import CLOSED
from agtwisted.v14 import subscriptions
from agtwisted.v14.authentication import authenticate
from agtwisted.v14.handshake import handshake
from agtwisted.v14.middleware import EMIT, PUBLISH_IN, SUBSCRIBE, MiddlewareRequest
from agtwisted.v14.response import Response, makeResponse
from agtwisted.v14.text import inText, isTrue, member

if TYPE_CHECKING:
    from agtwisted.v14.serversocket import SCServerSocket

#: How an event is treated: with its data, the error that the expiry of the socket's token is (C{NO_DATA} if it has not
#: expired), and what answers it.
Rule = Callable[["SCServerSocket", Any, Any, Response], None]

#: The events that a socket emits itself; a client that sends one is not heard.
LOCAL_EVENTS = frozenset(
    """
    subscribe unsubscribe connect _connect disconnect _disconnect connectAbort _connectAbort close _close message error
    authStateChange authTokenSigned authenticate deauthenticate badAuthToken raw
    """.split()
)


def eventReceived(socket: SCServerSocket, event: Any, packet: dict[str, Any]) -> None:
    """
    A client has sent an event.
    """
    isName = event.__class__ is str
    if isName and event in LOCAL_EVENTS:
        return
    expired = NO_DATA if socket.authentication.expiry is None else enforceExpiry(socket)
    callId = packet.get("cid")
    if not socket.isCallId(callId):
        callId = None
    elif socket.unansweredCount >= socket._callsWatched and not socket.admitsCall(callId, isName and event in RULES):
        return
    response = makeResponse(socket, callId)
    _treat(socket, event, isName, packet, expired, response)
    response.hold()


def _treat(
    socket: SCServerSocket, event: Any, isName: bool, packet: dict[str, Any], expired: Any, response: Response
) -> None:
    if isName and event[:1] == "#":
        rule = RULES.get(event)
        if rule is not None:
            rule(socket, packet.get("data", NO_DATA), expired, response)
        else:
            socket.notify(event, packet.get("data"), response)
    elif socket.server.hasFunctions(EMIT):
        _emitted(socket, event, packet.get("data", NO_DATA), expired, response)
    elif isName:
        # A name that is no text can be seen by middleware, but nobody can listen to it.
        socket.notify(event, packet.get("data"), response)


def enforceExpiry(socket: SCServerSocket) -> Any:
    """
    Make a socket nobody if the time of its token is over.

    @return: the error that this is; L{NO_DATA} if it is not over.
    """
    expired = expiryError(socket)
    if expired is not NO_DATA:
        socket.deauthenticate()
    return expired


def expiryError(socket: SCServerSocket) -> Any:
    """
    @return: the error that the time of a socket's token is over; L{NO_DATA} if it is not over.
    """
    token = socket.authToken
    if token is None or not isExpired(token):
        return NO_DATA
    return AuthTokenExpiredError("The socket auth token has expired", token["exp"])


def _emitted(socket: SCServerSocket, event: Any, data: Any, expired: Any, response: Response) -> None:
    request = MiddlewareRequest(socket=socket, event=event, data=data, authTokenExpiredError=expired)

    def decided(error: Any, _: Any) -> None:
        if error is not None:
            response.error(socket.server.blocked(EMIT, error))
        elif event.__class__ is str:
            socket.notify(event, request.data, response)

    socket.server.passMiddleware(EMIT, request, decided)


# ---- the rules of reserved events


def _subscribe(socket: SCServerSocket, data: Any, expired: Any, response: Response) -> None:
    waitForAuth = member(data, "waitForAuth")
    if isTrue(waitForAuth) and expired is not NO_DATA:
        # It will subscribe again once it is authenticated; middleware need not know.
        response.error(expired)
        return
    channel = member(data, "channel") if not isinstance(data, str) else data
    if _isTooLong(socket, channel, response):
        return
    request = MiddlewareRequest(
        socket=socket,
        channel=channel,
        waitForAuth=waitForAuth,
        data=member(data, "data"),
        authTokenExpiredError=expired,
    )

    def decided(error: Any, _: Any) -> None:
        if error is not None:
            response.error(socket.server.blocked(SUBSCRIBE, error))
            return
        replaced = _withData(data, request)
        if socket.state != CLOSED:
            subscriptions.subscribe(socket, replaced, response)
        socket.notify("#subscribe", _plain(replaced), response)

    socket.server.passMiddleware(SUBSCRIBE, request, decided)


def _isTooLong(socket: SCServerSocket, channel: Any, response: Response) -> bool:
    """
    Answer a packet whose channel has a name that is too long.
    """
    error = nameTooLong(socket, channel) if isinstance(channel, str) else None
    if error is not None:
        response.error(error)
    return error is not None


def _withData(data: Any, request: MiddlewareRequest) -> Any:
    replacement = request.get("data")
    if replacement is NO_DATA or not isinstance(data, dict):
        return data
    return {**data, "data": replacement}


def _plain(data: Any) -> Any:
    return None if data is NO_DATA else data


def _publish(socket: SCServerSocket, data: Any, expired: Any, response: Response) -> None:
    server = socket.server
    if not server.allowClientPublish:
        disabled = InvalidActionError("Client publish feature is disabled")
        server.emitWarning(disabled)
        response.error(disabled)
        return
    channel = member(data, "channel")
    if _isTooLong(socket, channel, response):
        return
    if not server.hasFunctions(PUBLISH_IN):
        _passOn(socket, channel, member(data, "data"), NO_DATA, data, response)
        return
    request = MiddlewareRequest(socket=socket, channel=channel, data=member(data, "data"), authTokenExpiredError=expired)

    def decided(error: Any, _: Any) -> None:
        ackData = request.get("ackData")
        if error is not None:
            response.error(server.blocked(PUBLISH_IN, error), ackData)
        else:
            _passOn(socket, request.get("channel"), request.get("data"), ackData, _withData(data, request), response)

    server.passMiddleware(PUBLISH_IN, request, decided)


def _passOn(socket: SCServerSocket, channel: Any, data: Any, ackData: Any, packet: Any, response: Response) -> None:
    if not isinstance(channel, str):
        invalid = BrokerError(f"Socket {socket.id} tried to publish to an invalid {inText(channel)} channel")
        socket.server.emitWarning(invalid)
        response.error(invalid, ackData)
        return

    def published(error: Any = None) -> None:
        if error is not None:
            socket.server.emitWarning(error)
            response.error(error, ackData)
            return
        response.end(ackData)
        socket.notify("#publish", _plain(packet))

    socket.server.exchange.publish(channel, data, published)


def _disconnect(socket: SCServerSocket, data: Any, expired: Any, response: Response) -> None:
    if socket.speaksDisconnect:
        code, reason, cleaning = member(data, "code"), member(data, "data"), socket.server.cleaning
        if cleaning.mayGoOn():
            socket.peerDisconnects(code, reason)
        else:
            # When thousands go at once, they are let go in slices. What else they say has no meaning any more.
            socket.closeInput()
            cleaning.wait(lambda: socket.peerDisconnects(code, reason))
    else:
        socket.notify("#disconnect", _plain(data), response)


def _plainly(effect: Callable[[SCServerSocket, Any, Response], None], event: str) -> Rule:
    """
    @return: the rule of an event that does not pass middleware: what it does, then whoever listens to it.
    """

    def rule(socket: SCServerSocket, data: Any, expired: Any, response: Response) -> None:
        effect(socket, _plain(data), response)
        socket.notify(event, _plain(data), response)

    return rule


def _unsubscribe(socket: SCServerSocket, data: Any, expired: Any, response: Response) -> None:
    if _isTooLong(socket, data, response):
        return
    subscriptions.unsubscribeRequested(socket, data, response)
    socket.notify("#unsubscribe", _plain(data), response)


def _removeAuthToken(socket: SCServerSocket, data: Any, response: Response) -> None:
    socket.deauthenticateSelf()


RULES: dict[str, Rule] = {
    "#handshake": _plainly(handshake, "#handshake"),
    "#authenticate": _plainly(authenticate, "#authenticate"),
    "#removeAuthToken": _plainly(_removeAuthToken, "#removeAuthToken"),
    "#publish": _publish,
    "#subscribe": _subscribe,
    "#unsubscribe": _unsubscribe,
    "#disconnect": _disconnect,
}
