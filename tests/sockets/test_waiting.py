"""
Tests of L{agtwisted.sockets.waiting}.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.sockets.waiting import InOrder, Pending, Waiting, call, unfinished
from agtwisted.sparinglog import forgetLines


class UnfinishedTests(SynchronousTestCase):
    """
    Whether there is anything to wait for.
    """

    def test_table(self) -> None:
        """
        A Deferred that has its result needs no waiting; one that has not, has failed or waits for another does.
        """
        open_: Deferred[None] = Deferred()
        failed: Deferred[None] = fail(KeyError())
        chained: Deferred[None] = succeed(None)
        inner: Deferred[None] = Deferred()
        chained.addCallback(lambda _: inner)
        self.assertIsNone(unfinished(succeed(None)))
        self.assertIsNone(unfinished(succeed(5)))
        for waiting in (open_, failed, chained):
            self.assertIs(unfinished(waiting), waiting)
        self.failureResultOf(failed, KeyError)


class PendingTests(SynchronousTestCase):
    """
    What costs less than a Deferred.
    """

    def test_finish(self) -> None:
        """
        Whoever waits is called once, whether it came before the end or after it, with what went wrong, if anything did.
        """
        for isEarly in (True, False):
            for result in (None, Failure(KeyError())):
                pending, results = Pending(), list[object]()
                if isEarly:
                    pending.addBoth(results.append)
                    self.assertEqual(results, [])
                pending.finish(result)
                if not isEarly:
                    pending.addBoth(results.append)
                self.assertEqual(results, [result])

    def test_await(self) -> None:
        """
        A coroutine waits for it, and gets to know what went wrong.
        """

        async def wait(pending: Pending) -> str:
            await pending
            return "waited"

        for result, isEarly in ((None, True), (None, False), (Failure(KeyError()), True), (Failure(KeyError()), False)):
            pending = Pending()
            if isEarly:
                pending.finish(result)
            waited = Deferred.fromCoroutine(wait(pending))
            if not isEarly:
                self.assertNoResult(waited)
                pending.finish(result)
            if result is None:
                self.assertEqual(self.successResultOf(waited), "waited")
            else:
                self.failureResultOf(waited, KeyError)

    def test_inOrder(self) -> None:
        """
        In a queue of steps it is as good as a Deferred, and what went wrong is logged.
        """
        forgetLines()
        queue, events, pending = InOrder(), list[str](), Pending()
        queue.run(lambda: pending)
        queue.run(lambda: events.append("next"))
        self.assertEqual((events, queue.isWaiting), ([], True))
        pending.finish(Failure(KeyError()))
        self.assertEqual((events, queue.isWaiting), (["next"], False))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)


class CallTests(SynchronousTestCase):
    """
    Calling what may answer in any way.
    """

    def test_answers(self) -> None:
        """
        A Deferred comes back as it is; a value, a coroutine or an exception becomes one.
        """

        async def coroutine() -> int:
            return 3

        deferred: Deferred[int] = Deferred()
        self.assertIs(call(lambda: deferred), deferred)
        self.assertEqual(self.successResultOf(call(divmod, 7, 2)), (3, 1))
        self.assertEqual(self.successResultOf(call(coroutine)), 3)
        self.failureResultOf(call(divmod, 1, 0), ZeroDivisionError)


class InOrderTests(SynchronousTestCase):
    """
    Steps one after the other.
    """

    def setUp(self) -> None:
        """
        Make a queue, and a list of what has begun and ended.
        """
        forgetLines()
        self.queue = InOrder()
        self.events: list[str] = []
        self.held: dict[str, Deferred[None]] = {}

    def step(self, name: str) -> Callable[[], Waiting]:
        """
        @return: a step that is done at once if its name is in lower case, and else waits.
        """

        def run() -> Waiting:
            self.events.append(name)
            if name.islower():
                return None
            waiting = self.held[name] = Deferred()
            return waiting

        return run

    def run_(self, names: str) -> None:
        """
        Run the steps of these names.
        """
        for name in names:
            self.queue.run(self.step(name))

    def test_atOnce(self) -> None:
        """
        Steps that need no waiting run at once.
        """
        self.run_("abc")
        self.assertEqual("".join(self.events), "abc")
        self.assertFalse(self.queue.isWaiting)
        self.assertEqual(len(self.queue), 0)

    def test_queueBehind(self) -> None:
        """
        While one waits the next ones queue behind it, and run when it is done up to the next that waits.
        """
        self.run_("aBcDe")
        self.assertEqual("".join(self.events), "aB")
        self.assertEqual((self.queue.isWaiting, len(self.queue)), (True, 3))
        self.held["B"].callback(None)
        self.assertEqual("".join(self.events), "aBcD")
        self.assertEqual((self.queue.isWaiting, len(self.queue)), (True, 1))
        self.held["D"].callback(None)
        self.assertEqual("".join(self.events), "aBcDe")
        self.assertEqual((self.queue.isWaiting, len(self.queue)), (False, 0))
        self.run_("f")
        self.assertEqual("".join(self.events), "aBcDef")

    def test_waitFor(self) -> None:
        """
        A step that was run outside can be waited for likewise.
        """
        outside: Deferred[None] = Deferred()
        self.queue.waitFor(outside)
        self.run_("a")
        self.assertEqual(self.events, [])
        outside.callback(None)
        self.assertEqual(self.events, ["a"])
        self.assertFalse(self.queue.isWaiting)

    def test_failureWhileWaiting(self) -> None:
        """
        A step that fails while it waits is logged; the next ones run.
        """
        self.run_("Abc")
        self.held["A"].errback(KeyError("A"))
        self.assertEqual("".join(self.events), "Abc")
        self.assertFalse(self.queue.isWaiting)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_failureAtOnce(self) -> None:
        """
        A step of the queue that raises is logged; the next ones run, also when they wait in turn.
        """
        self.run_("A")
        self.queue.run(lambda: 1 // 0)  # type: ignore[arg-type, return-value]
        self.run_("B")
        self.queue.run(lambda: 1 // 0)  # type: ignore[arg-type, return-value]
        self.run_("c")
        self.held["A"].callback(None)
        self.assertEqual("".join(self.events), "AB")
        self.held["B"].callback(None)
        self.assertEqual("".join(self.events), "ABc")
        self.assertFalse(self.queue.isWaiting)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_failureOutsideQueue(self) -> None:
        """
        A step that raises when it is run at once is its caller's to handle, and holds up nothing.
        """
        self.assertRaises(ZeroDivisionError, self.queue.run, lambda: 1 // 0)
        self.run_("a")
        self.assertEqual(self.events, ["a"])

    def test_cancelled(self) -> None:
        """
        A step that is cancelled lets the next ones run.
        """
        self.run_("Ab")
        self.held["A"].cancel()
        self.assertEqual("".join(self.events), "Ab")
        self.flushLoggedErrors()

    def test_addedByStep(self) -> None:
        """
        What a step of the queue adds comes after all that are in the queue already.
        """
        self.run_("A")
        self.queue.run(lambda: self.queue.run(self.step("z")))  # type: ignore[arg-type, return-value]
        self.run_("b")
        self.held["A"].callback(None)
        self.assertEqual("".join(self.events), "Abz")

    def test_waitsInsideStep(self) -> None:
        """
        A step may cause another one that waits, and wait itself: all later ones, its own too, come after both.
        """

        def outer() -> Waiting:
            self.queue.run(self.step("I"))
            self.queue.run(self.step("y"))
            return self.step("O")()

        self.queue.run(outer)
        self.run_("z")
        self.held["I"].callback(None)
        self.assertEqual("".join(self.events), "IO")
        self.assertTrue(self.queue.isWaiting)
        self.held["O"].callback(None)
        self.assertEqual("".join(self.events), "IOyz")
        self.assertFalse(self.queue.isWaiting)

    def test_abandon(self) -> None:
        """
        The steps of a queue can be taken out of it; the one that waits goes on, and later ones queue behind it.
        """
        self.assertEqual(self.queue.abandon(), [])
        first, second = self.step("x"), self.step("y")
        self.run_("A")
        self.queue.run(first)
        self.queue.run(second)
        self.assertEqual(self.queue.abandon(), [first, second])
        self.assertEqual((self.queue.isWaiting, len(self.queue)), (True, 0))
        self.run_("b")
        self.assertEqual("".join(self.events), "A")
        self.held["A"].callback(None)
        self.assertEqual("".join(self.events), "Ab")
        self.assertFalse(self.queue.isWaiting)

    def test_longQueues(self) -> None:
        """
        A queue may be long without the stack growing.
        """
        self.run_("A" + "b" * 5000)
        self.held["A"].callback(None)
        self.assertEqual(len(self.events), 5001)

    @given(st.text("aA!", min_size=1, max_size=30), st.lists(st.booleans(), min_size=30, max_size=30))
    def test_strictOrder(self, kinds: str, fails: list[bool]) -> None:
        """
        Whatever steps do (be done, wait, raise; waiting may end well or badly), they begin in order, each after the end
        of the one before it.
        """
        queue = InOrder()
        begun: list[int] = []
        running: list[tuple[int, Deferred[None]]] = []

        def stepOf(number: int, kind: str) -> Callable[[], Waiting]:
            def run() -> Waiting:
                self.assertEqual(running, [])
                begun.append(number)
                if kind == "!":
                    raise KeyError(number)
                if kind == "a":
                    return None
                waiting: Deferred[None] = Deferred()
                running.append((number, waiting))
                return waiting

            return run

        for number, kind in enumerate(kinds):
            try:
                queue.run(stepOf(number, kind))
            except KeyError:
                self.assertEqual(running, [])
        while running:
            number, waiting = running.pop()
            if fails[number]:
                waiting.errback(KeyError(number))
            else:
                waiting.callback(None)
        self.assertEqual(begun, list(range(len(kinds))))
        self.assertFalse(queue.isWaiting)
        self.flushLoggedErrors(KeyError)
