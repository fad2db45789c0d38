"""
Tests of L{agtwisted.sockets.punctual}.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.interfaces import IReactorCore
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import AGServer
from agtwisted.sockets import punctual
from agtwisted.sockets.punctual import Timers, timersOf
from agtwisted.streams.turns import Turns
from tests.streams.test_turns import Collection


class WallClockReactor(Clock):
    """
    A reactor whose clock can be set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fromThreads: list[Callable[[], object]] = []

    def setClock(self, seconds: float) -> None:
        """
        Set the clock, by so many seconds, and call what has come by it.
        """
        self.rightNow += seconds
        self.advance(0)

    def callFromThread(self, function: Callable[[], object]) -> None:
        """
        Remember what is to be called.
        """
        self.fromThreads.append(function)


class PunctualTestCase(SynchronousTestCase):
    """
    A test with a wall clock and a monotonic one.
    """

    def setUp(self) -> None:
        """
        Make timers.
        """
        self.now = 1000.0
        self.reactor = WallClockReactor()
        self.timers: Any = Timers(self.reactor)
        self.timers.seconds = lambda: self.now
        self.fired: list[object] = []

    def go(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.now += seconds
        self.reactor.advance(seconds)


class CallTests(PunctualTestCase):
    """
    Delayed calls.
    """

    def test_inTime(self) -> None:
        """
        A call comes in time, once, with its arguments; nothing is left of it.
        """
        call = self.timers.callLater(5, self.fired.append, "due")
        self.go(4.9)
        self.assertEqual((self.fired, call.active()), ([], True))
        self.go(0.2)
        self.assertEqual((self.fired, call.active(), self.timers.calls), (["due"], False, set()))

    def test_cancelled(self) -> None:
        """
        A cancelled one does not come.
        """
        call = self.timers.callLater(5, self.fired.append, "due")
        call.cancel()
        self.go(10)
        self.assertEqual((self.fired, call.active(), self.timers.calls), ([], False, set()))

    def test_forward(self) -> None:
        """
        When the wall clock is set forward it waits on, and can still be cancelled.
        """
        self.timers.callLater(5, self.fired.append, "due")
        other = self.timers.callLater(5, self.fired.append, "cancelled")
        self.go(2)
        self.reactor.setClock(3600)
        self.assertEqual((self.fired, other.active()), ([], True))
        other.cancel()
        self.go(2.9)
        self.assertEqual(self.fired, [])
        self.go(0.2)
        self.assertEqual(self.fired, ["due"])

    def test_back(self) -> None:
        """
        When it is set back, what was to come is counted anew; what was scheduled after that stays as it is.
        """
        self.timers.callLater(0, self.fired.append, "now")
        self.timers.callLater(5, self.fired.append, "before")
        self.reactor.setClock(-3600)
        self.timers.callLater(6, self.fired.append, "after")
        self.go(1)
        self.assertEqual(self.fired, [])
        self.timers.clockSetBack()
        self.go(0)
        self.assertEqual(self.fired, ["now"])
        self.go(3.9)
        self.assertEqual(self.fired, ["now"])
        self.go(0.2)
        self.assertEqual(self.fired, ["now", "before"])
        self.go(1)
        self.assertEqual(self.fired, ["now", "before", "after"])

    def test_endOfTurn(self) -> None:
        """
        When it is set back in the middle of a turn, the turn ends all the same; without one there is nothing to do.
        """
        turns = Turns(self.timers)
        self.timers.clockSetBack()
        turns.wake(lambda: self.fired.append("woken"))
        self.reactor.setClock(-3600)
        self.go(0)
        self.assertEqual(self.fired, [])
        self.timers.clockSetBack()
        self.go(0)
        self.assertEqual(self.fired, ["woken"])
        self.timers.clockSetBack()
        turns.flush(Collection(lambda: self.fired.append("flushed")))
        self.go(0)
        self.assertEqual(self.fired, ["woken", "flushed"])

    def test_asReactor(self) -> None:
        """
        What takes a reactor for its time takes them as well.
        """
        done = deferLater(self.timers, 5, lambda: "done")
        cancelled = deferLater(self.timers, 5, lambda: "cancelled")
        cancelled.addErrback(lambda _: None).cancel()
        self.go(5)
        self.assertEqual(self.successResultOf(done), "done")


class WatchTests(PunctualTestCase):
    """
    What watches the wall clock.
    """

    def look(self, watch: punctual.Watch, *steps: Callable[[], object]) -> None:
        """
        Let it look after each of some steps.
        """
        outer = self

        class Time:
            @staticmethod
            def time() -> float:
                return outer.reactor.seconds()

            @staticmethod
            def monotonic() -> float:
                return outer.now

        self.patch(punctual, "time", Time)
        offset = Time.time() - Time.monotonic()
        for step in steps:
            step()
            offset = watch.look(offset)

    def watching(self) -> punctual.Watch:
        """
        @return: a watch that watches this test's timers.
        """
        watch = punctual.Watch()
        watch.add(self.timers)
        self.addCleanup(lambda: watch.remove(self.timers))
        return watch

    def test_back(self) -> None:
        """
        It tells the reactor when the clock has been set back, each time, and not otherwise.
        """
        self.look(
            self.watching(),
            lambda: self.go(1),
            lambda: self.reactor.setClock(-3600),
            lambda: self.go(1),
            lambda: self.reactor.setClock(3600),
            lambda: self.reactor.setClock(-1),
            lambda: self.reactor.setClock(-0.01),
        )
        self.assertEqual(self.reactor.fromThreads, [self.timers.clockSetBack] * 2)

    def test_otherClock(self) -> None:
        """
        A reactor that has got another clock meanwhile is watched no more, and without anybody to tell the thread ends.
        """
        watch = self.watching()
        stopped = watch._stopped
        assert stopped is not None

        def clock() -> None:
            self.reactor.seconds = punctual.time.monotonic  # type: ignore[method-assign]

        self.look(watch, clock)
        self.assertTrue(stopped.is_set())
        self.assertIsNone(watch._stopped)

    def test_gone(self) -> None:
        """
        It keeps nobody alive: when its last server is gone, the thread ends.
        """
        watch = punctual.Watch()
        timers = Timers(self.reactor)
        watch.add(timers)
        stopped = watch._stopped
        assert stopped is not None
        del timers
        self.look(watch, lambda: None)
        self.assertTrue(stopped.is_set())

    def test_oneThread(self) -> None:
        """
        There is one thread while servers run whose reactor goes by the wall clock, however many they are.
        """

        def threads() -> set[threading.Thread]:
            return {thread for thread in threading.enumerate() if thread.name == "agtwisted wall clock"}

        self.patch(punctual, "watch", punctual.Watch())
        before = threads()
        servers: list[Any] = [AGServer(reactor, authKey="k" * 40) for _ in range(3)]
        for server in (*servers, *servers):
            self.successResultOf(server.start())
        (thread,) = threads() - before
        self.assertTrue(thread.daemon)
        for server in servers:
            self.assertIsNotNone(punctual.watch._stopped)
            server.close()
            server.close()
        self.assertIsNone(punctual.watch._stopped)
        thread.join(10)
        self.assertFalse(thread.is_alive())

    def test_monotonicReactor(self) -> None:
        """
        There is none if it goes by the monotonic clock.
        """
        self.patch(punctual, "watch", punctual.Watch())
        self.reactor.seconds = time.monotonic  # type: ignore[method-assign]
        self.timers.start()
        self.assertIsNone(punctual.watch._stopped)


class ChoiceTests(SynchronousTestCase):
    """
    Where calls come from.
    """

    def test_timersOf(self) -> None:
        """
        A real reactor gets punctual ones; a test's clock is its own.
        """
        found = timersOf(reactor)
        self.assertIsInstance(found, Timers)
        self.assertIs(found.reactor, reactor)
        for clock in (Clock(), MemoryReactorClock()):
            self.assertIs(timersOf(clock), clock)
        self.assertTrue(IReactorCore.providedBy(MemoryReactorClock()))
