"""
Publish and subscribe from within the server.

In the reference: C{SimpleExchange} of C{ag-simple-broker}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from agtwisted.interfaces import ISubscriber
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.sockets.channel import PENDING, SUBSCRIBED, UNSUBSCRIBED, AGChannel
from agtwisted.sockets.channelstreams import ChannelStreams
from agtwisted.sockets.waiting import call
from agtwisted.streams.turns import Turns

if TYPE_CHECKING:
    from agtwisted.brokers.hub import Publication
    from agtwisted.server.broker import AGSimpleBroker

log = Logger()


@implementer(ISubscriber)
class AGExchange(ChannelStreams):
    """
    The server's own client for channels: it publishes, subscribes, and never passes middleware.

    Events: C{subscribe} and C{unsubscribe}, each with C{channel}.

    @ivar id: C{"exchange"}, what tells it from sockets.
    @ivar directOutbox: C{None}: it has no connection that frames could go through.
    """

    def __init__(self, broker: AGSimpleBroker, turns: Turns | None = None) -> None:
        """
        @param broker: what carries its publications.
        """
        super().__init__(turns)
        self.id = "exchange"
        self.directOutbox = None
        self._broker = broker
        self._states: dict[str, str] = {}

    def publicationReceived(self, publication: Publication) -> None:
        """
        Give a publication to the channel's consumers.
        """
        self._channelData.write(publication.channel, publication.data)

    def transmit(self, event: str, packet: dict[str, Any], options: object = None) -> None:
        """
        Receive what a broker engine sends to its subscribers, which it treats all alike.
        """
        if event == "#publish":
            self._channelData.write(packet["channel"], packet.get("data"))

    def destroy(self) -> None:
        """
        End the loops over the broker's events.
        """
        self._broker.closeAllListeners()

    # ---- publish

    def transmitPublish(self, channelName: str, data: object = NO_DATA) -> Deferred[None]:
        """
        Publish without waiting for anything.

        @return: fires when the broker has taken the publication; fails with what the broker fails with.
        """
        return call(self._broker.transmitPublish, channelName, data)

    def invokePublish(self, channelName: str, data: object = NO_DATA) -> Deferred[None]:
        """
        Publish.

        @return: fires when the broker has carried the publication; fails with what the broker fails with.
        """
        return call(self._broker.invokePublish, channelName, data)

    # ---- subscribe

    def subscribe(self, channelName: str, options: object = None) -> AGChannel:
        """
        Subscribe the server itself to a channel.

        @param options: accepted as on clients, and without a meaning here, as in the reference.
        @return: the channel, to be consumed.
        """
        if channelName not in self._states:
            self._states[channelName] = SUBSCRIBED
            self._channelEventHappened(channelName, "subscribe")
            self._watch(maybeDeferred(self._broker.subscribeClient, self, channelName))
            self.emitEvent("subscribe", channel=channelName)
        return AGChannel(channelName, self)

    def unsubscribe(self, channelName: str) -> Deferred[None]:
        """
        Leave a channel.

        @return: has fired.
        """
        if self._states.pop(channelName, None) is not None:
            self._channelEventHappened(channelName, "unsubscribe")
            self._watch(maybeDeferred(self._broker.unsubscribeClient, self, channelName))
            self.emitEvent("unsubscribe", channel=channelName)
        return succeed(None)

    def channel(self, channelName: str) -> AGChannel:
        """
        @return: the channel, to be consumed; this alone subscribes to nothing.
        """
        return AGChannel(channelName, self)

    def subscriptions(self, includePending: bool = False) -> list[str]:
        """
        @return: the names of the channels that the server itself is subscribed to.
        """
        return [name for name, state in self._states.items() if includePending or state == SUBSCRIBED]

    def isSubscribed(self, channelName: str, includePending: bool = False) -> bool:
        """
        @return: whether the server itself is subscribed to that channel.
        """
        state = self._states.get(channelName)
        return state == SUBSCRIBED or (includePending and state == PENDING)

    def getChannelState(self, channelName: str) -> str:
        """
        @return: C{"subscribed"}, C{"pending"} or C{"unsubscribed"}.
        """
        return self._states.get(channelName, UNSUBSCRIBED)

    def getChannelOptions(self, channelName: str) -> dict[str, Any]:
        """
        @return: always empty on the server.
        """
        return {}

    def _watch(self, done: Deferred[Any]) -> None:
        done.addErrback(lambda failure: self._broker.emitEvent("error", error=failure.value))
