"""
Plays every script to the Node server and to agtwisted, all in one run, and compares the answers: one test per script.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase, TestCase

from .comparing import verdict
from .deliberate import DELIBERATE
from .harness import startNode, startPython
from .performance import Performance, nameOf
from .scripts import SCRIPTS


class DifferentialTests(TestCase):
    """agtwisted answers as the reference does, or as was decided."""

    timeout = 500


Performance(startNode, startPython, SCRIPTS, verdict).addTests(DifferentialTests)


class ScriptTests(SynchronousTestCase):
    """The collection itself is in order."""

    def test_names(self) -> None:
        """Every script has a name of its own, also as the name of a test."""
        names = [nameOf(script) for script in SCRIPTS]
        self.assertEqual(sorted(set(names)), sorted(names))

    def test_deliberate(self) -> None:
        """The deliberate differences name scripts that exist, and say why."""
        self.assertEqual(set(), set(DELIBERATE) - {script.name for script in SCRIPTS})
        for difference in DELIBERATE.values():
            self.assertTrue(difference.reason)
