"""
Tests of L{agtwisted.server.serversocket}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from agtwisted import AGServerSocket
from agtwisted.errors import BadConnectionError, InvalidArgumentsError, SocketProtocolError, TimeoutError
from agtwisted.interfaces import IReceiver, ISubscriber
from agtwisted.testing import FakeTransport, connect
from tests.server.support import Gate, ServerTestCase, decider, names


class ClientTests(ServerTestCase):
    """
    What is known of the client.
    """

    def test_interfaces(self) -> None:
        """
        It is what transports and brokers deliver to.
        """
        _, socket = self.connect()
        self.assertTrue(verifyObject(IReceiver, socket))
        self.assertTrue(verifyObject(ISubscriber, socket))

    def test_request(self) -> None:
        """
        The upgrade request, and what it says of the client.
        """
        _, socket = self.connect(url="/socketcluster/?a=1", remoteAddress="192.0.2.1")
        self.assertEqual((socket.request.url, socket.request.method), ("/socketcluster/?a=1", "GET"))
        self.assertEqual((socket.remoteAddress, socket.remotePort, socket.remoteFamily), ("192.0.2.1", 50000, "IPv4"))
        self.assertIsNone(socket.forwardedForAddress)
        self.assertEqual((socket.protocolVersion, socket.getState(), socket.id), (2, "open", socket.id))
        self.assertEqual(self.connect(self.makeServer(protocolVersion=1))[1].protocolVersion, 1)
        self.assertIs(socket.exchange, self.server.exchange)

    def test_constants(self) -> None:
        """
        The states and statuses are SocketCluster's.
        """
        self.assertEqual(
            (AGServerSocket.CONNECTING, AGServerSocket.OPEN, AGServerSocket.CLOSED), ("connecting", "open", "closed")
        )
        self.assertEqual(
            (AGServerSocket.AUTHENTICATED, AGServerSocket.UNAUTHENTICATED), ("authenticated", "unauthenticated")
        )
        self.assertEqual(AGServerSocket.errorStatuses[4001], "Client pong timed out")
        self.assertEqual(set(AGServerSocket.ignoreStatuses), {1000, 1001})


class SendingTests(ServerTestCase):
    """
    C{transmit}, C{invoke} and C{send}.
    """

    def test_transmit(self) -> None:
        """
        What is transmitted comes in order, in one turn; no data and C{None} are different.
        """
        client, socket = self.connect()
        client.takePackets()
        self.successResultOf(socket.transmit("x", {"a": 1}))
        socket.transmit("x", None)
        socket.transmit("x")
        self.assertEqual((client.packets, socket.getOutboundBackpressure()), ([], 3))
        self.assertEqual(
            client.takePackets(), [{"event": "x", "data": {"a": 1}}, {"event": "x", "data": None}, {"event": "x"}]
        )
        self.assertEqual(socket.getOutboundBackpressure(), 0)

    def test_transmitClosed(self) -> None:
        """
        D65, J144: On a socket that is not open it is an error, which is emitted and not raised; at once after closing.
        """
        client, socket = self.connect()
        errors, warnings = self.record(socket, "error"), self.record(self.server, "warning")
        socket.disconnect()
        self.successResultOf(socket.transmit("x"))
        self.settle()
        error = errors[0][1].error
        self.assertIsInstance(error, BadConnectionError)
        self.assertEqual(error.message, "Socket transmit x event was aborted due to a bad connection")
        self.assertEqual([event.warning for _, event in warnings], [error])

    def test_invoke(self) -> None:
        """
        The client's answer, or its error, comes back; call ids count from one.
        """
        client, socket = self.connect()
        client.procedures["double"] = lambda number: number * 2
        client.procedures["fail"] = lambda data: 1 // 0
        client.takePackets()
        answers = [socket.invoke("double", 4), socket.invoke("fail")]
        self.assertEqual(client.takePackets(), [{"event": "double", "cid": 1, "data": 4}, {"event": "fail", "cid": 2}])
        self.assertEqual(self.successResultOf(answers[0]), 8)
        self.assertEqual(self.failureResultOf(answers[1]).value.name, "ZeroDivisionError")

    def test_invokeTimesOut(self) -> None:
        """
        A call that is not answered in time fails; the socket goes on, and the late answer is ignored.
        """
        client, socket = self.connect()
        first, second = socket.invoke("x"), socket.invoke("x", ackTimeout=500)
        self.clock.advance(0.6)
        error = self.failureResultOf(second, TimeoutError).value
        self.assertEqual(error.message, "Event response for x event timed out")
        self.assertNoResult(first)
        self.clock.advance(10)
        self.failureResultOf(first, TimeoutError)
        client.send({"rid": 1, "data": "late"}, {"rid": 2, "data": "late"})
        self.assertEqual(client.state, "open")

    def test_ackTimeout(self) -> None:
        """
        The server's C{ackTimeout} may be changed while it runs.
        """
        _, socket = self.connect()
        self.server.ackTimeout = 100
        answer = socket.invoke("x")
        self.clock.advance(0.2)
        self.failureResultOf(answer, TimeoutError)

    def test_invokeClosed(self) -> None:
        """
        D66: On a socket that is not open it fails, and the error is emitted too.
        """
        client, socket = self.connect()
        errors = self.record(socket, "error")
        socket.disconnect()
        error = self.failureResultOf(socket.invoke("x"), BadConnectionError).value
        self.settle()
        self.assertEqual(error.message, "Socket invoke x event was aborted due to a bad connection")
        self.assertIs(errors[0][1].error, error)

    def test_pendingCalls(self) -> None:
        """
        D63: Calls that are pending fail when the connection goes, before C{disconnect} is heard.
        """
        client, socket = self.connect()
        order: list[str] = []
        answer = socket.invoke("x")
        answer.addErrback(lambda failure: order.append(failure.value.name))
        self.collect(socket.listener("disconnect"), lambda event: order.append("disconnect"))
        client.disconnect()
        self.assertEqual(order, ["BadConnectionError", "disconnect"])

    def test_callsInHandlers(self) -> None:
        """
        A failing call may call again at once: that fails as well, and the first is not called twice.
        """
        client, socket = self.connect()
        outcomes: list[Any] = []
        socket.invoke("x").addErrback(lambda _: socket.invoke("y")).addErrback(
            lambda failure: outcomes.append(failure.value.name)
        )
        client.disconnect()
        self.assertEqual(outcomes, ["BadConnectionError"])

    def test_answerClosed(self) -> None:
        """
        D67: Answering on a closed connection is a warning, and does not raise in the handler.
        """
        client, socket = self.connect()
        requests = self.values(socket.procedure("x"))
        warnings = self.record(self.server, "warning")
        client.send({"event": "x", "cid": 9})
        client.disconnect()
        requests[0].end(1)
        self.settle()
        self.assertIn("WebSocket is not open", str(warnings[0][1].warning))

    def test_send(self) -> None:
        """
        Raw messages, text and binary, in order with all others; on a closed socket they are an error.
        """
        client, socket = self.connect()
        client.takePackets()
        socket.transmit("x")
        socket.send("text")
        socket.send(b'["bytes"]')
        self.assertEqual(client.takePackets(), [{"event": "x"}, "text", ["bytes"]])
        errors = self.record(socket, "error")
        socket.disconnect()
        socket.send("late")
        self.settle()
        self.assertIn("WebSocket is not open", str(errors[0][1].error))

    def test_errorEvent(self) -> None:
        """
        D69: An application can emit errors of its own on a socket; they reach its listeners unchanged.
        """
        _, socket = self.connect()
        errors = self.record(socket, "error")
        error = ValueError("own")
        socket.emitError(error)
        self.settle()
        self.assertIs(errors[0][1].error, error)

    def test_notEncodable(self) -> None:
        """
        What the codec cannot encode is an error of the socket, and nothing is sent.
        """
        client, socket = self.connect()
        errors = self.record(socket, "error")
        endless: list[Any] = []
        endless.append(endless)
        client.takePackets()
        socket.transmit("x", endless)
        self.assertEqual((client.takePackets(), len(errors)), ([], 1))


class HeartbeatTests(ServerTestCase):
    """
    Pings and silence.
    """

    def test_pings(self) -> None:
        """
        I136: With pings answered the connection stays, without errors or warnings.
        """
        client, socket = self.connect()
        warnings = self.record(self.server, "warning")
        for _ in range(400):
            self.clock.advance(1)
        self.assertEqual((client.state, warnings), ("open", []))
        self.assertGreater(client.pingCount, 40)

    def test_silence(self) -> None:
        """
        I134: A client that is silent for the ping timeout is closed with 4001, also when no ping was sent in that time;
        the server warns with a SocketProtocolError.
        """
        for pingInterval in (1000, 100000):
            server = self.makeServer(pingTimeout=5000, pingInterval=pingInterval)
            warnings = self.record(server, "warning")
            client, socket = self.connect(server)
            client.answersPings = False
            self.clock.advance(4.9)
            self.assertEqual(client.state, "open")
            self.clock.advance(0.2)
            self.assertEqual((client.state, client.closeCode, socket.state), ("closed", 4001, "closed"))
            self.assertIsInstance(warnings[0][1].warning, SocketProtocolError)

    def test_standstill(self) -> None:
        """
        A server that stood still itself, past a ping and past the end of its patience, does not blame the client for it:
        it pings, and leaves the client as much time as after any ping.
        """
        server = self.makeServer(pingTimeout=5000, pingInterval=1000)
        server.wheel.mayStandStill = True
        client, _ = self.connect(server)
        client.answersPings = False
        self.clock.advance(60)
        self.assertEqual((client.state, client.pingCount), ("open", 0))
        self.clock.advance(0.1)
        self.assertEqual((client.state, client.pingCount), ("open", 1))
        for _ in range(38):
            self.clock.advance(0.1)
        self.assertEqual(client.state, "open")
        for _ in range(3):
            self.clock.advance(0.1)
        self.assertEqual((client.closeCode, client.pingCount), (4001, 4))

    def test_latePing(self) -> None:
        """
        With short times a delay is enough that is none otherwise: nobody is found silent who was not asked.
        """
        server = self.makeServer(pingTimeout=200, pingInterval=100)
        server.wheel.mayStandStill = True
        client, _ = self.connect(server)
        client.answersPings = False
        self.clock.advance(0.24)
        self.clock.advance(0.05)
        self.assertEqual((client.state, client.pingCount), ("open", 1))
        self.clock.advance(0.1)
        self.clock.advance(0.1)
        self.assertEqual((client.closeCode, client.pingCount), (4001, 1))

    def test_readsAfterStandstill(self) -> None:
        """
        What came while the server stood still is read before anybody is found silent, slow to answer or late with the
        handshake.
        """
        server = self.makeServer(pingTimeout=5000, pingInterval=100000, ackTimeout=5000, handshakeTimeout=5000)
        server.wheel.mayStandStill = True
        client, socket = self.connect(server)
        newcomer = connect(server, handshake=False)
        answer = socket.invoke("x")
        self.settle()
        self.clock.advance(60)
        client.send({"rid": 1, "data": "late"})
        newcomer.handshake()
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(answer), "late")
        self.assertEqual((client.state, newcomer.state), ("open", "open"))

    def test_anyMessage(self) -> None:
        """
        Any message is a sign of life, not only a pong; so there are pings to a client that talks.
        """
        client, _ = self.connect()
        client.answersPings = False
        for _ in range(30):
            self.clock.advance(5)
            client.transmit("x")
        self.assertEqual(client.state, "open")
        self.assertGreater(client.pingCount, 10)

    def test_disabled(self) -> None:
        """
        I135: With C{pingTimeoutDisabled} nobody is pinged, and silence is no fault.
        """
        client, _ = self.connect(self.makeServer(pingTimeoutDisabled=True))
        client.answersPings = False
        self.clock.advance(100000)
        self.assertEqual((client.state, client.pingCount), ("open", 0))

    def test_changed(self) -> None:
        """
        The ping timeout can be changed on a running server.
        """
        client, _ = self.connect()
        client.answersPings = False
        self.server.pingTimeout = 60000
        self.clock.advance(50)
        self.assertEqual(client.state, "open")
        self.clock.advance(20)
        self.assertEqual(client.closeCode, 4001)

    def test_beforeHandshake(self) -> None:
        """
        Pings come before the handshake too.
        """
        server = self.makeServer(pingInterval=100, strictHandshake=False)
        client, _ = self.connect(server, handshake=False)
        self.clock.advance(1)
        self.assertGreater(client.pingCount, 0)

    def test_oldVersion(self) -> None:
        """
        Version 1 of the protocol pings with C{#1}, is answered C{#2}, and knows no empty pong.
        """
        server = self.makeServer(protocolVersion=1)
        client, socket = self.connect(server, authToken=self.sign({}, expiresIn=10))
        raw = self.record(socket, "raw")
        self.clock.advance(8.1)
        self.assertEqual((client.pingCount, raw), (1, []))
        client.send("")
        self.assertEqual(len(raw), 1)
        self.moveWallClock(11)
        client.send("#2")
        self.assertIsNone(socket.authToken)

    def test_compressed(self) -> None:
        """
        Where finished frames may not be sent as they are, the connection makes the frames of pings and publications.
        """
        self.patch(FakeTransport, "isPlain", False)
        client, socket = self.connect()
        client.subscribe("news")
        made: list[bytes] = []
        transport: Any = socket.socket
        original = transport.frame

        def frame(payload: bytes, isBinary: bool) -> bytes:
            made.append(payload)
            return bytes(original(payload, isBinary))

        transport.frame = frame
        self.server.exchange.transmitPublish("news", 1)
        socket.transmit("x")
        self.clock.advance(8.1)
        self.assertEqual((client.publications("news"), client.pingCount), ([1], 1))
        self.assertEqual(made, [b'{"event":"#publish","data":{"channel":"news","data":1}}', b'{"event":"x"}', b""])


class ClosingTests(ServerTestCase):
    """
    How a connection ends, and in which order.
    """

    EVENTS = ("connectAbort", "disconnect", "close", "end")
    SERVER_EVENTS = ("connectionAbort", "disconnection", "closure")

    def test_byClientBefore(self) -> None:
        """
        J139: Before the handshake a client's closing is an abort, with its code and reason, on socket and server.
        """
        client, socket = self.connect(handshake=False)
        seen, serverSeen = self.record(socket, *self.EVENTS), self.record(self.server, *self.SERVER_EVENTS)
        client.disconnect(4444, "bye")
        self.assertEqual(names(seen), ["connectAbort", "close", "end"])
        self.assertEqual(names(serverSeen), ["connectionAbort", "closure"])
        for _, event in seen[:2]:
            self.assertEqual(vars(event), {"code": 4444, "reason": "bye"})
        for _, event in serverSeen:
            self.assertEqual(vars(event), {"socket": socket, "code": 4444, "reason": "bye"})

    def test_byClientAfter(self) -> None:
        """
        J140: After the handshake it is a disconnection.
        """
        client, socket = self.connect()
        seen, serverSeen = self.record(socket, *self.EVENTS), self.record(self.server, *self.SERVER_EVENTS)
        client.disconnect(4445, "bye")
        self.assertEqual(names(seen), ["disconnect", "close", "end"])
        self.assertEqual(names(serverSeen), ["disconnection", "closure"])
        self.assertEqual((seen[0][1].code, serverSeen[0][1].reason), (4445, "bye"))

    def test_stateInClosure(self) -> None:
        """
        J141: When C{closure} is delivered the state is closed.
        """
        states: list[str] = []
        self.collect(self.server.listener("closure"), lambda event: states.append(event.socket.state))
        client, _ = self.connect()
        client.disconnect()
        self.assertEqual(states, ["closed"])

    def test_standardReason(self) -> None:
        """
        J142: Without a reason the standard text for the code is used; a code without one has none.
        """
        for code, expected in (
            (4008, "Server rejected handshake from client"),
            (1006, "Socket hung up"),
            (1005, "Socket closed without status code"),
            (4321, ""),
        ):
            client, socket = self.connect()
            seen = self.record(socket, "close")
            client.disconnect(code)
            self.assertEqual((seen[0][1].code, seen[0][1].reason), (code, expected))

    def test_errors(self) -> None:
        """
        J143: 1000 and 1001 are no errors; others are, a SocketProtocolError with the code.
        """
        for code, reason, message in (
            (1000, "", None),
            (1001, "", None),
            (4321, "", "Socket connection closed with status code 4321 and reason: "),
            (4321, "why", "Socket connection closed with status code 4321 and reason: why"),
            (1006, "", "Socket hung up"),
        ):
            client, socket = self.connect()
            seen = self.record(socket, "error")
            client.disconnect(code, reason)
            if message is None:
                self.assertEqual(seen, [])
                continue
            error = seen[0][1].error
            self.assertIsInstance(error, SocketProtocolError)
            self.assertEqual((error.message, error.code), (message, code))

    def test_byServer(self) -> None:
        """
        J144: C{disconnect} sets the state at once; code and reason reach the client and the events.
        """
        client, socket = self.connect()
        seen = self.record(socket, "disconnect", "close")
        self.successResultOf(socket.disconnect(4500, "banned"))
        self.assertEqual((socket.state, client.closeCode, client.closeReason), ("closed", 4500, "banned"))
        self.assertEqual((self.server.clientsCount, self.server.clients), (0, {}))
        socket.disconnect(4501)
        self.settle()
        self.assertEqual(
            [(name, event.code, event.reason) for name, event in seen],
            [("disconnect", 4500, "banned"), ("close", 4500, "banned")],
        )
        self.assertEqual(client.closeCode, 4500)

    def test_withoutReason(self) -> None:
        """
        Without a code it is 1000; without a reason the client gets none, and the events the standard text.
        """
        client, socket = self.connect()
        seen = self.record(socket, "close")
        socket.disconnect()
        self.settle()
        self.assertEqual((client.closeCode, client.closeReason), (1000, None))
        self.assertEqual(seen[0][1].code, 1000)

    def test_badCode(self) -> None:
        """
        A code that is no number, or that no close frame may carry, is an error; the connection closes with 1000.
        """
        for code in ("4000", True, 1005, 1006, 999, 5000, 2999):
            client, socket = self.connect()
            seen = self.record(socket, "error")
            socket.disconnect(code)  # type: ignore[arg-type]
            self.settle()
            self.assertIsInstance(seen[0][1].error, InvalidArgumentsError, code)
            self.assertEqual((client.closeCode, socket.state), (1000, "closed"), code)

    def test_lastWords(self) -> None:
        """
        What was sent before closing goes out before the close.
        """
        client, socket = self.connect()
        socket.transmit("last")
        socket.disconnect()
        self.assertEqual((client.packets[-1], client.closeCode), ({"event": "last"}, 1000))

    def test_bothClose(self) -> None:
        """
        The end is told once, whoever closes.
        """
        client, socket = self.connect()
        seen = self.record(socket, *self.EVENTS)
        socket.disconnect(4500)
        socket.connectionLost(1006, "")
        self.settle()
        self.assertEqual(names(seen), ["disconnect", "close", "end"])

    def test_messageAfter(self) -> None:
        """
        What comes after the end is not processed any more, once the streams have been cleaned up.
        """
        client, socket = self.connect()
        socket.disconnect()
        self.settle()
        before = socket.inboundReceivedMessageCount
        socket.messageReceived(b'{"event":"x"}', False)
        self.assertEqual(socket.inboundReceivedMessageCount, before)

    def test_outOfBand(self) -> None:
        """
        G123: C{disconnect} does not wait behind messages that are queued in the socket's streams.
        """
        client, socket = self.connect()
        order: list[Any] = []
        gate: Deferred[None] = Deferred()

        async def slow() -> None:
            async for data in socket.receiver("x"):
                order.append(data)
                await gate

        Deferred.fromCoroutine(slow())
        self.collect(socket.listener("disconnect"), lambda event: order.append("disconnect"))
        client.send(*[{"event": "x", "data": number} for number in range(5)])
        client.disconnect()
        self.assertEqual(order, [0, "disconnect"])

    def test_cleanUpFails(self) -> None:
        """
        A bug while cleaning up is logged and harms nobody.
        """
        client, socket = self.connect()
        other, _ = self.connect()
        client.subscribe("x")
        self.patch(socket.server, "emitEvent", lambda name, **fields: 1 // 0 if name == "unsubscription" else None)
        client.disconnect()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(other.state, "open")


class CleanUpTests(ServerTestCase):
    """
    C{socketStreamCleanupMode}.
    """

    def consume(self, mode: str) -> tuple[list[Any], bool]:
        """
        A slow consumer of fifteen messages, of which the client sends all and leaves when four have been begun.

        @return: what it got, and whether its loop ended.
        """
        client, socket = self.connect(self.makeServer(socketStreamCleanupMode=mode))
        got: list[Any] = []
        gates: list[Deferred[None]] = []

        async def slow() -> None:
            async for data in socket.receiver("x"):
                gates.append(Deferred())
                await gates[-1]
                got.append(data)

        loop = Deferred.fromCoroutine(slow())
        client.send(*[{"event": "x", "data": number} for number in range(15)])
        for _ in range(3):
            gates[-1].callback(None)
            self.settle()
        client.disconnect()
        while not gates[-1].called:
            gates[-1].callback(None)
            self.settle()
        ended = loop.called
        loop.cancel()
        loop.addErrback(lambda _: None)
        return got, ended

    def test_kill(self) -> None:
        """
        G120: By default consumers end at once; the item in progress is finished, the rest is dropped.
        """
        self.assertEqual(self.consume("kill"), ([0, 1, 2, 3], True))

    def test_close(self) -> None:
        """
        G121: With C{close} what is buffered is delivered, then the loops end.
        """
        self.assertEqual(self.consume("close"), (list(range(15)), True))

    def test_none(self) -> None:
        """
        G122: With C{none} what is buffered is delivered and the loops do not end.
        """
        self.assertEqual(self.consume("none"), (list(range(15)), False))

    def test_listeners(self) -> None:
        """
        The loops over the socket's events end too, when they have heard of the end.
        """
        client, socket = self.connect()
        heard: list[str] = []
        ended = [
            self.collect(socket.listener(name), lambda _, name=name: heard.append(name)) for name in ("close", "end")
        ]
        procedures = self.collect(socket.procedure("x"), lambda _: None)
        client.disconnect()
        for each in (*ended, procedures):
            self.successResultOf(each)
        self.assertEqual(heard, ["close", "end"])

    def test_byHand(self) -> None:
        """
        G119: All streams of a socket can be closed or killed by the application.
        """
        for name in ("closeAllStreams", "killAllStreams"):
            client, socket = self.connect()
            ended = [
                self.collect(stream, lambda _: None)
                for stream in (
                    socket.receiver("x"),
                    socket.procedure("x"),
                    socket.listener("x"),
                    socket.inboundMessageStream,
                    socket.outboundPacketStream,
                )
            ]
            getattr(socket, name)()
            self.settle()
            for each in ended:
                self.successResultOf(each)
            received = socket.inboundReceivedMessageCount
            client.transmit("x")
            self.assertEqual(socket.inboundReceivedMessageCount, received)
            client.takePackets()
            socket.transmit("x")
            self.assertEqual(client.takePackets(), [])


class CounterTests(ServerTestCase):
    """
    Back-pressure, and the streams of what passes.
    """

    def test_inboundMessageStream(self) -> None:
        """
        H130: The messages can be consumed as they came; C{message} tells the same.
        """
        client, socket = self.connect()
        messages = self.values(socket.inboundMessageStream)
        events = self.record(socket, "message")
        sent = ['[{"event":"x"},{"event":"y"}]', "raw", "", b"\x01"]
        client.send(*sent)
        self.assertEqual((messages, [event.message for _, event in events]), (sent, sent))

    def test_outboundPacketStream(self) -> None:
        """
        So can the packets that are transmitted, invoked and published.
        """
        client, socket = self.connect()
        client.subscribe("news")
        packets = self.values(socket.outboundPacketStream)
        socket.transmit("x", 1)
        answer = socket.invoke("y")
        self.server.exchange.transmitPublish("news", 2)
        self.settle()
        self.assertEqual(
            packets,
            [
                {"event": "x", "data": 1},
                {"event": "y", "cid": 1},
                {"event": "#publish", "data": {"channel": "news", "data": 2}},
            ],
        )
        self.assertEqual(client.publications("news"), [2])
        client.send({"rid": 1})
        self.successResultOf(answer)

    def test_inbound(self) -> None:
        """
        G124: Inbound back-pressure grows by one per message while inbound middleware holds.
        """
        client, socket = self.connect()
        gate = Gate()
        self.server.setMiddleware("inbound", gate)
        for number in range(3):
            client.transmit("x")
            self.assertEqual((socket.getInboundBackpressure(), socket.getBackpressure()), (number, number))
        for expected in (1, 0, 0):
            gate.actions.pop().allow()
            self.settle()
            self.assertEqual(socket.getInboundBackpressure(), expected)
        self.assertEqual(socket.inboundReceivedMessageCount, socket.inboundProcessedMessageCount)

    def test_outbound(self) -> None:
        """
        G125: Right after a publication to a subscribed socket the outbound back-pressure is at least one.
        """
        client, socket = self.connect()
        client.subscribe("news")
        sent = socket.outboundSentMessageCount
        self.server.exchange.transmitPublish("news", 1)
        self.assertEqual((socket.getOutboundBackpressure(), socket.outboundPreparedMessageCount), (1, sent + 1))
        self.settle()
        self.assertEqual((socket.getOutboundBackpressure(), socket.outboundSentMessageCount), (0, sent + 1))

    def test_streams(self) -> None:
        """
        G126: The back-pressure is the greatest of all, streams included.
        """
        client, socket = self.connect()
        streams = (socket.listener("raw"), socket.receiver("x"), socket.procedure("x"))
        consumers = [stream.createConsumer() for stream in streams]
        client.send("raw", {"event": "x"}, {"event": "x"}, *[{"event": "x", "cid": n} for n in range(3)])
        self.assertEqual(socket.getAllListenersBackpressure(), 1)
        self.assertEqual(socket.getAllReceiversBackpressure(), 2)
        self.assertEqual((socket.getAllProceduresBackpressure(), socket.getBackpressure()), (3, 3))
        for consumer in consumers:
            consumer.kill()
        self.assertEqual(socket.getBackpressure(), 0)

    def test_killed(self) -> None:
        """
        Killing the input drops what waits, and counts it as done; killing the output drops what waits there.
        """
        client, socket = self.connect()
        client.subscribe("news")
        inbound, outbound = Gate(), Gate()
        self.server.setMiddleware("inbound", inbound)
        self.server.setMiddleware("outbound", outbound)
        received = self.values(socket.receiver("x"))
        client.send(*[{"event": "x", "data": number} for number in range(4)])
        self.server.exchange.transmitPublish("news", 1)
        socket.transmit("y")
        call = socket.invoke("z")
        self.settle()
        socket.killIO()
        inbound.actions[0].allow()
        outbound.actions[0].allow()
        self.settle()
        self.assertEqual((received, socket.getInboundBackpressure(), socket.getOutboundBackpressure()), ([0], 0, 0))
        self.failureResultOf(call, BadConnectionError)
        self.assertEqual([packet for packet in client.packets if packet.get("event") == "y"], [])


class BatchingTests(ServerTestCase):
    """
    Several packets in one message.
    """

    def test_onHandshake(self) -> None:
        """
        H131: With C{batchOnHandshake} the handshake's answer goes out alone, and what follows as arrays, for a while.
        """
        server = self.makeServer(batchOnHandshake=True, batchOnHandshakeDuration=400, batchInterval=50)
        client, socket = self.connect(server)
        self.assertEqual([packet["rid"] for packet in client.takePackets()], [1])
        for number in range(20):
            client.send({"event": "#subscribe", "data": {"channel": f"c{number}"}, "cid": 10 + number})
        self.assertEqual(
            (client.takePackets(), socket.getOutboundBackpressure(), socket.isBufferingBatch), ([], 20, True)
        )
        self.clock.advance(0.05)
        self.assertEqual(client.takePackets(), [[{"rid": 10 + number} for number in range(20)]])
        self.clock.advance(0.2)
        socket.transmit("x")
        self.clock.advance(0.2)
        self.assertEqual(client.takePackets(), [[{"event": "x"}]])
        socket.transmit("y")
        self.assertEqual((client.takePackets(), socket.isBufferingBatch), ([{"event": "y"}], False))

    def test_onHandshakeAndGone(self) -> None:
        """
        Of a client that goes while its socket batches no timer is left.
        """
        server = self.makeServer(batchOnHandshake=True, batchOnHandshakeDuration=10**9, pingTimeoutDisabled=True)
        client, _ = self.connect(server)
        client.disconnect()
        self.clock.advance(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_onHandshakeAndBatching(self) -> None:
        """
        An application that has started batching meanwhile goes on with it.
        """
        server = self.makeServer(batchOnHandshake=True, batchOnHandshakeDuration=100)
        client, socket = self.connect(server)
        socket.startBatching()
        self.assertTrue(socket.isBatching)
        for _ in range(10):
            self.clock.advance(0.05)
        self.assertTrue(socket.isBufferingBatch)

    def test_order(self) -> None:
        """
        H132: Publications are batched too, in order with the rest.
        """
        client, socket = self.connect()
        client.subscribe("news")
        client.takePackets()
        socket.startBatching()
        socket.transmit("a")
        self.server.exchange.transmitPublish("news", 1)
        socket.transmit("b")
        self.clock.advance(0.05)
        self.assertEqual([packet["event"] for packet in client.takePackets()[0]], ["a", "#publish", "b"])
        socket.transmit("c")
        socket.stopBatching()
        self.assertEqual(client.takePackets(), [[{"event": "c"}]])

    def test_byHand(self) -> None:
        """
        A batch can be started, flushed and cancelled by hand.
        """
        client, socket = self.connect()
        client.takePackets()
        socket.startBatch()
        socket.transmit("a")
        socket.flushBatch()
        socket.transmit("b")
        socket.startBatch()
        socket.transmit("c")
        socket.cancelBatch()
        socket.startBatching()
        socket.transmit("d")
        socket.cancelBatching()
        self.assertEqual(client.takePackets(), [[{"event": "a"}], {"event": "b"}])

    def test_cloneData(self) -> None:
        """
        With C{cloneData}, data may be changed as soon as it was given to the socket, also while it waits for a batch.
        """
        for cloneData, expected in ((True, [1]), (False, [1, 2])):
            self.server.options.cloneData = cloneData
            client, socket = self.connect()
            client.takePackets()
            socket.startBatch()
            told, asked = [1], [1]
            socket.transmit("told", told)
            socket.invoke("asked", asked).addErrback(lambda _: None)
            told.append(2)
            asked.append(2)
            socket.flushBatch()
            self.server.turns.run()
            self.assertEqual([packet["data"] for packet in client.takePackets()[0]], [expected, expected])

    def test_options(self) -> None:
        """
        A socket has the server's options of batching until it is given its own.
        """
        client, socket = self.connect()
        found = (socket.batchOnHandshake, socket.batchOnHandshakeDuration, socket.batchInterval, socket.cloneData)
        self.assertEqual(found, (False, 400, 50, False))
        socket.batchInterval = 100
        socket.startBatching()
        socket.batchInterval = 200
        client.takePackets()
        socket.transmit("x")
        self.clock.advance(0.1)
        self.assertEqual(len(client.takePackets()), 1)
        socket.transmit("x")
        self.clock.advance(0.1)
        self.assertEqual(client.takePackets(), [])
        self.clock.advance(0.1)
        self.assertEqual(len(client.takePackets()), 1)

    def test_optionsInHandshake(self) -> None:
        """
        The C{handshake} event is the place to let a single socket batch on its handshake.
        """

        def choose(event: Any) -> None:
            event.socket.batchOnHandshake = True
            event.socket.batchOnHandshakeDuration = 100

        self.collect(self.server.listener("handshake"), choose)
        client, socket = self.connect()
        self.assertTrue(socket.isBufferingBatch)
        self.clock.advance(0.11)
        self.assertFalse(socket.isBufferingBatch)

    def test_leaves(self) -> None:
        """
        A client that leaves takes its batch with it, and no timer stays.
        """
        client, socket = self.connect(self.makeServer(batchOnHandshake=True, pingTimeoutDisabled=True))
        socket.startBatching()
        socket.transmit("x")
        client.disconnect()
        for _ in range(20):
            self.clock.advance(0.1)
        self.assertEqual(
            (socket.isBatching, socket.isBufferingBatch, socket.getOutboundBackpressure()), (False, False, 0)
        )
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.getTime() < 9], [])


class TurnTests(ServerTestCase):
    """
    When the application is woken.
    """

    def test_notInsideReceiving(self) -> None:
        """
        Consumers are never run while a message is being taken in hand; they find all that came in the turn.
        """
        client, socket = self.connect()
        received = self.values(socket.receiver("x"))
        socket.messageReceived(b'{"event":"x","data":1}', False)
        socket.messageReceived(b'{"event":"x","data":2}', False)
        self.assertEqual(received, [])
        self.server.turns.run()
        self.assertEqual(received, [1, 2])

    def test_oneWrite(self) -> None:
        """
        The answers of a turn leave in one write.
        """
        client, socket = self.connect()
        self.collect(socket.procedure("x"), lambda request: request.end(request.data))
        transport: Any = socket.socket
        written: list[bytes] = []
        transport.write = written.append
        client.send(*[{"event": "x", "cid": number, "data": number} for number in range(5)])
        self.assertEqual(len(written), 1)
        self.assertEqual(written[0].count(b"rid"), 5)

    def test_others(self) -> None:
        """
        What one client waits for keeps no other from being served.
        """
        self.server.setMiddleware("inbound", decider(lambda action: None, "transmit"))
        stuck, free = connect(self.server), connect(self.server)
        stuck.transmit("x")
        free.subscribe("news")
        self.successResultOf(free.publish("news", 1))


class SlowConsumerTests(ServerTestCase):
    """
    Clients that do not read.
    """

    def setUp(self) -> None:
        """
        Have a client that does not read, and one that does.
        """
        super().setUp()
        self.server = self.makeServer(outboundBufferLimit=1000, outboundBufferGrace=5000)
        self.client, self.socket = self.connect()
        self.other, _ = self.connect()
        transport: Any = self.socket.socket
        self.outbox = transport.outbox
        self.outbox.pauseProducing()
        self.seen = self.record(self.server, "slowConsumer")

    def test_recovers(self) -> None:
        """
        A client that is over the limit and reads again within its grace time loses nothing.
        """
        self.socket.transmit("x", "a" * 1100)
        self.socket.transmit("y")
        self.clock.advance(4)
        self.outbox.resumeProducing()
        self.clock.advance(4)
        self.assertEqual([packet.get("event") for packet in self.client.packets[1:]], ["x", "y"])
        self.assertEqual((self.client.state, self.seen), ("open", []))

    def test_graceOver(self) -> None:
        """
        One that does not is closed as a slow consumer: the event tells how much waited, and nobody else notices.
        """
        self.socket.transmit("x", "a" * 1100)
        self.clock.advance(4.9)
        self.assertEqual((self.socket.state, self.server.counters.slowConsumers), ("open", 0))
        self.clock.advance(0.2)
        self.assertEqual(self.server.counters.slowConsumers, 1)
        self.assertEqual((self.socket.state, self.other.state), ("closed", "open"))
        self.assertIs(self.seen[0][1].socket, self.socket)
        self.assertGreater(self.seen[0][1].waitingBytes, 1000)
        self.assertEqual(self.outbox.waitingBytes, 0)

    def test_farOver(self) -> None:
        """
        Far over the limit there is no grace time, and what would go so far does not wait.
        """
        self.socket.transmit("x", "a" * 1200)
        self.settle()
        waiting = self.outbox.waitingBytes
        self.socket.transmit("x", "a" * 400)
        self.settle()
        self.assertEqual((self.socket.state, len(self.seen)), ("closed", 1))
        self.assertEqual((self.seen[0][1].waitingBytes, self.outbox.waitingBytes), (waiting, 0))

    def test_atOnce(self) -> None:
        """
        So it is for a single frame that is far too long.
        """
        self.socket.transmit("x", "a" * 2000)
        self.settle()
        self.assertEqual((self.socket.state, len(self.seen)), ("closed", 1))


class VersionTests(ServerTestCase):
    """
    A server that takes both versions of the protocol.
    """

    def test_found(self) -> None:
        """
        A client shows its version by its first pong; from then on it gets its own kind of pings.
        """
        server = self.makeServer(protocolVersion="auto")
        for version in (1, 2):
            client, socket = self.connect(server, protocolVersion=version)
            for _ in range(5):
                self.clock.advance(8.1)
            self.assertEqual((socket.protocolVersion, client.state), (version, "open"))
            self.assertGreater(client.pingCount, 2)
