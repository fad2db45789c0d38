"""
Tests of L{agtwisted.v14.callbacks}.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.v14.callbacks import call, roomFor


class Called:
    """
    Something with methods to be called.
    """

    def one(self, a: Any) -> None:
        """
        Take one argument.
        """

    def __call__(self, a: Any, b: Any) -> None:
        """
        Take two.
        """


class RoomTests(SynchronousTestCase):
    """
    How many arguments a function takes.
    """

    def test_functions(self) -> None:
        """
        Positional parameters count, defaults or not; those by keyword only do not.
        """
        self.assertEqual(roomFor(lambda: None), 0)
        self.assertEqual(roomFor(lambda a, b=1: None), 2)
        self.assertEqual(roomFor(lambda a, *, b=1: None), 1)
        self.assertGreater(roomFor(lambda *all: None), 1000)

    def test_otherCallables(self) -> None:
        """
        Methods do not count their object; partial functions and objects are asked for their signature.
        """
        self.assertEqual(roomFor(Called().one), 1)
        self.assertEqual(roomFor(Called()), 2)
        self.assertEqual(roomFor(partial(lambda a, b, c: None, 1)), 2)
        self.assertEqual(roomFor([].append), 1)


class CallTests(SynchronousTestCase):
    """
    Calling back.
    """

    def test_arguments(self) -> None:
        """
        A function gets as many arguments as it has room for; nobody to call is no matter.
        """
        seen: list[Any] = []
        call(seen.append, 1, 2, 3)
        call(lambda: seen.append("none"), 1)
        call(None, 1)
        self.assertEqual(seen, [1, "none"])

    def test_exceptions(self) -> None:
        """
        Exceptions are logged, also those of coroutines and Deferreds, and do not come out.
        """

        async def coroutine() -> None:
            raise KeyError("in a coroutine")

        call(lambda: 1 / 0)
        call(coroutine)
        call(lambda: fail(ValueError("in a Deferred")))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_coroutines(self) -> None:
        """
        A coroutine function runs to its end, however long it waits.
        """
        waiting: Deferred[int] = Deferred()
        seen: list[int] = []

        async def coroutine() -> None:
            seen.append(await waiting)

        call(coroutine)
        self.assertEqual(seen, [])
        waiting.callback(5)
        self.assertEqual(seen, [5])
