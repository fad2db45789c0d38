"""
Tests of what L{WireClient} waits for.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from .wire import WireClient


class WaitingTests(SynchronousTestCase):
    """
    L{WireClient.whenTrue}.
    """

    def setUp(self) -> None:
        """
        Wait for a connection to end, in vain so far.
        """
        self.clock = Clock()
        self.client = WireClient(self.clock, b"")
        self.isTrue = False

    def wait(self, timeout: float = 5) -> Deferred[bool]:
        """
        Wait for the condition.
        """
        return self.client.whenTrue(lambda: self.isTrue, timeout)

    def test_answer(self) -> None:
        """
        What comes in time ends the waiting, and nothing is left of it.
        """
        waiting = self.wait()
        self.client._check()
        self.assertNoResult(waiting)
        self.isTrue = True
        self.client._check()
        self.assertTrue(self.successResultOf(waiting))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_time(self) -> None:
        """
        So does the end of its time.
        """
        waiting = self.wait()
        self.clock.advance(5)
        self.assertFalse(self.successResultOf(waiting))
        self.client.connectionLost()

    def test_together(self) -> None:
        """
        When the time is over just as the connection ends, each who waits hears once.
        """
        first, second = self.wait(), self.wait()
        first.addCallback(lambda _: self.client.connectionLost())
        self.clock.advance(5)
        self.successResultOf(first)
        self.assertFalse(self.successResultOf(second))

    def test_cancelled(self) -> None:
        """
        Whoever has given up is not told any more, neither by the end of the connection nor by that of the time.
        """
        waiting = self.wait()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.client.connectionLost()
        self.clock.advance(5)
        self.assertEqual(self.clock.getDelayedCalls(), [])
