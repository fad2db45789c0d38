"""
Subscribers that do not read. C{python -m tests.effects.slowconsumers} measures what the others notice of them.
"""

from __future__ import annotations

from .slowconsumers import measure
from .support import PATIENCE, EffectTestCase


class SlowConsumerTests(EffectTestCase):
    """
    One that never reads, and one that only answers pings.
    """

    def test_others(self) -> None:
        """
        They are closed with 4100, with an event and a counter, and little more than the limit has waited for each; for the
        others nothing is lost or reordered.
        """
        outcome = measure(50, 1 << 17, 0.5)
        self.assertEqual((outcome.given, outcome.codes), ((2, 2), [4100, 4100]), outcome)
        self.assertEqual(outcome.disordered, 0)
        self.assertGreater(outcome.received, 50)
        self.assertLess(outcome.seconds, PATIENCE)
        self.assertLessEqual(outcome.most, 2.5)
