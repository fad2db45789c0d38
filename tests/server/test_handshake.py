"""
Tests of L{agtwisted.server.handshake}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from agtwisted.errors import (
    AuthTokenInvalidError,
    BadConnectionError,
    InvalidActionError,
    SocketProtocolError,
)
from agtwisted.server.middleware import AGAction
from agtwisted.testing import connect
from tests.server.support import Gate, ServerTestCase, decider, names


class StatusTests(ServerTestCase):
    """
    What both sides get to know of a completed handshake.
    """

    def test_withoutToken(self) -> None:
        """
        B12, B13: The answer has the id, the ping timeout, and that nobody is authenticated; no auth error at all.
        """
        client, socket = self.connect()
        status = {"id": socket.id, "pingTimeout": 30000, "isAuthenticated": False}
        self.assertEqual(client.packets, [{"rid": 1, "data": status}])

    def test_events(self) -> None:
        """
        B14: Socket and server emit the status too; the server's event has the socket as well.
        """
        seen: list[Any] = []
        self.collect(self.server.listener("handshake"), lambda event: seen.append(self.record(event.socket, "connect")))
        serverSeen = self.record(self.server, "connection")
        client, socket = self.connect()
        status = client.packets[0]["data"]
        self.assertEqual(vars(seen[0][0][1]), status)
        self.assertEqual(vars(serverSeen[0][1]), {**status, "socket": socket})

    def test_authError(self) -> None:
        """
        B14: An auth error is part of the status on all sides; the server's own has it as an exception.
        """
        seen: list[Any] = []
        self.collect(self.server.listener("handshake"), lambda event: seen.append(self.record(event.socket, "connect")))
        serverSeen = self.record(self.server, "connection")
        client, socket = self.connect(authToken="rubbish")
        answer = client.packets[0]["data"]
        self.assertEqual(answer["authError"]["name"], "AuthTokenInvalidError")
        self.assertFalse(answer["isAuthenticated"])
        for event in (seen[0][0][1], serverSeen[0][1]):
            self.assertIsInstance(event.authError, AuthTokenInvalidError)
            self.assertEqual((event.id, event.isAuthenticated), (socket.id, False))

    def test_ownCopies(self) -> None:
        """
        B15: What a listener does to the status that it gets is seen by nobody else.
        """

        def spoil(event: Any) -> None:
            event.id = "spoilt"

        self.collect(
            self.server.listener("handshake"), lambda event: self.collect(event.socket.listener("connect"), spoil)
        )
        serverSeen = self.record(self.server, "connection")
        client, socket = self.connect()
        self.assertEqual((client.packets[0]["data"]["id"], serverSeen[0][1].id), (socket.id, socket.id))

    def test_handshakeEvent(self) -> None:
        """
        B16: C{handshake} comes with a socket that is still connecting and has its exchange.
        """
        seen: list[Any] = []
        self.collect(
            self.server.listener("handshake"),
            lambda event: seen.append((event.socket, event.socket.state, event.socket.exchange)),
        )
        _, socket = self.connect(handshake=False)
        self.assertEqual(seen, [(socket, "connecting", self.server.exchange)])

    def test_pingTimeout(self) -> None:
        """
        I137: The client learns the server's ping timeout, as it is now.
        """
        self.server.pingTimeout = 1234
        client, _ = self.connect()
        self.assertEqual(client.packets[0]["data"]["pingTimeout"], 1234)


class OrderTests(ServerTestCase):
    """
    What comes before, with, behind and instead of the handshake.
    """

    def closed(self, client: Any, socket: Any, *messages: object) -> Any:
        """
        Send messages that end the connection.

        @return: the server's closure event.
        """
        closures = self.record(self.server, "closure")
        client.send(*messages)
        self.assertEqual((client.state, socket.state), ("closed", "closed"))
        return closures[0][1]

    def test_messageBefore(self) -> None:
        """
        B19, B20, B21: Strictly, anything before the handshake closes with 4009: pongs, binary and raw messages, events,
        responses, batches.
        """
        for message in (
            "",
            b"",
            b"\x01",
            "raw",
            "[1]",
            {"event": "x"},
            {"event": "#publish", "data": {"channel": "x"}},
            {"rid": 1},
            [{"event": "x"}],
            {"event": 5},
            {},
        ):
            client, socket = self.connect(handshake=False)
            event = self.closed(client, socket, message)
            reason = "Server received a message before the client handshake"
            self.assertEqual((client.closeCode, event.code, event.reason), (4009, 4009, reason), message)

    def test_batchBefore(self) -> None:
        """
        An empty batch says nothing, and nothing happens.
        """
        client, _ = self.connect(handshake=False)
        client.send("[]")
        self.assertEqual(client.state, "connecting")
        self.successResultOf(client.handshake())

    def test_subscribeBefore(self) -> None:
        """
        B21: A subscription before the handshake fails with the connection; nothing was subscribed to.
        """
        seen = self.record(self.server, "subscription", "warning")
        client, socket = self.connect(handshake=False)
        subscribed = client.subscribe("news")
        self.failureResultOf(subscribed, BadConnectionError)
        self.assertEqual((names(seen), self.server.brokerEngine.subscriptions()), (["warning"], []))
        self.assertIsInstance(seen[0][1].warning, SocketProtocolError)

    def test_notStrict(self) -> None:
        """
        B22: Without C{strictHandshake} what comes early is tolerated, and the handshake that follows succeeds.
        """
        server = self.makeServer(strictHandshake=False)
        client, socket = self.connect(server, handshake=False)
        received = self.values(socket.receiver("x"))
        client.send("", b"", "raw", {"rid": 5}, {"event": "x", "data": 1}, "{")
        self.assertEqual((client.state, received), ("connecting", [1]))
        early = client.subscribe("news")
        error = self.failureResultOf(early, InvalidActionError).value
        self.assertEqual(error.message, "Cannot subscribe socket to a channel before it has completed the handshake")
        self.successResultOf(client.handshake())
        self.successResultOf(client.subscribe("news"))

    def test_withoutCallId(self) -> None:
        """
        B23: A handshake without a numeric call id is malformed: 4008, with an error on the socket.
        """
        for callId in ({}, {"cid": "1"}, {"cid": None}, {"cid": True}):
            client, socket = self.connect(handshake=False)
            errors = self.record(socket, "error")
            event = self.closed(client, socket, {"event": "#handshake", **callId})
            reason = "Server rejected handshake from client"
            self.assertEqual((client.closeCode, event.code, event.reason), (4008, 4008, reason))
            self.assertIsInstance(errors[0][1].error, InvalidActionError)
            self.assertEqual(errors[0][1].error.message, "Handshake request was malformatted")

    def test_behind(self) -> None:
        """
        B24: What comes right behind the handshake is processed after it, in order, even when the token takes its time.
        """
        verified: Deferred[Any] = Deferred()

        class Engine:
            def verifyToken(self, *arguments: object, **options: object) -> Deferred[Any]:
                return verified

        self.server.setAuthEngine(Engine())
        client, socket = self.connect(handshake=False)
        received = self.values(socket.receiver("x"))
        client.send({"event": "#handshake", "cid": 1}, {"event": "x", "data": 1}, {"event": "x", "data": 2})
        self.assertEqual((received, client.packets, socket.getInboundBackpressure()), ([], [], 2))
        verified.callback({})
        self.settle()
        self.assertEqual((received, client.packets[0]["rid"], socket.getInboundBackpressure()), ([1, 2], 1, 0))

    def test_batched(self) -> None:
        """
        A batch may begin with the handshake; a procedure that a C{connection} handler has just begun to serve gets the
        call behind it.
        """

        async def serve(socket: Any) -> None:
            async for request in socket.procedure("x"):
                request.end("served")

        self.collect(self.server.listener("connection"), lambda event: Deferred.fromCoroutine(serve(event.socket)))
        client, _ = self.connect(handshake=False)
        client.send([{"event": "#handshake", "cid": 1}, {"event": "x", "cid": 2}])
        self.assertEqual(client.packets[-1], {"rid": 2, "data": "served"})

    def test_anyData(self) -> None:
        """
        Handshake data of any type is accepted, and a token that is empty is none.
        """
        for data in (None, 5, "text", [], {}, {"authToken": None}, {"authToken": ""}, {"authToken": 0}):
            client, _ = self.connect(handshake=False)
            client.send({"event": "#handshake", "cid": 7, "data": data})
            answer = client.packets[0]
            self.assertEqual((answer["rid"], "authError" in answer["data"]), (7, False), data)

    def test_second(self) -> None:
        """
        A second handshake on an open connection is answered, and nothing else happens: the client is neither counted
        nor announced again.
        """
        seen = self.record(self.server, "connection")
        client, socket = self.connect()
        received = self.record(socket, "connect")
        status = self.successResultOf(client.handshake())
        self.assertEqual(status, {"id": socket.id, "pingTimeout": 30000, "isAuthenticated": False})
        self.assertEqual((len(seen), received, self.server.clientsCount), (1, [], 1))

    def test_timeout(self) -> None:
        """
        A client that does not introduce itself in time is closed with 4005, whatever else it does.
        """
        server = self.makeServer(strictHandshake=False, handshakeTimeout=1000)
        client, _ = self.connect(server, handshake=False)
        other, _ = self.connect(server)
        self.clock.advance(0.9)
        client.send("", {"event": "x"})
        self.clock.advance(0.2)
        self.assertEqual((client.closeCode, other.state), (4005, "open"))

    def test_timeoutWhileVerifying(self) -> None:
        """
        A client that has introduced itself is in time, however long its token takes.
        """
        verified: Deferred[Any] = Deferred()

        class Engine:
            def verifyToken(self, *arguments: object, **options: object) -> Deferred[Any]:
                return verified

        self.server.setAuthEngine(Engine())
        client, _ = self.connect()
        self.clock.advance(15)
        verified.callback({})
        self.settle()
        self.assertEqual(client.state, "open")

    def test_leavesWhileVerifying(self) -> None:
        """
        B18: A client that leaves while its token is verified is in no collection, and is never announced.
        """
        verified: Deferred[Any] = Deferred()

        class Engine:
            def verifyToken(self, *arguments: object, **options: object) -> Deferred[Any]:
                return verified

        self.server.setAuthEngine(Engine())
        seen = self.record(self.server, "connection", "connectionAbort", "disconnection", "authentication")
        client, socket = self.connect(handshake=False)
        self.collect(self.server.listener("x"), lambda _: None)
        client.send({"event": "#handshake", "cid": 1, "data": {"authToken": "x"}})
        client.disconnect()
        verified.callback({"name": "bob"})
        self.settle()
        self.assertEqual((self.server.clients, self.server.pendingClients, socket.state), ({}, {}, "closed"))
        self.assertEqual(names(seen), ["connectionAbort"])


class MiddlewareTests(ServerTestCase):
    """
    The handshake line.
    """

    def test_actions(self) -> None:
        """
        F95, F96: One stream for each connection attempt, with both handshakes; the first has the upgrade request, the
        second the socket and what was found out about the token.
        """
        gate = Gate()
        self.server.setMiddleware(self.server.MIDDLEWARE_HANDSHAKE, gate)
        client = connect(self.server, url="/socketcluster/?a=1", authToken=self.sign({"name": "bob"}))
        first = gate.actions[0]
        self.assertEqual((first.type, first.request.url, first.socket), ("handshakeWS", "/socketcluster/?a=1", None))
        first.allow()
        self.settle()
        second = gate.actions[1]
        self.assertEqual((second.type, second.socket, second.request), ("handshakeSC", client.socket, first.request))
        data = second.data
        self.assertEqual((data.authToken["name"], data.authTokenError, data.authState), ("bob", None, "authenticated"))
        self.assertEqual(data.signedAuthToken, client.signedAuthToken)
        second.allow()
        self.settle()
        self.assertEqual((client.state, len(gate.streams)), ("open", 1))
        connect(self.server)
        self.assertEqual(len(gate.streams), 2)

    def test_streamEnds(self) -> None:
        """
        The loop of a connection attempt ends when the attempt has: with success, and with either kind of failure.
        """
        ended: list[str] = []
        outcomes = iter(("open", "handshakeWS", "handshakeSC"))

        async def middleware(stream: Any) -> None:
            outcome = next(outcomes)
            async for action in stream:
                if action.type == outcome:
                    action.block()
                else:
                    action.allow()
            ended.append(outcome)

        self.server.setMiddleware(self.server.MIDDLEWARE_HANDSHAKE, middleware)
        states = [connect(self.server).state for _ in range(3)]
        self.assertEqual((states, ended), (["open", "closed", "closed"], ["open", "handshakeWS", "handshakeSC"]))

    def test_blockedSC(self) -> None:
        """
        F99, F100: A blocked C{#handshake} is answered with the error, which carries the code; then the connection
        closes with 4008 and the server warns of the block first.
        """
        error = InvalidActionError("Not you")
        self.server.setMiddleware(
            self.server.MIDDLEWARE_HANDSHAKE, decider(lambda action: action.block(error), AGAction.HANDSHAKE_SC)
        )
        seen = self.record(self.server, "warning", "connectionAbort", "connection")
        client, socket = self.connect()
        self.assertEqual(
            client.packets[0]["error"], {"name": "InvalidActionError", "message": "Not you", "statusCode": 4008}
        )
        self.assertEqual(client.closeCode, 4008)
        self.assertEqual(names(seen), ["warning", "warning", "connectionAbort"])
        self.assertIs(seen[0][1].warning, error)
        self.assertIsInstance(seen[1][1].warning, SocketProtocolError)

    def test_statusCode(self) -> None:
        """
        F101: The error's C{statusCode} is the close code.
        """
        error = InvalidActionError("Not you")
        error.statusCode = 4501  # type: ignore[attr-defined]
        self.server.setMiddleware(
            self.server.MIDDLEWARE_HANDSHAKE, decider(lambda action: action.block(error), AGAction.HANDSHAKE_SC)
        )
        client, _ = self.connect()
        self.assertEqual((client.closeCode, client.packets[0]["error"]["statusCode"]), (4501, 4501))

    def test_textAsError(self) -> None:
        """
        A block with a mere text reaches the client as it is.
        """
        self.server.setMiddleware(
            self.server.MIDDLEWARE_HANDSHAKE, decider(lambda action: action.block("go away"), AGAction.HANDSHAKE_SC)
        )
        client, _ = self.connect()
        self.assertEqual((client.closeCode, client.packets[0]["error"]), (4008, "go away"))

    def test_late(self) -> None:
        """
        F102: A late decision delays the connection and does not abort it; nobody else has to wait (F95).
        """
        gate = Gate(AGAction.HANDSHAKE_SC)
        self.server.setMiddleware(self.server.MIDDLEWARE_HANDSHAKE, gate)
        client, _ = self.connect()
        other, _ = self.connect()
        gate.actions[1].allow()
        self.settle()
        self.assertEqual((client.state, other.state), ("connecting", "open"))
        self.clock.advance(0.5)
        gate.actions[0].allow()
        self.settle()
        self.assertEqual(client.state, "open")

    def test_leavesMeanwhile(self) -> None:
        """
        A client that has left is not announced when middleware decides at last, and nobody is warned of anything but
        the loss of the connection.
        """
        gate = Gate(AGAction.HANDSHAKE_SC)
        self.server.setMiddleware(self.server.MIDDLEWARE_HANDSHAKE, gate)
        seen = self.record(self.server, "connection", "connectionAbort", "warning")
        for verdict in ("allow", "block"):
            client, _ = self.connect(handshake=False)
            client.send({"event": "#handshake", "cid": 1})
            client.disconnect()
            getattr(gate.actions.pop(), verdict)()
            self.settle()
        self.assertEqual((names(seen), self.server.clients), (["connectionAbort"] * 2, {}))

    def test_setMeanwhile(self) -> None:
        """
        F115: Middleware that is set while a connection attempt is under way sees the second handshake of it.
        """
        client, socket = self.connect(handshake=False)
        gate = Gate()
        self.server.setMiddleware(self.server.MIDDLEWARE_HANDSHAKE, gate)
        client.send({"event": "#handshake", "cid": 1})
        self.assertEqual([action.type for action in gate.actions], ["handshakeSC"])
        gate.actions[0].allow()
        self.settle()
        self.assertEqual(socket.state, "open")
