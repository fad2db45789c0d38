"""
The examples of C{docs/howto/authentication.rst}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

from agtwisted import AGServer
from agtwisted.errors import AuthTokenInvalidError
from agtwisted.server import authentication
from agtwisted.testing import connect
from tests.docs.support import EXAMPLES, ExampleTestCase, load


class AuthenticationTests(ExampleTestCase):
    """
    Tokens, keys and engines.
    """

    page = "authentication"

    async def test_login(self) -> None:
        """
        A client logs in, is still somebody when it comes back, and logs out.
        """
        await self.check("server.py", "client.mjs", "output.txt", authKey="a key for the tests that is long enough")

    async def test_faults(self) -> None:
        """
        What a client sees of each kind of bad token stands in the page's table.
        """
        server = await self.serve(lambda server: None)
        tokens = await self.badTokens(server)
        shown = await self.runClient("faults.mjs", server, *(f"{name}={token}" for name, token in tokens.items()))
        self.assertEqual(shown, self.read("faults.txt"))

    async def badTokens(self, server: AGServer) -> dict[str, str]:
        """
        @return: a token for each fault.
        """
        sign, key = server.auth.signToken, server.signatureKey
        good = await sign({"name": "ada"}, key)
        return {
            "good": good,
            "expired": await sign({"name": "ada", "exp": 1}, key),
            "not yet active": await sign({"name": "ada", "nbf": 4102444800}, key),
            "other key": await sign({"name": "ada"}, "another key that is long enough as well"),
            "no signature": good.rpartition(".")[0] + ".",
            "no token": "abc",
        }

    async def test_keys(self) -> None:
        """
        The page's commands make keys with which the page's server signs and verifies.
        """
        for algorithm, commands in (("RS256", "rsa.sh"), ("ES256", "ec.sh")):
            folder = Path(self.mktemp()).resolve()
            folder.mkdir(parents=True)
            await self.runShell(commands, folder)
            server = self.load("keys.py").makeServer(folder / "keys", algorithm)
            issue = self.load("issue.py")
            signed = await issue.issueToken(server, "ada")
            self.assertEqual((await issue.readToken(server, signed))["name"], "ada")

    def test_expiry(self) -> None:
        """
        A client hears the page's channel as long as its token lives: for an hour, and for another if it renews it.
        """
        clock, start = Clock(), 1_800_000_000.5

        class WallClock:
            @staticmethod
            def time() -> float:
                return start + clock.seconds()

        self.patch(authentication, "time", WallClock)
        server = load(EXAMPLES / self.page / "expiry.py").makeServer(clock)
        server.auth.clock = WallClock.time
        ada, grace, stranger = connect(server), connect(server), connect(server)
        self.assertEqual(self.failureResultOf(stranger.subscribe("staff")).value.message, "Please log in")
        for client in (ada, grace):
            self.successResultOf(client.invoke("login", "somebody"))
            self.successResultOf(client.subscribe("staff"))
        for minute in range(125):
            if minute == 50:
                self.successResultOf(ada.invoke("renew"))
                self.failureResultOf(stranger.invoke("renew"))
            for _ in range(6):
                clock.advance(10)
            server.exchange.transmitPublish("staff", minute)
        heard = [client.publications("staff")[-1] for client in (ada, grace)]
        self.assertEqual((heard, stranger.publications("staff")), ([108, 58], []))
        self.assertEqual([client.state for client in (ada, grace)], ["open", "open"])

    def test_engine(self) -> None:
        """
        A session that the page's engine has given out is good until it is taken back.
        """
        engine = load(EXAMPLES / self.page / "engine.py").SessionEngine()
        server = AGServer(Clock())
        server.setAuthEngine(engine)
        client = connect(server)
        assert client.socket is not None
        self.successResultOf(client.socket.setAuthToken({"name": "ada"}))
        client.settle()
        session = client.signedAuthToken
        assert session is not None
        again: Any = connect(server, authToken=session)
        self.assertEqual(again.socket.authToken["name"], "ada")
        del engine.sessions[session]
        refused = connect(server, authToken=session)
        self.assertIsInstance(refused.authError, AuthTokenInvalidError)
        self.assertIsNone(refused.signedAuthToken)

