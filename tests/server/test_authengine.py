"""
Tests of L{agtwisted.server.authengine}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from agtwisted.errors import InvalidArgumentsError
from agtwisted.interfaces import IAuthEngine
from agtwisted.protocol.tokens import JsonWebTokenError, TokenError, TokenExpiredError
from agtwisted.server.authengine import AuthEngine


class AuthEngineTests(SynchronousTestCase):
    """
    The default engine signs and verifies at once, by its own clock.
    """

    def setUp(self) -> None:
        """
        Make an engine whose time stands still.
        """
        self.now = 1_700_000_000.5
        self.engine = AuthEngine(lambda: self.now)

    def test_interface(self) -> None:
        """
        It is what a server expects of an engine.
        """
        self.assertTrue(verifyObject(IAuthEngine, AuthEngine()))

    def test_roundTrip(self) -> None:
        """
        What it has signed, it verifies; the socket is no option of tokens.
        """
        token = self.successResultOf(self.engine.signToken({"user": "bob"}, "key", expiresIn=10))
        claims = self.successResultOf(self.engine.verifyToken(token, "key", socket=object(), algorithms=["HS256"]))
        self.assertEqual(claims, {"user": "bob", "iat": 1_700_000_000, "exp": 1_700_000_010})

    def test_time(self) -> None:
        """
        A token expires by the engine's clock.
        """
        token = self.successResultOf(self.engine.signToken({}, "key", expiresIn=10))
        self.now += 10
        self.failureResultOf(self.engine.verifyToken(token, "key"), TokenExpiredError)

    def test_realTime(self) -> None:
        """
        Without another clock it lives in the present.
        """
        engine = AuthEngine()
        token = self.successResultOf(engine.signToken({}, "key", expiresIn=1000))
        self.assertEqual(set(self.successResultOf(engine.verifyToken(token, "key"))), {"iat", "exp"})

    def test_failures(self) -> None:
        """
        What cannot be signed or verified fails the Deferred.
        """
        failure = self.failureResultOf(self.engine.signToken({"iss": "a"}, "key", issuer="b"), TokenError)
        expected = 'Bad "options.issuer" option. The payload already has an "iss" property.'
        self.assertEqual(failure.getErrorMessage(), expected)
        for token in (None, ""):
            failure = self.failureResultOf(self.engine.verifyToken(token, "key"), JsonWebTokenError)
            self.assertEqual(failure.getErrorMessage(), "jwt must be provided")

    def test_notText(self) -> None:
        """
        A token that is no text is a wrong argument.
        """
        for token in (5, True, {}, [], b"a.b.c"):
            failure = self.failureResultOf(self.engine.verifyToken(token, "key"), InvalidArgumentsError)
            self.assertEqual(failure.getErrorMessage(), "Invalid token format - Token must be a string")
