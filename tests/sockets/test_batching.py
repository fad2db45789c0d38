"""
Tests of L{agtwisted.sockets.batching}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.sockets.batching import Batching
from agtwisted.streams.turns import Turns


class BatchingTests(SynchronousTestCase):
    """
    Batches by hand and by interval.
    """

    def setUp(self) -> None:
        """
        Make a batch that is sent into a list.
        """
        self.clock = Clock()
        self.sent: list[list[object]] = []
        self.batching = Batching(self.sent.append, Turns(self.clock), 0.5)

    def collect(self, *packets: object) -> None:
        """
        Collect packets.
        """
        for packet in packets:
            self.batching.append(packet)

    def test_byHand(self) -> None:
        """
        What is collected between C{begin} and C{flush} is sent as one, in order.
        """
        self.assertFalse(self.batching.isBuffering)
        self.batching.begin()
        self.assertTrue(self.batching.isBuffering)
        self.collect(1, 2, 3)
        self.assertEqual((len(self.batching), self.sent), (3, []))
        self.batching.flush()
        self.assertEqual(self.sent, [[1, 2, 3]])
        self.assertEqual((len(self.batching), self.batching.isBuffering), (0, False))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_empty(self) -> None:
        """
        An empty batch is not sent.
        """
        self.batching.begin()
        self.batching.flush()
        self.batching.start()
        self.clock.advance(0.5)
        self.batching.stop()
        self.assertEqual(self.sent, [])

    def test_beginAgain(self) -> None:
        """
        Beginning again drops what was collected, as in the reference.
        """
        self.batching.begin()
        self.collect(1)
        self.batching.begin()
        self.collect(2)
        self.batching.flush()
        self.assertEqual(self.sent, [[2]])

    def test_cancel(self) -> None:
        """
        Cancelling drops what was collected.
        """
        self.batching.begin()
        self.collect(1)
        self.batching.cancel()
        self.batching.flush()
        self.assertEqual((self.sent, self.batching.isBuffering), ([], False))

    def test_interval(self) -> None:
        """
        Batches go out after each interval, in order and complete, until batching stops, which sends the rest.
        """
        self.batching.start()
        for number in range(9):
            self.collect(number)
            self.clock.advance(0.25)
        self.assertTrue(self.batching.isBuffering)
        self.batching.stop()
        self.assertEqual(sum(self.sent, []), list(range(9)))
        self.assertEqual([len(batch) for batch in self.sent], [2, 2, 2, 2, 1])
        self.assertFalse(self.batching.isBuffering)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_startTwice(self) -> None:
        """
        Starting again changes nothing: nothing is dropped, there is one timer.
        """
        self.batching.start()
        self.collect(1)
        self.batching.start()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0.5)
        self.assertEqual(self.sent, [[1]])
        self.batching.stop()

    def test_abandon(self) -> None:
        """
        Abandoning drops what was collected and leaves no timer; batching can be started again.
        """
        self.batching.start()
        self.collect(1)
        self.batching.abandon()
        self.clock.advance(1)
        self.assertEqual((self.sent, self.clock.getDelayedCalls()), ([], []))
        self.batching.abandon()
        self.batching.start()
        self.collect(2)
        self.batching.stop()
        self.batching.stop()
        self.assertEqual(self.sent, [[2]])

    def test_startFor(self) -> None:
        """
        Batches for a while end with the last of them, and then no timer is left.
        """
        self.batching.startFor(1.2)
        self.collect(1)
        self.clock.advance(0.5)
        self.collect(2)
        self.clock.pump([0.5, 0.2])
        self.assertEqual((self.sent, self.batching.isBuffering), ([[1], [2]], False))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_startForAndWanted(self) -> None:
        """
        If the application wants batches meanwhile, they go on.
        """
        self.batching.startFor(0.7)
        self.batching.isBatching = True
        self.clock.pump([0.5, 0.5])
        self.assertTrue(self.batching.isBuffering)
        self.collect(1)
        self.clock.advance(0.5)
        self.assertEqual(self.sent, [[1]])

    def test_close(self) -> None:
        """
        After the end nothing is sent, and no timer is left, whether batches were for a while or not.
        """
        for start in (self.batching.start, lambda: self.batching.startFor(10)):
            start()
            self.batching.isBatching = True
            self.collect(1)
            self.batching.close()
            self.assertEqual((self.sent, len(self.batching), self.batching.isBatching), ([], 0, False))
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_newInterval(self) -> None:
        """
        A new interval holds from the next batch on.
        """
        self.batching.start()
        self.batching.interval = 1
        self.clock.advance(0.5)
        self.collect(1)
        self.clock.advance(0.9)
        self.assertEqual(self.sent, [])
        self.clock.advance(0.1)
        self.assertEqual(self.sent, [[1]])
        self.batching.abandon()
