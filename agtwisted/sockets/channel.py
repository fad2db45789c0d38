"""
A channel as its subscribers see it: a stream of what is published in it, and of its events.

In the reference: C{ag-channel}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from agtwisted.streams.demux import DemuxedConsumableStream
from agtwisted.streams.stream import ConsumableStream, Consumer, ConsumerStats

if TYPE_CHECKING:
    from agtwisted.sockets.channelstreams import ChannelStreams

PENDING = "pending"
SUBSCRIBED = "subscribed"
UNSUBSCRIBED = "unsubscribed"


class AGChannel(ConsumableStream[Any]):
    """
    One channel of an exchange or a client. Iterating it yields the data of its publications.

    Events: C{subscribe} and C{unsubscribe}; on clients also C{subscribeFail}, C{subscribeStateChange} and C{kickOut}.

    @ivar name: the channel's name.
    @ivar client: the exchange or client that it belongs to.
    """

    __slots__ = ("name", "client")

    PENDING = PENDING
    SUBSCRIBED = SUBSCRIBED
    UNSUBSCRIBED = UNSUBSCRIBED

    def __init__(self, name: str, client: ChannelStreams) -> None:
        self.name = name
        self.client = client

    @property
    def state(self) -> str:
        """
        L{SUBSCRIBED}, L{PENDING} or L{UNSUBSCRIBED}.
        """
        return self.client.getChannelState(self.name)

    @property
    def options(self) -> dict[str, Any]:
        """
        The options it was subscribed with; always empty on a server's exchange.
        """
        return self.client.getChannelOptions(self.name)

    # ---- subscribe and publish

    def subscribe(self, options: object = None) -> None:
        """
        Subscribe to the channel.
        """
        self.client.subscribe(self.name, options)

    def unsubscribe(self) -> None:
        """
        Leave the channel.
        """
        self.client.unsubscribe(self.name)

    def isSubscribed(self, includePending: bool = False) -> bool:
        """
        @return: whether the channel is subscribed to.
        """
        return self.client.isSubscribed(self.name, includePending)

    def transmitPublish(self, data: object = None) -> Deferred[None]:
        """
        Publish in the channel without waiting for an answer.

        @return: see the exchange's or client's C{transmitPublish}.
        """
        return self.client.transmitPublish(self.name, data)

    def invokePublish(self, data: object = None) -> Deferred[None]:
        """
        Publish in the channel.

        @return: see the exchange's or client's C{invokePublish}.
        """
        return self.client.invokePublish(self.name, data)

    # ---- streams

    def createConsumer(self, timeout: float | None = None) -> Consumer[Any]:
        """
        @param timeout: milliseconds that the consumer waits for each publication; C{None} for ever.
        @return: a consumer of the channel's data that buffers from now on.
        """
        return self.client.channelOutput(self.name).createConsumer(timeout)

    def listener(self, eventName: str) -> DemuxedConsumableStream[Any]:
        """
        @return: the stream of one of the channel's events.
        """
        return self.client.channelListener(self.name, eventName)

    def close(self) -> None:
        """
        End the loops over its data and its events, each once it has taken what is buffered for it.
        """
        self.client.closeChannel(self.name)

    def kill(self) -> None:
        """
        End the loops over its data and its events at once.
        """
        self.client.killChannel(self.name)

    def closeOutput(self) -> None:
        """
        End the loops over its data, each once it has taken what is buffered for it.
        """
        self.client.channelCloseOutput(self.name)

    def killOutput(self) -> None:
        """
        End the loops over its data at once.
        """
        self.client.channelKillOutput(self.name)

    def closeListener(self, eventName: str) -> None:
        """
        End the loops over one event, each once it has taken what is buffered for it.
        """
        self.client.channelCloseListener(self.name, eventName)

    def killListener(self, eventName: str) -> None:
        """
        End the loops over one event at once.
        """
        self.client.channelKillListener(self.name, eventName)

    def closeAllListeners(self) -> None:
        """
        End the loops over all its events, each once it has taken what is buffered for it.
        """
        self.client.channelCloseAllListeners(self.name)

    def killAllListeners(self) -> None:
        """
        End the loops over all its events at once.
        """
        self.client.channelKillAllListeners(self.name)

    def killOutputConsumer(self, consumerId: int) -> None:
        """
        End one loop over its data at once.
        """
        if self.hasOutputConsumer(consumerId):
            self.client.killChannelOutputConsumer(consumerId)

    def killListenerConsumer(self, consumerId: int) -> None:
        """
        End one loop over its events at once.
        """
        if self.hasAnyListenerConsumer(consumerId):
            self.client.killChannelListenerConsumer(consumerId)

    # ---- what is known of the consumers

    def getBackpressure(self) -> int:
        """
        @return: how much waits for the consumer, of data or events, that is furthest behind.
        """
        return self.client.getChannelBackpressure(self.name)

    def getOutputBackpressure(self) -> int:
        """
        @return: how many publications wait for the consumer that is furthest behind.
        """
        return self.client.channelGetOutputBackpressure(self.name)

    def getListenerBackpressure(self, eventName: str) -> int:
        """
        @return: how many events of that name wait for the consumer that is furthest behind.
        """
        return self.client.channelGetListenerBackpressure(self.name, eventName)

    def getAllListenersBackpressure(self) -> int:
        """
        @return: how many events wait for the consumer that is furthest behind.
        """
        return self.client.channelGetAllListenersBackpressure(self.name)

    def getOutputConsumerBackpressure(self, consumerId: int) -> int:
        """
        @return: how many publications wait for that consumer; 0 if there is none.
        """
        return self.client.getChannelOutputConsumerBackpressure(consumerId) if self.hasOutputConsumer(consumerId) else 0

    def getListenerConsumerBackpressure(self, consumerId: int) -> int:
        """
        @return: how many events wait for that consumer; 0 if there is none.
        """
        if not self.hasAnyListenerConsumer(consumerId):
            return 0
        return self.client.getChannelListenerConsumerBackpressure(consumerId)

    def getOutputConsumerStats(self, consumerId: int) -> ConsumerStats | None:
        """
        @return: what is known of that consumer of its data, C{None} if there is none.
        """
        return self.client.getChannelOutputConsumerStats(consumerId) if self.hasOutputConsumer(consumerId) else None

    def getListenerConsumerStats(self, consumerId: int) -> ConsumerStats | None:
        """
        @return: what is known of that consumer of its events, C{None} if there is none.
        """
        if not self.hasAnyListenerConsumer(consumerId):
            return None
        return self.client.getChannelListenerConsumerStats(consumerId)

    def getOutputConsumerStatsList(self) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of its data.
        """
        return self.client.channelGetOutputConsumerStatsList(self.name)

    def getListenerConsumerStatsList(self, eventName: str) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of one event.
        """
        return self.client.channelGetListenerConsumerStatsList(self.name, eventName)

    def getAllListenersConsumerStatsList(self) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of its events.
        """
        return self.client.channelGetAllListenersConsumerStatsList(self.name)

    def hasOutputConsumer(self, consumerId: int) -> bool:
        """
        @return: whether that consumer reads its data.
        """
        return self.client.channelHasOutputConsumer(self.name, consumerId)

    def hasListenerConsumer(self, eventName: str, consumerId: int) -> bool:
        """
        @return: whether that consumer reads that event.
        """
        return self.client.channelHasListenerConsumer(self.name, eventName, consumerId)

    def hasAnyListenerConsumer(self, consumerId: int) -> bool:
        """
        @return: whether that consumer reads any of its events.
        """
        return self.client.channelHasAnyListenerConsumer(self.name, consumerId)
