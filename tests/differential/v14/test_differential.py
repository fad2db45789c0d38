"""
Plays every script of version 14 to the Node server and to agtwisted, all in one run, and compares the answers: one test per
script.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ..player import Side, playAll
from ..steps import Script
from .comparing import verdict
from .deliberate import DELIBERATE
from .harness import startNode, startPython
from .scripts import SCRIPTS


class Performance:
    """The one run that all tests share; it is over, processes included, before the first test ends."""

    def __init__(self) -> None:
        self._outcome: dict[str, list[Any]] | Failure | None = None

    def whenPlayed(self) -> Deferred[dict[str, list[Any]]]:
        """Play everything when asked for the first time."""
        if self._outcome is None:
            return self._play()
        result: Deferred[dict[str, list[Any]]] = Deferred()
        result.callback(self._outcome)  # type: ignore[arg-type]
        return result

    def _play(self) -> Deferred[dict[str, list[Any]]]:
        def keep(outcome: Any) -> Any:
            self._outcome = outcome
            return outcome

        try:
            sides = [Side(reactor, startNode, True), Side(reactor, startPython, False)]
        except Exception:
            self._outcome = Failure()
            return self.whenPlayed()
        return playAll(reactor, sides, SCRIPTS).addBoth(keep)


performance = Performance()


class DifferentialTests(TestCase):
    """agtwisted's SCServer answers as the reference does, or as was decided."""

    timeout = 400


def _makeTest(script: Script) -> Callable[[DifferentialTests], Deferred[None]]:
    def test(self: DifferentialTests) -> Deferred[None]:
        def check(outcomes: dict[str, list[Any]]) -> None:
            problem = verdict(script, *outcomes[script.name])
            if problem is not None:
                self.fail(f"{script.name}\n{problem}")

        return performance.whenPlayed().addCallback(check)

    test.__doc__ = f"The answers to the script {script.name} are the reference's, or those that were decided."
    return test


for _script in SCRIPTS:
    setattr(DifferentialTests, "test_" + _script.name.replace("-", "_").replace(".", "_"), _makeTest(_script))


class ScriptTests(SynchronousTestCase):
    """The collection itself is in order."""

    def test_names(self) -> None:
        """Every script has a name of its own, also as the name of a test, and there are many."""
        names = [script.name.replace("-", "_").replace(".", "_") for script in SCRIPTS]
        self.assertEqual(sorted(set(names)), sorted(names))
        self.assertGreater(len(names), 1000)

    def test_deliberate(self) -> None:
        """The deliberate differences name scripts that exist, and say why."""
        self.assertEqual(set(), set(DELIBERATE) - {script.name for script in SCRIPTS})
        for difference in DELIBERATE.values():
            self.assertTrue(difference.reason)
