"""
Tests of L{agtwisted.sparing}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.sparing import Sparing


class SparingTests(SynchronousTestCase):
    """
    One message for many.
    """

    def test_intervals(self) -> None:
        """
        The first of each kind passes, then one in every interval, which tells how many were omitted before it.
        """
        clock = Clock()
        sparing = Sparing(clock.seconds, 10)
        self.assertEqual([sparing.omitted("a") for _ in range(4)], [0, None, None, None])
        self.assertEqual([sparing.omitted("b") for _ in range(2)], [0, None])
        clock.advance(9.9)
        self.assertIsNone(sparing.omitted("a"))
        clock.advance(0.1)
        self.assertEqual([sparing.omitted("a") for _ in range(2)], [4, None])
        clock.advance(10)
        self.assertEqual([sparing.omitted("a"), sparing.omitted("b")], [1, 1])
        clock.advance(100)
        self.assertEqual(sparing.omitted("a"), 0)

    def test_several(self) -> None:
        """
        Several may pass in an interval, each kind by itself; forgotten is forgotten.
        """
        clock = Clock()
        sparing = Sparing(clock.seconds, 10, 3)
        for omitted in (0, 2, 2):
            self.assertEqual([sparing.omitted("a") for _ in range(5)], [omitted, 0, 0, None, None])
            clock.advance(10)
        self.assertEqual([sparing.omitted("b") for _ in range(4)], [0, 0, 0, None])
        sparing.forget()
        self.assertEqual([sparing.omitted("b") for _ in range(4)], [0, 0, 0, None])
