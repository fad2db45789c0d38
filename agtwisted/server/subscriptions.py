"""
The channels that a socket is subscribed to.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.python.failure import Failure

from agtwisted.errors import BrokerError, InvalidActionError, ResourceLimitError, describe
from agtwisted.sockets.socket import OPEN

if TYPE_CHECKING:
    from agtwisted.server.inbound import Call
    from agtwisted.server.serversocket import AGServerSocket


def nameTooLong(socket: AGServerSocket, channel: str) -> ResourceLimitError | None:
    """
    Look at the name of a channel that a client has sent.

    @return: the error that it is too long, which the application knows of; C{None} if it is not.
    """
    limit = socket.server.options.maxChannelNameLength
    if not limit or len(channel) <= limit:
        return None
    message = f"A channel name of {len(channel)} characters is longer than the {limit} that it may have"
    return socket.server.limitHit("maxChannelNameLength", message, socket)


async def subscribe(socket: AGServerSocket, call: Call) -> None:
    """
    A client subscribes to a channel (C{#subscribe}).
    """
    if socket.state != OPEN:
        early = InvalidActionError("Cannot subscribe socket to a channel before it has completed the handshake")
        socket.emitError(early)
        call.reply.error(early)
        return
    options = dict(call.data)
    channel = options.pop("channel")
    try:
        await _subscribe(socket, channel, options)
    except Exception as error:
        failed = BrokerError(f"Failed to subscribe socket to the {channel} channel - {describe(error)}")
        socket.emitError(failed)
        call.reply.error(failed)
        return
    if socket.state == OPEN:
        call.reply.end()


async def _subscribe(socket: AGServerSocket, channel: str, options: dict[str, Any]) -> None:
    server, channels = socket.server, socket.channelSubscriptions
    limit = server.socketChannelLimit
    if limit and len(channels) >= limit:
        message = f"Socket {socket.id} tried to exceed the channel subscription limit of {limit}"
        server.limitHit("socketChannelLimit", message, socket, isTold=True)
        raise InvalidActionError(message)
    isNew = channel not in channels
    channels[channel] = True
    if server.tokenExpiry is not None:
        server.tokenExpiry.subscribed(socket, channel, isNew)
    try:
        await maybeDeferred(server.brokerEngine.subscribeSocket, socket, channel)
    except Exception:
        if isNew:
            channels.pop(channel, None)
        raise
    if socket.state != OPEN:
        # The connection went while the broker was busy, and its channels were left before the broker had this one.
        await maybeDeferred(server.brokerEngine.unsubscribeSocket, socket, channel)
        return
    socket.emitEvent("subscribe", channel=channel, subscriptionOptions=options)
    server.emitEvent("subscription", socket=socket, channel=channel, subscriptionOptions=options)


async def unsubscribe(socket: AGServerSocket, channel: str) -> None:
    """
    Take a socket out of a channel. If the broker fails, the socket emits a L{BrokerError} and stays subscribed.

    @raise InvalidActionError: it is not subscribed.
    """
    server = socket.server
    if channel not in socket.channelSubscriptions:
        raise InvalidActionError(
            f"Socket {socket.id} tried to unsubscribe from a channel which it is not subscribed to"
        )
    try:
        await maybeDeferred(server.brokerEngine.unsubscribeSocket, socket, channel)
    except Exception as error:
        socket.emitError(_unsubscribeFailed(channel, error))
        return
    if socket.channelSubscriptions.pop(channel, None) is None:
        return  # somebody else's unsubscribe was faster
    socket.emitEvent("unsubscribe", channel=channel)
    server.emitEvent("unsubscription", socket=socket, channel=channel)


async def unsubscribeRequested(socket: AGServerSocket, call: Call) -> None:
    """
    A client leaves a channel (C{#unsubscribe}).
    """
    try:
        await unsubscribe(socket, call.data)
    except InvalidActionError as error:
        failed = _unsubscribeFailed(call.data, error)
        socket.emitError(failed)
        call.reply.error(failed)
        return
    call.reply.end()


def unsubscribeFromAll(socket: AGServerSocket, channels: Iterable[str]) -> Deferred[Any]:
    """
    Take a socket out of several channels at once.

    @return: fires when the broker has done with all of them; fails with L{InvalidActionError} if the socket is not
        subscribed to one of them.
    """
    waiting = [Deferred.fromCoroutine(unsubscribe(socket, channel)) for channel in channels]
    return gatherResults(waiting, consumeErrors=True).addErrback(_firstFailure)


def _firstFailure(failure: Failure) -> Failure:
    error: Any = failure.value
    return cast(Failure, error.subFailure)


def _unsubscribeFailed(channel: str, error: Exception) -> BrokerError:
    return BrokerError(f"Failed to unsubscribe socket from the {channel} channel - {describe(error)}")
