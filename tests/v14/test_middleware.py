"""
Tests of L{agtwisted.v14.middleware}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.errors import AuthError, SilentMiddlewareBlockedError
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.v14.middleware import MiddlewareRequest, isSilent, runChain, silentError


class ChainTests(SynchronousTestCase):
    """
    Functions decide one after the other.
    """

    def setUp(self) -> None:
        """
        Make places for the outcome, and for what was decided twice.
        """
        self.outcomes: list[tuple[Any, Any]] = []
        self.twice = 0

    def run_(self, *functions: Any, request: Any = None) -> None:
        """
        Let functions decide.
        """

        def calledTwice() -> None:
            self.twice += 1

        runChain(functions, request, lambda error, value: self.outcomes.append((error, value)), calledTwice)

    def test_nobody(self) -> None:
        """
        Without functions everything passes.
        """
        self.run_()
        self.assertEqual(self.outcomes, [(None, None)])

    def test_order(self) -> None:
        """
        Each function is asked when the one before has let pass, with the same request.
        """
        seen: list[Any] = []
        request = object()
        functions = [lambda request, next, n=n: (seen.append((n, request)), next()) for n in range(3)]
        self.run_(*functions, request=request)
        self.assertEqual((seen, self.outcomes), ([(n, request) for n in range(3)], [(None, None)]))

    def test_block(self) -> None:
        """
        An error ends the chain; what goes with it comes along. Anything that is true blocks, an exception always.
        """

        class Empty(Exception):
            def __len__(self) -> int:
                return 0

        for error in (AuthError("no"), "text", True, 7, {"message": "x"}, Empty()):
            self.outcomes.clear()
            self.run_(lambda request, next, error=error: next(error, 4501), lambda request, next: self.fail("asked"))
            self.assertEqual(self.outcomes, [(error, 4501)])

    def test_falseLetsPass(self) -> None:
        """
        What is false lets pass.
        """
        for error in (None, False, "", 0):
            self.outcomes.clear()
            self.run_(lambda request, next, error=error: next(error))
            self.assertEqual(self.outcomes, [(None, None)])

    def test_later(self) -> None:
        """
        A function may take its time.
        """
        kept: list[Any] = []
        self.run_(lambda request, next: kept.append(next))
        self.assertEqual(self.outcomes, [])
        kept[0]()
        self.assertEqual(self.outcomes, [(None, None)])

    def test_twice(self) -> None:
        """
        A second decision changes nothing and is told.
        """
        self.run_(lambda request, next: (next(), next("changed my mind")))
        self.assertEqual((self.outcomes, self.twice), ([(None, None)], 1))

    def test_coroutines(self) -> None:
        """
        A coroutine function decides with C{next}, whenever it wants.
        """
        waiting: Deferred[None] = Deferred()

        async def function(request: Any, next: Any) -> None:
            await waiting
            next("late no")

        self.run_(function)
        self.assertEqual(self.outcomes, [])
        waiting.callback(None)
        self.assertEqual(self.outcomes, [("late no", None)])

    def test_decidingByReturning(self) -> None:
        """
        A function of the request alone lets pass by returning, and blocks by raising.
        """

        async def allow(request: Any) -> None:
            pass

        async def refuse(request: Any) -> None:
            raise AuthError("not you")

        self.run_(allow, lambda request: None)
        self.run_(refuse)
        self.assertEqual(self.outcomes[0], (None, None))
        self.assertIsInstance(self.outcomes[1][0], AuthError)

    def test_mistakesBlock(self) -> None:
        """
        A function that fails lets nothing pass; the failure is logged, and nothing of it is for clients to see.
        """

        def broken(request: Any, next: Any) -> None:
            raise KeyError("password")

        async def brokenLater(request: Any, next: Any) -> None:
            raise KeyError("password")

        self.run_(broken)
        self.run_(brokenLater)
        self.assertEqual(self.outcomes, [(True, None), (True, None)])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 2)

    def test_failingAfterDeciding(self) -> None:
        """
        A decision stands even if the function fails afterwards; the failure is logged.
        """

        def function(request: Any, next: Any) -> None:
            next()
            raise AuthError("too late")

        self.run_(function)
        self.assertEqual(self.outcomes, [(None, None)])
        self.assertEqual(len(self.flushLoggedErrors(AuthError)), 1)

    def test_silence(self) -> None:
        """
        C{True} and errors that say so are silent.
        """
        error = AuthError("x")
        self.assertEqual((isSilent(True), isSilent(error), isSilent("text")), (True, False, False))
        error.silent = True  # type: ignore[attr-defined]
        self.assertTrue(isSilent(error))
        shown = silentError("emit")
        self.assertIsInstance(shown, SilentMiddlewareBlockedError)
        self.assertEqual(shown.message, "Action was silently blocked by emit middleware")


class RequestTests(SynchronousTestCase):
    """
    What middleware sees.
    """

    def test_missing(self) -> None:
        """
        What a request does not have reads as C{None}, and can be told from C{None}; other names are mistakes.
        """
        request = MiddlewareRequest(channel="news", data=NO_DATA, authTokenExpiredError=NO_DATA)
        self.assertEqual((request.channel, request.data, request.ackData), ("news", None, None))
        self.assertIs(request.get("data"), NO_DATA)
        request.data = None
        self.assertIs(request.get("data"), None)
        self.assertRaises(AttributeError, getattr, request, "chanel")
        self.assertIn("news", repr(request))
