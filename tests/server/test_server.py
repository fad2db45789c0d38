"""
Tests of L{agtwisted.server.server}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from agtwisted import AGServer, AGSimpleBroker
from agtwisted.errors import InvalidActionError, InvalidArgumentsError, InvalidOptionsError, ServerProtocolError
from agtwisted.protocol.codecs import JSONCodec
from agtwisted.testing import connect
from tests.server.support import ServerTestCase, decider, names


class OptionsTests(ServerTestCase):
    """
    What a server is made with.
    """

    def test_defaults(self) -> None:
        """
        A2: SocketCluster's defaults are readable on the server's options, and the copies on the server itself.
        """
        server = AGServer(reactor=self.clock)
        self.assertEqual((server.options.pingTimeout, server.pingTimeout), (30000, 30000))
        self.assertEqual((server.options.ackTimeout, server.ackTimeout, server.ackTimeoutSeconds), (10000, 10000, 10))
        self.assertEqual((server.options.path, server.getPath()), ("/socketcluster/", "/socketcluster/"))
        self.assertEqual(server.options.socketStreamCleanupMode, "kill")
        self.assertTrue(server.strictHandshake and server.allowClientPublish and server.middlewareEmitFailures)

    def test_given(self) -> None:
        """
        A5: What is given is merged over the defaults.
        """
        server = self.makeServer(pingTimeout=5, socketChannelLimit=7, path="/x/")
        self.assertEqual((server.pingTimeout, server.socketChannelLimit, server.getPath()), (5, 7, "/x/"))
        self.assertEqual(server.options.pingInterval, 8000)

    def test_unknown(self) -> None:
        """
        An option that does not exist is refused, and the nearest one named.
        """
        error = self.assertRaises(InvalidOptionsError, self.makeServer, pingTimeOut=1)
        self.assertIn("did you mean pingTimeout?", str(error))

    def test_nodeOnly(self) -> None:
        """
        A6: Options that only Node has a use for are accepted and change nothing.
        """
        server = self.makeServer(authSignAsync=True, wsEngine="ws", authTokenName="x")
        self.assertFalse(hasattr(server.options, "wsEngine"))

    def test_randomKey(self) -> None:
        """
        A server without a key makes itself one of 32 random bytes, and no two have the same.
        """
        first, second = AGServer(reactor=self.clock), AGServer(reactor=self.clock)
        self.assertEqual((len(first.signatureKey), first.verificationKey), (64, first.signatureKey))
        self.assertEqual(first.options.authKey, first.signatureKey)
        self.assertNotEqual(first.signatureKey, second.signatureKey)

    def test_keyPair(self) -> None:
        """
        A pair of keys signs with the one and verifies with the other; half a pair is refused.
        """
        server = self.makeServer(authPrivateKey="private", authPublicKey="public", authAlgorithm="RS256")
        self.assertEqual((server.signatureKey, server.verificationKey), ("private", "public"))
        self.assertEqual(server.defaultSignatureOptions, {"expiresIn": 86400, "algorithm": "RS256"})
        self.assertEqual(server.defaultVerificationOptions, {"algorithms": ["RS256"]})
        self.assertRaises(InvalidOptionsError, self.makeServer, authPublicKey="public")
        self.assertRaises(InvalidOptionsError, self.makeServer, authPrivateKey="private")

    def test_verifyAlgorithms(self) -> None:
        """
        The algorithms that are accepted can be others than the one that signs.
        """
        server = self.makeServer(authVerifyAlgorithms=["HS256", "HS512"], authAlgorithm="HS256", authDefaultExpiry=5)
        self.assertEqual(server.defaultVerificationOptions, {"algorithms": ["HS256", "HS512"]})
        self.assertEqual(server.defaultSignatureOptions, {"expiresIn": 5, "algorithm": "HS256"})

    def test_noSharing(self) -> None:
        """
        A4: Servers in one process share nothing.
        """
        other = self.makeServer()
        client, _ = self.connect()
        connect(other).publish("news", "not for you")
        client.subscribe("news")
        other.exchange.transmitPublish("news", "nor this")
        self.assertEqual(client.publications("news"), [])
        self.assertEqual((self.server.clientsCount, other.clientsCount), (1, 1))

    def test_installedReactor(self) -> None:
        """
        A server that is given no reactor takes the installed one.
        """
        from twisted.internet import reactor

        self.assertIs(AGServer().reactor, reactor)


class StartTests(ServerTestCase):
    """
    Starting and stopping.
    """

    def test_ready(self) -> None:
        """
        A2: C{ready} comes once, late enough for whoever listens right after the construction, with an empty event.
        """
        seen = self.record(self.server, "ready")
        self.assertFalse(self.server.isReady)
        self.successResultOf(self.server.start())
        self.successResultOf(self.server.start())
        self.settle()
        self.assertEqual((names(seen), vars(seen[0][1]), self.server.isReady), (["ready"], {}, True))

    def test_slowBroker(self) -> None:
        """
        The server is ready when its broker is; all who start it meanwhile wait for that.
        """
        started: Deferred[None] = Deferred()
        broker = AGSimpleBroker(turns=self.server.turns)
        self.patch(broker._broker, "start", lambda hub: started)
        server = self.makeServer(brokerEngine=broker)
        first, second = server.start(), server.start()
        self.assertNoResult(first)
        self.assertFalse(server.isReady)
        started.callback(None)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertTrue(server.isReady)

    def test_brokerFails(self) -> None:
        """
        Whoever starts the server gets what the broker fails with, and nothing is left to be logged.
        """
        broker = AGSimpleBroker(turns=self.server.turns)
        self.patch(broker._broker, "start", lambda hub: 1 // 0)
        server = self.makeServer(brokerEngine=broker)
        self.failureResultOf(server.start(), ZeroDivisionError)
        self.failureResultOf(server.start(), ZeroDivisionError)
        self.assertFalse(server.isReady)

    def test_brokerThatStartsItself(self) -> None:
        """
        A broker engine without C{start} is waited for by its event C{ready}.
        """

        class Engine(AGSimpleBroker):
            start = None  # type: ignore[assignment]

        broker = Engine(turns=self.server.turns)
        server = self.makeServer(brokerEngine=broker)
        started = server.start()
        self.assertNoResult(started)
        broker.emitEvent("ready")
        self.settle()
        self.successResultOf(started)
        self.assertTrue(server.isReady)

    def test_readyBroker(self) -> None:
        """
        A broker that is ready already is not started.
        """
        broker = AGSimpleBroker(turns=self.server.turns)
        broker.isReady = True
        self.patch(broker, "start", lambda: 1 // 0)
        self.successResultOf(self.makeServer(brokerEngine=broker).start())

    def test_brokerErrors(self) -> None:
        """
        What goes wrong in the broker is a warning of the server, once, also when the server was started again.
        """
        warnings = self.record(self.server, "warning")
        for _ in range(2):
            self.successResultOf(self.server.start())
            self.successResultOf(self.server.close())
        error = ValueError("broken")
        self.server.brokerEngine.emitEvent("error", error=error)
        self.settle()
        self.assertEqual([event.warning for _, event in warnings], [error])

    def test_close(self) -> None:
        """
        A3: Closing drops all connections, pending ones too, and stops the broker; afterwards the server can start
        again.
        """
        client, _ = self.connect()
        pending = connect(self.server, handshake=False)
        self.successResultOf(self.server.close())
        self.settle()
        self.assertEqual((client.closeCode, pending.closeCode), (1006, 1006))
        self.assertEqual((self.server.clients, self.server.pendingClients), ({}, {}))
        self.assertFalse(self.server.isReady or self.server.brokerEngine.isReady)
        self.successResultOf(self.server.start())
        self.assertTrue(self.server.isReady)

    def test_closeKeepingSockets(self) -> None:
        """
        C{close(True)} leaves the connections that there are.
        """
        client, _ = self.connect()
        self.successResultOf(self.server.close(keepSocketsOpen=True))
        self.settle()
        self.assertEqual((client.state, self.server.clientsCount), ("open", 1))

    def test_closeWaits(self) -> None:
        """
        Closing is done when the broker has stopped; a broker engine without C{stop} has nothing to wait for.
        """
        stopped: Deferred[str] = Deferred()
        self.patch(self.server.brokerEngine, "stop", lambda: stopped)
        closed = self.server.close()
        self.assertNoResult(closed)
        stopped.callback("something")
        self.assertIsNone(self.successResultOf(closed))
        self.patch(self.server.brokerEngine, "stop", None)
        self.assertIsNone(self.successResultOf(self.server.close()))


class EngineTests(ServerTestCase):
    """
    What can be replaced on a running server.
    """

    def test_keys(self) -> None:
        """
        A7: The keys may be assigned on a running server; the next signature or verification uses them.
        """
        token = self.sign({"name": "bob"}, "other")
        self.assertEqual(str(connect(self.server, authToken=token).authError), "invalid signature")
        self.server.verificationKey = self.server.signatureKey = "other"
        client, socket = self.connect(authToken=token)
        self.assertTrue(client.isAuthenticated)
        socket.setAuthToken({"name": "alice"})
        self.settle()
        again = connect(self.server, authToken=client.signedAuthToken)
        self.assertTrue(again.isAuthenticated)

    def test_authEngine(self) -> None:
        """
        A8: The auth engine may be replaced by one that can only verify; it may answer with a plain value.
        """

        class Engine:
            def verifyToken(self, signedToken: object, key: object, **options: object) -> object:
                return {"token": signedToken, "key": key}

        self.server.setAuthEngine(Engine())
        _, socket = self.connect(authToken="anything")
        self.assertEqual(socket.authToken, {"token": "anything", "key": "secret"})

    def test_authEngineOption(self) -> None:
        """
        The option C{authEngine} is used from the start.
        """

        class Engine:
            async def verifyToken(self, signedToken: object, key: object, **options: object) -> object:
                return {"user": 1}

        engine = Engine()
        server = self.makeServer(authEngine=engine)
        self.assertIs(server.auth, engine)
        _, socket = self.connect(server, authToken="anything")
        self.assertEqual(socket.authToken, {"user": 1})

    def test_codecEngine(self) -> None:
        """
        The codec may be replaced, as an option and on a running server, for messages and publications alike.
        """

        class Shouting:
            def encode(self, value: object) -> str:
                return JSONCodec().encode(value).upper()

            def decode(self, message: str | bytes) -> object:
                return JSONCodec().decode(message)

        client, socket = self.connect()
        client.subscribe("news")
        client.takePackets()
        self.server.setCodecEngine(Shouting())
        self.assertIs(self.server.codec.__class__, Shouting)
        socket.transmit("hello")
        self.server.exchange.transmitPublish("news", "x")
        self.assertEqual(
            client.takePackets(), [{"EVENT": "HELLO"}, {"EVENT": "#PUBLISH", "DATA": {"CHANNEL": "NEWS", "DATA": "X"}}]
        )
        codec = JSONCodec()
        self.assertIs(self.makeServer(codecEngine=codec).codec, codec)

    def test_requestCreator(self) -> None:
        """
        The option C{requestCreator} makes the requests, on the short way and on the long one.
        """
        made: list[Any] = []

        def create(socket: Any, id: Any, procedure: str, data: Any) -> Any:
            made.append((socket.id, id, procedure, data))
            return socket.defaultRequestCreator(socket, id, procedure, data)

        server = self.makeServer(requestCreator=create)
        client, socket = self.connect(server)
        made.clear()
        requests = self.values(socket.procedure("x"))
        answer = client.invoke("x", 5)
        requests[0].end(6)
        self.settle()
        self.assertEqual(self.successResultOf(answer), 6)
        client.send({"event": "y", "cid": 1.5, "data": 7})
        self.assertEqual(made, [(socket.id, 2, "x", 5), (socket.id, 1.5, "y", 7)])


class MiddlewareSettingTests(ServerTestCase):
    """
    C{setMiddleware} and its relatives.
    """

    def test_lines(self) -> None:
        """
        Each line takes one function; another line does not exist.
        """
        server = self.server
        lines = (
            server.MIDDLEWARE_HANDSHAKE,
            server.MIDDLEWARE_INBOUND_RAW,
            server.MIDDLEWARE_INBOUND,
            server.MIDDLEWARE_OUTBOUND,
        )
        self.assertEqual(lines, ("handshake", "inboundRaw", "inbound", "outbound"))
        for line in lines:
            self.assertFalse(server.hasMiddleware(line))
            server.setMiddleware(line, decider(lambda action: action.allow()))
            self.assertTrue(server.hasMiddleware(line))
            error = self.assertRaises(InvalidActionError, server.setMiddleware, line, lambda stream: None)
            self.assertEqual(str(error), f"Middleware {line} type has already been set")
            server.removeMiddleware(line)
            server.removeMiddleware(line)
            self.assertFalse(server.hasMiddleware(line))
        error = self.assertRaises(InvalidArgumentsError, server.setMiddleware, "sideways", lambda stream: None)
        self.assertEqual(str(error), "Middleware sideways type is not supported")


class ClientsTests(ServerTestCase):
    """
    The collections of sockets.
    """

    def test_consistent(self) -> None:
        """
        A9, B17: A socket is pending until its handshake, then among the clients, then nowhere; always under its id.
        """
        client, socket = self.connect(handshake=False)
        server = self.server
        self.assertEqual((server.pendingClients, server.clients), ({socket.id: socket}, {}))
        self.assertEqual((server.pendingClientsCount, server.clientsCount), (1, 0))
        client.handshake()
        self.assertEqual((server.pendingClients, server.clients), ({}, {socket.id: socket}))
        self.assertEqual((server.pendingClientsCount, server.clientsCount), (0, 1))
        client.disconnect()
        self.assertEqual((server.pendingClientsCount, server.clientsCount), (0, 0))

    def test_burst(self) -> None:
        """
        A10, A11: A hundred clients at once are each announced once, and each gets its answer.
        """
        served: list[Any] = []

        async def serve(socket: Any) -> None:
            async for request in socket.procedure("x"):
                served.append(socket.id)
                request.end(request.data)

        self.collect(self.server.listener("connection"), lambda event: Deferred.fromCoroutine(serve(event.socket)))
        clients = [connect(self.server, handshake=False) for _ in range(100)]
        for number, client in enumerate(clients):
            client.send({"event": "#handshake", "cid": 1}, {"event": "x", "cid": 2, "data": number})
        self.assertEqual([client.packets[-1] for client in clients], [{"rid": 2, "data": n} for n in range(100)])
        self.assertEqual((len(set(served)), len(served), self.server.clientsCount), (100, 100, 100))

    def test_ids(self) -> None:
        """
        Ids are not to be guessed: long, and never the same.
        """
        ids = {self.server.generateId() for _ in range(100)}
        self.assertEqual((len(ids), {len(id) for id in ids}), (100, {20}))


class VerifyTests(ServerTestCase):
    """
    Origins: who may connect.
    """

    def test_origins(self) -> None:
        """
        Only the origins of the option may connect; others get 403, and the server warns.
        """
        server = self.makeServer(origins="good.example:*, *:8443")
        warnings = self.record(server, "warning")
        for origin, error in (
            ("https://good.example", None),
            ("http://any.example:8443", None),
            ("https://good.example.evil.example", "https://good.example.evil.example"),
            ("null", "*"),
            (None, "*"),
        ):
            warnings.clear()
            client = connect(server, headers={} if origin is None else {"origin": origin})
            if error is None:
                self.assertEqual((client.state, warnings), ("open", []), origin)
                continue
            text = f"Failed to authorize socket handshake - Invalid origin: {error}"
            self.assertEqual((client.connectError.status, client.connectError.text), (403, text))  # type: ignore[union-attr]
            self.assertIsInstance(warnings[0][1].warning, ServerProtocolError)
            self.assertEqual(warnings[0][1].warning.message, text)

    def test_originAfterMiddleware(self) -> None:
        """
        Middleware decides before the origin is looked at, and its loop ends when the origin is refused.
        """
        server = self.makeServer(origins="good.example:*")
        ended: list[bool] = []

        async def middleware(stream: Any) -> None:
            async for action in stream:
                action.allow()
            ended.append(True)

        server.setMiddleware(server.MIDDLEWARE_HANDSHAKE, middleware)
        client = connect(server, headers={"origin": "http://bad.example"})
        self.assertEqual((client.connectError.status, ended), (403, [True]))  # type: ignore[union-attr]

    def test_atOnce(self) -> None:
        """
        A handshake can be accepted at once if there is no middleware and the origin is a good one.
        """
        request = self.connect()[1].request
        self.assertTrue(self.server.verifiesHandshakeAtOnce(request))
        self.assertFalse(self.makeServer(origins="x:*").verifiesHandshakeAtOnce(request))
        self.server.setMiddleware(self.server.MIDDLEWARE_HANDSHAKE, decider(lambda action: action.allow()))
        self.assertFalse(self.server.verifiesHandshakeAtOnce(request))


class TimeTests(ServerTestCase):
    """
    Whose time it is.
    """

    def test_clock(self) -> None:
        """
        With a fake clock nothing happens until the test lets it; no real time is involved.
        """
        self.assertIsInstance(self.server.reactor, Clock)
        client, _ = self.connect()
        client.answersPings = False
        self.clock.advance(29.9)
        self.assertEqual(client.state, "open")
        self.clock.advance(0.2)
        self.assertEqual(client.closeCode, 4001)

    def test_broker(self) -> None:
        """
        Two servers can share a broker engine: then they share its channels.
        """
        broker = AGSimpleBroker(turns=self.server.turns)
        one, other = self.makeServer(brokerEngine=broker), self.makeServer(brokerEngine=broker)
        client = connect(one)
        client.subscribe("news")
        self.successResultOf(connect(other).publish("news", "shared"))
        self.assertEqual(client.publications("news"), ["shared"])
        self.assertIs(one.exchange, broker.exchange())
