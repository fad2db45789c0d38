"""
What clients send: one rule for each reserved event, and one for all others.

A rule says whether the event may come before the handshake, whether it has to be a call, how its data is read, which
action passes middleware for it, and what it does. In the reference this is one long branch.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from agtwisted.errors import AuthTokenExpiredError, InvalidActionError, SCError
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.protocol.statuses import HANDSHAKE_REJECTED, MESSAGE_BEFORE_HANDSHAKE, Disconnect
from agtwisted.server.authentication import (
    authenticate,
    deauthenticateSelf,
    isExpired,
    removeAuthToken,
)
from agtwisted.server.handshake import handshake
from agtwisted.server.middleware import INBOUND, Abandoned, AGAction, Blocked, Verdict
from agtwisted.server.subscriptions import nameTooLong, subscribe, unsubscribeRequested
from agtwisted.server.tokengate import gateOf
from agtwisted.sockets.request import NULL_REPLY
from agtwisted.sockets.socket import CLOSED, CONNECTING, OPEN
from agtwisted.sockets.waiting import Waiting, unfinished
from agtwisted.sockets.waiting import call as deferredCall

if TYPE_CHECKING:
    from agtwisted.server.serversocket import AGServerSocket


@dataclass(slots=True)
class Call:
    """
    One event that a client has sent.

    @ivar event: its name.
    @ivar data: what goes with it, L{NO_DATA} if nothing.
    @ivar isRPC: whether it expects an answer.
    @ivar reply: takes the answer; a null reply if none is expected.
    """

    event: str
    data: Any
    isRPC: bool
    reply: Any


#: What a rule does: C{None} when it is done, or a coroutine that does it.
Effect = Callable[["AGServerSocket", Call], "Coroutine[Any, Any, None] | None"]


@dataclass(frozen=True, slots=True)
class Rule:
    """
    How one kind of event is treated.

    @ivar effect: what it does.
    @ivar beforeHandshake: whether it may come before the handshake.
    @ivar notRPC: the error when it is no call, which then ends the connection; C{None} if it need not be one.
    @ivar onlyRPC: whether it does nothing unless it is a call.
    @ivar check: finds what is wrong with it, and tells the application.
    @ivar enforcesExpiry: whether it counts as use of the socket's token.
    @ivar action: describes it to middleware; C{None} if middleware does not see it.
    @ivar replaceData: takes over data that middleware puts in place.
    """

    effect: Effect
    beforeHandshake: bool = False
    notRPC: str | None = None
    onlyRPC: bool = False
    check: Callable[[AGServerSocket, Any], SCError | None] = lambda socket, data: None
    enforcesExpiry: bool = True
    action: Callable[[AGServerSocket, Call], AGAction] | None = None
    replaceData: Callable[[Call, Any], None] = lambda call, data: None


def isCallId(value: object) -> bool:
    """
    @return: whether C{value} is a number, as call ids and response ids are.
    """
    return value.__class__ is int or value.__class__ is float


def eventReceived(socket: AGServerSocket, event: str, packet: dict[str, Any]) -> Waiting:
    """
    A client has sent an event.

    @return: what to wait for before the socket's next packet; C{None} if it is done.
    @raise Disconnect: the connection has to end.
    """
    if event == "#publish" and _mayPublishAtOnce(socket, packet):
        return _publishAtOnce(socket, packet["cid"], packet["data"])
    rule = RULES.get(event, APPLICATION)
    if socket.state == CONNECTING and not rule.beforeHandshake and socket.server.strictHandshake:
        raise Disconnect(MESSAGE_BEFORE_HANDSHAKE)
    callId = packet.get("cid")
    data = packet.get("data", NO_DATA)
    isRPC = isCallId(callId)
    if not isRPC and rule.notRPC is not None:
        socket.emitError(InvalidActionError(rule.notRPC))
        raise Disconnect(HANDSHAKE_REJECTED)
    reply = NULL_REPLY
    if isRPC:
        if socket.unansweredCount >= socket._callsWatched and rule is APPLICATION and not socket.admitsCall(callId):
            return None
        reply = socket.createRequest(socket, callId, event, None if data is NO_DATA else data)
    return _admit(socket, rule, Call(event, data, isRPC, reply))


def _admit(socket: AGServerSocket, rule: Rule, call: Call) -> Waiting:
    expired = _enforceExpiry(socket) if rule.enforcesExpiry else None
    wrong = rule.check(socket, call.data)
    if wrong is not None:
        call.reply.error(wrong)
        return None
    if rule.action is not None and socket.server.hasMiddleware(INBOUND):
        action = rule.action(socket, call)
        action.authTokenExpiredError = expired
        decided = partial(_decided, socket, rule, call)
        return socket.server.askMiddleware(socket._middlewareStream(INBOUND), action, socket, decided)
    return _perform(socket, rule, call)


def _decided(socket: AGServerSocket, rule: Rule, call: Call, verdict: Verdict) -> Waiting:
    """
    Middleware has decided on what a client has sent: do it, or answer why not.
    """
    if not isinstance(verdict, Blocked):
        if verdict.data is not NO_DATA:
            rule.replaceData(call, verdict.data)
        return _perform(socket, rule, call)
    if not isinstance(verdict, Abandoned) or socket.state != CLOSED:
        call.reply.error(verdict.error)
    return None


def _perform(socket: AGServerSocket, rule: Rule, call: Call) -> Waiting:
    doing = rule.effect(socket, call) if call.isRPC or not rule.onlyRPC else None
    return _deliver(socket, call) if doing is None else _deliverAfter(doing, socket, call)


def _deliverAfter(doing: Coroutine[Any, Any, None], socket: AGServerSocket, call: Call) -> Waiting:
    done = unfinished(Deferred.fromCoroutine(doing))
    if done is None:
        return _deliver(socket, call)
    return done.addCallback(lambda _: _deliver(socket, call))


def _deliver(socket: AGServerSocket, call: Call) -> Waiting:
    """
    Give the event to the application.
    """
    demux = socket._procedureDemux if call.isRPC else socket._receiverDemux
    if demux is not None and (stream := demux.streams.get(call.event)) is not None:
        value = call.reply if call.isRPC else None if call.data is NO_DATA else call.data
        socket.written(stream, stream.write(value))
    elif call.isRPC and not getattr(call.reply, "sent", True):
        # Nobody serves it, so nobody will answer it.
        call.reply.sent = True
        socket.unansweredCount -= 1
    # Whoever hears of this event is to run before the socket's next packet.
    socket.hasWoken()
    return None


def _enforceExpiry(socket: AGServerSocket) -> AuthTokenExpiredError | None:
    token = socket.authToken
    if token is None or not isExpired(token):
        return None
    deauthenticateSelf(socket)
    removeAuthToken(socket)
    return AuthTokenExpiredError("The socket auth token has expired", token["exp"])


# ---- the rules


def _nothing(socket: AGServerSocket, call: Call) -> None:
    return None


async def _authenticate(socket: AGServerSocket, call: Call) -> None:
    info = await gateOf(socket).verify(None if call.data is NO_DATA else call.data)
    if info is not None:
        await authenticate(socket, call, info)


def _removeAuthToken(socket: AGServerSocket, call: Call) -> None:
    deauthenticateSelf(socket)


def _publish(socket: AGServerSocket, call: Call) -> Coroutine[Any, Any, None] | None:
    published = deferredCall(
        socket.server.exchange.invokePublish, call.data["channel"], call.data.get("data", NO_DATA)
    )
    if unfinished(published) is None:
        call.reply.end()
        return None
    return _published(socket, call, published)


def _mayPublishAtOnce(socket: AGServerSocket, packet: dict[str, Any]) -> bool:
    """
    @return: whether a packet is a call to publish as nearly all are, about which nobody is to be asked.
    """
    server, data, demux = socket.server, packet.get("data"), socket._procedureDemux
    longest = server.options.maxChannelNameLength
    return (
        data.__class__ is dict
        and packet.get("cid").__class__ is int
        and (channel := data.get("channel")).__class__ is str
        and (not longest or len(channel) <= longest)
        and socket.state == OPEN
        and socket.authentication.expiry is None
        and INBOUND not in server.middleware
        and server.allowClientPublish
        and server.requestCreator is None
        and (demux is None or "#publish" not in demux.streams)
    )


def _publishAtOnce(socket: AGServerSocket, callId: int, data: dict[str, Any]) -> Waiting:
    """
    What L{_publish} does, in fewer steps.
    """
    published = deferredCall(socket.server.exchange.invokePublish, data["channel"], data.get("data", NO_DATA))
    if unfinished(published) is None:
        socket.sendObject({"rid": callId})
        socket.hasWoken()
        return None
    call = Call("#publish", data, True, socket.createRequest(socket, callId, "#publish", data))
    return _deliverAfter(_published(socket, call, published), socket, call)


async def _published(socket: AGServerSocket, call: Call, published: Deferred[Any]) -> None:
    try:
        await published
    except Exception as error:
        socket.emitError(error)
        call.reply.error(error)
        return
    call.reply.end()


def _checkPublish(socket: AGServerSocket, data: Any) -> SCError | None:
    if not socket.server.allowClientPublish:
        return _wrong(socket, "Client publish feature is disabled")
    return _checkName(socket, "Publish", _channelOf(data))


def _checkSubscribe(socket: AGServerSocket, data: Any) -> SCError | None:
    return _checkName(socket, "Subscribe", _channelOf(data))


def _checkUnsubscribe(socket: AGServerSocket, data: Any) -> SCError | None:
    return _checkName(socket, "Unsubscribe", data)


def _channelOf(data: Any) -> object:
    return data.get("channel") if isinstance(data, dict) else None


def _checkName(socket: AGServerSocket, what: str, channel: object) -> SCError | None:
    if not isinstance(channel, str):
        return _wrong(socket, f"{what} channel name was malformatted")
    return nameTooLong(socket, channel)


def _wrong(socket: AGServerSocket, message: str) -> InvalidActionError:
    error = InvalidActionError(message)
    socket.emitError(error)
    return error


def _publishAction(socket: AGServerSocket, call: Call) -> AGAction:
    return _channelAction(AGAction.PUBLISH_IN, socket, call)


def _subscribeAction(socket: AGServerSocket, call: Call) -> AGAction:
    return _channelAction(AGAction.SUBSCRIBE, socket, call)


def _channelAction(type: str, socket: AGServerSocket, call: Call) -> AGAction:
    action = AGAction(type, socket, call.data.get("data"))
    action.channel = call.data["channel"]
    return action


def _applicationAction(socket: AGServerSocket, call: Call) -> AGAction:
    data = None if call.data is NO_DATA else call.data
    if call.isRPC:
        action = AGAction(AGAction.INVOKE, socket, data)
        action.procedure = call.event
    else:
        action = AGAction(AGAction.TRANSMIT, socket, data)
        action.receiver = call.event
    return action


def _replaceChannelData(call: Call, data: Any) -> None:
    call.data["data"] = data


def _replaceData(call: Call, data: Any) -> None:
    call.data = data
    if call.isRPC:
        call.reply.data = data


APPLICATION = Rule(effect=_nothing, action=_applicationAction, replaceData=_replaceData)

RULES = {
    "#handshake": Rule(
        effect=handshake,
        beforeHandshake=True,
        notRPC="Handshake request was malformatted",
        enforcesExpiry=False,
    ),
    "#authenticate": Rule(
        effect=_authenticate,
        notRPC="Authenticate request was malformatted",
        enforcesExpiry=False,
    ),
    "#removeAuthToken": Rule(effect=_removeAuthToken, enforcesExpiry=False),
    "#publish": Rule(
        effect=_publish, check=_checkPublish, action=_publishAction, replaceData=_replaceChannelData
    ),
    "#subscribe": Rule(
        effect=subscribe, onlyRPC=True, check=_checkSubscribe, action=_subscribeAction, replaceData=_replaceChannelData
    ),
    "#unsubscribe": Rule(effect=unsubscribeRequested, check=_checkUnsubscribe),
}
