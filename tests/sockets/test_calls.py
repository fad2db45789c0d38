"""
Tests of L{agtwisted.sockets.calls}.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.errors import BadConnectionError, SCError, TimeoutError
from agtwisted.sockets.calls import Calls
from agtwisted.sockets.wheel import GRANULARITY, Wheel
from agtwisted.streams.turns import Turns


class CallsTests(SynchronousTestCase):
    """
    Calls that await their answers.
    """

    def setUp(self) -> None:
        """
        Make the calls of a socket on a clock.
        """
        self.clock = Clock()
        self.calls = Calls(Wheel(self.clock), Turns(self.clock))

    def test_ids(self) -> None:
        """
        Calls are numbered from 1 on, and no number is used again.
        """
        ids = []
        for _ in range(3):
            callId, answered = self.calls.open("add", 10)
            self.calls.settle(callId, None, None)
            ids.append(callId)
        self.assertEqual(ids, [1, 2, 3])

    def test_answer(self) -> None:
        """
        An answer reaches its own call, in whatever order answers come.
        """
        opened = [self.calls.open("add", 10) for _ in range(3)]
        for callId in (2, 3, 1):
            self.calls.settle(callId, None, f"answer {callId}")
        for callId, answered in opened:
            self.assertEqual(self.successResultOf(answered), f"answer {callId}")
        self.assertEqual(len(self.calls), 0)

    def test_number(self) -> None:
        """
        JavaScript has one kind of number: 1.0 answers call 1.
        """
        _, answered = self.calls.open("add", 10)
        self.calls.settle(1.0, None, "data")
        self.assertEqual(self.successResultOf(answered), "data")

    def test_error(self) -> None:
        """
        An answer may be an error.
        """
        callId, answered = self.calls.open("add", 10)
        error = SCError("No")
        self.calls.settle(callId, error, "ignored")
        self.assertIs(self.failureResultOf(answered, SCError).value, error)

    def test_timeout(self) -> None:
        """
        A call without an answer fails with TimeoutError after its time, up to a bucket of the wheel later.
        """
        _, answered = self.calls.open("add", 2)
        self.clock.advance(2 - 0.001)
        self.assertNoResult(answered)
        self.clock.advance(GRANULARITY + 0.002)
        error = self.failureResultOf(answered, TimeoutError).value
        self.assertEqual(str(error), "Event response for add event timed out")
        self.assertEqual(len(self.calls), 0)

    def test_abort(self) -> None:
        """
        When the connection goes every call fails with BadConnectionError, in order, but not before the turn ends: by
        then the connection's own state says so.
        """
        failed: list[str] = []
        opened = [self.calls.open(name, 10)[1] for name in ("add", "sub")]
        for answered in opened:
            answered.addErrback(lambda failure: failed.append(str(failure.value)) or failure)  # type: ignore[func-returns-value]
        self.calls.abort("disconnect", 4000, "gone")
        self.assertEqual((len(self.calls), failed), (0, []))
        self.clock.advance(0)
        self.assertEqual(failed, [f"Event {name} was aborted due to a bad connection" for name in ("add", "sub")])
        for answered in opened:
            error = self.failureResultOf(answered, BadConnectionError).value
            self.assertEqual((error.type, error.code, error.reason), ("disconnect", 4000, "gone"))
        self.clock.advance(20)  # their timeouts have gone with them

    def test_cancel(self) -> None:
        """
        A caller may lose interest; the answer that comes then is one to an unknown call.
        """
        callId, answered = self.calls.open("add", 1)
        answered.cancel()
        self.failureResultOf(answered, CancelledError)
        self.assertEqual(len(self.calls), 0)
        self.calls.settle(callId, None, "late")
        self.clock.advance(2)
        self.calls.abort("disconnect", None, None)
        self.clock.advance(0)

    def test_unknown(self) -> None:
        """
        Answers to calls that were never made are ignored.
        """
        _, answered = self.calls.open("add", 1)
        for unknown in (0, 2, -1, 1.5, float("nan"), 10**400):
            self.calls.settle(unknown, None, "data")
        self.assertNoResult(answered)
        self.assertEqual(len(self.calls), 1)
        answered.addErrback(lambda _: None).cancel()

    def test_exactlyOnce(self) -> None:
        """
        Answer, error, timeout, the end of the connection and cancelling settle a call once, in any order of events.
        """
        kinds: dict[str, Any] = {
            "answer": lambda callId, answered: self.calls.settle(callId, None, "data"),
            "error": lambda callId, answered: self.calls.settle(callId, SCError("No"), None),
            "timeout": lambda callId, answered: self.clock.advance(2),
            "abort": lambda callId, answered: self.calls.abort("disconnect", 1000, None),
            "cancel": lambda callId, answered: answered.cancel(),
            "turn": lambda callId, answered: self.clock.advance(0),
        }
        expected = {"answer": str, "error": SCError, "timeout": TimeoutError, "cancel": CancelledError}
        for order in permutations(kinds):
            settled: list[Any] = []
            callId, answered = self.calls.open("add", 1)
            watched: Deferred[Any] = answered.addCallbacks(
                lambda data, settled=settled: settled.append(data),  # type: ignore[misc]
                lambda failure, settled=settled: settled.append(failure.value),  # type: ignore[misc]
            )
            for kind in order:
                kinds[kind](callId, watched)
            self.clock.advance(0)
            self.assertEqual(len(settled), 1, order)
            first = next(kind for kind in order if kind != "turn")
            if first == "abort":
                # Cancelling comes before the failure that is due at the end of the turn.
                self.assertIsInstance(settled[0], (BadConnectionError, CancelledError), order)
            else:
                self.assertIs(type(settled[0]), expected[first], order)
            self.assertEqual(len(self.calls), 0)
