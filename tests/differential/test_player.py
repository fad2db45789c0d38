"""
Tests of how scripts are played, by players who only pretend to.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from .gate import Gate
from .player import CONCURRENT, DEADLINE, DOUBTFUL, Answers, Side, Trouble, playAll
from .steps import Script


def script(name: str) -> Script:
    """A script that is only known by its name."""
    return Script(name, [])


def answersOf(text: str) -> Answers:
    """The answers of a server that says one thing."""
    return Answers({"a": [{"text": text}]})


def verdict(script: Script, one: Any, other: Any) -> str | None:
    """Both sides have to say the same."""
    return None if one == other and not isinstance(one, Trouble) else "They differ"


class PretendingHarness:
    """A process that is not there."""

    isStopped = False

    def stop(self) -> Deferred[None]:
        """Stop at once."""
        self.isStopped = True
        return succeed(None)


class PretendingSide:
    """
    One side that says what it was told to.

    @ivar says: what it answers to a script, each time that it is played; the last of it again and again.
    @ivar played: the names of the scripts, as they were begun.
    @ivar pending: the plays that wait for the test, by name.
    """

    def __init__(self, says: dict[str, list[str]], waits: bool = False) -> None:
        self.says = says
        self.played: list[str] = []
        self.pending: dict[str, Deferred[None]] = {}
        self.harness = PretendingHarness()
        self._waits = waits

    async def play(self, script: Script) -> Answers:
        """Answer, as a rule at once."""
        said = self.played.count(script.name)
        self.played.append(script.name)
        if self._waits:
            self.pending[script.name] = Deferred()
            await self.pending[script.name]
        texts = self.says.get(script.name, ["yes"])
        return answersOf(texts[min(said, len(texts) - 1)])

    def end(self, name: str) -> None:
        """Let one play end."""
        self.pending.pop(name).callback(None)


class PlayAllTests(SynchronousTestCase):
    """
    L{playAll}.
    """

    def setUp(self) -> None:
        """
        A clock for plays that take too long.
        """
        self.clock = Clock()

    def play(self, names: list[str], *sides: PretendingSide) -> Deferred[dict[str, list[Any]]]:
        """
        Play scripts of these names.
        """
        return playAll(self.clock, cast(list[Side], list(sides)), [script(name) for name in names], verdict)

    def test_equal(self) -> None:
        """
        What is as it should be is played once, and then the processes end.
        """
        sides = PretendingSide({}), PretendingSide({})
        outcomes = self.successResultOf(self.play(["one", "two"], *sides))
        self.assertEqual(outcomes, {"one": [answersOf("yes")] * 2, "two": [answersOf("yes")] * 2})
        self.assertEqual([side.played for side in sides], [["one", "two"]] * 2)
        self.assertEqual([side.harness.isStopped for side in sides], [True, True])

    def test_pace(self) -> None:
        """
        A difference that is not there any more when the script is played by itself does not count.
        """
        sides = PretendingSide({}), PretendingSide({"late": ["no", "yes"]})
        outcomes = self.successResultOf(self.play(["one", "late", "two"], *sides))
        self.assertEqual(outcomes["late"], [answersOf("yes")] * 2)
        self.assertEqual([side.played for side in sides], [["one", "late", "two", "late"]] * 2)

    def test_behaviour(self) -> None:
        """
        One that is still there stays, and is not played a third time.
        """
        sides = PretendingSide({}), PretendingSide({"wrong": ["no", "never", "yes"]})
        outcomes = self.successResultOf(self.play(["one", "wrong"], *sides))
        self.assertEqual(outcomes["wrong"], [answersOf("yes"), answersOf("never")])
        self.assertEqual(sides[1].played, ["one", "wrong", "wrong"])

    def test_oneAtATime(self) -> None:
        """
        Scripts are played again after all others have ended, one after the other.
        """
        sides = PretendingSide({}), PretendingSide({"b": ["no"], "d": ["no"]}, waits=True)
        played = self.play(["a", "b", "c", "d"], *sides)
        side = sides[1]
        for name in "bdc":
            side.end(name)
        self.assertEqual(side.played, ["a", "b", "c", "d"])
        side.end("a")
        self.assertEqual(side.played[4:], ["b"])
        side.end("b")
        self.assertEqual(side.played[4:], ["b", "d"])
        self.assertNoResult(played)
        side.end("d")
        self.successResultOf(played)
        self.assertTrue(side.harness.isStopped)

    def test_manyAtATime(self) -> None:
        """
        At first a limited number is played at a time.
        """
        names = [f"script {number}" for number in range(CONCURRENT + 1)]
        side = PretendingSide({}, waits=True)
        played = self.play(names, PretendingSide({}), side)
        self.assertEqual(side.played, names[:-1])
        for name in names:
            side.end(name)
        self.successResultOf(played)

    def test_tooMany(self) -> None:
        """
        When very many differ, the machine is not what is wrong; nothing is played again.
        """
        names = [f"script {number}" for number in range(DOUBTFUL + 1)]
        sides = PretendingSide({}), PretendingSide({name: ["no", "yes"] for name in names})
        outcomes = self.successResultOf(self.play(names, *sides))
        self.assertEqual(sides[1].played, names)
        self.assertEqual(outcomes[names[0]], [answersOf("yes"), answersOf("no")])
        sides = PretendingSide({}), PretendingSide({name: ["no", "yes"] for name in names[1:]})
        outcomes = self.successResultOf(self.play(names, *sides))
        self.assertEqual(sides[1].played, names + names[1:])
        self.assertEqual(outcomes[names[-1]], [answersOf("yes")] * 2)

    def test_tooLong(self) -> None:
        """
        A play that does not end is trouble, first by itself and, if it is the same again, in the end.
        """
        side = PretendingSide({}, waits=True)
        played = self.play(["endless"], PretendingSide({}), side)
        self.clock.advance(DEADLINE)
        self.assertEqual(side.played, ["endless", "endless"])
        self.assertNoResult(played)
        self.clock.advance(DEADLINE)
        outcome = self.successResultOf(played)["endless"]
        self.assertIsInstance(outcome[1], Trouble)


class GateTests(SynchronousTestCase):
    """
    L{Gate}.
    """

    def setUp(self) -> None:
        """
        A gate, and what has gone through it.
        """
        self.gate = Gate()
        self.passed: list[str] = []

    def hold(self, name: str) -> None:
        """
        Let something arrive at the gate.
        """
        self.gate.hold(lambda: self.passed.append(name))

    def test_release(self) -> None:
        """
        What waits goes on in order when the gate opens, and what comes later is not held back.
        """
        self.hold("first")
        self.hold("second")
        self.assertEqual(self.passed, [])
        self.gate.release(lambda: self.passed.append("open"))
        self.assertEqual(self.passed, ["first", "second", "open"])
        self.hold("third")
        self.gate.release(lambda: self.passed.append("open already"))
        self.assertEqual(self.passed, ["first", "second", "open", "third", "open already"])

    def test_nothingYet(self) -> None:
        """
        Who asks too early waits for the first to arrive.
        """
        self.gate.release(lambda: self.passed.append("open"))
        self.assertEqual(self.passed, [])
        self.hold("late")
        self.hold("later")
        self.assertEqual(self.passed, ["late", "open", "later"])
