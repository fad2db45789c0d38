"""
Tests of L{agtwisted.sockets.bucket}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.sockets.bucket import TokenBucket


class TokenBucketTests(SynchronousTestCase):
    """
    Four tokens a second, six at most.
    """

    def setUp(self) -> None:
        """
        Make a full bucket.
        """
        self.clock = Clock()
        self.bucket = TokenBucket(self.clock.seconds, 4, 6)

    def taken(self) -> int:
        """
        @return: how many tokens there were.
        """
        count = 0
        while self.bucket.take():
            count += 1
        return count

    def test_filling(self) -> None:
        """
        It is full at first, fills at its rate, and not further than its size.
        """
        for seconds, tokens in ((0, 6), (0, 0), (0.2, 0), (0.05, 1), (1, 4), (100, 6), (0.24, 0), (0.01, 1)):
            self.clock.advance(seconds)
            self.assertEqual(self.taken(), tokens, seconds)

    def test_waiting(self) -> None:
        """
        It tells how long to wait for tokens; for more than it holds, until it is full.
        """
        self.taken()
        for tokens, seconds in ((1, 0.25), (3, 0.75), (6, 1.5), (60, 1.5), (0, 0)):
            self.assertEqual(self.bucket.secondsUntil(tokens), seconds)
        self.clock.advance(0.25)
        self.assertEqual(self.bucket.secondsUntil(1), 0)

    def test_debt(self) -> None:
        """
        What is charged beyond what is there has to come before anything can be taken again.
        """
        self.bucket.charge(16)
        self.assertEqual(self.bucket.secondsUntil(1), 11 / 4)
        self.clock.advance(2.5)
        self.assertEqual(self.taken(), 0)
        self.clock.advance(0.25)
        self.assertEqual(self.taken(), 1)
