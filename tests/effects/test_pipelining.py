"""
A client that calls faster than the application answers. C{python -m tests.effects.pipelining} measures more of it.
"""

from __future__ import annotations

from .pipelining import measure
from .support import EffectTestCase


class PipeliningTests(EffectTestCase):
    """
    Inbound flow control, over a real socket.
    """

    def test_slowApplication(self) -> None:
        """
        All calls are answered, in order. Meanwhile only few wait in the server, and the others at the client: TCP makes it
        wait.
        """
        outcome = measure(6000)
        self.assertEqual((outcome.answers, outcome.isInOrder), (6000, True), outcome)
        self.assertLess(outcome.most, 2000)
        self.assertGreater(outcome.unsent, 0)
        self.assertLess(outcome.growth, 20)
