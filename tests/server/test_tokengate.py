"""
Tests of L{agtwisted.server.tokengate}, and of the limits of tokens.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import SCServer
from agtwisted.errors import AuthTokenInvalidError, ResourceLimitError
from agtwisted.server.authengine import AuthEngine
from agtwisted.streams.turns import Turns
from agtwisted.testing import FakeClient, connect
from tests.server.support import ServerTestCase

LONG_KEY = "a key of the tests that is long enough"


class CountingEngine(AuthEngine):
    """
    Counts the tokens that it verifies.
    """

    def __init__(self) -> None:
        super().__init__()
        self.verified = 0

    def verifyToken(self, signedToken: object, key: Any, **options: Any) -> Deferred[Any]:
        """
        Verify and count.
        """
        self.verified += 1
        return super().verifyToken(signedToken, key, **options)


def present(client: FakeClient, token: Any, times: int = 1) -> None:
    """
    Let a client present a token, whatever the answer.
    """
    for _ in range(times):
        client.authenticate(token).addErrback(lambda _: None)


def batch(token: str) -> list[Any]:
    """
    @return: a hundred calls that present a token.
    """
    return [{"event": "#authenticate", "data": token, "cid": number} for number in range(1000, 1100)]


def answersTo(client: FakeClient) -> list[int]:
    """
    @return: which calls were answered, in order.
    """
    return [packet["rid"] for packet in client.takePackets() if "rid" in packet]


def holdTurns(test: SynchronousTestCase) -> list[Deferred[None]]:
    """
    Let nothing be done in a later turn unless the test says so.

    @return: what waits for the next turn.
    """
    waiting: list[Deferred[None]] = []

    def nextTurn(turns: Turns) -> Deferred[None]:
        waiting.append(Deferred())
        return waiting[-1]

    test.patch(Turns, "nextTurn", nextTurn)
    return waiting


class LengthTests(ServerTestCase):
    """
    C{maxTokenLength}.
    """

    def test_limit(self) -> None:
        """
        A token of the greatest length is verified, one that is longer by a character is bad without a look at it: in the
        handshake and later. The operator hears of it.
        """
        token = self.sign({"name": "bob"})
        for length, isGood in ((len(token), True), (len(token) - 1, False)):
            engine = CountingEngine()
            server = self.makeServer(maxTokenLength=length, authEngine=engine)
            errors = self.record(server, "warning")
            first, _ = self.connect(server, authToken=token)
            second, socket = self.connect(server)
            bad = self.record(socket, "badAuthToken")
            answer = second.authenticate(token)
            self.settle()
            self.assertEqual((first.socket.authToken is not None, socket.authToken is not None), (isGood, isGood))
            self.assertEqual(server.counters.limitsHit["maxTokenLength"], 0 if isGood else 2)
            if isGood:
                self.successResultOf(answer)
                continue
            self.assertEqual((engine.verified, len(bad)), (1, 1))  # the second client has come without a token
            error = self.failureResultOf(answer, AuthTokenInvalidError).value
            self.assertEqual(error.message, f"The auth token is longer than {length} characters")
            self.assertIsInstance(first.authError, AuthTokenInvalidError)
            self.assertIsNone(first.signedAuthToken, "it was told to forget the token")
            self.assertEqual(sum(isinstance(event.warning, ResourceLimitError) for _, event in errors), 2)

    def test_default(self) -> None:
        """
        By default the greatest length is 65536; C{None} is no limit.
        """
        for options, hits in (({}, 1), ({"maxTokenLength": None}, 0)):
            server = self.makeServer(**options)
            client, socket = self.connect(server)
            present(client, "x" * 65536)
            self.assertEqual(server.counters.limitsHit["maxTokenLength"], 0)
            present(client, "x" * 65537)
            self.assertEqual((server.counters.limitsHit["maxTokenLength"], client.state), (hits, "open"))


class FailureTests(ServerTestCase):
    """
    C{maxFailedAuthenticationsPerMinute}.
    """

    def test_limit(self) -> None:
        """
        As many bad tokens as the limit says are answered, the next one ends the connection with 1008.
        """
        server = self.makeServer(maxFailedAuthenticationsPerMinute=3)
        warnings = self.record(server, "warning")
        client, _ = self.connect(server)
        present(client, "bad", 3)
        self.settle()
        self.assertEqual((client.state, server.counters.limitsHit), ("open", {}))
        present(client, "bad")
        self.settle()
        self.assertEqual((client.closeCode, client.closeReason), (1008, "Too many failed authentications"))
        self.assertEqual(server.counters.limitsHit, {"maxFailedAuthenticationsPerMinute": 1})
        limits = [event.warning.limit for _, event in warnings if isinstance(event.warning, ResourceLimitError)]
        self.assertEqual(limits, ["maxFailedAuthenticationsPerMinute"])

    def test_handshakeCounts(self) -> None:
        """
        The token of the handshake is one of them; with a limit of nothing the first bad one is too much.
        """
        server = self.makeServer(maxFailedAuthenticationsPerMinute=1)
        client, _ = self.connect(server, authToken="bad")
        self.assertEqual(client.state, "open")
        present(client, "bad")
        self.assertEqual(client.closeCode, 1008)
        server = self.makeServer(maxFailedAuthenticationsPerMinute=0)
        client = connect(server, handshake=False)
        client.handshake("bad").addErrback(lambda _: None)
        self.assertEqual((client.closeCode, server.clientsCount, server.pendingClientsCount), (1008, 0, 0))

    def test_minute(self) -> None:
        """
        They count for a minute.
        """
        client, _ = self.connect(self.makeServer(maxFailedAuthenticationsPerMinute=2, pingTimeoutDisabled=True))
        for _ in range(5):
            present(client, "bad", 2)
            self.clock.advance(60)
        self.assertEqual(client.state, "open")
        present(client, "bad", 3)
        self.assertEqual(client.closeCode, 1008)

    def test_goodOnesDoNotCount(self) -> None:
        """
        Good tokens, and none, are no failures; nor is anything with C{None}.
        """
        client, _ = self.connect(self.makeServer(maxFailedAuthenticationsPerMinute=0))
        token = self.sign({"name": "bob"})
        for _ in range(10):
            present(client, token)
            present(client, None)
            self.settle()
        self.assertEqual(client.state, "open")
        client, _ = self.connect(self.makeServer(maxFailedAuthenticationsPerMinute=None))
        for _ in range(100):
            present(client, "bad")
            self.settle()
        self.assertEqual(client.state, "open")

    def test_flood(self) -> None:
        """
        What comes behind the last bad token that was borne is not verified any more.
        """
        engine = CountingEngine()
        client, _ = self.connect(self.makeServer(authEngine=engine))
        engine.verified = 0
        present(client, "bad", 1000)
        self.assertEqual((engine.verified, client.closeCode), (61, 1008))


class SliceTests(ServerTestCase):
    """
    Tokens by the thousand.
    """

    def test_slices(self) -> None:
        """
        At most eight tokens of a client are verified in one turn, good or bad; all are answered, in order.
        """
        turns = holdTurns(self)
        for token in ("bad", self.sign({"name": "bob"})):
            engine = CountingEngine()
            server = self.makeServer(authEngine=engine, maxFailedAuthenticationsPerMinute=None)
            client, _ = self.connect(server)
            client.takePackets()
            engine.verified = 0
            client.send(batch(token))
            for _ in range(100 // 8):
                before = engine.verified
                turns.pop().callback(None)
                self.assertEqual(engine.verified - before, min(8, 100 - before))
            self.assertEqual((engine.verified, turns, answersTo(client)), (100, [], list(range(1000, 1100))))

    def test_long(self) -> None:
        """
        Of long tokens fewer are verified in a turn; those that are too long are not.
        """
        engine = CountingEngine()
        server = self.makeServer(authEngine=engine)
        client, _ = self.connect(server)
        engine.verified = 0
        turns = holdTurns(self)
        client.send(batch("x" * 3 * 4096))
        turns.pop().callback(None)  # of a message so long, nothing is taken in the turn in which it has come
        self.assertEqual((engine.verified, len(turns)), (1, 1))
        turns.pop().callback(None)
        self.assertEqual((engine.verified, len(turns)), (3, 1))

    def test_gone(self) -> None:
        """
        A client that has gone meanwhile costs nothing more.
        """
        engine = CountingEngine()
        client, socket = self.connect(self.makeServer(authEngine=engine))
        engine.verified = 0
        turns = holdTurns(self)
        client.send(batch("bad"))
        socket.disconnect()
        turns.pop().callback(None)
        self.assertEqual((engine.verified, turns), (7, []))


class OldVersionTests(SynchronousTestCase):
    """
    The same for C{SCServer}.
    """

    def setUp(self) -> None:
        """
        Make a server.
        """
        self.clock = Clock()
        self.engine = CountingEngine()

    def connect(self, **options: Any) -> tuple[SCServer, FakeClient]:
        """
        @return: a server and a client of it.
        """
        server = SCServer(self.clock, authKey=LONG_KEY, authEngine=self.engine, **options)
        client = connect(server)
        self.engine.verified = 0
        return server, client

    def test_limits(self) -> None:
        """
        Tokens that are too long are bad; too many bad ones end the connection, and the rest is not looked at.
        """
        server, client = self.connect(maxTokenLength=10, maxFailedAuthenticationsPerMinute=3)
        failure = self.failureResultOf(client.authenticate("x" * 11))
        self.assertEqual(failure.value.name, "AuthTokenInvalidError")
        self.assertEqual(failure.value.message, "The auth token is longer than 10 characters")
        present(client, "bad", 30)
        self.assertEqual((client.closeCode, self.engine.verified), (1008, 3))
        self.assertEqual(server.counters.limitsHit, {"maxTokenLength": 1, "maxFailedAuthenticationsPerMinute": 1})

    def test_slices(self) -> None:
        """
        Tokens are verified a few in each turn, and answered in order.
        """
        _, client = self.connect(maxFailedAuthenticationsPerMinute=None)
        client.takePackets()
        turns = holdTurns(self)
        client.send(batch("bad"))
        for _ in range(100 // 8):
            before = self.engine.verified
            turns.pop().callback(None)
            self.assertEqual(self.engine.verified - before, min(8, 100 - before))
        self.assertEqual((self.engine.verified, turns, answersTo(client)), (100, [], list(range(1000, 1100))))

    def test_handshake(self) -> None:
        """
        A bad token in the handshake counts.
        """
        server, _ = self.connect(maxFailedAuthenticationsPerMinute=1)
        client = connect(server, authToken="bad")
        self.assertEqual(client.state, "open")
        present(client, "bad")
        self.assertEqual(client.closeCode, 1008)
