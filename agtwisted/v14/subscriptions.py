"""
The channels that a socket of version 14 is subscribed to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agtwisted.errors import BrokerError, InvalidActionError
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.sockets.socket import OPEN
from agtwisted.v14.callbacks import call, watch
from agtwisted.v14.text import inText, isTrue, member

if TYPE_CHECKING:
    from agtwisted.v14.response import Response
    from agtwisted.v14.serversocket import SCServerSocket


def subscribe(socket: SCServerSocket, data: Any, response: Response) -> None:
    """
    A client subscribes to a channel (C{#subscribe}): to the one that C{data} is, or names.
    """
    if socket.state != OPEN:
        early = InvalidActionError("Cannot subscribe socket to a channel before it has completed the handshake")
        response(early)
        socket.server.emitWarning(early)
        return
    options: Any = {"channel": data} if isinstance(data, str) and data else data if isTrue(data) else {}

    def subscribed(error: Any = None) -> None:
        if error is not None:
            channel = inText(member(options, "channel"))
            failed = BrokerError(f"Failed to subscribe socket to the {channel} channel - {inText(error)}")
            response(failed)
            socket.emitError(failed)
        else:
            response.end(options={"batch": isTrue(member(options, "batch"))})

    _subscribe(socket, options, subscribed)


def _subscribe(socket: SCServerSocket, options: Any, subscribed: Any) -> None:
    server, limit = socket.server, socket.server.socketChannelLimit
    channel = member(options, "channel")
    if limit and socket.channelSubscriptionsCount >= limit:
        message = f"Socket {socket.id} tried to exceed the channel subscription limit of {inText(limit)}"
        server.limitHit("socketChannelLimit", message, socket, isTold=True)
        subscribed(message)
        return
    if not isinstance(channel, str):
        subscribed(f"Socket {socket.id} provided an invalid channel name")
        return
    channels = socket.channelSubscriptions
    isNew = channel not in channels
    channels[channel] = True
    if server.tokenExpiry is not None:
        server.tokenExpiry.subscribed(socket, channel, isNew)

    def done(error: Any = None) -> None:
        if error is not None:
            # In the reference a failure takes away what was there before.
            if isNew:
                channels.pop(channel, None)
        elif socket.state != OPEN:
            # The connection went while the broker was busy, and its channels were left without this one.
            leave(socket, channel)
        else:
            socket.notify("subscribe", channel, options)
            server.notify("subscription", socket, channel, options)
        subscribed(error)

    watch(server.brokerEngine.subscribeSocket(socket, channel, done), "Subscribing has failed.")


def unsubscribe(socket: SCServerSocket, channel: Any) -> None:
    """
    Take a socket out of a channel and tell the application.

    @raise InvalidActionError: it is not subscribed.
    """
    if not isinstance(channel, str):
        raise InvalidActionError(f"Socket {socket.id} tried to unsubscribe from an invalid channel name")
    if channel not in socket.channelSubscriptions:
        raise InvalidActionError(f"Socket {socket.id} tried to unsubscribe from a channel which it is not subscribed to")
    leave(socket, channel)
    socket.notify("unsubscribe", channel)
    socket.server.notify("unsubscription", socket, channel)


def leave(socket: SCServerSocket, channel: str, callback: Any = None) -> None:
    """
    Take a socket out of a channel.

    @param callback: called with the broker's error, C{None} if there is none, once the broker knows.
    """
    socket.channelSubscriptions.pop(channel, None)
    done = socket.server.brokerEngine.unsubscribeSocket(socket, channel, lambda error=None: call(callback, error))
    watch(done, "Unsubscribing has failed.")


def unsubscribeRequested(socket: SCServerSocket, channel: Any, response: Response) -> None:
    """
    A client leaves a channel (C{#unsubscribe}).
    """
    try:
        unsubscribe(socket, channel)
    except InvalidActionError as error:
        name = inText(channel)
        failed = BrokerError(f"Failed to unsubscribe socket from the {name} channel - {error.message}")
        response(failed)
        socket.emitError(failed)
    else:
        response.end(NO_DATA)
