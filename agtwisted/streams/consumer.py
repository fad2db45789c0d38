"""
Consumers of streams: each buffers for itself what was written since it was made, and is woken when it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from agtwisted.errors import InvalidActionError, TimeoutError
from agtwisted.streams.wakeup import WakeUp

if TYPE_CHECKING:
    from agtwisted.streams.stream import WritableConsumableStream

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IterationResult:
    """
    One step of a consumer: a value, or the end of the stream with the value it was closed or killed with.
    """

    value: Any
    done: bool


@dataclass(frozen=True, slots=True)
class ConsumerStats:
    """
    What is known of one consumer.

    @ivar id: the consumer's number, unique in its stream or demux.
    @ivar backpressure: how many values wait for it.
    @ivar timeout: milliseconds that it waits for a value, C{None} for ever.
    @ivar stream: the name of its stream in a demux, C{None} outside one.
    """

    id: int
    backpressure: int
    timeout: float | None = None
    stream: str | None = None


class End:
    """
    The last thing in a buffer: the stream was closed or killed.
    """

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


class Consumer(Generic[T]):
    """
    One reader of a stream, which buffers for it from its creation on.

    @ivar id: its number, unique in its stream or demux.
    @ivar timeout: milliseconds that C{next} waits for a value before it fails; C{None} for ever.
    @ivar isAlive: whether its stream still writes to it.
    @ivar stream: the stream it reads.
    """

    __slots__ = (
        "id",
        "timeout",
        "isAlive",
        "stream",
        "_turns",
        "_written",
        "_ready",
        "_wakeUp",
        "_isWaiting",
        "_timer",
        "_below",
    )

    def __init__(self, stream: WritableConsumableStream[T], id: int, timeout: float | None = None) -> None:
        self.id = id
        self.timeout = timeout
        self.stream = stream
        self.isAlive = True
        self._turns = stream.turns
        # Two lists make a queue that is cheap for one value and for thousands: what was written, in order; and what is
        # ready to be taken, from its end.
        self._written: list[T | End] = []
        self._ready: list[T | End] = []
        self._wakeUp: WakeUp | None = None
        self._isWaiting = False
        self._timer: IDelayedCall | None = None
        self._below: tuple[int, Callable[[], object]] | None = None
        stream.setConsumer(id, self)

    # ---- the reading side

    def __aiter__(self) -> ConsumerLoop[T]:
        return ConsumerLoop(self)

    def next(self) -> Deferred[IterationResult]:
        """
        Take the next value, waiting for it if there is none.

        @return: fires with an L{IterationResult}; fails with L{TimeoutError} after C{timeout} milliseconds, or with
            L{InvalidActionError} when somebody already waits here.
        """
        return Deferred.fromCoroutine(self._next())

    def return_(self) -> None:
        """
        Stop reading: drop what is buffered and leave the stream. (C{return} in the reference.)
        """
        self._written = []
        self._ready = []
        self._leave()

    def kill(self, value: object = None) -> None:
        """
        Stop reading at once: what is buffered is dropped, a loop that waits ends.
        """
        self._written = [End(value)]
        self._ready = []
        self._leave()
        self._wakeSoon()

    def getStats(self) -> ConsumerStats:
        """
        @return: this consumer's number, back-pressure and timeout.
        """
        return ConsumerStats(self.id, self.getBackpressure(), self.timeout)

    def getBackpressure(self) -> int:
        """
        @return: how many values wait here.
        """
        return len(self._written) + len(self._ready) if self.isAlive else 0

    async def _next(self) -> IterationResult:
        while not (self._ready or self._written):
            await self._waiting()
        item = (self._ready or self._turnOver()).pop()
        if self._below is not None:
            self._taken()
        if isinstance(item, End):
            self._ended()
            return IterationResult(item.value, True)
        return IterationResult(item, False)

    def _waiting(self) -> WakeUp:
        """
        @return: what to await while there is nothing to take. It may wake in vain.
        """
        wakeUp = self._wakeUp
        if wakeUp is None:
            wakeUp = self._wakeUp = WakeUp(self._cancelled)
        elif wakeUp.isAwaited:
            raise InvalidActionError(f"Consumer {self.id} is already waiting for a value")
        if not self.isAlive:
            self.isAlive = True
            self.stream.setConsumer(self.id, self)
        if self.timeout is not None:
            self._timer = self._turns.callLater(self.timeout / 1000, self._timedOut)
        self._isWaiting = True
        return wakeUp

    def _timedOut(self) -> None:
        self._timer = None
        self.return_()
        self._isWaiting = False
        assert self._wakeUp is not None
        self._wakeUp.wake(Failure(TimeoutError("Stream consumer iteration timed out")))

    def _cancelled(self) -> None:
        self._isWaiting = False
        self._wakeUp = None  # it may be due already: it must not wake whoever waits here next
        self.return_()

    def _turnOver(self) -> list[T | End]:
        """
        @return: what was written, ready to be taken from the end.
        """
        ready = self._ready = self._written
        self._written = []
        if len(ready) > 1:
            ready.reverse()
        return ready

    def whenBelow(self, backpressure: int, function: Callable[[], object]) -> bool:
        """
        Call C{function} once, when so little waits here, or when this consumer stops reading.

        @return: whether it will be called; it is not when another one waits for that already.
        """
        if self._below is not None:
            return False
        self._below = (backpressure, function)
        return True

    def _taken(self) -> None:
        """
        A value was taken, and somebody wants to know when little is left.
        """
        if self._below is not None and self.getBackpressure() <= self._below[0]:
            function, self._below = self._below[1], None
            function()

    # ---- the writing side

    def write(self, item: T | End) -> None:
        """
        Buffer a value; the stream calls this.
        """
        self._written.append(item)
        if self._isWaiting:
            self._wakeSoon()

    def _wakeSoon(self) -> None:
        if self._isWaiting:
            self._isWaiting = False
            if self._timer is not None:
                self._stopTimer()
            # As Turns.wake, without the call: this is the way to every consumer.
            turns = self._turns
            turns.wakeUps.append(self._wakeUp)
            if not turns.isDue:
                turns.schedule()

    def _stopTimer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ended(self) -> None:
        """
        The end was taken.
        """
        if self._wakeUp is not None and not self._wakeUp.isAwaited:
            self._wakeUp = None  # they know each other, and only the garbage collector would free them
        self._leave()

    def _leave(self) -> None:
        self._stopTimer()
        if self.isAlive:
            self.isAlive = False
            self.stream.removeConsumer(self.id)
            self._taken()


class ConsumerLoop(Generic[T]):
    """
    What C{async for} iterates: it takes its consumer out of the stream when the loop is left, however it is left.

    (Python does not tell an iterator that a loop was broken off, as JavaScript does; this object goes with the loop.)
    """

    __slots__ = ("_consumer",)

    def __init__(self, consumer: Consumer[T]) -> None:
        self._consumer = consumer

    def __aiter__(self) -> ConsumerLoop[T]:
        return self

    @coroutine
    def __anext__(self) -> Generator[Any, Any, T]:
        consumer = self._consumer
        ready = consumer._ready
        if not ready:
            ready = consumer._written
            while not ready:
                wakeUp = consumer._wakeUp
                if wakeUp is None or wakeUp.isAwaited or consumer.timeout is not None or not consumer.isAlive:
                    wakeUp = consumer._waiting()
                else:
                    # As nearly always; _waiting would do no more.
                    consumer._isWaiting = True
                yield wakeUp
                ready = consumer._ready or consumer._written
            if len(ready) > 1 and ready is consumer._written:
                ready = consumer._turnOver()
        item = ready.pop()
        if consumer._below is not None:
            consumer._taken()
        if item.__class__ is End:
            consumer._ended()
            raise StopAsyncIteration
        return item  # type: ignore[return-value]

    def __del__(self) -> None:
        if self._consumer.isAlive:
            self._consumer.return_()
