"""
Many named streams behind one writer.

A stream exists only while somebody consumes it, so a name that nobody listens to costs nothing. Names are data:
C{constructor} or C{__class__} are names like any other.

In the reference: C{stream-demux}.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Generic, TypeVar

from agtwisted.streams.stream import ConsumableStream, Consumer, ConsumerStats, WritableConsumableStream
from agtwisted.streams.turns import Turns, defaultTurns

T = TypeVar("T")


class DemuxedConsumableStream(ConsumableStream[T]):
    """
    The reading side of one named stream of a demux.

    @ivar name: the stream's name.
    """

    __slots__ = ("name", "_demux")

    def __init__(self, demux: StreamDemux[T], name: str) -> None:
        self.name = name
        self._demux = demux

    def createConsumer(self, timeout: float | None = None) -> Consumer[T]:
        """
        @param timeout: milliseconds that the consumer waits for each value; C{None} for ever.
        @return: a consumer that buffers from now on.
        """
        return self._demux.createConsumer(self.name, timeout)


class StreamDemux(Generic[T]):
    """
    Named streams, which come with their first consumer and go with their last.

    @ivar streams: the streams that are being consumed, by name. Walk through a copy: the garbage collector may find an
        abandoned loop at any moment, and with it the last consumer of a stream goes.
    @ivar turns: where consumers are woken.
    """

    __slots__ = ("streams", "turns", "_lastConsumerId")

    def __init__(self, turns: Turns | None = None) -> None:
        """
        @param turns: where consumers are woken; by default those of the installed reactor.
        """
        self.streams: dict[str, WritableConsumableStream[T]] = {}
        self.turns = turns or defaultTurns()
        self._lastConsumerId = 0

    def generateConsumerId(self) -> int:
        """
        @return: the next number; consumers are numbered across all streams of the demux.
        """
        self._lastConsumerId += 1
        return self._lastConsumerId

    # ---- writing

    def write(self, streamName: str, value: T) -> int:
        """
        Give C{value} to every consumer of that stream.

        @return: how many values now wait for the consumer that is furthest behind, or 1; 0 if there is none.
        """
        stream = self.streams.get(streamName)
        return 0 if stream is None else stream.write(value)

    def close(self, streamName: str, value: object = None) -> None:
        """
        End one stream for its consumers, each once it has taken what is buffered for it.
        """
        stream = self.streams.get(streamName)
        if stream is not None:
            stream.close(value)

    def closeAll(self, value: object = None) -> None:
        """
        End every stream for its consumers, each once it has taken what is buffered for it.
        """
        for stream in list(self.streams.values()):
            stream.close(value)

    def kill(self, streamName: str, value: object = None) -> None:
        """
        End one stream at once.
        """
        stream = self.streams.get(streamName)
        if stream is not None:
            stream.kill(value)

    def killAll(self, value: object = None) -> None:
        """
        End every stream at once.
        """
        for stream in list(self.streams.values()):
            stream.kill(value)

    def writeToConsumer(self, consumerId: int, value: T) -> None:
        """
        Give C{value} to one consumer only.
        """
        for stream in self._streamsWith(consumerId):
            stream.writeToConsumer(consumerId, value)

    def closeConsumer(self, consumerId: int, value: object = None) -> None:
        """
        End its stream for one consumer, once it has taken what is buffered for it.
        """
        for stream in self._streamsWith(consumerId):
            stream.closeConsumer(consumerId, value)

    def killConsumer(self, consumerId: int, value: object = None) -> None:
        """
        End its stream for one consumer at once.
        """
        for stream in self._streamsWith(consumerId):
            stream.killConsumer(consumerId, value)

    # ---- reading

    def stream(self, streamName: str) -> DemuxedConsumableStream[T]:
        """
        @return: the reading side of that stream; any number of loops may read it.
        """
        return DemuxedConsumableStream(self, streamName)

    def unstream(self, streamName: str) -> None:
        """
        Forget a stream without telling its consumers.
        """
        self.streams.pop(streamName, None)

    def createConsumer(self, streamName: str, timeout: float | None = None) -> Consumer[T]:
        """
        @param timeout: milliseconds that the consumer waits for each value; C{None} for ever.
        @return: a consumer of that stream that buffers from now on.
        """
        stream = self.streams.get(streamName)
        if stream is None:
            stream = self.streams[streamName] = _NamedStream(self, streamName)
        return stream.createConsumer(timeout)

    # ---- what is known of the consumers

    def getConsumerStats(self, consumerId: int) -> ConsumerStats | None:
        """
        @return: what is known of that consumer, C{None} if there is none.
        """
        for name, stream in list(self.streams.items()):
            stats = stream.getConsumerStats(consumerId)
            if stats is not None:
                return replace(stats, stream=name)
        return None

    def getConsumerStatsList(self, streamName: str) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of that stream.
        """
        stream = self.streams.get(streamName)
        if stream is None:
            return []
        return [replace(stats, stream=streamName) for stats in stream.getConsumerStatsList()]

    def getConsumerStatsListAll(self) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of every stream.
        """
        return [stats for name in list(self.streams) for stats in self.getConsumerStatsList(name)]

    def getBackpressure(self, streamName: str) -> int:
        """
        @return: how many values wait for the consumer of that stream that is furthest behind.
        """
        stream = self.streams.get(streamName)
        return 0 if stream is None else stream.getBackpressure()

    def getBackpressureAll(self) -> int:
        """
        @return: how many values wait for the consumer of any stream that is furthest behind.
        """
        return max((stream.getBackpressure() for stream in list(self.streams.values())), default=0)

    def getConsumerBackpressure(self, consumerId: int) -> int:
        """
        @return: how many values wait for that consumer; 0 if there is none.
        """
        stats = self.getConsumerStats(consumerId)
        return 0 if stats is None else stats.backpressure

    def hasConsumer(self, streamName: str, consumerId: int) -> bool:
        """
        @return: whether that consumer reads that stream.
        """
        stream = self.streams.get(streamName)
        return stream is not None and stream.hasConsumer(consumerId)

    def hasConsumerAll(self, consumerId: int) -> bool:
        """
        @return: whether that consumer reads any stream.
        """
        return any(True for _ in self._streamsWith(consumerId))

    def getConsumerCount(self, streamName: str) -> int:
        """
        @return: how many consumers that stream has.
        """
        stream = self.streams.get(streamName)
        return 0 if stream is None else stream.getConsumerCount()

    def getConsumerCountAll(self) -> int:
        """
        @return: how many consumers all streams have.
        """
        return sum(stream.getConsumerCount() for stream in list(self.streams.values()))

    def _streamsWith(self, consumerId: int) -> Iterator[WritableConsumableStream[T]]:
        # Consumers are numbered across the demux, so there is one such stream at most.
        return (stream for stream in list(self.streams.values()) if stream.hasConsumer(consumerId))

    def consumerRemoved(self, streamName: str) -> None:
        """
        A consumer has left that stream.
        """
        stream = self.streams.get(streamName)
        if stream is not None and not stream.getConsumerCount():
            del self.streams[streamName]


class _NamedStream(WritableConsumableStream[T]):
    """
    A stream of a demux.
    """

    __slots__ = ("_demux", "_name")

    def __init__(self, demux: StreamDemux[T], name: str) -> None:
        super().__init__(demux.turns)
        self._demux = demux
        self._name = name

    def createConsumer(self, timeout: float | None = None) -> Consumer[T]:
        """
        @return: a consumer that buffers from now on, with a number of the demux.
        """
        return Consumer(self, self._demux.generateConsumerId(), timeout)

    def removeConsumer(self, consumerId: int) -> bool:
        """
        Let a consumer go; the stream goes with the last one.

        @return: whether it was there.
        """
        found = super().removeConsumer(consumerId)
        self._demux.consumerRemoved(self._name)
        return found
