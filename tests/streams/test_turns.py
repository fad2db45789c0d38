"""
Tests of L{agtwisted.streams.turns}.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.streams.emitter import AsyncStreamEmitter
from agtwisted.streams.stream import WritableConsumableStream
from agtwisted.streams.turns import MAXIMUM_ROUNDS, PORTION, Turns, defaultTurns


class Collection:
    """
    Something to flush.
    """

    def __init__(self, flush: Callable[[], object]) -> None:
        self.flush = flush


class TurnsTests(SynchronousTestCase):
    """
    What happens at the end of a turn, and in which order.
    """

    def setUp(self) -> None:
        """
        Make turns on a clock, and a list of what has run.
        """
        self.clock = Clock()
        self.turns = Turns(self.clock)
        self.ran: list[object] = []

    def flush(self, job: Callable[[], object]) -> None:
        """
        Have C{job} run where something is flushed.
        """
        self.turns.flush(Collection(job))

    def job(self, name: object) -> partial[None]:
        """
        @return: a job that notes that it has run.
        """
        return partial(self.ran.append, name)

    def test_notAtOnce(self) -> None:
        """
        A job never runs inside the call that asks for it, only at the end of the turn.
        """
        self.turns.wake(self.job("wake"))
        self.flush(self.job("flush"))
        self.assertEqual(self.ran, [])
        self.clock.advance(0)
        self.assertEqual(self.ran, ["wake", "flush"])

    def test_wakeUpsFirst(self) -> None:
        """
        Flushes run after all wake-ups, whatever was asked for first.
        """
        for kind in "fwfw":
            (self.turns.wake if kind == "w" else self.flush)(self.job(kind))
        self.clock.advance(0)
        self.assertEqual(self.ran, ["w", "w", "f", "f"])

    def test_wakeUpsThatWake(self) -> None:
        """
        Wake-ups that other wake-ups cause belong to the same turn, before its flushes.
        """
        self.flush(self.job("flush"))
        self.turns.wake(lambda: self.turns.wake(lambda: self.turns.wake(self.job("third round"))))
        self.clock.advance(0)
        self.assertEqual(self.ran, ["third round", "flush"])

    def test_oneDelayedCall(self) -> None:
        """
        A turn costs one delayed call, however much happens in it; none is left behind.
        """
        for _ in range(10):
            self.turns.wake(self.job("wake"))
            self.flush(self.job("flush"))
            self.turns.settled()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_flushThatWakes(self) -> None:
        """
        What a flush asks for runs in the next turn.
        """
        self.flush(lambda: self.turns.wake(self.job("wake")))
        self.flush(lambda: self.flush(self.job("flush")))
        self.turns.run()
        self.assertEqual(self.ran, [])
        self.turns.run()
        self.assertEqual(self.ran, ["wake", "flush"])

    def test_failingJobs(self) -> None:
        """
        A job that fails is logged and takes nothing from the others.
        """
        self.turns.wake(lambda: 1 // 0)
        self.turns.wake(self.job("wake"))
        self.flush(lambda: [].pop())
        self.flush(self.job("flush"))
        self.clock.advance(0)
        self.assertEqual(self.ran, ["wake", "flush"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(IndexError)), 1)

    def test_endlessWakeUps(self) -> None:
        """
        Jobs that keep waking each other get a limited number of rounds per turn: then the flushes and everyone else.
        """

        def again() -> None:
            self.ran.append("round")
            self.turns.wake(again)

        self.flush(self.job("flush"))
        self.turns.wake(again)
        self.turns.run()
        self.assertEqual(self.ran, ["round"] * MAXIMUM_ROUNDS + ["flush"])
        self.assertTrue(self.turns.pending)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.turns.run()
        self.assertEqual(len(self.ran), 2 * MAXIMUM_ROUNDS + 1)

    def test_pending(self) -> None:
        """
        It tells whether a wake-up waits; flushes do not count.
        """
        self.assertFalse(self.turns.pending)
        self.flush(self.job("flush"))
        self.assertFalse(self.turns.pending)
        self.turns.wake(self.job("wake"))
        self.assertTrue(self.turns.pending)
        self.clock.advance(0)
        self.assertFalse(self.turns.pending)

    def test_settled(self) -> None:
        """
        C{settled} fires after the wake-ups that wait and those that they cause, and before the flushes.
        """
        self.turns.settled().addCallback(lambda _: self.ran.append("settled"))
        self.flush(self.job("flush"))
        self.turns.wake(lambda: self.turns.wake(self.job("caused")))
        self.clock.advance(0)
        self.assertEqual(self.ran, ["caused", "settled", "flush"])

    def test_settledWithoutWakeUps(self) -> None:
        """
        C{settled} fires at the end of the turn also when nothing waits, and not at once.
        """
        done = self.turns.settled()
        self.assertNoResult(done)
        self.clock.advance(0)
        self.assertIsNone(self.successResultOf(done))

    def test_settlingWakes(self) -> None:
        """
        What is woken by someone for whom things have settled still belongs to this turn.
        """
        self.turns.settled().addCallback(lambda _: self.turns.wake(self.job("woken")))
        self.flush(self.job("flush"))
        self.clock.advance(0)
        self.assertEqual(self.ran, ["woken", "flush"])

    def test_run(self) -> None:
        """
        Tests may end the turn themselves; the delayed call goes, and nothing runs twice.
        """
        self.turns.wake(self.job("wake"))
        self.turns.run()
        self.turns.run()
        self.clock.advance(0)
        self.assertEqual(self.ran, ["wake"])

    def test_runInside(self) -> None:
        """
        Ending the turn from within a job does nothing: jobs are not interleaved.
        """

        def job() -> None:
            self.turns.wake(self.job("second"))
            self.turns.run()
            self.ran.append("first")

        self.turns.wake(job)
        self.clock.advance(0)
        self.assertEqual(self.ran, ["first", "second"])

    def test_wakeNow(self) -> None:
        """
        Whoever stands at the top of a turn may let the wake-ups run before its end, with those that they cause; flushes
        wait on, and nothing is interleaved.
        """

        def job() -> None:
            self.turns.wake(self.job("caused"))
            self.turns.wakeNow()
            self.ran.append("first")

        self.turns.wakeNow()
        self.flush(self.job("flush"))
        self.turns.wake(job)
        self.turns.wakeNow()
        self.assertEqual(self.ran, ["first", "caused"])
        self.clock.advance(0)
        self.assertEqual(self.ran, ["first", "caused", "flush"])

    def test_beginAndEnd(self) -> None:
        """
        A reactor that tells when its turns begin and end needs no delayed call; a turn may end with nothing to do.
        """
        self.turns.begin()
        self.turns.wake(self.job("wake"))
        self.flush(self.job("flush"))
        self.assertEqual((self.ran, self.clock.getDelayedCalls()), ([], []))
        self.turns.end()
        self.assertEqual((self.ran, self.clock.getDelayedCalls()), (["wake", "flush"], []))
        self.turns.begin()
        self.turns.end()
        self.turns.wake(self.job("later"))
        self.clock.advance(0)
        self.assertEqual(self.ran[-1], "later")

    def test_nextTurn(self) -> None:
        """
        Long work waits for the next turn, when the wake-ups of this one have run.
        """
        self.turns.wake(self.job("wake"))
        next_ = self.turns.nextTurn()
        next_.addCallback(lambda _: self.ran.append("next"))
        self.assertEqual(self.ran, [])
        self.clock.advance(0)
        self.assertEqual(self.ran, ["wake", "next"])

    def test_callLater(self) -> None:
        """
        Timers are the reactor's, in seconds.
        """
        self.turns.callLater(2.5, self.ran.append, "late")
        self.clock.advance(2.4)
        self.assertEqual(self.ran, [])
        self.clock.advance(0.1)
        self.assertEqual(self.ran, ["late"])


class Parcel:
    """
    The outbox of somebody who has nothing but publications to get.
    """

    def __init__(self, number: int, leave: Callable[[list[int]], object]) -> None:
        """
        @param leave: gets the numbers of those that leave together.
        """
        self.number = number
        self._leave = leave

    def flushAll(self, parcels: list[Parcel]) -> None:
        """
        They leave.
        """
        self._leave([parcel.number for parcel in parcels])


class DeliveriesTests(SynchronousTestCase):
    """
    In which portions publications leave.
    """

    def setUp(self) -> None:
        """
        Make turns on a clock.
        """
        self.clock = Clock()
        self.turns = Turns(self.clock)
        self.left: list[int] = []
        #: What happens when a portion leaves.
        self.happens: Callable[[], object] = lambda: None

    def deliver(self, count: int) -> None:
        """
        Have so many more wait, numbered.
        """
        known = len(self.left) + len(self.turns.deliveries)
        self.turns.deliveries += [Parcel(known + number, self.leave) for number in range(count)]
        if not self.turns.isDue:
            self.turns.schedule()

    def leave(self, numbers: list[int]) -> None:
        """
        Note them.
        """
        self.left += numbers
        self.happens()

    def turn(self, seconds: float = 0.0) -> int:
        """
        A polled turn in which others take so many seconds.

        @return: how many have left at its end.
        """
        before = len(self.left)
        self.turns.begin()
        self.clock.advance(seconds)
        self.turns.end()
        return len(self.left) - before

    def test_portions(self) -> None:
        """
        Everybody's leave in order, some in each turn, and in between others are heard; no turn is left to chance.
        """
        heard: list[int] = []
        self.clock.callLater(0, lambda: heard.append(len(self.left)))
        self.deliver(3 * PORTION)
        self.happens = lambda: self.clock.callLater(0, lambda: heard.append(len(self.left)))
        self.clock.advance(0)
        self.assertEqual(self.left, [*range(3 * PORTION)])
        self.assertEqual(heard, [0, PORTION, 2 * PORTION, 3 * PORTION])
        self.assertEqual((self.turns.isDue, self.clock.getDelayedCalls()), (False, []))

    def test_polled(self) -> None:
        """
        Where turns are polls, portions need no delayed call: the next poll comes at once.
        """
        self.turns.isPolled = True
        self.turns.begin()
        self.deliver(2 * PORTION + 1)
        self.turns.end()
        self.assertEqual((len(self.left), self.clock.getDelayedCalls()), (PORTION, []))
        self.assertEqual([self.turn(), self.turn(), self.turn()], [PORTION, 1, 0])

    def test_longQueue(self) -> None:
        """
        Of a long queue more leave at a time.
        """
        self.turns.isPolled = True
        self.turns.begin()
        self.deliver(10000)
        self.turns.end()
        self.assertEqual(len(self.left), 312)
        while self.turns.deliveries:
            self.turn()
        self.assertEqual(self.left, [*range(10000)])

    def test_asMuchTimeAsOthers(self) -> None:
        """
        While others take long, they get as much time as those; and what joins later is no debt of theirs.
        """
        self.turns.isPolled = True
        self.happens = lambda: self.clock.advance(0.001)
        self.turns.begin()
        self.deliver(20 * PORTION)
        self.turns.end()
        turns = [self.turn(0.004), self.turn(0.0), self.turn(0.004)]
        self.assertEqual(turns, [4 * PORTION, PORTION, 4 * PORTION])
        while self.turns.deliveries:
            self.turn()
        self.clock.advance(60)
        self.turns.begin()
        self.deliver(3 * PORTION)
        self.turns.end()
        self.assertEqual(len(self.turns.deliveries), 2 * PORTION)

    def test_whenFewer(self) -> None:
        """
        Whoever waits until fewer are left is called once they are, behind a portion; what fails is logged.
        """
        self.turns.isPolled = True
        self.turns.begin()
        self.deliver(4 * PORTION)
        called: list[int] = []
        self.turns.whenFewer(2 * PORTION, lambda: called.append(len(self.turns.deliveries)))
        self.turns.whenFewer(2 * PORTION, lambda: 1 // 0)
        self.turns.whenFewer(4 * PORTION, lambda: called.append(len(self.turns.deliveries)))
        self.turns.whenFewer(4 * PORTION, lambda: self.deliver(1))
        self.turns.end()
        self.assertEqual((called, len(self.turns.deliveries)), ([3 * PORTION], 3 * PORTION + 1))
        self.turn()
        self.turn()
        self.assertEqual(called, [3 * PORTION, PORTION + 1])
        self.turn()
        self.turn()
        self.assertEqual((len(called), self.turns.deliveries, len(self.left)), (2, [], 4 * PORTION + 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_afterOthers(self) -> None:
        """
        They leave behind what others have to send, and before what waits for all that.
        """
        order: list[str] = []
        self.turns.flush(Collection(partial(order.append, "flush")))
        self.happens = partial(order.append, "delivery")
        self.deliver(1)
        answer: Any = Parcel(0, lambda _: order.append("answer"))
        self.turns.outboxes.append(answer)
        self.turns.wake(partial(order.append, "wake"))
        self.clock.advance(0)
        self.assertEqual(order, ["wake", "answer", "delivery", "flush"])


class DefaultTurnsTests(SynchronousTestCase):
    """
    Streams that belong to no server.
    """

    def test_oneForTheProcess(self) -> None:
        """
        Without turns of their own, streams and emitters share those of the installed reactor.
        """
        from twisted.internet import reactor

        turns = defaultTurns()
        self.assertIs(WritableConsumableStream[int]().turns, turns)
        self.assertIs(AsyncStreamEmitter().turns, turns)
        timer = turns.callLater(1000, lambda: None)
        self.assertIn(timer, reactor.getDelayedCalls())  # type: ignore[attr-defined]
        timer.cancel()
