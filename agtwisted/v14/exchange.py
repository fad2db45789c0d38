"""
Publish and subscribe from within the server, with callbacks.

In the reference: C{SimpleExchange} of C{sc-simple-broker}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from agtwisted.interfaces import ISubscriber
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.sockets.waiting import unfinished
from agtwisted.v14.callbacks import Callback, call
from agtwisted.v14.channel import PENDING, SUBSCRIBED, UNSUBSCRIBED, SCChannel
from agtwisted.v14.emitter import CallbackEmitter

if TYPE_CHECKING:
    from agtwisted.brokers.hub import Publication
    from agtwisted.v14.broker import SCSimpleBroker


class _Watchers(CallbackEmitter):
    """
    The functions that watch channels, by channel.
    """

    __slots__ = ("_callbacks",)

    def __init__(self) -> None:
        self._callbacks = None


@implementer(ISubscriber)
class SCExchange(CallbackEmitter):
    """
    The server's own client for channels: it publishes, subscribes, and never passes middleware.

    Events: C{subscribe} and C{unsubscribe}, each with the channel's name.

    @ivar id: C{"exchange"}, what tells it from sockets.
    @ivar directOutbox: C{None}: it has no connection that frames could go through.
    """

    def __init__(self, broker: SCSimpleBroker) -> None:
        """
        @param broker: what carries its publications.
        """
        self._callbacks = None
        self.id = "exchange"
        self.directOutbox = None
        self._broker = broker
        self._channels: dict[str, SCChannel] = {}
        self._watchers = _Watchers()

    def publicationReceived(self, publication: Publication) -> None:
        """
        Give a publication to the functions that watch its channel.
        """
        data = publication.data
        self._watchers.notify(publication.channel, None if data is NO_DATA else data)

    def destroy(self) -> None:
        """
        Leave all channels, and forget who watches them.
        """
        for name in list(self._channels):
            self.destroyChannel(name)
        self._watchers.off()

    def publish(self, channelName: str, data: object = NO_DATA, callback: Callback | None = None) -> None:
        """
        Publish.

        @param callback: called with the broker's error, C{None} if there is none, once the broker has the publication.
        """
        self._broker.publish(channelName, data, callback)

    def subscribe(self, channelName: str, options: object = None) -> SCChannel:
        """
        Subscribe the server itself to a channel.

        @param options: accepted as on clients, and without a meaning here, as in the reference.
        @return: the channel.
        """
        channel = self.channel(channelName)
        if channel.state == UNSUBSCRIBED:
            channel.state = SUBSCRIBED
            self._settle(self._broker.subscribeClient(self, channelName))
            channel.notify("subscribe", channelName)
            self.notify("subscribe", channelName)
        return channel

    def unsubscribe(self, channelName: str) -> None:
        """
        Leave a channel.
        """
        channel = self._channels.get(channelName)
        if channel is not None and channel.state != UNSUBSCRIBED:
            channel.state = UNSUBSCRIBED
            self._settle(self._broker.unsubscribeClient(self, channelName))
            channel.notify("unsubscribe", channelName)
            self.notify("unsubscribe", channelName)

    def channel(self, channelName: str) -> SCChannel:
        """
        @return: the channel, always the same object; this alone subscribes to nothing.
        """
        channel = self._channels.get(channelName)
        if channel is None:
            channel = self._channels[channelName] = SCChannel(channelName, self)
        return channel

    def destroyChannel(self, channelName: str) -> None:
        """
        Leave a channel, and forget it and who watches it.
        """
        if channelName in self._channels:
            self.unwatch(channelName)
            self.unsubscribe(channelName)
            del self._channels[channelName]

    def subscriptions(self, includePending: bool = False) -> list[str]:
        """
        @return: the names of the channels that the server itself is subscribed to.
        """
        return [name for name in self._channels if self.isSubscribed(name, includePending)]

    def isSubscribed(self, channelName: str, includePending: bool = False) -> bool:
        """
        @return: whether the server itself is subscribed to that channel.
        """
        channel = self._channels.get(channelName)
        return channel is not None and (channel.state == SUBSCRIBED or (includePending and channel.state == PENDING))

    def watch(self, channelName: str, function: Callback) -> None:
        """
        Call C{function} with the data of everything that is published in a channel, while the server is subscribed to it.
        """
        self._watchers.on(channelName, function)

    def unwatch(self, channelName: str, function: Callback | None = None) -> None:
        """
        Stop calling C{function}, or all functions, for a channel.
        """
        self._watchers.off(channelName, function)

    def watchers(self, channelName: str) -> list[Callback]:
        """
        @return: the functions that watch a channel.
        """
        return self._watchers.listeners(channelName)

    def _settle(self, done: Deferred[Any]) -> None:
        def failed(failure: Failure) -> None:
            self._broker.emitEvent("error", error=failure.value)

        done.addErrback(failed)


def settle(done: Deferred[Any], callback: Callback | None) -> None:
    """
    Call back with a Deferred's error, or with C{None} once it has fired.
    """
    if unfinished(done) is None:
        call(callback, None)
        return
    done.addCallbacks(lambda _: call(callback, None), lambda failure: call(callback, failure.value))
