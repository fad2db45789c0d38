"""
Tests of L{agtwisted.streams.wakeup}.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextvars import ContextVar
from types import coroutine
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.streams import wakeup
from agtwisted.streams.wakeup import WakeUp, wakeAll

CURRENT: ContextVar[str] = ContextVar("CURRENT", default="none")


@coroutine
def passing(value: object) -> Generator[object, Any, Any]:
    """
    Await something that is no Deferred.
    """
    return (yield value)


class WakeUpTests(SynchronousTestCase):
    """
    What a coroutine that waits here does when it is woken; each is compared with what Twisted itself does.
    """

    def setUp(self) -> None:
        """
        Make something to wait for, and a list of what happens.
        """
        self.cancelled: list[str] = []
        self.steps: list[object] = []

    def make(self) -> WakeUp:
        """
        @return: something to wait for.
        """
        return WakeUp(lambda: self.cancelled.append("cancelled"))

    def bothWays(self, test: Callable[[WakeUp], None]) -> None:
        """
        Run a test with the short way on, and with Twisted's own.
        """
        for continuation in (wakeup._continuation, None):
            self.patch(wakeup, "_continuation", continuation)
            self.cancelled.clear()
            self.steps.clear()
            test(self.make())

    async def loop(self, wakeUp: WakeUp, times: int) -> str:
        """
        Wait so many times.
        """
        for number in range(times):
            await wakeUp
            self.steps.append(number)
        return "done"

    def test_again(self) -> None:
        """
        A loop waits again and again at the same place; its result is that of its Deferred.
        """

        def test(wakeUp: WakeUp) -> None:
            ended = Deferred.fromCoroutine(self.loop(wakeUp, 3))
            for _ in range(3):
                self.assertTrue(wakeUp.isAwaited)
                self.assertNoResult(ended)
                wakeAll([wakeUp])
            self.assertEqual((self.successResultOf(ended), self.steps), ("done", [0, 1, 2]))
            self.assertFalse(wakeUp.isAwaited)
            wakeAll([wakeUp])

        self.bothWays(test)

    def test_raises(self) -> None:
        """
        What a loop raises is the failure of its Deferred.
        """

        async def loop(wakeUp: WakeUp) -> None:
            await wakeUp
            await wakeUp
            raise ZeroDivisionError

        def test(wakeUp: WakeUp) -> None:
            ended = Deferred.fromCoroutine(loop(wakeUp))
            wakeAll([wakeUp])
            wakeAll([wakeUp])
            self.failureResultOf(ended, ZeroDivisionError)
            self.assertFalse(wakeUp.isAwaited)

        self.bothWays(test)

    def test_somethingElse(self) -> None:
        """
        A loop that awaits something else meanwhile gets its result or its failure, and comes back.
        """

        async def loop(wakeUp: WakeUp, others: list[Deferred[int]]) -> None:
            for other in others:
                await wakeUp
                try:
                    self.steps.append(await other)
                except ZeroDivisionError:
                    self.steps.append("failed")
            await wakeUp
            self.steps.append(await passing("no Deferred"))

        def test(wakeUp: WakeUp) -> None:
            others: list[Deferred[int]] = [Deferred(), Deferred(), Deferred()]
            others[2].callback(3)
            ended = Deferred.fromCoroutine(loop(wakeUp, others))
            wakeAll([wakeUp])
            self.assertFalse(wakeUp.isAwaited)
            others[0].callback(1)
            wakeAll([wakeUp])
            others[1].errback(Failure(ZeroDivisionError()))
            wakeAll([wakeUp])
            wakeAll([wakeUp])
            self.successResultOf(ended)
            self.assertEqual(self.steps, [1, "failed", 3, "no Deferred"])

        self.bothWays(test)

    def test_otherCoroutine(self) -> None:
        """
        A loop that awaits a coroutine waits here inside it as well.
        """

        async def outer(wakeUp: WakeUp) -> str:
            return await self.loop(wakeUp, 2) + await self.loop(wakeUp, 1)

        def test(wakeUp: WakeUp) -> None:
            ended = Deferred.fromCoroutine(outer(wakeUp))
            for _ in range(3):
                wakeAll([wakeUp])
            self.assertEqual(self.successResultOf(ended), "donedone")

        self.bothWays(test)

    def test_takenOver(self) -> None:
        """
        While one loop runs, another one may begin to wait here; the first one, which ends, does not disturb it.
        """

        async def first(wakeUp: WakeUp, second: Callable[[], object]) -> None:
            await wakeUp
            second()

        def test(wakeUp: WakeUp) -> None:
            others: list[Deferred[str]] = []
            ended = Deferred.fromCoroutine(
                first(wakeUp, lambda: others.append(Deferred.fromCoroutine(self.loop(wakeUp, 1))))
            )
            wakeAll([wakeUp])
            self.successResultOf(ended)
            self.assertTrue(wakeUp.isAwaited)
            wakeAll([wakeUp])
            self.assertEqual(self.successResultOf(others[0]), "done")

        self.bothWays(test)

    def test_cancel(self) -> None:
        """
        Whoever cancels the loop's Deferred cancels what it waits for, also after it was woken a few times, and also when
        that is something else by then.
        """

        async def elsewhere(wakeUp: WakeUp, other: Deferred[None]) -> None:
            await wakeUp
            await other

        def test(wakeUp: WakeUp) -> None:
            ended = Deferred.fromCoroutine(self.loop(wakeUp, 5))
            wakeAll([wakeUp])
            wakeAll([wakeUp])
            ended.cancel()
            self.failureResultOf(ended, CancelledError)
            self.assertEqual((self.cancelled, self.steps), (["cancelled"], [0, 1]))
            stopped: list[str] = []
            other: Deferred[None] = Deferred(lambda _: stopped.append("stopped"))
            wakeUp = self.make()
            ended = Deferred.fromCoroutine(elsewhere(wakeUp, other))
            wakeAll([wakeUp])
            ended.cancel()
            self.failureResultOf(ended, CancelledError)
            self.assertEqual((stopped, self.cancelled), (["stopped"], ["cancelled"]))

        self.bothWays(test)

    def test_context(self) -> None:
        """
        A loop keeps its own context variables, whoever wakes it.
        """

        async def loop(wakeUp: WakeUp) -> str:
            CURRENT.set("mine")
            for _ in range(2):
                await wakeUp
            return CURRENT.get()

        def test(wakeUp: WakeUp) -> None:
            ended = Deferred.fromCoroutine(loop(wakeUp))
            wakeAll([wakeUp])
            wakeAll([wakeUp])
            self.assertEqual((self.successResultOf(ended), CURRENT.get()), ("mine", "none"))

        self.bothWays(test)

    def test_otherTwisted(self) -> None:
        """
        Where Twisted runs coroutines in another way, there is no short way.
        """
        self.assertIsNotNone(wakeup._continuation)
        self.patch(defer, "_gotResultInlineCallbacks", lambda result, other: None)
        self.assertIsNone(wakeup._findContinuation())
        self.patch(defer, "_gotResultInlineCallbacks", None)
        self.assertIsNone(wakeup._findContinuation())
