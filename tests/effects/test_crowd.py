"""
Crowds: many at once, and many slow ones. The figures are far from what a machine needs that has nothing else to do;
C{python -m tests.effects.crowd} and C{python -m tests.effects.slow} measure those.
"""

from __future__ import annotations

from .crowd import enoughDescriptors, measure
from .slow import KINDS, endure
from .support import EffectTestCase


class CrowdTests(EffectTestCase):
    """
    Clients by the thousand.
    """

    def test_atOnce(self) -> None:
        """
        A thousand clients that connect at once are all served, cheaply, and who is there already is served meanwhile.
        """
        outcome = measure(enoughDescriptors(1000))
        self.assertEqual(outcome.served, outcome.clients)
        self.assertLess(outcome.cpu, 10)
        self.assertLess(outcome.stall, 5000)
        self.assertGreater(outcome.beats, 0)

    def test_slow(self) -> None:
        """
        Hundreds of clients that are as slow as they can be leave within their time, whatever they are slow at, cost the
        server next to nothing, and leave nothing behind.
        """
        for kind in KINDS:
            outcome = endure(kind, 200, 1.0)
            self.assertEqual((outcome.counted, outcome.left), (200, 0), outcome)
            self.assertLess(outcome.cpu, 20, outcome)
            self.assertLess(outcome.stall, 5000, outcome)
