"""
One run of all scripts as many tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from .harness import Harness
from .player import Side, Verdict, playAll
from .steps import Script

Start = Callable[[Any], Harness]


class Performance:
    """The one run that all tests share; it is over, processes included, before the first test ends."""

    def __init__(self, startReference: Start, startOurs: Start, scripts: Sequence[Script], verdict: Verdict) -> None:
        self._starts = (startReference, startOurs)
        self._scripts = scripts
        self._verdict = verdict
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

        startReference, startOurs = self._starts
        try:
            sides = [Side(reactor, startReference, True), Side(reactor, startOurs, False)]
        except Exception:
            self._outcome = Failure()
            return self.whenPlayed()
        return playAll(reactor, sides, self._scripts, self._verdict).addBoth(keep)

    def addTests(self, cls: type[TestCase]) -> None:
        """Give a class one test for each script."""
        for script in self._scripts:
            setattr(cls, "test_" + nameOf(script), self._makeTest(script))

    def _makeTest(self, script: Script) -> Callable[[TestCase], Deferred[None]]:
        def test(case: TestCase) -> Deferred[None]:
            def check(outcomes: dict[str, list[Any]]) -> None:
                problem = self._verdict(script, *outcomes[script.name])
                if problem is not None:
                    case.fail(f"{script.name}\n{problem}")

            return self.whenPlayed().addCallback(check)

        test.__doc__ = f"The answers to the script {script.name} are the reference's, or those that were decided."
        return test


def nameOf(script: Script) -> str:
    """A script's name as the name of a test."""
    return script.name.replace("-", "_").replace(".", "_")
