"""
The streams of all channels of an exchange or a client, and how to manage them.

In the reference these methods are written out in both C{ag-simple-broker} and the client.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from agtwisted.streams.demux import DemuxedConsumableStream, StreamDemux
from agtwisted.streams.emitter import AsyncStreamEmitter, Event
from agtwisted.streams.stream import ConsumerStats
from agtwisted.streams.turns import Turns


def _streamName(channelName: str, eventName: str) -> str:
    # A channel may be called anything: one called "a/b" must not be taken for an event "b..." of the channel "a".
    return _streamPrefix(channelName) + eventName


def _streamPrefix(channelName: str) -> str:
    return channelName.replace("%", "%25").replace("/", "%2F") + "/"


class ChannelStreams(AsyncStreamEmitter):
    """
    One stream of data for each channel, and one for each event of each channel.
    """

    def __init__(self, turns: Turns | None = None) -> None:
        """
        @param turns: where consumers are woken; by default those of the installed reactor.
        """
        super().__init__(turns)
        self._channelData: StreamDemux[Any] = StreamDemux(self.turns)
        self._channelEvents: StreamDemux[Any] = StreamDemux(self.turns)

    # ---- for subclasses to say

    def subscribe(self, channelName: str, options: object = None) -> object:
        """
        Subscribe to a channel.
        """
        raise NotImplementedError

    def unsubscribe(self, channelName: str) -> object:
        """
        Leave a channel.
        """
        raise NotImplementedError

    def isSubscribed(self, channelName: str, includePending: bool = False) -> bool:
        """
        @return: whether the channel is subscribed to.
        """
        raise NotImplementedError

    def getChannelState(self, channelName: str) -> str:
        """
        @return: the channel's state.
        """
        raise NotImplementedError

    def getChannelOptions(self, channelName: str) -> dict[str, Any]:
        """
        @return: what the channel was subscribed with.
        """
        raise NotImplementedError

    def transmitPublish(self, channelName: str, data: object = None) -> Deferred[None]:
        """
        Publish without waiting for an answer.
        """
        raise NotImplementedError

    def invokePublish(self, channelName: str, data: object = None) -> Deferred[None]:
        """
        Publish.
        """
        raise NotImplementedError

    # ---- streams

    def channelOutput(self, channelName: str) -> DemuxedConsumableStream[Any]:
        """
        @return: the stream of what is published in the channel.
        """
        return self._channelData.stream(channelName)

    def channelListener(self, channelName: str, eventName: str) -> DemuxedConsumableStream[Any]:
        """
        @return: the stream of one of the channel's events.
        """
        return self._channelEvents.stream(_streamName(channelName, eventName))

    def _channelEventHappened(self, channelName: str, eventName: str, **fields: object) -> None:
        self._channelEvents.write(_streamName(channelName, eventName), Event(**fields))

    def _eventStreamNames(self, channelName: str) -> list[str]:
        prefix = _streamPrefix(channelName)
        return [name for name in self._channelEvents.streams if name.startswith(prefix)]

    # ---- close and kill

    def closeChannel(self, channelName: str) -> None:
        """
        End the loops over a channel's data and events, each once it has taken what is buffered for it.
        """
        self.channelCloseOutput(channelName)
        self.channelCloseAllListeners(channelName)

    def killChannel(self, channelName: str) -> None:
        """
        End the loops over a channel's data and events at once.
        """
        self.channelKillOutput(channelName)
        self.channelKillAllListeners(channelName)

    def closeAllChannelOutputs(self) -> None:
        """
        End the loops over all channels' data, each once it has taken what is buffered for it.
        """
        self._channelData.closeAll()

    def killAllChannelOutputs(self) -> None:
        """
        End the loops over all channels' data at once.
        """
        self._channelData.killAll()

    def closeAllChannelListeners(self) -> None:
        """
        End the loops over all channels' events, each once it has taken what is buffered for it.
        """
        self._channelEvents.closeAll()

    def killAllChannelListeners(self) -> None:
        """
        End the loops over all channels' events at once.
        """
        self._channelEvents.killAll()

    def closeAllChannels(self) -> None:
        """
        End the loops over all channels' data and events, each once it has taken what is buffered for it.
        """
        self.closeAllChannelOutputs()
        self.closeAllChannelListeners()

    def killAllChannels(self) -> None:
        """
        End the loops over all channels' data and events at once.
        """
        self.killAllChannelOutputs()
        self.killAllChannelListeners()

    def channelCloseOutput(self, channelName: str) -> None:
        """
        End the loops over a channel's data, each once it has taken what is buffered for it.
        """
        self._channelData.close(channelName)

    def channelKillOutput(self, channelName: str) -> None:
        """
        End the loops over a channel's data at once.
        """
        self._channelData.kill(channelName)

    def channelCloseListener(self, channelName: str, eventName: str) -> None:
        """
        End the loops over one of a channel's events, each once it has taken what is buffered for it.
        """
        self._channelEvents.close(_streamName(channelName, eventName))

    def channelKillListener(self, channelName: str, eventName: str) -> None:
        """
        End the loops over one of a channel's events at once.
        """
        self._channelEvents.kill(_streamName(channelName, eventName))

    def channelCloseAllListeners(self, channelName: str) -> None:
        """
        End the loops over a channel's events, each once it has taken what is buffered for it.
        """
        for name in self._eventStreamNames(channelName):
            self._channelEvents.close(name)

    def channelKillAllListeners(self, channelName: str) -> None:
        """
        End the loops over a channel's events at once.
        """
        for name in self._eventStreamNames(channelName):
            self._channelEvents.kill(name)

    def killChannelOutputConsumer(self, consumerId: int) -> None:
        """
        End one loop over a channel's data at once.
        """
        self._channelData.killConsumer(consumerId)

    def killChannelListenerConsumer(self, consumerId: int) -> None:
        """
        End one loop over a channel's events at once.
        """
        self._channelEvents.killConsumer(consumerId)

    # ---- back-pressure

    def getBackpressure(self) -> int:
        """
        @return: how much waits for the consumer, of any event or channel, that is furthest behind.
        """
        return max(self.getAllListenersBackpressure(), self.getAllChannelsBackpressure())

    def getChannelBackpressure(self, channelName: str) -> int:
        """
        @return: how much waits for the channel's consumer, of data or events, that is furthest behind.
        """
        return max(
            self.channelGetOutputBackpressure(channelName), self.channelGetAllListenersBackpressure(channelName)
        )

    def getAllChannelsBackpressure(self) -> int:
        """
        @return: how much waits for the consumer, of any channel, that is furthest behind.
        """
        return max(self.getAllChannelOutputsBackpressure(), self.getAllChannelListenersBackpressure())

    def getAllChannelOutputsBackpressure(self) -> int:
        """
        @return: how many publications wait for the consumer that is furthest behind.
        """
        return self._channelData.getBackpressureAll()

    def getAllChannelListenersBackpressure(self) -> int:
        """
        @return: how many channel events wait for the consumer that is furthest behind.
        """
        return self._channelEvents.getBackpressureAll()

    def channelGetOutputBackpressure(self, channelName: str) -> int:
        """
        @return: how many publications wait for the channel's consumer that is furthest behind.
        """
        return self._channelData.getBackpressure(channelName)

    def channelGetListenerBackpressure(self, channelName: str, eventName: str) -> int:
        """
        @return: how many of those events wait for the consumer that is furthest behind.
        """
        return self._channelEvents.getBackpressure(_streamName(channelName, eventName))

    def channelGetAllListenersBackpressure(self, channelName: str) -> int:
        """
        @return: how many of the channel's events wait for the consumer that is furthest behind.
        """
        names = self._eventStreamNames(channelName)
        return max((self._channelEvents.getBackpressure(name) for name in names), default=0)

    def getChannelOutputConsumerBackpressure(self, consumerId: int) -> int:
        """
        @return: how many publications wait for that consumer; 0 if there is none.
        """
        return self._channelData.getConsumerBackpressure(consumerId)

    def getChannelListenerConsumerBackpressure(self, consumerId: int) -> int:
        """
        @return: how many channel events wait for that consumer; 0 if there is none.
        """
        return self._channelEvents.getConsumerBackpressure(consumerId)

    # ---- consumers

    def getChannelOutputConsumerStats(self, consumerId: int) -> ConsumerStats | None:
        """
        @return: what is known of that consumer of a channel's data, C{None} if there is none.
        """
        return self._channelData.getConsumerStats(consumerId)

    def getChannelListenerConsumerStats(self, consumerId: int) -> ConsumerStats | None:
        """
        @return: what is known of that consumer of a channel's events, C{None} if there is none.
        """
        return self._channelEvents.getConsumerStats(consumerId)

    def getAllChannelOutputsConsumerStatsList(self) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of channels' data.
        """
        return self._channelData.getConsumerStatsListAll()

    def getAllChannelListenersConsumerStatsList(self) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of channels' events.
        """
        return self._channelEvents.getConsumerStatsListAll()

    def channelGetOutputConsumerStatsList(self, channelName: str) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of a channel's data.
        """
        return self._channelData.getConsumerStatsList(channelName)

    def channelGetListenerConsumerStatsList(self, channelName: str, eventName: str) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of one of a channel's events.
        """
        return self._channelEvents.getConsumerStatsList(_streamName(channelName, eventName))

    def channelGetAllListenersConsumerStatsList(self, channelName: str) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of a channel's events.
        """
        names = self._eventStreamNames(channelName)
        return [stats for name in names for stats in self._channelEvents.getConsumerStatsList(name)]

    def hasAnyChannelOutputConsumer(self, consumerId: int) -> bool:
        """
        @return: whether that consumer reads any channel's data.
        """
        return self._channelData.hasConsumerAll(consumerId)

    def hasAnyChannelListenerConsumer(self, consumerId: int) -> bool:
        """
        @return: whether that consumer reads any channel's events.
        """
        return self._channelEvents.hasConsumerAll(consumerId)

    def channelHasOutputConsumer(self, channelName: str, consumerId: int) -> bool:
        """
        @return: whether that consumer reads that channel's data.
        """
        return self._channelData.hasConsumer(channelName, consumerId)

    def channelHasListenerConsumer(self, channelName: str, eventName: str, consumerId: int) -> bool:
        """
        @return: whether that consumer reads that event of that channel.
        """
        return self._channelEvents.hasConsumer(_streamName(channelName, eventName), consumerId)

    def channelHasAnyListenerConsumer(self, channelName: str, consumerId: int) -> bool:
        """
        @return: whether that consumer reads any event of that channel.
        """
        return any(self._channelEvents.hasConsumer(name, consumerId) for name in self._eventStreamNames(channelName))
