"""
Tests of L{agtwisted.sparinglog}, and of what gets into the log at all.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger, LogLevel, eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import AGServer, SCServer, sparinglog
from agtwisted.sparing import Sparing
from agtwisted.sparinglog import LINES, SparingLogger, forgetLines
from agtwisted.tap import _logErrors
from agtwisted.testing import connect
from tests.server.support import ServerTestCase


class SparingLoggerTests(SynchronousTestCase):
    """
    Lines of a kind, and how many of them are written.
    """

    def setUp(self) -> None:
        """
        Let time stand still.
        """
        self.clock = Clock()
        self.patch(sparinglog, "_sparing", Sparing(self.clock.seconds, 60, 3))
        self.events: list[Any] = []
        self.log = SparingLogger("here", observer=self.events.append)

    def lines(self) -> list[str]:
        """
        @return: what has been written since the last time.
        """
        lines = [eventAsText(event, includeTraceback=False, includeTimestamp=False) for event in self.events]
        self.events.clear()
        return lines

    def test_kinds(self) -> None:
        """
        So many lines of each kind are written in a minute, whatever they are filled with; the next tells how many were
        left out.
        """
        for number in range(10):
            self.log.info("one {number}", number=number)
            self.log.warn("other")
        self.assertEqual(
            self.lines(),
            ["[here#info] one 0", "[here#warn] other", "[here#info] one 1", "[here#warn] other"]
            + ["[here#info] one 2", "[here#warn] other"],
        )
        self.clock.advance(60)
        self.log.info("one {number}", number=10)
        self.log.info("one {number}", number=11)
        self.assertEqual(
            self.lines(), ["[here#info] one 10 (7 more of this kind were left out.)", "[here#info] one 11"]
        )

    def test_failures(self) -> None:
        """
        Failures of different types are different kinds: a frequent one does not hide a rare one.
        """
        for error in [ValueError("v")] * 10 + [KeyError("k")]:
            try:
                raise error
            except Exception:
                self.log.failure("It has failed.")
        self.assertEqual([event["log_failure"].type for event in self.events], [ValueError] * 3 + [KeyError])

    def test_debug(self) -> None:
        """
        Details are written as sparingly as all else, for C{twistd} writes them to the same file.
        """
        for _ in range(10):
            self.log.debug("detail")
        self.assertEqual(self.lines(), ["[here#debug] detail"] * 3)

    def test_namespace(self) -> None:
        """
        As with Twisted's own, a logger is called after the module that makes it.
        """
        self.assertEqual((SparingLogger().namespace, Logger().namespace), (__name__, __name__))

    def test_forgetting(self) -> None:
        """
        Fake clients begin to count anew, so that a test sees what it causes.
        """
        for begin in (forgetLines, lambda: connect(AGServer(Clock()))):
            for _ in range(10):
                self.log.info("text")
            self.events.clear()
            begin()
            self.log.info("text")
            self.assertEqual(self.lines(), ["[here#info] text"])


class LoggedTests(ServerTestCase):
    """
    What a server that logs its errors and warnings writes about clients that do everything wrong.
    """

    KEY = "KEY-that-nobody-is-to-see"
    PAYLOAD = "PAYLOAD-that-nobody-is-to-see"

    def setUp(self) -> None:
        """
        Read the log along.
        """
        super().setUp()
        self.events: list[Any] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def logged(self) -> str:
        """
        @return: the log so far, as far as it is written by default.
        """
        return "\n".join(eventAsText(each) for each in self.events if each["log_level"] >= LogLevel.info)

    def servers(self, **options: Any) -> list[Any]:
        """
        @return: a server of each kind.
        """
        kinds: tuple[Any, ...] = (AGServer, SCServer)
        limits = {"maxDepth": 50, "maxChannelNameLength": 50, "maxBatchLength": 100}
        made = [kind(self.clock, authKey=self.KEY, **limits, **options) for kind in kinds]
        for server in made:
            _logErrors(server)
        made[0].setMiddleware(made[0].MIDDLEWARE_INBOUND, self.failing)
        made[1].on("handshake", lambda socket: socket.on("failing", self.fail_))
        return made

    async def failing(self, stream: Any) -> None:
        """
        Middleware that fails at some events.
        """
        async for action in stream:
            if action.procedure == "failing":
                self.fail_(action.data)
            action.allow()

    def fail_(self, data: object) -> None:
        """
        Fail with something secret at hand.
        """
        raise RuntimeError("The application is broken")

    def misbehave(self, server: Any, *tokens: str) -> None:
        """
        Send all that is wrong.
        """
        secret = self.PAYLOAD
        for token in (*tokens, f"{secret}.{secret}.{secret}", secret):
            for message in (
                {"event": "#authenticate", "cid": 1, "data": token},
                {"event": "#subscribe", "cid": 1, "data": {"channel": 5, "data": secret}},
                {"event": "#subscribe", "cid": 1, "data": {"channel": secret * 9, "data": secret}},
                {"event": "#publish", "cid": 1, "data": {"data": secret}},
                {"event": "#unsubscribe", "cid": 1, "data": {"x": secret}},
                {"event": "failing", "cid": 1, "data": secret},
                {"event": secret, "cid": secret, "rid": secret},
                {"rid": 1, "error": secret, "data": secret},
                f'{{"event":"x","data":"{secret}"',
                b"\xff" + secret.encode(),
                b'"\xff' + secret.encode(),
                '{"data":"' + secret + '","x":' + "[" * 200,
                [{"event": "x", "data": secret}] * 101,
            ):
                client = connect(server, authToken=token)
                if client.state == "open":
                    client.send(message)

    def test_nothingSecret(self) -> None:
        """
        No token, no key and nothing of what clients send is in the log at its default level, even where an application
        fails.
        """
        for server in self.servers():
            sign = server.auth.signToken
            tokens = [
                self.successResultOf(sign({"name": self.PAYLOAD, "exp": exp}, key))
                for exp, key in ((4102444800, self.KEY), (1, self.KEY), (4102444800, "other"))
            ]
            self.misbehave(server, *tokens)
            logged = self.logged()
            for secret in (self.KEY, self.PAYLOAD, *tokens, *(token.rpartition(".")[2] for token in tokens)):
                self.assertNotIn(secret, logged)
            self.assertIn("more levels than the 50", logged)
            self.assertIn("The application is broken", logged)
            self.assertTrue(self.flushLoggedErrors(RuntimeError))
            self.events.clear()

    def test_flood(self) -> None:
        """
        However much goes wrong, the log has a few lines of each kind, none of them long.
        """
        for server in self.servers():
            for _ in range(3 * LINES):
                client = connect(server)
                client.transmit("#publish", {"data": 1})
                client.send("{" * 1000)
                client = connect(server)
                client.transmit("#unsubscribe", "x" * 49)
            lines = [event for event in self.events if event["log_level"] >= LogLevel.info]
            self.assertLess(len(lines), 4 * LINES)
            server.emitWarning("x" * 100_000)
            server.emitError("y" * 100_000)
            self.settle()
            self.assertLess(max(len(eventAsText(event)) for event in self.events), 1000)
            self.events.clear()
