"""
Streams that are written on one side and consumed, by any number of consumers, on the other.

Every consumer has its own copy of the sequence: it buffers from the moment it is created, and what it has not taken yet
is its back-pressure. Closing lets consumers take what is buffered and then ends their loops; killing ends them at once
and drops the buffer.

In the reference: C{writable-consumable-stream} and C{consumable-stream}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred

from agtwisted.streams.consumer import Consumer, ConsumerLoop, ConsumerStats, End, IterationResult
from agtwisted.streams.turns import Turns, defaultTurns

__all__ = [
    "ConsumableStream",
    "Consumer",
    "ConsumerLoop",
    "ConsumerStats",
    "IterationResult",
    "WritableConsumableStream",
]

T = TypeVar("T")


class ConsumableStream(Generic[T]):
    """
    The reading side of a stream: C{async for}, L{once}, L{next} and L{createConsumer}.
    """

    __slots__ = ()

    def createConsumer(self, timeout: float | None = None) -> Consumer[T]:
        """
        @param timeout: milliseconds that the consumer waits for each value; C{None} for ever.
        @return: a consumer that buffers from now on.
        """
        raise NotImplementedError

    def __aiter__(self) -> ConsumerLoop[T]:
        return ConsumerLoop(self.createConsumer())

    def next(self, timeout: float | None = None) -> Deferred[IterationResult]:
        """
        Wait for the next value or the end of the stream.

        @param timeout: milliseconds.
        @return: fires with an L{IterationResult}; fails with L{TimeoutError}. Cancelling it stops the waiting.
        """
        return Deferred.fromCoroutine(self._once(self.createConsumer(timeout)))

    def once(self, timeout: float | None = None) -> Deferred[T]:
        """
        Wait for the next value.

        @param timeout: milliseconds.
        @return: fires with the value; fails with L{TimeoutError}. As in the reference, it never fires when the stream
            ends first.
        """
        result: Deferred[T] = Deferred(lambda _: waiting.cancel())

        def stepped(step: IterationResult) -> None:
            if not step.done:
                result.callback(step.value)

        waiting = self.next(timeout)
        waiting.addCallback(stepped)
        waiting.addErrback(lambda failure: None if result.called else result.errback(failure))
        return result

    @staticmethod
    async def _once(consumer: Consumer[T]) -> IterationResult:
        try:
            return await consumer._next()
        finally:
            consumer.return_()


class WritableConsumableStream(ConsumableStream[T]):
    """
    A stream: what is written is buffered for each of its consumers.
    """

    __slots__ = (
        "turns",
        "type",
        "_consumers",
        "_writers",
        "_generateConsumerId",
        "_consumerRemoved",
        "_lastConsumerId",
    )

    def __init__(
        self,
        turns: Turns | None = None,
        generateConsumerId: Callable[[], int] | None = None,
        removeConsumerCallback: Callable[[int], object] | None = None,
    ) -> None:
        """
        @param turns: where consumers are woken; by default those of the installed reactor.
        @param generateConsumerId: gives the next consumer's number; by default they count from 1.
        @param removeConsumerCallback: called with the number of a consumer that has left.
        """
        self.turns = turns or defaultTurns()
        self.type: str | None = None
        self._consumers: dict[int, Consumer[T]] = {}
        # The same consumers as a value, so that writing needs no copy of the dictionary.
        self._writers: tuple[Consumer[T], ...] = ()
        self._generateConsumerId = generateConsumerId
        self._consumerRemoved = removeConsumerCallback
        self._lastConsumerId = 0

    # ---- writing

    def write(self, value: T) -> int:
        """
        Give C{value} to every consumer.

        @return: how many values now wait for the consumer that is furthest behind, or 1.
        """
        backlog = 1
        for consumer in self._writers:
            # As Consumer.write, without the calls: this is the way of every event and every request.
            written = consumer._written
            written.append(value)
            if consumer._isWaiting:
                if consumer._timer is not None:
                    consumer._stopTimer()
                consumer._isWaiting = False
                turns = self.turns
                turns.wakeUps.append(consumer._wakeUp)
                if not turns.isDue:
                    turns.schedule()
            else:
                waiting = len(written) + len(consumer._ready)
                if waiting > backlog:
                    backlog = waiting
        return backlog

    def writeAll(self, values: list[T]) -> int:
        """
        Give each of C{values} to every consumer.

        @return: how many values now wait for the consumer that is furthest behind, or 1.
        """
        backlog = 1
        for consumer in self._writers:
            consumer._written.extend(values)
            consumer._wakeSoon()
            backlog = max(backlog, consumer.getBackpressure())
        return backlog

    def close(self, value: object = None) -> None:
        """
        End the stream for its consumers, each once it has taken what is buffered for it.

        @param value: what C{next} gives with the end.
        """
        end = End(value)
        for consumer in self._writers:
            consumer.write(end)

    def kill(self, value: object = None) -> None:
        """
        End the stream for its consumers at once and drop what is buffered for them.

        @param value: what C{next} gives with the end.
        """
        for consumer in self._writers:
            consumer.kill(value)

    def writeToConsumer(self, consumerId: int, value: T) -> None:
        """
        Give C{value} to one consumer only; nothing happens if there is none of that number.
        """
        consumer = self._consumers.get(consumerId)
        if consumer is not None:
            consumer.write(value)

    def closeConsumer(self, consumerId: int, value: object = None) -> None:
        """
        End the stream for one consumer, once it has taken what is buffered for it.
        """
        consumer = self._consumers.get(consumerId)
        if consumer is not None:
            consumer.write(End(value))

    def killConsumer(self, consumerId: int, value: object = None) -> None:
        """
        End the stream for one consumer at once.
        """
        consumer = self._consumers.get(consumerId)
        if consumer is not None:
            consumer.kill(value)

    # ---- consumers

    def createConsumer(self, timeout: float | None = None) -> Consumer[T]:
        """
        @param timeout: milliseconds that the consumer waits for each value; C{None} for ever.
        @return: a consumer that buffers from now on.
        """
        if self._generateConsumerId is not None:
            return Consumer(self, self._generateConsumerId(), timeout)
        self._lastConsumerId += 1
        return Consumer(self, self._lastConsumerId, timeout)

    def setConsumer(self, consumerId: int, consumer: Consumer[T]) -> None:
        """
        Let C{consumer} take part; consumers call this themselves.
        """
        self._consumers[consumerId] = consumer
        self._writers = tuple(self._consumers.values())

    def removeConsumer(self, consumerId: int) -> bool:
        """
        Let a consumer go; consumers call this themselves.

        @return: whether it was there.
        """
        found = self._consumers.pop(consumerId, None) is not None
        if found:
            self._writers = tuple(self._consumers.values())
        if self._consumerRemoved is not None:
            self._consumerRemoved(consumerId)
        return found

    def hasConsumer(self, consumerId: int) -> bool:
        """
        @return: whether a consumer of that number takes part.
        """
        return consumerId in self._consumers

    def getConsumerList(self) -> list[Consumer[T]]:
        """
        @return: all consumers, oldest first.
        """
        return list(self._consumers.values())

    def getConsumerCount(self) -> int:
        """
        @return: how many consumers take part.
        """
        return len(self._consumers)

    def getConsumerStats(self, consumerId: int) -> ConsumerStats | None:
        """
        @return: what is known of that consumer, C{None} if there is none.
        """
        consumer = self._consumers.get(consumerId)
        return None if consumer is None else consumer.getStats()

    def getConsumerStatsList(self) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer.
        """
        return [consumer.getStats() for consumer in self.getConsumerList()]

    def getBackpressure(self) -> int:
        """
        @return: how many values wait for the consumer that is furthest behind.
        """
        return max((consumer.getBackpressure() for consumer in self.getConsumerList()), default=0)

    def getConsumerBackpressure(self, consumerId: int) -> int:
        """
        @return: how many values wait for that consumer; 0 if there is none.
        """
        consumer = self._consumers.get(consumerId)
        return 0 if consumer is None else consumer.getBackpressure()
