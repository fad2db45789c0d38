"""
Tests of L{agtwisted.streams.stream}.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import AsyncIterable, Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.errors import InvalidActionError, TimeoutError
from agtwisted.streams.stream import (
    ConsumableStream,
    Consumer,
    ConsumerStats,
    IterationResult,
    WritableConsumableStream,
)
from agtwisted.streams.turns import Turns


async def collect(values: AsyncIterable[Any], into: list[Any]) -> str:
    """
    Read C{values} to their end.
    """
    async for value in values:
        into.append(value)
    return "ended"


class StreamTestCase(SynchronousTestCase):
    """
    A stream on a clock.
    """

    def setUp(self) -> None:
        """
        Make a stream that notes which consumers have left it.
        """
        self.clock = Clock()
        self.turns = Turns(self.clock)
        self.left: list[int] = []
        self.stream: WritableConsumableStream[Any] = WritableConsumableStream(
            self.turns, removeConsumerCallback=self.left.append
        )

    def turn(self) -> None:
        """
        End the reactor's turn.
        """
        self.clock.advance(0)

    def read(self, values: AsyncIterable[Any]) -> tuple[list[Any], Deferred[str]]:
        """
        @return: what a loop over C{values} has got so far, and what fires when it ends.
        """
        got: list[Any] = []
        return got, Deferred.fromCoroutine(collect(values, got))


class ReadingTests(StreamTestCase):
    """
    Loops, C{next} and C{once}.
    """

    def test_everyConsumerGetsEverything(self) -> None:
        """
        Consumers get every value from the moment they are created, each its own copy of the sequence.
        """
        self.stream.write("before")
        first, _ = self.read(self.stream)
        self.stream.write(1)
        self.turn()
        second, _ = self.read(self.stream)
        self.stream.write(2)
        self.stream.write(3)
        self.turn()
        self.assertEqual((first, second), ([1, 2, 3], [2, 3]))

    def test_writeAll(self) -> None:
        """
        Several values at once come as if they had been written one by one; the consumer that is furthest behind counts.
        """
        first, _ = self.read(self.stream)
        waiting = self.stream.createConsumer()
        self.assertEqual(self.stream.writeAll([1, 2]), 2)
        self.assertEqual(first, [])
        self.turn()
        self.assertEqual(self.stream.writeAll([3]), 3)
        self.turn()
        self.stream.write(4)
        self.turn()
        self.assertEqual((first, waiting.getBackpressure()), ([1, 2, 3, 4], 4))
        self.assertEqual(WritableConsumableStream[int](self.turns).writeAll([1, 2]), 1)

    def test_buffersFromCreation(self) -> None:
        """
        A consumer buffers from its creation on, also before anybody reads it.
        """
        consumer = self.stream.createConsumer()
        self.stream.write(1)
        self.stream.write(2)
        got, _ = self.read(consumer)
        self.assertEqual(got, [1, 2])

    def test_neverInsideWrite(self) -> None:
        """
        Whoever waits is woken at the end of the turn, never inside C{write}, C{close} or C{kill}.
        """
        operations: list[Callable[[], object]] = [
            lambda: self.stream.write(1),
            lambda: self.stream.writeToConsumer(consumer.id, 1),
            lambda: self.stream.close(1),
            lambda: self.stream.closeConsumer(consumer.id, 1),
            lambda: self.stream.kill(1),
            lambda: self.stream.killConsumer(consumer.id, 1),
            lambda: consumer.kill(1),
        ]
        for operation in operations:
            consumer = self.stream.createConsumer()
            step = consumer.next()
            operation()
            self.assertNoResult(step)
            self.turn()
            self.assertEqual(self.successResultOf(step).value, 1)

    def test_wokenOnce(self) -> None:
        """
        However much is written in a turn, a waiting loop is woken once and takes it all.
        """
        got, _ = self.read(self.stream)
        for value in range(5):
            self.stream.write(value)
        self.assertEqual(self.stream.turns.getBackpressure(), 1)
        self.turn()
        self.assertEqual(got, [0, 1, 2, 3, 4])

    def test_sharedFalsyValues(self) -> None:
        """
        Values that are false or None are values.
        """
        got, ended = self.read(self.stream)
        for value in (0, "", None, False, []):
            self.stream.write(value)
        self.turn()
        self.assertEqual(got, [0, "", None, False, []])
        self.assertNoResult(ended)

    def test_next(self) -> None:
        """
        C{next} gives one step after the other, and the end with its value.
        """
        consumer = self.stream.createConsumer()
        self.stream.write("a")
        self.stream.close("bye")
        self.assertEqual(self.successResultOf(consumer.next()), IterationResult("a", False))
        self.assertEqual(self.successResultOf(consumer.next()), IterationResult("bye", True))
        self.assertEqual(self.left, [consumer.id])

    def test_streamNext(self) -> None:
        """
        C{next} of a stream waits for the next value or the end, and leaves no consumer behind.
        """
        step = self.stream.next()
        self.assertEqual(self.stream.getConsumerCount(), 1)
        self.stream.write(1)
        self.stream.write(2)
        self.turn()
        self.assertEqual(self.successResultOf(step), IterationResult(1, False))
        end = self.stream.next()
        self.stream.close("over")
        self.turn()
        self.assertEqual(self.successResultOf(end), IterationResult("over", True))
        self.assertEqual(self.stream.getConsumerCount(), 0)

    def test_once(self) -> None:
        """
        C{once} gives the next value only, and leaves no consumer behind.
        """
        self.stream.write("before")
        value = self.stream.once()
        self.stream.write(1)
        self.stream.write(2)
        self.assertNoResult(value)
        self.turn()
        self.assertEqual(self.successResultOf(value), 1)
        self.assertEqual(self.stream.getConsumerCount(), 0)

    def test_onceOfStreamThatEnds(self) -> None:
        """
        C{once} never fires when the stream ends first, as in the reference; it can still be cancelled.
        """
        value = self.stream.once(1000)
        self.stream.kill()
        self.clock.advance(10)
        self.assertNoResult(value)
        self.assertEqual(self.stream.getConsumerCount(), 0)
        value.cancel()
        self.failureResultOf(value, CancelledError)

    def test_onceFailingCallback(self) -> None:
        """
        What a caller does with the value, and fails at, stays with the caller.
        """
        value = self.stream.once()
        value.addCallback(lambda number: 1 // number)
        self.stream.write(0)
        self.turn()
        self.failureResultOf(value, ZeroDivisionError)
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_secondReader(self) -> None:
        """
        A consumer has one reader: a second one that would have to wait, too, is refused, also when the first is about
        to be woken; the first is not harmed.
        """
        consumer = self.stream.createConsumer()
        first = consumer.next()
        self.failureResultOf(consumer.next(), InvalidActionError)
        self.stream.write(1)
        hasty = consumer.next()
        self.assertEqual(self.successResultOf(hasty).value, 1)
        self.failureResultOf(consumer.next(), InvalidActionError)
        self.turn()
        self.assertNoResult(first)
        self.stream.write(2)
        self.turn()
        self.assertEqual(self.successResultOf(first).value, 2)

    def test_abstract(self) -> None:
        """
        The reading side alone is for subclasses to complete.
        """
        self.assertRaises(NotImplementedError, ConsumableStream[int]().createConsumer)

    def test_longStreamsNeedNoStack(self) -> None:
        """
        A loop takes any number of buffered values, and wakes any number of times, without the stack growing.
        """
        got, _ = self.read(self.stream)
        for value in range(3000):
            self.stream.write(value)
            if value % 2:
                self.turn()
        self.assertEqual(got, list(range(3000)))


class TimeoutTests(StreamTestCase):
    """
    Consumers that do not wait for ever; times are milliseconds.
    """

    def test_next(self) -> None:
        """
        C{next} and C{once} fail with TimeoutError after their time, not before, and leave no consumer and no timer.
        """
        for method in (self.stream.next, self.stream.once):
            step: Deferred[Any] = method(250)
            self.clock.advance(0.249)
            self.assertNoResult(step)
            self.clock.advance(0.001)
            error = self.failureResultOf(step, TimeoutError).value
            self.assertEqual(error.name, "TimeoutError")
            self.assertEqual(str(error), "Stream consumer iteration timed out")
            self.assertEqual(self.stream.getConsumerCount(), 0)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_zero(self) -> None:
        """
        A timeout of 0 is one.
        """
        step = self.stream.once(0)
        self.assertNoResult(step)
        self.turn()
        self.failureResultOf(step, TimeoutError)

    def test_valueInTime(self) -> None:
        """
        A value stops the timeout at once, also when the turn ends later.
        """
        step = self.stream.next(250)
        self.stream.write(1)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)  # the end of the turn
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(step).value, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_eachStep(self) -> None:
        """
        The time counts anew for each value, and only while the loop waits; then the loop fails with TimeoutError.
        """
        got, ended = self.read(self.stream.createConsumer(100))
        for value in range(5):
            self.clock.advance(0.09)
            self.stream.write(value)
        self.turn()
        self.assertNoResult(ended)
        self.clock.advance(0.1)
        self.failureResultOf(ended, TimeoutError)
        self.assertEqual(got, [0, 1, 2, 3, 4])
        self.assertEqual(self.stream.getConsumerCount(), 0)

    def test_endStopsTimer(self) -> None:
        """
        The end of the stream stops the timeout, too.
        """
        endings: list[Callable[[], object]] = [self.stream.close, self.stream.kill]
        for ending in endings:
            step = self.stream.next(250)
            ending()
            self.clock.advance(1)
            self.assertTrue(self.successResultOf(step).done)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_afterTimeout(self) -> None:
        """
        A consumer that has timed out may be read again and then takes part again.
        """
        consumer = self.stream.createConsumer(100)
        step = consumer.next()
        self.clock.advance(0.1)
        self.failureResultOf(step, TimeoutError)
        self.assertFalse(consumer.isAlive)
        self.stream.write("missed")
        step = consumer.next()
        self.assertTrue(consumer.isAlive)
        self.stream.write("got")
        self.turn()
        self.assertEqual(self.successResultOf(step).value, "got")


class EndingTests(StreamTestCase):
    """
    Closing and killing.
    """

    def test_close(self) -> None:
        """
        Closing ends loops after what is buffered.
        """
        got, ended = self.read(self.stream)
        for value in range(15):
            self.stream.write(value)
        self.stream.close()
        self.assertEqual(got, [])
        self.turn()
        self.assertEqual(got, list(range(15)))
        self.assertEqual(self.successResultOf(ended), "ended")
        self.assertEqual(self.stream.getConsumerCount(), 0)

    def test_kill(self) -> None:
        """
        Killing ends loops at once and drops what is buffered, even what was written in the same turn.
        """
        got, ended = self.read(self.stream)
        self.stream.write(1)
        self.stream.kill()
        self.assertEqual(self.stream.getConsumerCount(), 0)
        self.assertEqual(self.stream.getBackpressure(), 0)
        self.turn()
        self.assertEqual(got, [])
        self.assertEqual(self.successResultOf(ended), "ended")
        self.assertEqual(self.left, [1])

    def busyLoop(self) -> tuple[list[int], Deferred[None], Deferred[None]]:
        """
        @return: what a loop handles, what it awaits while it handles the first value, and what fires at its end.
        """
        handled: list[int] = []
        busy: Deferred[None] = Deferred()

        async def loop() -> None:
            async for value in self.stream:
                handled.append(value)
                await busy

        ended = Deferred.fromCoroutine(loop())
        for value in range(15):
            self.stream.write(value)
        self.turn()
        return handled, busy, ended

    def test_killWhileBusy(self) -> None:
        """
        A loop that is killed while it is busy finishes the value in hand and ends at once after it.
        """
        handled, busy, ended = self.busyLoop()
        self.stream.kill()
        self.stream.write("too late")
        self.assertNoResult(ended)
        busy.callback(None)
        self.assertIsNone(self.successResultOf(ended))
        self.assertEqual(handled, [0])
        self.assertEqual(self.left, [1])

    def test_closeWhileBusy(self) -> None:
        """
        A loop that is closed while it is busy handles all that is buffered.
        """
        handled, busy, ended = self.busyLoop()
        self.stream.close()
        busy.callback(None)
        self.assertIsNone(self.successResultOf(ended))
        self.assertEqual(handled, list(range(15)))

    def test_killOne(self) -> None:
        """
        One consumer can be closed or killed without the others.
        """
        killed, closed, other = (self.stream.createConsumer() for _ in range(3))
        self.stream.write(1)
        self.stream.killConsumer(killed.id, "killed")
        self.stream.closeConsumer(closed.id, "closed")
        self.stream.write(2)
        self.assertEqual(self.successResultOf(killed.next()), IterationResult("killed", True))
        steps = [self.successResultOf(closed.next()) for _ in range(2)]
        self.assertEqual(steps, [IterationResult(1, False), IterationResult("closed", True)])
        self.assertEqual(other.getBackpressure(), 2)
        self.assertEqual(self.stream.getConsumerList(), [other])

    def test_unknownConsumers(self) -> None:
        """
        What is meant for a consumer that is not there reaches nobody.
        """
        consumer = self.stream.createConsumer()
        self.stream.writeToConsumer(99, 1)
        self.stream.closeConsumer(99)
        self.stream.killConsumer(99)
        self.assertEqual(consumer.getBackpressure(), 0)
        self.assertTrue(consumer.isAlive)
        self.assertFalse(self.stream.removeConsumer(99))

    def test_writeToConsumer(self) -> None:
        """
        A value may be meant for one consumer only.
        """
        first, second = self.stream.createConsumer(), self.stream.createConsumer()
        self.stream.writeToConsumer(second.id, 1)
        self.assertEqual((first.getBackpressure(), second.getBackpressure()), (0, 1))

    def test_return(self) -> None:
        """
        A consumer may leave by itself; what it had buffered is dropped.
        """
        consumer = self.stream.createConsumer()
        self.stream.write(1)
        consumer.return_()
        self.assertFalse(self.stream.hasConsumer(consumer.id))
        self.assertEqual(consumer.getBackpressure(), 0)
        self.assertEqual(self.left, [consumer.id])


class LeavingTests(StreamTestCase):
    """
    However a loop is left, its consumer leaves the stream.
    """

    def setUp(self) -> None:
        """
        Collect no cycles meanwhile: a loop has to be found left at once, not some time later.
        """
        super().setUp()
        gc.disable()
        self.addCleanup(gc.enable)

    def test_break(self) -> None:
        """
        A loop may be broken off.
        """

        async def loop() -> str:
            async for value in self.stream:
                if value == 2:
                    break
            return f"{self.stream.getConsumerCount()} left"

        ended = Deferred.fromCoroutine(loop())
        for value in (1, 2, 3):
            self.stream.write(value)
        self.turn()
        self.assertEqual(self.successResultOf(ended), "0 left")

    def test_breakOfConsumer(self) -> None:
        """
        A loop over a consumer takes it out of the stream likewise, although somebody still holds the consumer.
        """
        consumer = self.stream.createConsumer()

        async def loop() -> None:
            async for _ in consumer:
                break

        self.stream.write(1)
        self.successResultOf(Deferred.fromCoroutine(loop()))
        self.assertFalse(consumer.isAlive)
        self.assertEqual(self.stream.getConsumerCount(), 0)

    def test_exception(self) -> None:
        """
        A loop may end by an exception.
        """

        async def loop() -> None:
            async for value in self.stream:
                1 // value

        ended = Deferred.fromCoroutine(loop())
        self.stream.write(0)
        self.turn()
        self.failureResultOf(ended, ZeroDivisionError)
        self.assertEqual(self.stream.getConsumerCount(), 0)

    def test_return(self) -> None:
        """
        A function may return from within a loop.
        """

        async def first() -> object:
            async for value in self.stream:
                return value
            return None

        ended = Deferred.fromCoroutine(first())
        self.stream.write(5)
        self.turn()
        self.assertEqual(self.successResultOf(ended), 5)
        self.assertEqual(self.stream.getConsumerCount(), 0)

    def test_cancelWaiting(self) -> None:
        """
        Cancelling a loop that waits ends it with CancelledError, and nothing is left.
        """
        got, ended = self.read(self.stream.createConsumer(1000))
        ended.cancel()
        self.failureResultOf(ended, CancelledError)
        self.assertEqual(self.stream.getConsumerCount(), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelWoken(self) -> None:
        """
        So it does when the loop is about to be woken.
        """
        got, ended = self.read(self.stream)
        self.stream.write(1)
        ended.cancel()
        self.failureResultOf(ended, CancelledError)
        self.turn()
        self.assertEqual(got, [])
        self.assertEqual(self.stream.getConsumerCount(), 0)

    def test_cancelBusy(self) -> None:
        """
        A loop that is cancelled while it awaits something else leaves the stream.
        """

        async def loop() -> None:
            async for _ in self.stream:
                await Deferred()

        ended = Deferred.fromCoroutine(loop())
        self.stream.write(1)
        self.turn()
        ended.cancel()
        self.failureResultOf(ended, CancelledError)
        self.assertEqual(self.stream.getConsumerCount(), 0)

    def test_cancelNextAndOnce(self) -> None:
        """
        Cancelling C{next} or C{once} stops the waiting.
        """
        for method in (self.stream.next, self.stream.once):
            step: Deferred[Any] = method(1000)
            step.cancel()
            self.failureResultOf(step, CancelledError)
            self.assertEqual(self.stream.getConsumerCount(), 0)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_waitAgainAfterCancel(self) -> None:
        """
        The wake-up of a step that was cancelled in the same turn does not disturb the next one, nor its timeout.
        """
        consumer = self.stream.createConsumer(1000)
        cancelled = consumer.next()
        self.stream.write("dropped")
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        step = consumer.next()
        self.turn()
        self.assertNoResult(step)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.stream.write("taken")
        self.turn()
        self.assertEqual(self.successResultOf(step).value, "taken")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_garbage(self) -> None:
        """
        A loop that nobody can ever continue is collected, and its consumer leaves.
        """

        async def loop(never: Deferred[None]) -> None:
            async for _ in self.stream:
                await never

        Deferred.fromCoroutine(loop(Deferred()))
        self.stream.write(1)
        self.turn()
        gc.collect()
        self.assertEqual(self.stream.getConsumerCount(), 0)

    def test_unusedLoop(self) -> None:
        """
        An iterator that was made and never used leaves with its last reference.
        """
        iterator = aiter(self.stream)
        self.assertIs(aiter(iterator), iterator)
        self.assertEqual(self.stream.getConsumerCount(), 1)
        del iterator
        self.assertEqual(self.stream.getConsumerCount(), 0)

    def test_garbageWhileWriting(self) -> None:
        """
        The garbage collector may find an abandoned loop at any moment, in the middle of C{write} as well: every other
        consumer still gets the value.
        """
        # Each with what it does in the middle of it.
        operations: list[tuple[Callable[[], object], Any, str]] = [
            (lambda: self.stream.write(1), Turns, "schedule"),
            (self.stream.close, Consumer, "_wakeSoon"),
            (self.stream.kill, Consumer, "_wakeSoon"),
        ]
        for operation, owner, name in operations:
            waiting = self.stream.createConsumer()
            step = waiting.next()
            cycle: list[Any] = [aiter(self.stream)]
            cycle.append(cycle)
            last = self.stream.createConsumer()
            del cycle
            self.patch(owner, name, collecting(getattr(owner, name)))
            operation()
            self.turn()
            self.successResultOf(step)
            self.successResultOf(last.next())
            waiting.return_()
            last.return_()
            self.assertEqual(self.stream.getConsumerCount(), 0)


def collecting(function: Callable[[Any], None]) -> Callable[[Any], None]:
    """
    @return: C{function}, with the garbage collector coming in the middle of it.
    """

    def collectFirst(consumer: Any) -> None:
        gc.collect()
        function(consumer)

    return collectFirst


class CountersTests(StreamTestCase):
    """
    What is known of consumers.
    """

    def test_ids(self) -> None:
        """
        Consumers count from 1; somebody else may give the numbers.
        """
        self.assertEqual([self.stream.createConsumer().id for _ in range(3)], [1, 2, 3])
        numbers = iter((7, 5))
        stream: WritableConsumableStream[int] = WritableConsumableStream(self.turns, lambda: next(numbers))
        self.assertEqual([stream.createConsumer().id for _ in range(2)], [7, 5])

    def test_noCallback(self) -> None:
        """
        Nobody needs to be told who leaves.
        """
        stream: WritableConsumableStream[int] = WritableConsumableStream(self.turns)
        consumer = stream.createConsumer()
        consumer.kill()
        self.assertEqual(stream.getConsumerCount(), 0)

    def test_stats(self) -> None:
        """
        Number, back-pressure and timeout of one and of all consumers.
        """
        first, second = self.stream.createConsumer(), self.stream.createConsumer(500)
        self.stream.write(1)
        self.stream.writeToConsumer(2, 1)
        self.assertEqual(self.stream.getConsumerStats(1), ConsumerStats(1, 1, None, None))
        self.assertEqual(self.stream.getConsumerStats(2), ConsumerStats(2, 2, 500, None))
        self.assertIsNone(self.stream.getConsumerStats(3))
        self.assertEqual(self.stream.getConsumerStatsList(), [first.getStats(), second.getStats()])
        self.assertEqual([self.stream.getConsumerBackpressure(each) for each in (1, 2, 3)], [1, 2, 0])

    def test_backpressure(self) -> None:
        """
        The stream's back-pressure is that of the consumer furthest behind; with 50 values it falls from 49 to 0.
        """
        self.assertEqual(self.stream.getBackpressure(), 0)
        seen: list[int] = []

        async def loop() -> None:
            async for _ in self.stream:
                seen.append(self.stream.getBackpressure())

        Deferred.fromCoroutine(loop())
        for value in range(50):
            self.stream.write(value)
        self.turn()
        self.assertEqual(seen, list(range(49, -1, -1)))



class Model:
    """
    What a consumer should be like.

    @ivar buffer: what waits for it, the end as a tuple.
    @ivar step: what C{next} gave and has not fired, if any.
    @ivar woken: whether C{step} is due at the end of the turn.
    @ivar deadline: when C{step} times out.
    """

    def __init__(self, consumer: Consumer[int]) -> None:
        self.consumer = consumer
        self.buffer: deque[Any] = deque()
        self.alive = True
        self.step: Deferred[IterationResult] | None = None
        self.woken = False
        self.deadline: float | None = None

    def written(self, item: Any) -> None:
        """
        Something was buffered.
        """
        self.buffer.append(item)
        self.wake()

    def wake(self) -> None:
        """
        A step that waits is due.
        """
        if self.step is not None:
            self.woken, self.deadline = True, None

    def killed(self, value: Any) -> None:
        """
        It was killed.
        """
        self.buffer = deque(((value,),))
        self.alive = False
        self.wake()

    def take(self) -> IterationResult:
        """
        @return: what the next step gives.
        """
        item = self.buffer.popleft()
        if isinstance(item, tuple):
            self.alive = False
            return IterationResult(item[0], True)
        return IterationResult(item, False)

    def waits(self, step: Deferred[IterationResult], now: float) -> None:
        """
        A step has to wait.
        """
        self.step, self.woken, self.alive = step, False, True
        self.buffer.clear()
        if self.consumer.timeout is not None:
            self.deadline = now + self.consumer.timeout / 1000

    def gone(self) -> None:
        """
        Its step has timed out or was cancelled.
        """
        self.step, self.woken, self.deadline, self.alive = None, False, None, False
        self.buffer.clear()


class StreamMachine(RuleBasedStateMachine):
    """
    Anything that can be done with a stream, in any order, beside a simple model of its consumers.
    """

    models = Bundle("models")
    numbers = st.integers(0, 99)

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.turns = Turns(self.clock)
        self.left: list[int] = []
        self.stream: WritableConsumableStream[int] = WritableConsumableStream(
            self.turns, removeConsumerCallback=self.left.append
        )
        self.all: list[Model] = []

    @rule(target=models, timeout=st.none() | st.sampled_from((100, 250)))
    def createConsumer(self, timeout: float | None) -> Model:
        """
        A consumer comes.
        """
        model = Model(self.stream.createConsumer(timeout))
        self.all.append(model)
        return model

    @rule(value=numbers)
    def write(self, value: int) -> None:
        """
        Everyone alive gets a value.
        """
        self.stream.write(value)
        for model in self.all:
            if model.alive:
                model.written(value)

    @rule(model=models, value=numbers)
    def writeToConsumer(self, model: Model, value: int) -> None:
        """
        One gets a value.
        """
        self.stream.writeToConsumer(model.consumer.id, value)
        if model.alive:
            model.written(value)

    @rule(value=numbers)
    def close(self, value: int) -> None:
        """
        The stream is closed, which does not keep it from being written to.
        """
        self.stream.close(value)
        for model in self.all:
            if model.alive:
                model.written((value,))

    @rule(model=models, value=numbers)
    def closeConsumer(self, model: Model, value: int) -> None:
        """
        The stream is closed for one.
        """
        self.stream.closeConsumer(model.consumer.id, value)
        if model.alive:
            model.written((value,))

    @rule(value=numbers)
    def kill(self, value: int) -> None:
        """
        The stream is killed.
        """
        self.stream.kill(value)
        for model in self.all:
            if model.alive:
                model.killed(value)

    @rule(model=models, value=numbers)
    def killConsumer(self, model: Model, value: int) -> None:
        """
        One consumer is killed.
        """
        self.stream.killConsumer(model.consumer.id, value)
        if model.alive:
            model.killed(value)

    @rule(model=models)
    def next(self, model: Model) -> None:
        """
        Somebody reads a step.
        """
        step = model.consumer.next()
        results = outcome(step)
        if model.buffer:
            assert results == [model.take()], (results, "expected a value at once")
        elif model.step is not None:
            assert isinstance(results[0], Failure) and results[0].check(InvalidActionError)
        else:
            assert results == []
            model.waits(step, self.clock.seconds())

    @rule(model=models)
    def cancel(self, model: Model) -> None:
        """
        Somebody stops waiting.
        """
        if model.step is not None:
            model.step.cancel()
            self.failed(model, CancelledError)

    @rule(model=models)
    def leave(self, model: Model) -> None:
        """
        A consumer that nobody waits at leaves.
        """
        if model.step is None:
            model.consumer.return_()
            model.gone()

    @rule()
    def turnEnds(self) -> None:
        """
        The turn ends: those who are due get their step.
        """
        self.clock.advance(0)
        self.due()

    @rule(milliseconds=st.integers(1, 300))
    def timePasses(self, milliseconds: int) -> None:
        """
        Time passes, turn ends included: steps time out exactly in time.
        """
        self.turnEnds()
        self.clock.advance(milliseconds / 1000)
        for model in self.all:
            if model.deadline is not None and model.deadline <= self.clock.seconds():
                self.failed(model, TimeoutError)

    @invariant()
    def counters(self) -> None:
        """
        Who takes part, and what waits for each, is as in the model.
        """
        alive = {model.consumer.id: len(model.buffer) for model in self.all if model.alive}
        assert {each.id for each in self.stream.getConsumerList()} == set(alive)
        assert {stats.id: stats.backpressure for stats in self.stream.getConsumerStatsList()} == alive
        assert self.stream.getConsumerCount() == len(alive)
        assert self.stream.getBackpressure() == max(alive.values(), default=0)
        for model in self.all:
            assert model.consumer.isAlive == model.alive == self.stream.hasConsumer(model.consumer.id)
            assert model.step is None or outcome(model.step) == []

    @invariant()
    def timers(self) -> None:
        """
        There is one timer for each step that has a deadline, and one delayed call for the end of the turn.
        """
        due = sorted(call.getTime() for call in self.clock.getDelayedCalls())
        expected = [model.deadline for model in self.all if model.deadline is not None]
        if self.turns.pending:
            expected.append(self.clock.seconds())
        assert len([time for time in due if time > self.clock.seconds()]) <= len(expected)
        assert len(due) - len(expected) in (0, 1), (due, expected)

    def due(self) -> None:
        """
        Compare what those who were due got.
        """
        for model in self.all:
            if model.step is not None and model.woken:
                if model.buffer:
                    step, model.step, model.woken = model.step, None, False
                    assert outcome(step) == [model.take()]
                else:
                    # Somebody else has taken the value meanwhile.
                    model.waits(model.step, self.clock.seconds())

    def failed(self, model: Model, errorClass: type[Exception]) -> None:
        """
        Compare how a step has failed.
        """
        assert model.step is not None
        results = outcome(model.step)
        assert results and isinstance(results[0], Failure) and results[0].check(errorClass), results
        model.gone()


def outcome(deferred: Deferred[Any]) -> list[Any]:
    """
    @return: the result that C{deferred} has, if any; a failure counts as seen.
    """
    results: list[Any] = []
    if deferred.called:
        deferred.addBoth(results.append)
    return results


class AnyOrderTests(SynchronousTestCase):
    """
    Consumers, values, ends, steps, timeouts and cancellations in any order.
    """

    def test_model(self) -> None:
        """
        A stream does what its model does.
        """
        run_state_machine_as_test(
            StreamMachine, settings=settings(max_examples=100, stateful_step_count=40, deadline=None)
        )
