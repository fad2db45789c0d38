"""
Much work at once, and who is served meanwhile. The figures are far from what a machine needs that has nothing else to do;
C{python -m tests.effects.fairness} measures those.
"""

from __future__ import annotations

from .fairness import KINDS, measure
from .support import EffectTestCase


class FairnessTests(EffectTestCase):
    """
    One client's work, or the end of many, for the servers of both versions.
    """

    def assertFair(self, server: str) -> None:
        """
        Whatever there is to be done at once, all of it is, and somebody else is served meanwhile.
        """
        for outcome in measure(server, KINDS, 500, 0.05):
            self.assertEqual(outcome.left, 0, outcome)
            self.assertGreater(outcome.beats, 0, outcome)
            self.assertLess(outcome.longest, 5000, outcome)

    def test_callbacks(self) -> None:
        """
        An L{agtwisted.SCServer} is fair.
        """
        self.assertFair("SCServer")

    def test_streams(self) -> None:
        """
        An L{agtwisted.AGServer} is fair.
        """
        self.assertFair("AGServer")
