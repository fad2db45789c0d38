"""
Tests of L{agtwisted.v14.server}: what the server tells and does.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import AGServer, AGSimpleBroker, SCServer, SCServerSocket, listen
from agtwisted.errors import InvalidActionError, InvalidArgumentsError, InvalidOptionsError
from agtwisted.protocol.codecs import JSONCodec
from agtwisted.site import rememberPort
from agtwisted.testing import connect
from tests.v14.support import KEY, Setting

REFUSAL = InvalidActionError("no")


class MemberTests(SynchronousTestCase):
    """
    What SocketCluster 14 documents is there.
    """

    def setUp(self) -> None:
        """
        Make a server.
        """
        self.setting = Setting()
        self.server = self.setting.server

    def test_constants(self) -> None:
        """
        The lines of middleware have their names.
        """
        names = "HANDSHAKE_WS HANDSHAKE_SC AUTHENTICATE SUBSCRIBE PUBLISH_IN PUBLISH_OUT EMIT PUBLISH".split()
        self.assertEqual(
            [getattr(self.server, f"MIDDLEWARE_{name}") for name in names],
            "handshakeWS handshakeSC authenticate subscribe publishIn publishOut emit publishIn".split(),
        )

    def test_properties(self) -> None:
        """
        The properties say what is so, and C{ackTimeout} may be set.
        """
        server = self.server
        self.assertEqual((server.clients, server.clientsCount), ({}, 0))
        self.assertEqual((server.pendingClients, server.pendingClientsCount), ({}, 0))
        self.assertEqual((server.sourcePort, server.host, server.secure, server.isReady), (None, None, False, False))
        self.assertEqual((server.pingTimeout, server.options.pingTimeout, server.ackTimeout), (20000, 20000, 10000))
        server.ackTimeout = 50
        self.assertEqual(server.ackTimeoutSeconds, 0.05)
        self.assertEqual(server.exchange.id, "exchange")

    def test_listening(self) -> None:
        """
        Where it listens can be read, and whether over TLS.
        """

        class TLSPort:
            _type = "TLS"

            def getHost(self) -> IPv4Address:
                return IPv4Address("TCP", "192.0.2.1", 443)

        server = self.successResultOf(listen(8000, MemoryReactorClock(), serverType=SCServer))
        self.assertEqual((server.sourcePort, server.host, server.secure), (8000, "0.0.0.0", False))
        rememberPort(self.server, TLSPort())  # type: ignore[arg-type]
        self.assertEqual((self.server.sourcePort, self.server.host, self.server.secure), (443, "192.0.2.1", True))

    def test_ready(self) -> None:
        """
        C{ready} is told when the server accepts connections.
        """
        self.server.start()
        self.assertEqual((self.setting.names(), self.server.isReady), (["ready"], True))

    def test_paths(self) -> None:
        """
        The path always stands between slashes.
        """
        for given in ("/sc", "sc", "sc/", "/sc/"):
            self.assertEqual(SCServer(Clock(), path=given).getPath(), "/sc/")
        self.assertEqual(SCServer(Clock(), path="/").getPath(), "/")

    def test_options(self) -> None:
        """
        Options of version 14 are known, those of later versions are refused and not silently ignored.
        """
        server = SCServer(Clock(), appName="mine", middlewareEmitWarnings=False, pubSubBatchDuration=20)
        self.assertEqual((server.appName, server.middlewareEmitWarnings), ("mine", False))
        self.assertNotEqual(SCServer(Clock()).appName, SCServer(Clock()).appName)
        error = self.assertRaises(InvalidOptionsError, SCServer, Clock(), batchOnHandshake=True)
        self.assertIn("AGServer", error.message)
        self.assertRaises(InvalidOptionsError, AGServer, Clock(), appName="mine")

    def test_ownEvents(self) -> None:
        """
        An application may emit events of its own through the server, and C{notice} is there for it.
        """
        self.server.emit("notice", "the disk is filling up")
        self.assertEqual(self.setting.events, [("notice", ("the disk is filling up",))])

    def test_listenersOfEvents(self) -> None:
        """
        C{on} hears every time, C{once} the first time, and none of them after C{off}.
        """
        heard: list[str] = []
        listeners = [lambda *_, name=name: heard.append(name) for name in ("on", "once", "off")]
        for method, listener in zip((self.server.on, self.server.once, self.server.on), listeners, strict=True):
            method("connection", listener)
        self.server.off("connection", listeners[2])
        self.setting.connect()
        self.setting.connect()
        self.assertEqual(heard, ["on", "once", "on"])

    def test_error(self) -> None:
        """
        C{error} and C{warning} reach their functions.
        """
        self.server.emitError("e")
        self.server.emitWarning("w")
        self.assertEqual(self.setting.events, [("error", ("e",)), ("warning", ("w",))])

    def test_streams(self) -> None:
        """
        What is written for the core finds its streams, with the arguments as attributes.
        """
        closed = self.server.listener("closure").once()
        warned = self.server.listener("warning").once()
        client = self.setting.connect()
        aborted = self.setting.sockets[0].listener("disconnect").once()
        client.disconnect(4444, "enough")
        client.settle()
        for event in (self.successResultOf(closed), self.successResultOf(aborted)):
            self.assertEqual((event.code, event.reason), (4444, "enough"))
        self.assertEqual(self.successResultOf(warned).warning.name, "SocketProtocolError")

    def test_close(self) -> None:
        """
        C{close} terminates all clients.
        """
        client, pending = self.setting.connect(), self.setting.connect(handshake=False)
        self.server.close()
        self.setting.clock.advance(0)
        self.assertEqual((client.closeCode, pending.closeCode), (1006, 1006))
        self.assertEqual((self.server.clientsCount, self.server.pendingClientsCount), (0, 0))
        self.assertEqual(self.setting.names("disconnection", "connectionAbort"), ["disconnection", "connectionAbort"])

    def test_setCodecEngine(self) -> None:
        """
        Another codec can be put in place.
        """

        class Reversed(JSONCodec):
            def encodeUTF8(self, value: object) -> bytes:
                return super().encodeUTF8(value)[::-1]

            def decodeUTF8(self, payload: bytes) -> object:
                return super().decodeUTF8(payload[::-1])

        self.server.setCodecEngine(Reversed())
        client = self.setting.connect(handshake=False)
        client.send('{"event":"#handshake","data":{},"cid":1}'[::-1])
        self.assertEqual(self.server.clientsCount, 1)

    def test_setAuthEngine(self) -> None:
        """
        Another authentication engine can be put in place, also one that only verifies; it gets the key and the socket.
        """
        given: list[Any] = []

        class Engine:
            def verifyToken(self, token: Any, key: Any, **options: Any) -> Any:
                given.extend((token, key, options["socket"]))
                return {"username": token}

        self.server.setAuthEngine(Engine())
        client = self.setting.connect(authToken="anything")
        self.assertEqual(client.socket.authToken, {"username": "anything"})
        self.assertEqual(given, ["anything", KEY, client.socket])

    def test_noStreamMiddleware(self) -> None:
        """
        Middleware of later versions cannot be set by mistake.
        """
        self.assertRaises(InvalidActionError, self.server.setMiddleware, "inbound", print)

    def test_brokerOfTheCore(self) -> None:
        """
        A broker engine of the core will do.
        """
        server = SCServer(Clock(), brokerEngine=AGSimpleBroker())
        client = connect(server)
        client.subscribe("news")
        server.exchange.publish("news", 1)
        self.assertEqual(client.publications("news"), [1])


class ConnectionTests(SynchronousTestCase):
    """
    Clients come and go.
    """

    def setUp(self) -> None:
        """
        Make a server.
        """
        self.setting = Setting()
        self.server = self.setting.server

    def test_comingAndGoing(self) -> None:
        """
        C{handshake}, C{connection}, C{disconnection} and C{closure} come with the socket, and the counts follow.
        """
        client = self.setting.connect(handshake=False)
        [socket] = self.setting.sockets
        self.assertEqual((self.server.pendingClients, self.server.clients), ({socket.id: socket}, {}))
        self.assertIs(socket.exchange, self.server.exchange)
        client.handshake()
        self.assertEqual((self.server.pendingClientsCount, self.server.clients), (0, {socket.id: socket}))
        status = self.setting.arguments("connection")[1]
        self.assertEqual((status.id, status.pingTimeout, status.isAuthenticated), (socket.id, 20000, False))
        client.disconnect(4445, "enough")
        self.assertEqual(self.server.clients, {})
        for name in ("disconnection", "closure"):
            self.assertEqual(self.setting.arguments(name), (socket, 4445, "enough"))

    def test_goneWhileVerified(self) -> None:
        """
        A client that leaves while its token is being verified is gone from everywhere, and never announced.
        """
        verified: Deferred[Any] = Deferred()

        class Engine:
            def verifyToken(self, token: Any, key: Any, **options: Any) -> Any:
                return verified

        self.server.setAuthEngine(Engine())
        client = self.setting.connect(authToken="slow")
        self.assertEqual((self.server.pendingClientsCount, self.server.clientsCount), (1, 0))
        client.disconnect()
        verified.callback({"username": "ann"})
        self.assertEqual((self.server.pendingClients, self.server.clients), ({}, {}))
        self.assertEqual(self.setting.names("connection", "authentication"), [])

    def test_closedWhenTold(self) -> None:
        """
        The state is closed, and the client counted no more, when the end of a connection is told.
        """
        seen: list[Any] = []
        self.server.on("closure", lambda socket: seen.append((socket.state, self.server.clientsCount)))
        self.setting.connect().disconnect()
        self.assertEqual(seen, [("closed", 0)])

    def test_keys(self) -> None:
        """
        Keys may be changed while the server runs, and count from then on.
        """
        self.setting.connect()
        [socket] = self.setting.sockets
        socket.setAuthToken({"username": "ann"})
        old = socket.signedAuthToken
        self.server.signatureKey = self.server.verificationKey = "another key that is long enough as well"
        self.assertEqual(self.setting.connect(authToken=old).authError.name, "AuthTokenInvalidError")
        socket.setAuthToken({"username": "ann"})
        self.assertIsNone(self.setting.connect(authToken=socket.signedAuthToken).authError)

    def test_statusIsItsOwn(self) -> None:
        """
        What is done to the status here does not show at the client.
        """

        def spoil(socket: Any, status: Any) -> None:
            status.id = "spoilt"

        self.server.on("connection", spoil)
        client = self.setting.connect()
        self.assertEqual(client.id, self.setting.sockets[0].id)

    def test_abort(self) -> None:
        """
        C{connectionAbort} is for those who have not completed the handshake.
        """
        client = self.setting.connect(handshake=False)
        client.disconnect(4444, "changed my mind")
        self.assertEqual(self.setting.arguments("connectionAbort")[1:], (4444, "changed my mind"))
        names = self.setting.names("connectionAbort", "closure", "socket.connectAbort", "socket.close", "disconnection")
        self.assertEqual(names, ["connectionAbort", "closure", "socket.connectAbort", "socket.close"])

    def test_orderOfEndings(self) -> None:
        """
        Unsubscriptions come first, then the server's events, then the socket's, then the error.
        """
        client = self.setting.connect()
        client.subscribe("a")
        client.subscribe("b")
        self.setting.events.clear()
        client.disconnect(4445)
        self.assertEqual(
            self.setting.names(),
            ["socket.unsubscribe", "unsubscription"] * 2
            + ["disconnection", "closure", "socket.disconnect", "socket.close", "warning", "socket.error"],
        )

    def test_subscriptions(self) -> None:
        """
        C{subscription} comes with the channel and its options, C{unsubscription} with the channel.
        """
        client = self.setting.connect()
        client.invoke("#subscribe", {"channel": "news", "data": 5, "waitForAuth": True})
        client.unsubscribe("news")
        [socket] = self.setting.sockets
        options = {"channel": "news", "data": 5, "waitForAuth": True}
        self.assertEqual(self.setting.arguments("subscription"), (socket, "news", options))
        self.assertEqual(self.setting.arguments("unsubscription"), (socket, "news"))

    def test_authentication(self) -> None:
        """
        C{authentication}, C{deauthentication} and C{authenticationStateChange} come with the socket and the tokens.
        """
        self.setting.connect()
        [socket] = self.setting.sockets
        socket.setAuthToken({"username": "ann"})
        token = socket.authToken
        socket.deauthenticate()
        self.assertEqual(self.setting.arguments("authentication"), (socket, token))
        self.assertEqual(self.setting.arguments("deauthentication"), (socket, token))
        changes = [arguments for name, arguments in self.setting.events if name == "authenticationStateChange"]
        self.assertEqual([each for each, _ in changes], [socket, socket])
        self.assertEqual(
            [(change.oldState, change.newState, change.authToken) for _, change in changes],
            [("unauthenticated", "authenticated", token), ("authenticated", "unauthenticated", None)],
        )

    def test_badToken(self) -> None:
        """
        C{badSocketAuthToken} comes with the error and the token, and the client is told to forget it.
        """
        client = self.setting.connect(authToken="a.b.c")
        socket, status = self.setting.arguments("badSocketAuthToken")
        self.assertEqual((status.authError.name, status.signedAuthToken), ("AuthTokenInvalidError", "a.b.c"))
        self.assertEqual(client.packets[0], {"event": "#removeAuthToken", "data": None})
        self.assertFalse(client.isAuthenticated)

    def test_originBeforeMiddleware(self) -> None:
        """
        A wrong origin is refused before middleware is asked.
        """
        setting = Setting(origins="example.com:*")
        setting.server.addMiddleware("handshakeWS", lambda request, next: self.fail("asked"))
        client = setting.connect(headers={"origin": "http://elsewhere.com"})
        self.assertEqual(client.connectError.status, 403)
        self.assertEqual(setting.arguments("warning")[0].name, "ServerProtocolError")


class MiddlewareTests(SynchronousTestCase):
    """
    Adding and removing middleware, and what the functions get.
    """

    def setUp(self) -> None:
        """
        Make a server and a function that remembers.
        """
        self.setting = Setting()
        self.server = self.setting.server
        self.requests: list[Any] = []

    def remember(self, request: Any, next: Any) -> None:
        """
        Remember and let pass.
        """
        self.requests.append(request)
        next()

    def test_unknownLine(self) -> None:
        """
        There are no other lines than those.
        """
        error = self.assertRaises(InvalidArgumentsError, self.server.addMiddleware, "inbound", self.remember)
        self.assertEqual(error.message, 'Middleware type "inbound" is not supported')

    def test_remove(self) -> None:
        """
        Functions go one by one or all at once; what is not there is no matter.
        """
        self.server.addMiddleware("emit", self.remember)
        self.server.addMiddleware("emit", lambda request, next: next(REFUSAL))
        self.server.removeMiddleware("emit", print)
        client = self.setting.connect()
        self.failureResultOf(client.invoke("x"))
        self.server.removeMiddleware("emit", self.remember)
        self.failureResultOf(client.invoke("x"))
        self.server.removeMiddleware("emit")
        self.server.removeMiddleware("nowhere", print)
        self.assertNoResult(client.invoke("x"))
        self.assertEqual(len(self.requests), 1)

    def test_properties(self) -> None:
        """
        Each line's request has what the documentation says.
        """
        for line in ("handshakeWS", "handshakeSC", "authenticate", "subscribe", "publishIn", "publishOut", "emit"):
            self.server.addMiddleware(line, self.remember)
        self.setting.connect()
        self.setting.sockets[0].setAuthToken({"username": "ann"})
        token = self.setting.sockets[0].signedAuthToken
        self.requests.clear()
        client = self.setting.connect(authToken=token)
        client.invoke("#subscribe", {"channel": "news", "data": 5, "waitForAuth": True})
        client.publish("news", 6)
        client.invoke("question", 7)
        upgrade, *requests = self.requests
        self.assertEqual((upgrade.method, upgrade.url), ("GET", "/socketcluster/"))
        socket = self.setting.sockets[1]
        self.assertTrue(all(request.socket is socket for request in requests))
        names = ("event", "channel", "data", "waitForAuth", "signedAuthToken")
        self.assertEqual(
            [tuple(getattr(request, name) for name in names) for request in requests],
            [
                (None, None, None, None, None),
                (None, None, None, None, token),
                (None, "news", 5, True, None),
                (None, "news", 6, None, None),
                (None, "news", 6, None, None),
                ("question", None, 7, None, None),
            ],
        )
        self.assertEqual(requests[1].authToken["username"], "ann")

    def test_expiry(self) -> None:
        """
        Functions are told that the token has expired, and the client is nobody when they hear of it.
        """
        self.server.addMiddleware("emit", lambda request, next: next(request.authTokenExpiredError))
        client = self.setting.connect()
        self.setting.sockets[0].setAuthToken({"username": "ann", "exp": 1000})
        client.takePackets()
        error = self.failureResultOf(client.invoke("question")).value
        self.assertEqual((error.name, error.expiry), ("AuthTokenExpiredError", 1000))
        self.assertEqual(client.packets[0], {"event": "#removeAuthToken", "data": None})

    def test_expiryInEveryLine(self) -> None:
        """
        The lines of subscribing, publishing and delivering are told as well, and may refuse for it.
        """
        told: list[tuple[str, str | None]] = []

        def tell(line: str) -> Any:
            def function(request: Any, next: Any) -> None:
                error = request.authTokenExpiredError
                told.append((line, error and error.name))
                next(error if line == "publishOut" else None)

            return function

        client = self.setting.connect()
        for line in ("subscribe", "publishIn", "publishOut"):
            self.server.addMiddleware(line, tell(line))
        for act in (
            lambda: client.subscribe("news"),
            lambda: client.publish("news", 1),
            lambda: self.server.exchange.publish("news", 2),
        ):
            self.setting.sockets[0].setAuthToken({"username": "ann", "exp": 1000})
            act()
        expired = "AuthTokenExpiredError"
        self.assertEqual(
            told,
            [("subscribe", expired), ("publishIn", expired), ("publishOut", None), ("publishOut", expired)],
        )
        self.assertEqual(client.publications("news"), [1])

    def test_expiryWithWaitForAuth(self) -> None:
        """
        A subscription that waits for authentication fails without middleware when the token has expired.
        """
        self.server.addMiddleware("subscribe", self.remember)
        client = self.setting.connect()
        self.setting.sockets[0].setAuthToken({"username": "ann", "exp": 1000})
        answer = client.invoke("#subscribe", {"channel": "a", "waitForAuth": True})
        self.assertEqual(self.failureResultOf(answer).value.name, "AuthTokenExpiredError")
        self.assertEqual(self.requests, [])

    def test_exchangeIsNotAsked(self) -> None:
        """
        What the server itself publishes passes no inbound middleware, only that of deliveries.
        """
        for line in ("emit", "publishIn", "publishOut"):
            self.server.addMiddleware(line, self.remember)
        client = self.setting.connect()
        client.subscribe("news")
        self.server.exchange.publish("news", 1)
        self.assertEqual([(request.channel, request.data) for request in self.requests], [("news", 1)])
        self.assertIs(self.requests[0].socket, self.setting.sockets[0])

    def test_twice(self) -> None:
        """
        Calling C{next} twice is a warning.
        """
        self.server.addMiddleware("emit", lambda request, next: (next(), next(REFUSAL)))
        client = self.setting.connect()
        client.invoke("question")
        [warning] = self.setting.arguments("warning")
        self.assertEqual(warning.message, "Callback for emit middleware was already invoked")

    def test_ackData(self) -> None:
        """
        C{ackData} goes with the answer to a publication, with an error as well.
        """

        def function(request: Any, next: Any) -> None:
            request.ackData = {"id": 7}
            next(REFUSAL if request.data == "bad" else None)

        self.server.addMiddleware("publishIn", function)
        client = self.setting.connect()
        self.assertEqual(self.successResultOf(client.publish("news", "good")), {"id": 7})
        self.failureResultOf(client.publish("news", "bad"))
        self.assertEqual(client.packets[-1]["data"], {"id": 7})

    def test_recipientsAreApart(self) -> None:
        """
        What a function makes of a publication for one recipient reaches no other one.
        """

        def function(request: Any, next: Any) -> None:
            if request.socket is self.setting.sockets[0]:
                request.data = "secret"
            next()

        self.server.addMiddleware("publishOut", function)
        one, two = self.setting.connect(), self.setting.connect()
        for client in (one, two):
            client.subscribe("news")
        self.server.exchange.publish("news", "public")
        self.assertEqual((one.publications("news"), two.publications("news")), (["secret"], ["public"]))

    def test_partsAreApart(self) -> None:
        """
        Nor does what a function does to a part of the data.
        """

        def function(request: Any, next: Any) -> None:
            if request.socket is self.setting.sockets[0]:
                request.data["list"].append("secret")
            next()

        self.server.addMiddleware("publishOut", function)
        one, two = self.setting.connect(), self.setting.connect()
        for client in (one, two):
            client.subscribe("news")
        self.server.exchange.publish("news", {"list": [1]})
        self.assertEqual(one.publications("news"), [{"list": [1, "secret"]}])
        self.assertEqual(two.publications("news"), [{"list": [1]}])

    def test_useCache(self) -> None:
        """
        With C{useCache} the publication is sent as it was encoded for everyone.
        """

        def function(request: Any, next: Any) -> None:
            request.data, request.useCache = "changed", True
            next()

        self.server.addMiddleware("publishOut", function)
        client = self.setting.connect()
        client.subscribe("news")
        self.server.exchange.publish("news", "as it is")
        self.assertEqual(client.publications("news"), ["as it is"])

    def test_statusCodes(self) -> None:
        """
        A handshake is rejected with the code that goes with the error, with the error's own, or with 4008.
        """
        coded = InvalidActionError("coded")
        coded.statusCode = 4502  # type: ignore[attr-defined]
        for error, value, expected in (
            (REFUSAL, 4501, 4501),
            (REFUSAL, None, 4008),
            (coded, 4501, 4502),
            (True, 4501, 4501),
        ):
            setting = Setting()
            setting.server.addMiddleware("handshakeSC", lambda request, next, e=error, v=value: next(e, v))
            client = setting.connect()
            self.assertEqual(client.closeCode, expected)
            self.assertEqual(client.packets[0]["data"], {"code": expected})
            self.assertEqual(client.packets[1], {"event": "#disconnect", "data": {"code": expected}})

    def test_isBadToken(self) -> None:
        """
        The second argument of an authentication's C{next} says whether the client is to forget its token.
        """
        self.setting.connect()
        self.setting.sockets[0].setAuthToken({"username": "ann"})
        token = self.setting.sockets[0].signedAuthToken
        for isBad in (False, True):
            setting = Setting()
            setting.server.addMiddleware("authenticate", lambda request, next, isBad=isBad: next(REFUSAL, isBad))
            client = setting.connect(authToken=token)
            self.assertEqual({"event": "#removeAuthToken", "data": None} in client.packets, isBad)
            self.assertIsNone(setting.sockets[0].signedAuthToken)
            self.assertEqual(len(setting.names("badSocketAuthToken")), int(isBad))
            self.assertEqual(client.authError.message, "no")

    def test_slowFunctionsHoldUpNobody(self) -> None:
        """
        An event whose middleware takes its time does not hold up those behind it.
        """
        kept: list[Any] = []
        self.server.addMiddleware("subscribe", lambda request, next: kept.append(next))
        client = self.setting.connect()
        self.setting.sockets[0].on("echo", lambda data, respond: respond(None, data))
        subscribed = client.subscribe("news")
        self.assertEqual(self.successResultOf(client.invoke("echo", 1)), 1)
        self.assertNoResult(subscribed)
        kept[0]()
        client.settle()
        self.assertIsNone(self.successResultOf(subscribed))

    def test_clientGoneMeanwhile(self) -> None:
        """
        A subscription that is let pass when its client has gone subscribes nobody.
        """
        kept: list[Any] = []
        self.server.addMiddleware("subscribe", lambda request, next: kept.append(next))
        client = self.setting.connect()
        client.subscribe("news").addErrback(lambda _: None)
        client.disconnect()
        kept[0]()
        self.assertEqual((self.setting.names("subscription"), self.server.brokerEngine.isSubscribed("news")), ([], False))

    def test_sockets(self) -> None:
        """
        The sockets of the server are of version 14.
        """
        self.setting.connect()
        self.assertIsInstance(self.setting.sockets[0], SCServerSocket)
