"""
Tests of L{agtwisted.server.tokenexpiry}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import AGServer, AGServerSocket, SCServer
from agtwisted.errors import InvalidOptionsError
from agtwisted.server import authentication
from agtwisted.server.tokenexpiry import PERIOD, TokenExpiry
from agtwisted.testing import FakeClient, connect
from agtwisted.v14.middleware import SUBSCRIBE
from tests.server.support import Gate, ServerTestCase, decider, names

#: When all tests begin.
START = 1_800_000_000.0


class TimeTestCase(ServerTestCase):
    """
    A test with a wall clock of its own.
    """

    def setUp(self) -> None:
        """
        Set the wall clock.
        """
        self.wall = START
        outer = self

        class Time:
            @staticmethod
            def time() -> float:
                return outer.wall

        self.patch(authentication, "time", Time)
        super().setUp()

    def makeServer(self, **options: Any) -> AGServer:
        """
        @return: a server at which tokens end in time, and whose engine goes by the test's wall clock.
        """
        server = super().makeServer(pingTimeoutDisabled=True, **{"authExpiryMode": "deauthenticate", **options})
        server.auth.clock = lambda: self.wall
        return server

    def go(self, seconds: float, step: float = 0.1) -> None:
        """
        Let time pass, for both clocks.
        """
        for _ in range(round(seconds / step)):
            self.wall += step
            self.clock.advance(step)

    def login(self, server: AGServer | None = None, lives: float = 10) -> tuple[FakeClient, AGServerSocket]:
        """
        @return: a client with a token.
        """
        client, socket = self.connect(server)
        self.successResultOf(socket.setAuthToken({"name": "bob"}, expiresIn=lives))
        client.takePackets()
        return client, socket


class EndTests(TimeTestCase):
    """
    The end of a token.
    """

    def test_modes(self) -> None:
        """
        Only the documented modes are known; by default a token ends when it is used.
        """
        self.assertRaises(InvalidOptionsError, self.makeServer, authExpiryMode="sometimes")
        self.assertIsNone(AGServer(self.clock).tokenExpiry)

    def test_onUse(self) -> None:
        """
        By default a client that sends nothing stays who it was.
        """
        client, socket = self.login(self.makeServer(authExpiryMode="onUse"))
        self.go(20)
        self.assertEqual((socket.authState, client.packets), ("authenticated", []))
        client.transmit("x")
        self.assertEqual(socket.authState, "unauthenticated")

    def test_inTime(self) -> None:
        """
        Not before its second, and within a tenth of it, the client is nobody, is told so, and the events say it.
        """
        client, socket = self.login()
        token = socket.authToken
        events = self.record(socket, "authStateChange", "deauthenticate")
        server = self.record(self.server, "authenticationStateChange", "deauthentication")
        self.go(10)
        self.assertEqual((socket.authState, events), ("authenticated", []))
        self.go(0.2)
        self.assertEqual((socket.authState, socket.authToken, client.state), ("unauthenticated", None, "open"))
        self.assertEqual(client.packets, [{"event": "#removeAuthToken"}])
        self.assertEqual(names(events), ["authStateChange", "deauthenticate"])
        self.assertEqual(names(server), ["authenticationStateChange", "deauthentication"])
        self.assertEqual(events[1][1].oldAuthToken, token)
        self.go(20)
        self.assertEqual(len(events), 2)

    def test_handshake(self) -> None:
        """
        A token that came with the handshake, or with C{#authenticate}, ends as well.
        """
        token = self.successResultOf(self.server.auth.signToken({}, "secret", expiresIn=10))
        _, first = self.connect(authToken=token)
        client, second = self.connect()
        self.successResultOf(client.authenticate(token))
        self.go(9.5)
        self.assertEqual((first.authState, second.authState), ("authenticated", "authenticated"))
        self.go(1)
        self.assertEqual((first.authState, second.authState), ("unauthenticated", "unauthenticated"))

    def test_renewed(self) -> None:
        """
        A token that takes the place of another before its end counts, whether it ends later or sooner.
        """
        _, socket = self.login()
        self.go(9)
        self.successResultOf(socket.setAuthToken({"name": "bob"}, expiresIn=10))
        self.go(9)
        self.assertEqual(socket.authState, "authenticated")
        self.successResultOf(socket.setAuthToken({"name": "bob"}, expiresIn=1))
        self.go(2.1)
        self.assertEqual(socket.authState, "unauthenticated")

    def test_noEnd(self) -> None:
        """
        A token without an end, or with one that is no time, has none.
        """
        for token in ({"name": "bob"}, {"exp": "soon"}, {"exp": float("inf")}, {"exp": True}, "bob"):
            _, socket = self.connect()
            authentication.become(socket, authentication.Authentication("authenticated", token))
            self.go(5, 1)
            self.assertEqual(socket.authState, "authenticated", token)

    def test_removed(self) -> None:
        """
        What is removed before does not end again; a client that has gone leaves nothing behind.
        """
        client, socket = self.login()
        events = self.record(socket, "deauthenticate")
        client.deauthenticate()
        self.go(15)
        self.assertEqual(len(events), 1)
        client, _ = self.login()
        client.disconnect()
        self.settle()
        expiry: Any = self.server.tokenExpiry
        self.assertEqual((expiry._ends, expiry._sockets, expiry._seconds, expiry._next), ({}, {}, [], None))

    def test_afterClosing(self) -> None:
        """
        A socket that is closed while its token is verified is not kept.
        """
        client, socket = self.login()
        client.disconnect()
        authentication.become(socket, authentication.Authentication("authenticated", {"exp": START + 5}))
        self.assertEqual(self.server.tokenExpiry._ends, {})  # type: ignore[union-attr]

    def test_longHandshake(self) -> None:
        """
        While the handshake goes on the end of the token waits for it.
        """
        server = self.makeServer(handshakeTimeout=100000)
        gate = Gate("authenticate")
        server.setMiddleware(server.MIDDLEWARE_INBOUND, gate)
        token = self.successResultOf(server.auth.signToken({}, "secret", expiresIn=3))
        client = connect(server, authToken=token)
        self.go(10)
        self.assertEqual(client.packets, [])
        gate.actions[0].allow()
        self.settle()
        self.assertEqual(client.packets[0]["data"]["isAuthenticated"], True)
        self.go(2)
        self.assertEqual(client.packets[1:], [{"event": "#removeAuthToken"}])

    def test_manyAtOnce(self) -> None:
        """
        Of many tokens that end at the same second, a hundred end in one turn; a failure harms nobody else.
        """
        sockets = [self.login()[1] for _ in range(250)]

        def deauthenticate(socket: AGServerSocket) -> None:
            if socket is sockets[7]:
                raise ZeroDivisionError
            socket.deauthenticateSelf()

        self.patch(AGServerSocket, "deauthenticate", deauthenticate)
        later: list[Any] = []
        self.patch(type(self.server.turns), "callLater", lambda turns, delay, function: later.append(function))
        self.go(10.2)
        counts = [sum(socket.authState == "unauthenticated" for socket in sockets)]
        while later:
            later.pop()()
            counts.append(sum(socket.authState == "unauthenticated" for socket in sockets))
        self.assertEqual(counts, [99, 199, 249])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_memory(self) -> None:
        """
        However often tokens are replaced, as much is kept as there are tokens.
        """
        _, other = self.login(lives=1000)
        _, socket = self.login()
        for number in range(5000):
            token = {"exp": START + 1000 + number}
            authentication.become(socket, authentication.Authentication("authenticated", token))
        expiry: Any = self.server.tokenExpiry
        self.assertEqual((len(expiry._ends), len(expiry._sockets)), (2, 2))
        self.assertLess(len(expiry._seconds), 1100)
        self.go(6010, 10)
        self.assertEqual((other.authState, socket.authState), ("unauthenticated", "unauthenticated"))


class WallClockTests(TimeTestCase):
    """
    A wall clock that leaps.
    """

    def test_forward(self) -> None:
        """
        When it leaps over a token's end, the token ends with the next look.
        """
        _, socket = self.login(lives=3600)
        self.go(5)
        self.wall += 7200
        self.go(PERIOD + 0.2)
        self.assertEqual(socket.authState, "unauthenticated")

    def test_back(self) -> None:
        """
        When it is set back, tokens live as much longer.
        """
        _, socket = self.login(lives=60)
        self.go(5)
        self.wall -= 3600
        self.go(3600 + 54, 1)
        self.assertEqual(socket.authState, "authenticated")
        self.go(3)
        self.assertEqual(socket.authState, "unauthenticated")


class UnsubscribingTests(TimeTestCase):
    """
    C{deauthenticateAndUnsubscribe}.
    """

    mode = "deauthenticateAndUnsubscribe"

    def subscribed(self, **options: Any) -> tuple[FakeClient, AGServerSocket]:
        """
        @return: a client with one channel from before its token, and two under it.
        """
        self.server = self.makeServer(authExpiryMode=self.mode, **options)
        client, socket = self.connect()
        client.subscribe("public")
        self.successResultOf(socket.setAuthToken({"name": "bob"}, expiresIn=10))
        client.subscribe("a")
        client.subscribe("b")
        client.takePackets()
        return client, socket

    def test_keeping(self) -> None:
        """
        C{deauthenticate} keeps all subscriptions.
        """
        self.mode = "deauthenticate"
        _, socket = self.subscribed()
        self.go(11)
        self.assertEqual((socket.authState, socket.subscriptions()), ("unauthenticated", ["public", "a", "b"]))

    def test_end(self) -> None:
        """
        With the token end the subscriptions that were made under it, and no others; the client is told of each.
        """
        client, socket = self.subscribed()
        events = self.record(socket, "deauthenticate", "unsubscribe")
        self.go(11)
        message = "The auth token that allowed it is gone"
        kickOuts = [{"event": "#kickOut", "data": {"channel": name, "message": message}} for name in "ab"]
        self.assertEqual(client.packets, [{"event": "#removeAuthToken"}, *kickOuts])
        self.assertEqual(socket.subscriptions(), ["public"])
        self.assertEqual(names(events), ["deauthenticate", "unsubscribe", "unsubscribe"])
        self.server.exchange.transmitPublish("a", 1)
        self.server.exchange.transmitPublish("public", 2)
        self.assertEqual((client.publications("a"), client.publications("public")), ([], [2]))

    def test_renewed(self) -> None:
        """
        Another token in its place keeps them, also when it comes in the same turn.
        """
        client, socket = self.subscribed()
        self.go(9)
        self.successResultOf(socket.setAuthToken({"name": "bob"}, expiresIn=10))
        self.go(9)
        self.assertEqual(socket.subscriptions(), ["public", "a", "b"])
        socket.deauthenticateSelf()
        self.successResultOf(socket.setAuthToken({"name": "ada"}, expiresIn=10))
        self.go(9)
        self.assertEqual((socket.authState, socket.subscriptions()), ("authenticated", ["public", "a", "b"]))
        self.go(2)
        self.assertEqual(socket.subscriptions(), ["public"])

    def test_removedBefore(self) -> None:
        """
        However the token goes, a client does not outwit its end by dropping it just before.
        """
        def drop(client: FakeClient, socket: AGServerSocket) -> None:
            client.deauthenticate()

        def bad(client: FakeClient, socket: AGServerSocket) -> None:
            client.authenticate("bad").addErrback(lambda _: None)

        def early(client: FakeClient, socket: AGServerSocket) -> None:
            token = self.successResultOf(self.server.auth.signToken({}, "secret", notBefore=1000))
            client.authenticate(token)

        def server(client: FakeClient, socket: AGServerSocket) -> None:
            self.successResultOf(socket.deauthenticate())

        for way in (drop, bad, early, server):
            client, socket = self.subscribed()
            way(client, socket)
            self.settle()
            self.assertEqual(socket.subscriptions(), ["public"], way.__name__)

    def test_subscribedAgain(self) -> None:
        """
        What was left is not remembered; what is subscribed to without the token counts as such.
        """
        client, socket = self.subscribed()
        client.send({"event": "#unsubscribe", "data": "a", "cid": 50})
        client.send({"event": "#unsubscribe", "data": "b", "cid": 51})
        client.subscribe("public")
        self.go(11)
        client.subscribe("a")
        self.assertEqual(socket.subscriptions(), ["public", "a"])
        self.successResultOf(socket.setAuthToken({}, expiresIn=10))
        client.subscribe("a")
        self.go(11)
        self.assertEqual(socket.subscriptions(), ["public", "a"])

    def test_allowedWithout(self) -> None:
        """
        A channel that the client subscribes to once more, and is let to without its token, is no longer bound to it.
        """
        client, socket = self.subscribed()
        expiry: Any = self.server.tokenExpiry
        client.send([{"event": "#removeAuthToken"}, {"event": "#subscribe", "data": {"channel": "a"}, "cid": 60}])
        self.settle()
        self.assertEqual((socket.subscriptions(), expiry._allowed), (["public", "a"], {}))

    def test_memory(self) -> None:
        """
        The names of channels that are left again are forgotten, and all of them with the socket.
        """
        client, socket = self.subscribed()
        expiry: Any = self.server.tokenExpiry
        for number in range(100):
            client.subscribe(f"c{number}")
            client.send({"event": "#unsubscribe", "data": f"c{number}", "cid": 1000 + number})
        self.assertLess(len(expiry._allowed[socket]), 30)
        client.disconnect()
        self.settle()
        self.assertEqual(expiry._allowed, {})

    def test_closedMeanwhile(self) -> None:
        """
        A client that goes in the turn in which its token ends is not taken out of channels twice.
        """
        client, socket = self.subscribed()
        warnings = self.record(self.server, "warning")
        socket.deauthenticateSelf()
        socket.disconnect()
        self.settle()
        self.assertEqual((socket.subscriptions(), warnings), ([], []))

    def test_kickOutFails(self) -> None:
        """
        If the broker fails, that is an error of the socket, and no more.
        """
        client, socket = self.subscribed()
        errors = self.record(socket, "error")
        self.patch(type(self.server.brokerEngine), "unsubscribeSocket", lambda *_: 1 // 0)
        self.go(11)
        self.assertEqual((socket.authState, client.state, len(errors)), ("unauthenticated", "open", 2))

    def test_middleware(self) -> None:
        """
        What this is for: a channel that middleware gives to somebody only is heard by nobody after the token's end.
        """
        self.server = self.makeServer(authExpiryMode=self.mode)

        def decide(action: Any) -> None:
            if action.socket.authToken is None:
                action.block()
            else:
                action.allow()

        self.server.setMiddleware(self.server.MIDDLEWARE_INBOUND, decider(decide, "subscribe"))
        client, socket = self.login(self.server)
        client.subscribe("secret")
        self.server.exchange.transmitPublish("secret", 1)
        self.go(11)
        self.server.exchange.transmitPublish("secret", 2)
        self.failureResultOf(client.subscribe("secret"))
        self.assertEqual(client.publications("secret"), [1])


class OldVersionTests(SynchronousTestCase):
    """
    The same for C{SCServer}.
    """

    def test_end(self) -> None:
        """
        The token ends in time, with its events, and the subscriptions under it with kick-outs.
        """
        wall = [START]

        class Time:
            @staticmethod
            def time() -> float:
                return wall[0]

        self.patch(authentication, "time", Time)
        clock = Clock()
        server = SCServer(
            clock, authKey="k" * 40, authExpiryMode="deauthenticateAndUnsubscribe", pingTimeoutDisabled=True
        )
        server.auth.clock = lambda: wall[0]
        self.assertIsInstance(server.tokenExpiry, TokenExpiry)
        server.addMiddleware(SUBSCRIBE, lambda request, next: next())
        client = connect(server)
        socket: Any = client.socket
        events: list[Any] = []
        for name in ("authStateChange", "deauthenticate"):
            socket.on(name, lambda *_, name=name: events.append(name))
        client.subscribe("public")
        socket.setAuthToken({"name": "bob"}, {"expiresIn": 10})
        client.subscribe("secret")
        client.takePackets()
        events.clear()
        for _ in range(110):
            wall[0] += 0.1
            clock.advance(0.1)
        self.assertEqual((socket.authState, socket.subscriptions()), ("unauthenticated", ["public"]))
        self.assertEqual(events, ["authStateChange", "deauthenticate"])
        self.assertEqual([packet["event"] for packet in client.packets], ["#removeAuthToken", "#kickOut"])
        self.assertEqual(client.packets[1]["data"]["channel"], "secret")
        server.exchange.publish("secret", 1)
        self.assertEqual(client.publications("secret"), [])
