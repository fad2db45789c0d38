"""
Events as streams: the base of servers, sockets, exchanges and brokers.

In the reference: C{async-stream-emitter}.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from agtwisted.streams.demux import DemuxedConsumableStream, StreamDemux
from agtwisted.streams.stream import ConsumerStats
from agtwisted.streams.turns import Turns, defaultTurns


class Event(SimpleNamespace):
    """
    What a listener stream yields: the event's fields as attributes, named as in SocketCluster.
    """

    def __getattr__(self, name: str) -> Any:
        # For type checkers: which attributes there are depends on the event.
        raise AttributeError(f"This event has no {name!r}; it has {', '.join(self.__dict__) or 'no fields'}")


class AsyncStreamEmitter:
    """
    Something that emits events, each to the consumers that its listener stream has at that moment.
    """

    __slots__ = ("turns", "_listenerDemux")

    def __init__(self, turns: Turns | None = None) -> None:
        """
        @param turns: where consumers are woken; by default those of the installed reactor.
        """
        self.turns = turns or defaultTurns()
        self._listenerDemux: StreamDemux[Any] | None = None

    @property
    def _listeners(self) -> StreamDemux[Any]:
        if self._listenerDemux is None:
            self._listenerDemux = StreamDemux(self.turns)
        return self._listenerDemux

    def emit(self, eventName: str, data: object = None) -> None:
        """
        Give C{data} to the consumers of that event's listener stream.
        """
        if self._listenerDemux is not None:
            self._listenerDemux.write(eventName, data)

    def emitEvent(self, eventName: str, **fields: object) -> None:
        """
        Emit an L{Event} with these fields; it is not even made when nobody listens.
        """
        demux = self._listenerDemux
        if demux is not None and eventName in demux.streams:
            demux.write(eventName, Event(**fields))

    def hears(self, eventName: str) -> bool:
        """
        @return: whether anybody gets to know of that event, so that it is worth its making.
        """
        demux = self._listenerDemux
        return demux is not None and eventName in demux.streams

    def listener(self, eventName: str) -> DemuxedConsumableStream[Any]:
        """
        @return: the stream of that event.
        """
        return self._listeners.stream(eventName)

    def closeListener(self, eventName: str) -> None:
        """
        End the loops over one event's stream, each once it has taken what is buffered for it.
        """
        self._listeners.close(eventName)

    def closeAllListeners(self) -> None:
        """
        End the loops over every event's stream, each once it has taken what is buffered for it.
        """
        self._listeners.closeAll()

    def killListener(self, eventName: str) -> None:
        """
        End the loops over one event's stream at once and drop what is buffered for them.
        """
        self._listeners.kill(eventName)

    def killAllListeners(self) -> None:
        """
        End the loops over every event's stream at once and drop what is buffered for them.
        """
        self._listeners.killAll()

    def killListenerConsumer(self, consumerId: int) -> None:
        """
        End one consumer's loop at once.
        """
        self._listeners.killConsumer(consumerId)

    def removeListener(self, eventName: str) -> None:
        """
        Forget an event's stream without telling its consumers.
        """
        self._listeners.unstream(eventName)

    def getListenerConsumerStats(self, consumerId: int) -> ConsumerStats | None:
        """
        @return: what is known of that consumer, C{None} if there is none.
        """
        return self._listeners.getConsumerStats(consumerId)

    def getListenerConsumerStatsList(self, eventName: str) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of that event.
        """
        return self._listeners.getConsumerStatsList(eventName)

    def getAllListenersConsumerStatsList(self) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of every event.
        """
        return self._listeners.getConsumerStatsListAll()

    def getListenerConsumerCount(self, eventName: str) -> int:
        """
        @return: how many consumers that event has.
        """
        return self._listeners.getConsumerCount(eventName)

    def getAllListenersConsumerCount(self) -> int:
        """
        @return: how many consumers all events have.
        """
        return self._listeners.getConsumerCountAll()

    def getListenerBackpressure(self, eventName: str) -> int:
        """
        @return: how many events wait for that event's consumer that is furthest behind.
        """
        return self._listeners.getBackpressure(eventName)

    def getAllListenersBackpressure(self) -> int:
        """
        @return: how many events wait for the consumer that is furthest behind.
        """
        return 0 if self._listenerDemux is None else self._listenerDemux.getBackpressureAll()

    def getListenerConsumerBackpressure(self, consumerId: int) -> int:
        """
        @return: how many events wait for that consumer; 0 if there is none.
        """
        return self._listeners.getConsumerBackpressure(consumerId)

    def hasListenerConsumer(self, eventName: str, consumerId: int) -> bool:
        """
        @return: whether that consumer reads that event's stream.
        """
        return self._listeners.hasConsumer(eventName, consumerId)

    def hasAnyListenerConsumer(self, consumerId: int) -> bool:
        """
        @return: whether that consumer reads any event's stream.
        """
        return self._listeners.hasConsumerAll(consumerId)
