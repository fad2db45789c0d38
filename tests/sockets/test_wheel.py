"""
Tests of L{agtwisted.sockets.wheel}.
"""

from __future__ import annotations

import time
from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.sockets.wheel import GRANULARITY, Wheel, monotonicClock

#: What floating point may lose.
TINY = 1e-6


class WheelTests(SynchronousTestCase):
    """
    Deadlines in buckets.
    """

    def setUp(self) -> None:
        """
        Make a wheel on a clock that does not stand at a bucket's edge.
        """
        self.clock = Clock()
        self.clock.advance(1234.567)
        self.wheel = Wheel(self.clock)
        self.fired: list[object] = []

    def job(self, name: object) -> partial[None]:
        """
        @return: what notes that its deadline has come.
        """
        return partial(self.fired.append, name)

    def test_scheduledWhileFiring(self) -> None:
        """
        What is due may schedule its successor: deadlines that come before that one are still met in time.
        """

        def again() -> None:
            self.fired.append("again")
            self.wheel.schedule(8, again)

        self.wheel.schedule(1, again)
        self.wheel.schedule(2, self.job("between"))
        self.clock.advance(1 + GRANULARITY)
        self.clock.advance(1)
        self.assertEqual(self.fired, ["again", "between"])
        self.clock.advance(7 + GRANULARITY)
        self.assertEqual(self.fired, ["again", "between", "again"])

    @given(
        st.floats(0, 1e9),
        st.lists(st.floats(0, 100) | st.sampled_from((0.0, 0.05, 0.1, 1.0)), min_size=1, max_size=20),
    )
    def test_neverEarly(self, start: float, delays: list[float]) -> None:
        """
        Nothing runs early, nothing later than one bucket after its time, and everything once.
        """
        clock = Clock()
        clock.advance(start)
        wheel = Wheel(clock)
        fired: dict[int, float] = {}

        def fire(number: int) -> None:
            self.assertNotIn(number, fired)
            fired[number] = clock.seconds()

        for number, delay in enumerate(delays):
            wheel.schedule(delay, partial(fire, number))
        while clock.getDelayedCalls():
            due = min(call.getTime() for call in clock.getDelayedCalls())
            clock.advance(max(0.0, due - clock.seconds()))
        self.assertEqual(len(fired), len(delays))
        for number, delay in enumerate(delays):
            late = fired[number] - (start + delay)
            self.assertGreaterEqual(late, -TINY, delay)
            self.assertLessEqual(late, GRANULARITY + TINY, delay)

    def test_order(self) -> None:
        """
        Deadlines come in the order of their times, those of one bucket in the order they were scheduled.
        """
        for delay in (3, 1, 2, 1, 0, 3):
            self.wheel.schedule(delay, self.job(delay))
        for _ in range(100):
            self.clock.advance(GRANULARITY)
        self.assertEqual(self.fired, [0, 1, 1, 2, 3, 3])

    def test_oneDelayedCall(self) -> None:
        """
        Any number of deadlines cost one delayed call, for the first of them.
        """
        for delay in range(50, 0, -1):
            self.wheel.schedule(delay, self.job(delay))
        calls = self.clock.getDelayedCalls()
        self.assertEqual(len(calls), 1)
        self.assertLess(calls[0].getTime(), self.clock.seconds() + 1 + 2 * GRANULARITY)
        self.clock.advance(60)
        self.assertEqual(self.fired, list(range(1, 51)))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancel(self) -> None:
        """
        A timer that was cancelled does nothing; cancelling again, and cancelling one that has fired, does no harm.
        """
        first, second = self.wheel.schedule(1, self.job(1)), self.wheel.schedule(1, self.job(2))
        self.assertTrue(first.active)
        first.cancel()
        first.cancel()
        self.assertFalse(first.active)
        self.clock.advance(1.1)
        self.assertEqual(self.fired, [2])
        self.assertFalse(second.active)
        second.cancel()
        second.fire()
        self.assertEqual(self.fired, [2])

    def test_cancelInBucket(self) -> None:
        """
        A deadline may cancel another one of its own bucket.
        """
        self.wheel.schedule(1, lambda: later.cancel())
        later = self.wheel.schedule(1, self.job("later"))
        self.clock.advance(2)
        self.assertEqual(self.fired, [])

    def test_failing(self) -> None:
        """
        What fails at its deadline is logged and takes nothing from the others, in its bucket or later.
        """
        self.wheel.schedule(1, lambda: 1 // 0)
        self.wheel.schedule(1, self.job("same"))
        self.wheel.schedule(2, self.job("later"))
        self.clock.advance(1.1)
        self.clock.advance(1)
        self.assertEqual(self.fired, ["same", "later"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_scheduleInside(self) -> None:
        """
        A deadline may schedule another one, also at once: that one comes in a later bucket, and there is still one
        delayed call.
        """

        def again() -> None:
            self.fired.append(self.clock.seconds())
            if len(self.fired) < 4:
                self.wheel.schedule(0, again)

        self.wheel.schedule(0, again)
        self.wheel.schedule(10, self.job("last"))
        for _ in range(40):
            self.clock.advance(GRANULARITY / 2)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertEqual(len(self.fired), 4)
        self.clock.advance(10)
        self.assertEqual(self.fired[-1], "last")

    def test_earlierDeadline(self) -> None:
        """
        A deadline before the first one moves the delayed call forward; one after it does not.
        """
        self.wheel.schedule(5, self.job(5))
        self.wheel.schedule(1, self.job(1))
        self.wheel.schedule(9, self.job(9))
        self.clock.advance(1.1)
        self.assertEqual(self.fired, [1])
        self.clock.advance(4)
        self.assertEqual(self.fired, [1, 5])

    def test_clockJumps(self) -> None:
        """
        When time has leapt, all that is due runs once, in order.
        """
        for delay in (2, 1, 3):
            self.wheel.schedule(delay, self.job(delay))
        self.clock.advance(3600)
        self.assertEqual(self.fired, [1, 2, 3])

    def test_reactorComesEarly(self) -> None:
        """
        The reactor goes by another clock than the deadlines: when it calls before their time, they wait on.
        """
        now = [100.0]
        self.wheel.seconds = lambda: now[0]
        self.wheel.schedule(10, self.job("due"))
        self.clock.advance(11)  # the wall clock has leapt, the monotonic one has not
        self.assertEqual(self.fired, [])
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        now[0] += 10.1
        self.clock.advance(11)
        self.assertEqual(self.fired, ["due"])

    def test_pastDeadline(self) -> None:
        """
        A deadline that has passed already comes with the next turns.
        """
        self.wheel.schedule(-5, self.job("past"))
        self.assertEqual(self.fired, [])
        self.clock.advance(0)
        self.assertEqual(self.fired, ["past"])


class StandstillTests(SynchronousTestCase):
    """
    A process that stood still.
    """

    def setUp(self) -> None:
        """
        Make a wheel that takes being late for a standstill.
        """
        self.clock = Clock()
        self.wheel = Wheel(self.clock)
        self.wheel.mayStandStill = True
        self.fired: list[object] = []

    def test_readsFirst(self) -> None:
        """
        What is due after a standstill fires when the reactor has had time to read, and after a second one as well.
        """
        for seconds in (1.0, 100.0):
            self.wheel.schedule(0.5, partial(self.fired.append, seconds))
            self.clock.advance(seconds)
            self.assertEqual(self.fired, [])
            self.assertEqual(self.wheel.standstillEnded, self.clock.seconds())
            self.clock.advance(GRANULARITY)
            self.assertEqual(self.fired, [seconds])
            self.fired.clear()

    def test_slowMachine(self) -> None:
        """
        A machine that is always late does not put deadlines off for ever: they fire when the reactor has read once.
        """
        self.wheel.schedule(0.5, partial(self.fired.append, "due"))
        self.clock.advance(10)
        self.clock.advance(10)
        self.assertEqual(self.fired, ["due"])

    def test_aLittleLate(self) -> None:
        """
        Being late for a moment is no standstill, but what has come is read first; being less late is nothing.
        """
        for late, readsFirst in ((0.05, False), (0.2, True)):
            self.wheel.schedule(0.5, partial(self.fired.append, late))
            self.clock.advance(0.55 + late)
            self.assertEqual(self.fired == [late], not readsFirst)
            self.clock.advance(GRANULARITY)
            self.assertEqual(self.fired, [late])
            self.fired.clear()
        self.assertEqual(self.wheel.standstillEnded, float("-inf"))

    def test_cancelled(self) -> None:
        """
        What is cancelled while the reactor reads does not fire.
        """
        timer = self.wheel.schedule(0.5, partial(self.fired.append, "due"))
        self.clock.advance(10)
        timer.cancel()
        self.clock.advance(1)
        self.assertEqual((self.fired, self.clock.getDelayedCalls()), ([], []))

    def test_testsJump(self) -> None:
        """
        A test's clock jumps because the test wants it to: that is no standstill, unlike on a reactor.
        """
        from twisted.internet import reactor

        self.assertFalse(Wheel(Clock()).mayStandStill)
        self.assertTrue(Wheel(reactor).mayStandStill)  # type: ignore[arg-type]


class MonotonicClockTests(SynchronousTestCase):
    """
    Which clock tells the time.
    """

    def test_realReactor(self) -> None:
        """
        Beside a real reactor it is the monotonic clock.
        """
        from twisted.internet import reactor

        self.assertIs(monotonicClock(reactor), time.monotonic)  # type: ignore[arg-type]

    def test_clock(self) -> None:
        """
        In tests it is the clock of the tests.
        """
        clock = Clock()
        self.assertEqual(monotonicClock(clock), clock.seconds)
