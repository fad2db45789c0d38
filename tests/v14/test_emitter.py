"""
Tests of L{agtwisted.v14.emitter}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agtwisted.v14.emitter import CallbackEmitter


class Emitter(CallbackEmitter):
    """
    An emitter and nothing else.
    """

    def __init__(self) -> None:
        self._callbacks = None


class EmitterTests(SynchronousTestCase):
    """
    Events as callbacks.
    """

    def setUp(self) -> None:
        """
        Make an emitter, and a place for what was heard.
        """
        self.emitter = Emitter()
        self.heard: list[Any] = []

    def test_on(self) -> None:
        """
        Functions are called at once, in the order in which they came, with as many arguments as they take.
        """
        self.emitter.on("event", lambda a: self.heard.append(("first", a)))
        self.emitter.on("event", lambda a, b: self.heard.append(("second", a, b)))
        self.emitter.notify("event", 1, 2)
        self.emitter.notify("other", 3)
        self.assertEqual(self.heard, [("first", 1), ("second", 1, 2)])

    def test_once(self) -> None:
        """
        A function for one event is called for one event, even if that is emitted again meanwhile.
        """

        def again(value: int) -> None:
            self.heard.append(value)
            self.emitter.notify("event", value + 1)

        self.emitter.once("event", again)
        self.emitter.notify("event", 1)
        self.assertEqual((self.heard, self.emitter.hasListeners("event")), ([1], False))

    def test_off(self) -> None:
        """
        One function, all of an event, or all of them can be taken off.
        """
        one, two = (lambda: self.heard.append("one")), (lambda: self.heard.append("two"))
        for event in ("a", "b"):
            self.emitter.on(event, one)
            self.emitter.on(event, two)
        self.emitter.off("a", one)
        self.emitter.notify("a")
        self.emitter.off("a")
        self.emitter.notify("a")
        self.assertEqual(self.heard, ["two"])
        self.emitter.removeListener("b", two)
        self.assertEqual(self.emitter.listeners("b"), [one])
        self.emitter.off()
        self.assertEqual(self.emitter.listenerCount("b"), 0)

    def test_offBeforeAnything(self) -> None:
        """
        There may be nothing to take off.
        """
        self.emitter.off("a", print)
        self.emitter.on("b", print)
        self.emitter.off("a", print)
        self.emitter.removeAllListeners("a")
        self.assertEqual(self.emitter.listeners("b"), [print])

    def test_methods(self) -> None:
        """
        A bound method is the same one each time it is asked for.
        """
        self.emitter.on("event", self.heard.append)
        self.emitter.off("event", self.heard.append)
        self.emitter.notify("event", 1)
        self.assertEqual(self.heard, [])

    def test_changesMeanwhile(self) -> None:
        """
        Who comes or goes while an event is on its way changes nothing for this event.
        """

        def late() -> None:
            self.heard.append("late")

        def leaving() -> None:
            self.heard.append("leaving")

        def changing() -> None:
            self.emitter.off("event", leaving)
            self.emitter.on("event", late)

        for function in (changing, leaving):
            self.emitter.on("event", function)
        self.emitter.notify("event")
        self.assertEqual(self.heard, ["leaving"])
        self.emitter.notify("event")
        self.assertEqual(self.heard, ["leaving", "late"])

    def test_exceptions(self) -> None:
        """
        The exception of one function is logged and hurts no other.
        """
        self.emitter.on("event", lambda: 1 / 0)
        self.emitter.on("event", lambda: self.heard.append("fine"))
        self.emitter.notify("event")
        self.assertEqual(self.heard, ["fine"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
