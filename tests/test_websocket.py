"""
Tests of L{agtwisted.websocket}.
"""

from __future__ import annotations

import gc
import json
import socket as sockets
import weakref
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.websocket.compress import (
    PerMessageDeflateOffer,
    PerMessageDeflateResponse,
    PerMessageDeflateResponseAccept,
)
from twisted.internet.defer import Deferred
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump
from twisted.test.iosim import connect as connectThroughPump
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from agtwisted import AGServer, shortcuts, websocket
from agtwisted.interfaces import ITransport
from agtwisted.websocket import internals
from tests.server.support import Gate, ServerTestCase, decider, names
from tests.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    RawClient,
    clientFrame,
    closeFrame,
    frames,
    joinThrough,
    packet,
    takeAll,
    upgradeRequest,
)


class WebSocketTestCase(ServerTestCase):
    """
    Tests with clients that speak in bytes.
    """

    def raw(self, server: AGServer | None = None, site: Any = None) -> RawClient:
        """
        @return: a client that has a TCP connection.
        """
        return RawClient((server or self.server).websocketFactory(site), self.clock)

    def joined(self, server: AGServer | None = None) -> tuple[RawClient, Any]:
        """
        @return: a client that has completed both handshakes, and its socket.
        """
        server = server or self.server
        before = set(server.clients)
        client = self.raw(server)
        client.join()
        (id,) = set(server.clients) - before
        return client, server.clients[id]


class UpgradeTests(WebSocketTestCase):
    """
    The WebSocket handshake.
    """

    def test_accepted(self) -> None:
        """
        A clean upgrade is accepted as RFC 6455 wants it; the request is known to the socket.
        """
        client = self.raw()
        answer = client.open(path="/socketcluster/?a=1", X_Extra="x")
        self.assertTrue(answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"), answer)
        self.assertIn(b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", answer)
        self.assertTrue(answer.endswith(b"\r\n\r\n"))
        (socket,) = self.server.pendingClients.values()
        self.assertEqual((socket.request.url, socket.request.path), ("/socketcluster/?a=1", "/socketcluster/"))
        self.assertEqual(socket.request.headers["x-extra"], "x")
        self.assertEqual((socket.remoteAddress, socket.remotePort, socket.remoteFamily), ("192.0.2.1", 5000, "IPv4"))
        self.assertTrue(verifyObject(ITransport, socket.socket))
        self.assertFalse(client.isClosing)

    def test_dripping(self) -> None:
        """
        The request may come byte by byte.
        """
        client = self.raw()
        client.send(*[bytes((byte,)) for byte in upgradeRequest()])
        self.assertTrue(client.take().startswith(b"HTTP/1.1 101"))

    def test_heardOfInTime(self) -> None:
        """
        Who hears of a new socket gets to listen to it before anything comes of what it receives, also when that is there
        in the same turn: a usual frame, one that comes through raw middleware, one that is unusual.
        """

        async def allow(stream: Any) -> None:
            async for action in stream:
                action.allow()

        handshake = packet("#handshake", {}, 1)
        for isRaw, data, event in (
            (False, handshake, "connect"),
            (True, handshake, "connect"),
            (False, handshake[:3], ""),
            (False, closeFrame(1000), "connectAbort"),
        ):
            server = self.makeServer()
            if isRaw:
                server.setMiddleware(server.MIDDLEWARE_INBOUND_RAW, allow)
            self.settle()
            seen: list[str] = []

            def hear(event: Any, seen: list[str] = seen) -> None:
                for name in ("connect", "connectAbort"):
                    self.collect(event.socket.listener(name), lambda _, name=name: seen.append(name))

            self.collect(server.listener("handshake"), hear)
            client = self.raw(server)
            client.protocol.dataReceived(upgradeRequest())
            client.protocol.dataReceived(data)
            self.settle()
            self.assertEqual(seen, [event] if event else [], data)

    def refused(self, request: bytes, status: int, server: AGServer | None = None) -> bytes:
        """
        Check that a request is refused.

        @return: the answer's body.
        """
        client = self.raw(server)
        client.send(request)
        head, _, body = client.take().partition(b"\r\n\r\n")
        self.assertEqual(int(head.split()[1]), status, (request, head))
        self.assertTrue(client.isClosing)
        self.assertIn(f"Content-Length: {len(body)}".encode(), head)
        client.lose()
        self.assertEqual((server or self.server).pendingClients, {})
        return body

    def test_refused(self) -> None:
        """
        What is no clean upgrade is refused, each with its status.
        """
        for request, status in (
            (upgradeRequest(path="/socketcluster"), 400),
            (upgradeRequest(path="/socketcluster/x"), 400),
            (upgradeRequest(path="/Socketcluster/"), 400),
            (upgradeRequest(path="http://localhost/socketcluster/"), 400),
            (upgradeRequest(method="POST"), 405),
            (upgradeRequest(version="1.0"), 400),
            (upgradeRequest(host=None), 400),
            (upgradeRequest(connection="close"), 400),
            (upgradeRequest(sec_websocket_key="short"), 400),
            (upgradeRequest(sec_websocket_version="7"), 400),
            (upgradeRequest(content_length="5"), 400),
            (upgradeRequest(transfer_encoding="chunked"), 400),
            (b"rubbish\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
            (upgradeRequest(x="y" * 9000), 431),
            (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 200 + b"\r\n", 431),
            (b"x" * 20000, 431),
            (upgradeRequest(upgrade=None), 501),
            (upgradeRequest(upgrade="h2c"), 501),
        ):
            self.refused(request, status)

    def test_endless(self) -> None:
        """
        A head that does not end is refused when it is too large, not before.
        """
        client = self.raw()
        client.send(b"GET / HTTP/1.1\r\n", *[b"x: " + b"y" * 1000 + b"\r\n"] * 15)
        self.assertEqual(client.take(), b"")
        client.send(*[b"x: " + b"y" * 1000 + b"\r\n"] * 3)
        self.assertTrue(client.take().startswith(b"HTTP/1.1 431 "))

    def test_origin(self) -> None:
        """
        An origin that may not connect is refused with 403.
        """
        server = self.makeServer(origins="good.example:*")
        body = self.refused(upgradeRequest(origin="http://bad.example"), 403, server)
        self.assertIn(b"Invalid origin: http://bad.example", body)
        client = self.raw(server)
        self.assertTrue(client.open(origin="http://good.example").startswith(b"HTTP/1.1 101"))

    def test_middleware(self) -> None:
        """
        What middleware blocks is refused with 401.
        """
        self.server.setMiddleware("handshake", decider(lambda action: action.block(ValueError("not you"))))
        self.assertEqual(self.refused(upgradeRequest(), 401), b"not you")

    def test_bug(self) -> None:
        """
        When verifying fails for no fault of the client, it is refused with 500 and the failure logged.
        """

        async def broken(request: Any) -> None:
            raise ZeroDivisionError

        self.patch(self.server, "verifyHandshake", broken)
        self.patch(self.server, "verifiesHandshakeAtOnce", lambda request: False)
        self.refused(upgradeRequest(), 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_slowMiddleware(self) -> None:
        """
        While middleware takes its time nothing is lost: what comes is taken in hand afterwards, in order.
        """
        gate = Gate("handshakeWS")
        self.server.setMiddleware("handshake", gate)
        client = self.raw()
        client.send(upgradeRequest() + packet("#handshake", {}, 1), packet("#subscribe", {"channel": "x"}, 2))
        self.assertEqual(client.take(), b"")
        gate.actions[0].allow()
        self.settle()
        head, _, rest = client.take().partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 101"))
        self.assertEqual([json.loads(payload)["rid"] for _, payload in frames(rest)], [1, 2])

    def test_impatient(self) -> None:
        """
        Whoever sends much before its request is answered is read on once it has been, and has lost nothing.
        """
        for verdict, status in (("allow", b"101"), ("block", b"401")):
            gate = Gate("handshakeWS")
            server = self.makeServer()
            server.setMiddleware("handshake", gate)
            client = self.raw(server)
            told: list[str] = []
            for name in ("pauseProducing", "resumeProducing"):
                self.patch(client.transport, name, partial(told.append, name))
            client.send(upgradeRequest() + packet("#handshake", {}, 1))
            client.send(*[packet("#publish", {"channel": "x", "data": "y" * 9000}, 2 + each) for each in range(4)])
            self.assertEqual((client.take(), told), (b"", ["pauseProducing"]))
            getattr(gate.actions[0], verdict)()
            self.settle()
            head, _, rest = client.take().partition(b"\r\n\r\n")
            self.assertEqual((head.split()[1], told), (status, ["pauseProducing", "resumeProducing"]))
            if verdict == "allow":
                self.assertEqual([json.loads(payload)["rid"] for _, payload in frames(rest)], [1, 2, 3, 4, 5])
            self.assertFalse(server.counters.limitsHit)

    def test_leavesWhileVerifying(self) -> None:
        """
        A client that leaves while middleware takes its time was never there, whatever middleware decides.
        """
        gate = Gate()
        self.server.setMiddleware("handshake", gate)
        for verdict in ("allow", "block"):
            client = self.raw()
            client.open()
            client.lose()
            getattr(gate.actions.pop(), verdict)()
            self.settle()
            self.assertEqual((self.server.pendingClients, client.take()), ({}, b""))

    def test_tooSlow(self) -> None:
        """
        A client that does not ask in time is dropped.
        """
        client = self.raw()
        client.send(b"GET ")
        self.clock.advance(9.9)
        self.assertFalse(client.isClosing)
        self.clock.advance(0.2)
        self.assertEqual((client.isClosing, client.take()), (True, b""))
        client.lose()

    def test_inTime(self) -> None:
        """
        Once the connection is open that time is over.
        """
        client, _ = self.joined()
        self.clock.advance(11)
        self.assertFalse(client.isClosing)

    def test_subprotocols(self) -> None:
        """
        Of the subprotocols offered the first is chosen, or the one that C{handleProtocols} chooses, if it was offered.
        """
        calls: list[Any] = []

        def choose(protocols: list[str], request: Any) -> Any:
            calls.append((protocols, request.path))
            return answers.pop()

        answers = ["b", "other", None]
        server = self.makeServer(handleProtocols=choose)
        self.assertIn(b"\r\nSec-WebSocket-Protocol: a\r\n", self.raw().open(sec_websocket_protocol="a, b"))
        self.assertNotIn(b"Protocol: ", self.raw(server).open(sec_websocket_protocol="a, b"))
        self.assertNotIn(b"Protocol: ", self.raw(server).open(sec_websocket_protocol="a, b"))
        self.assertIn(b"\r\nSec-WebSocket-Protocol: b\r\n", self.raw(server).open(sec_websocket_protocol="a, b"))
        self.assertNotIn(b"Protocol: ", self.raw(server).open())
        self.assertEqual(calls, [(["a", "b"], "/socketcluster/")] * 3)

    def test_extensions(self) -> None:
        """
        No extension is agreed on unless the server wants to compress.
        """
        answer = self.raw().open(sec_websocket_extensions="permessage-deflate")
        self.assertNotIn(b"Extensions", answer)

    def test_forwarded(self) -> None:
        """
        The address that trusted proxies tell is known, and is no replacement for the peer's own.
        """
        server = self.makeServer(forwardedForHops=1)
        self.raw(server).open(x_forwarded_for="198.51.100.7")
        (socket,) = server.pendingClients.values()
        self.assertEqual((socket.forwardedForAddress, socket.remoteAddress), ("198.51.100.7", "192.0.2.1"))


class FrameTests(WebSocketTestCase):
    """
    Frames, with the fast paths.
    """

    fast = True

    def setUp(self) -> None:
        """
        Switch the fast paths on or off, and have a client that listens for what is received.
        """
        super().setUp()
        self.assertTrue(internals.internalsAreThere())
        self.patch(websocket, "fastPaths", self.fast)
        self.client, self.socket = self.joined()
        self.received = self.values(self.socket.receiver("x"))

    def check(self, data: bytes, expected: list[Any]) -> None:
        """
        Send bytes in one chunk, byte by byte, and in random chunks: what is received is the same.
        """
        random = Random(7)
        cuttings = [[data], [bytes((byte,)) for byte in data]] if len(data) < 2000 else [[data]]
        for _ in range(10):
            cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(6)))
            cuttings.append([data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b])
        for chunks in cuttings:
            self.received.clear()
            self.client.send(*chunks)
            self.assertEqual(self.received, expected, [len(chunk) for chunk in chunks])
        self.assertFalse(self.client.isClosing)

    def test_one(self) -> None:
        """
        One message.
        """
        self.check(packet("x", "hello"), ["hello"])

    def test_several(self) -> None:
        """
        Several messages, with empty ones (pongs) among them.
        """
        self.check(b"".join(packet("x", n) + clientFrame("") for n in range(10)), list(range(10)))

    def test_sizes(self) -> None:
        """
        Messages of all sizes around the limits of headers, tables and fast paths.
        """
        overhead = len('{"event":"x","data":""}')
        for size in (
            0,
            100,
            101,
            102,
            103,
            104,
            125,
            126,
            127,
            128,
            129,
            4000,
            4090,
            4096,
            4100,
            16380,
            16384,
            16390,
            65535,
            65536,
            70000,
        ):
            texts = ["a" * max(0, size - overhead), "b"]
            self.check(b"".join(packet("x", text) for text in texts), texts)

    def test_masks(self) -> None:
        """
        Any mask, the one of zeros too.
        """
        for mask in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x00\x01\x02\x03"):
            for size in (1, 50, 500):
                frame = clientFrame(json.dumps({"event": "x", "data": "a" * size}), mask=mask)
                self.check(frame * 2, ["a" * size] * 2)

    def test_unicode(self) -> None:
        """
        Text beyond ASCII.
        """
        self.check(clientFrame('{"event":"x","data":"\u00e4\u20ac\U0001f600"}'), ["\u00e4\u20ac\U0001f600"])

    def test_fragments(self) -> None:
        """
        A message in fragments, control frames between them, and whole messages around them.
        """
        text = b'{"event":"x","data":"in fragments"}'
        data = packet("x", 1)
        data += clientFrame(text[:3], final=False) + clientFrame(b"ping", PING)
        data += clientFrame(text[3:9], CONTINUATION, final=False) + clientFrame(b"", PONG)
        data += clientFrame(text[9:], CONTINUATION)
        data += packet("x", 2)
        self.check(data, [1, "in fragments", 2])

    def test_pingPong(self) -> None:
        """
        A WebSocket ping is answered with its payload, behind what the socket has sent.
        """
        self.socket.transmit("before")
        self.client.send(clientFrame(b"payload", PING))
        self.assertEqual([opcode for opcode, _ in self.client.frames()], [TEXT, PONG])

    def test_binary(self) -> None:
        """
        Binary messages, between text.
        """
        self.check(packet("x", 1) + clientFrame(b'{"event":"x","data":2}', BINARY) + packet("x", 3), [1, 2, 3])

    def test_longForms(self) -> None:
        """
        A length in a form that is longer than needed closes with 1002.
        """
        text = b'{"event":"x","data":1}'
        for head in (b"\x81\xfe" + len(text).to_bytes(2, "big"), b"\x81\xff" + len(text).to_bytes(8, "big")):
            client, socket = self.joined()
            client.send(head + b"\0\0\0\0" + text)
            self.closes(client, socket, 1002)

    def closes(self, client: RawClient, socket: Any, code: int) -> None:
        """
        Check that the server has closed with a code, and that its socket knows.
        """
        closing = [payload for opcode, payload in client.frames() if opcode == CLOSE]
        self.assertEqual([int.from_bytes(payload[:2], "big") for payload in closing], [code])
        self.assertEqual((socket.state, self.server.clients.get(socket.id)), ("closed", None))

    def test_illegal(self) -> None:
        """
        Illegal frames close with 1002; what came before them has been processed, what comes behind is not.
        """
        for frame in (
            clientFrame("{}", mask=None),
            clientFrame("{}", rsv=4),
            clientFrame("{}", rsv=1),
            clientFrame("{}", opcode=3),
            clientFrame("{}", opcode=11),
            clientFrame("{}", opcode=CONTINUATION),
            clientFrame("a", final=False) + clientFrame("b"),
            clientFrame(b"x" * 126, PING),
            clientFrame(b"x", PING, final=False),
            clientFrame(b"x", CLOSE),
            closeFrame(1005),
            closeFrame(999),
            closeFrame(5000),
        ):
            client, socket = self.joined()
            received = self.values(socket.receiver("x"))
            closed = self.record(self.server, "closure")
            client.send(packet("x", 1) + frame + packet("x", 2))
            self.assertEqual(received, [1], frame)
            self.closes(client, socket, 1002)
            self.assertEqual([event.code for _, event in closed], [1002])

    def test_invalidUTF8(self) -> None:
        """
        Text that is no UTF-8 closes with 1007: in one frame, in fragments, in a close frame; JSON or not.
        """
        for frame in (
            clientFrame(b"\xff"),
            clientFrame(b'{"event":"x","data":"\xff"}'),
            clientFrame(b"\xed\xa0\x80"),
            clientFrame(b"a" * 20000 + b"\xff"),
            clientFrame(b"\xc3", final=False) + clientFrame(b"(", CONTINUATION),
            closeFrame(1000, b"\xff"),
        ):
            client, socket = self.joined()
            client.send(frame)
            self.closes(client, socket, 1007)

    def test_tooLarge(self) -> None:
        """
        A message over C{maxPayload} closes with 1009, decided on the length that is declared; one of just that size is
        served.
        """
        self.server = self.makeServer(maxPayload=1000)
        exact = '{"event":"x","data":"' + "a" * (1000 - len('{"event":"x","data":""}')) + '"}'
        for frame, isServed in (
            (clientFrame(exact), True),
            (clientFrame(exact[:500], final=False) + clientFrame(exact[500:], CONTINUATION), True),
            (clientFrame(exact + " "), False),
            (clientFrame(exact + " ")[:20], False),
            (clientFrame("a" * 70000)[:20], False),
            (clientFrame(exact, final=False) + clientFrame(" ", CONTINUATION), False),
        ):
            client, socket = self.joined()
            received = self.values(socket.receiver("x"))
            client.send(frame)
            self.assertEqual(len(received), isServed)
            if not isServed:
                self.closes(client, socket, 1009)
        self.assertEqual(dict(self.server.counters.limitsHit), {"maxPayload": 4})

    def test_closedByClient(self) -> None:
        """
        A client's close frame is answered with its code, behind what the socket has sent; then TCP is closed, and the
        socket knows code and reason.
        """
        closed = self.record(self.server, "closure")
        self.socket.transmit("last")
        self.client.send(packet("x", 1) + closeFrame(4444, b"bye") + packet("x", 2))
        sent = self.client.frames()
        self.assertEqual([opcode for opcode, _ in sent], [TEXT, CLOSE])
        self.assertEqual(sent[1][1][:2], (4444).to_bytes(2, "big"))
        self.assertEqual((closed[0][1].code, closed[0][1].reason), (4444, "bye"))
        self.assertEqual((self.received, self.client.isClosing), ([1], True))
        self.client.lose()
        self.assertEqual(len(closed), 1)

    def test_closedWithoutCode(self) -> None:
        """
        A close frame without a code is 1005 for the application.
        """
        closed = self.record(self.server, "closure")
        self.client.send(closeFrame())
        self.assertEqual((self.client.frames(), closed[0][1].code), ([(CLOSE, b"")], 1005))
        self.assertTrue(self.client.isClosing)

    def test_hungUp(self) -> None:
        """
        A connection that just goes is 1006, in the midst of a frame too.
        """
        for rest in (b"", packet("x", 1)[:9]):
            client, socket = self.joined()
            closed = self.record(self.server, "closure")
            client.send(rest)
            client.lose()
            self.assertEqual((closed[0][1].code, closed[0][1].reason), (1006, "Socket hung up"))

    def test_closedByServer(self) -> None:
        """
        The server closes behind what was sent; the client's answer closes TCP, and without one time does.
        """
        for answer in (closeFrame(4500), None):
            client, socket = self.joined()
            socket.transmit("last")
            socket.disconnect(4500, "enough")
            sent = client.frames()
            self.assertEqual([opcode for opcode, _ in sent], [TEXT, CLOSE])
            self.assertEqual(sent[1][1], (4500).to_bytes(2, "big") + b"enough")
            self.assertFalse(client.isClosing)
            if answer is None:
                self.clock.advance(30.1)
            else:
                client.send(answer)
            self.assertTrue(client.isClosing)
            client.lose()

    def test_closedInMidFrame(self) -> None:
        """
        A client in the midst of a frame when the server closes still gets to answer the close.
        """
        # The rest, taken by itself, would look like the start of a long frame.
        frame = clientFrame(b'"half' + b"\x82\xfe\x7f\xff" + b"a" * 50 + b'"', mask=b"\0\0\0\0")
        start = frame.index(b"\x82\xfe\x7f")
        self.client.send(frame[:start])
        self.socket.disconnect(4500)
        self.client.take()
        self.client.send(frame[start:] + closeFrame(4500))
        self.assertTrue(self.client.isClosing)
        self.assertEqual((self.received, self.client.frames()), ([], []))

    def test_closedWhileReceiving(self) -> None:
        """
        What comes in the same chunk behind a packet that ends the connection is not processed.
        """
        self.client.send(packet("x", 1) + packet("#authenticate", 1) + packet("x", 2))
        self.assertEqual(self.received, [1])
        self.closes(self.client, self.socket, 4008)

    def test_longReason(self) -> None:
        """
        A reason that is too long for a close frame is cut, and no character in two.
        """
        self.socket.disconnect(4500, "a" + "\u00e4" * 100)
        (frame,) = self.client.frames()
        self.assertEqual(frame[1][2:].decode(), "a" + "\u00e4" * 61)

    def test_terminated(self) -> None:
        """
        C{terminate} drops the connection without a close frame.
        """
        closed = self.record(self.server, "closure")
        gone = self.socket.socket.whenLost()
        self.socket.terminate()
        self.assertEqual((self.client.frames(), self.client.isClosing), ([], True))
        self.assertNoResult(gone)
        self.client.lose()
        self.successResultOf(gone)
        self.successResultOf(self.socket.socket.whenLost())
        self.assertEqual(closed[0][1].code, 1006)

    def test_notOpen(self) -> None:
        """
        Once it is not open any more, nothing is written and closing again changes nothing.
        """
        transport = self.socket.socket
        self.socket.disconnect(4500)
        self.client.take()
        self.assertFalse(transport.isOpen)
        transport.write(b"late")
        transport.close(4501, None)
        self.assertEqual(self.client.take(), b"")

    def test_counts(self) -> None:
        """
        The bytes that have come are counted.
        """
        before = self.socket.getBytesReceived()
        frame = packet("x", 1)
        self.client.send(frame[:5], frame[5:])
        self.assertEqual(self.socket.getBytesReceived() - before, len(frame))

    def test_ping(self) -> None:
        """
        SocketCluster's ping is an empty text frame.
        """
        self.clock.advance(8.1)
        self.assertEqual(self.client.frames(), [(TEXT, b"")])

    def test_sent(self) -> None:
        """
        What the server sends are plain frames of any length: text, and bytes as binary.
        """
        for size in (0, 125, 126, 65535, 65536):
            self.socket.send("a" * size)
            self.socket.send(b"b" * size)
            self.assertEqual(self.client.frames(), [(TEXT, b"a" * size), (BINARY, b"b" * size)])


class OrdinaryFrameTests(FrameTests):
    """
    The same without the fast paths.
    """

    fast = False


class PartingTests(WebSocketTestCase):
    """
    What is left of a connection that is gone.
    """

    def test_freedAtOnce(self) -> None:
        """
        A connection is freed when it ends, however it ends, and not by the garbage collector: that would have to look
        through everything for what thousands of clients leave behind.
        """

        async def echo(socket: Any) -> None:
            async for request in socket.procedure("echo"):
                request.end(request.data)

        async def connections() -> None:
            async for event in self.server.listener("connection"):
                Deferred.fromCoroutine(echo(event.socket))
                del event  # else the loop holds the latest socket

        Deferred.fromCoroutine(connections())
        ends: list[Callable[[RawClient, Any], object]] = [
            lambda client, socket: None,
            lambda client, socket: client.send(closeFrame(1000)),
            lambda client, socket: (socket.disconnect(), client.send(closeFrame(1000))),
            lambda client, socket: client.send(clientFrame(b"\x03", CLOSE)),
        ]
        for end in ends:
            for _ in range(2):  # whatever is made only once is made in the first round
                client, socket = self.joined()
                client.send(packet("echo", 1, 2), packet("#subscribe", {"channel": "a"}, 3))
                gone = [weakref.ref(socket), weakref.ref(client.protocol)]
                gc.collect()
                gc.disable()
                self.addCleanup(gc.enable)
                end(client, socket)
                client.lose()
                vars(client.transport).clear()  # as Twisted's transports let their protocol go
                del client, socket
                self.clock.advance(0)
                self.assertEqual([each() for each in gone], [None, None])
                gc.enable()


class DirectTests(WebSocketTestCase):
    """
    A real TCP transport, which the kernel is asked first.
    """

    def setUp(self) -> None:
        """
        Join two sockets: one of the server's, and one of the test's.
        """
        self.patch(websocket, "fastPaths", True)
        self.clock = WritersClock()
        self.server = self.makeServer()
        ours, self.peer = sockets.socketpair()
        self.peer.setblocking(False)
        ours.setblocking(False)
        self.addCleanup(self.peer.close)
        self.addCleanup(ours.close)
        ours.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 4096)
        self.protocol = joinThrough(self.server.websocketFactory(), ours, self.clock)
        self.transport = self.protocol.transport
        self.settle()
        (self.socket,) = self.server.clients.values()
        self.read()

    def read(self) -> bytes:
        """
        @return: what has come.
        """
        self.settle()
        return takeAll(self.peer)

    def test_direct(self) -> None:
        """
        What the kernel takes at once is never buffered.
        """
        self.socket.transmit("x")
        self.assertEqual(frames(self.read()), [(TEXT, b'{"event":"x"}')])
        self.assertEqual((self.transport.dataBuffer, self.transport._tempDataBuffer), (b"", []))

    def test_reading(self) -> None:
        """
        What has come is taken from the kernel without the transport's help: short and long messages, alone or together;
        that there is nothing, or nobody any more, is told as the transport would tell it.
        """
        heard: list[Any] = []

        async def hear() -> None:
            async for value in self.socket.receiver("x"):
                heard.append(value)

        Deferred.fromCoroutine(hear())
        self.assertIsNone(self.transport.doRead())
        expected = []
        # Who sends much for the first time is read twice, and then more at once.
        for reads, *sizes in ((1, 1), (1, 90, 100), (1, 102), (1, 103), (1, 110), (2, 1000), (1, 2000), (1, 300, 5), (1, 9)):
            self.peer.send(b"".join(packet("x", "a" * size) for size in sizes))
            for _ in range(reads):
                self.assertEqual(len(heard), len(expected))
                self.assertIsNone(self.transport.doRead())
                self.settle()
            expected += ["a" * size for size in sizes]
            self.assertEqual(heard, expected)
        self.peer.close()
        self.assertIs(self.transport.doRead(), CONNECTION_DONE)
        self.patch(self.protocol, "_receive", self.broken)
        self.assertIs(self.protocol._read(), CONNECTION_LOST)

    @staticmethod
    def broken(size: int) -> bytes:
        """
        The connection was reset.
        """
        raise ConnectionResetError(104, "Connection reset by peer")

    def test_order(self) -> None:
        """
        What the kernel does not take waits, and no message that follows overtakes it; nor does the close frame. A pong
        may come between messages, and not into one.
        """
        big = "a" * 1_000_000
        self.socket.transmit("x", big)
        self.settle()
        self.assertTrue(self.transport.dataBuffer or self.transport._tempDataBuffer)
        self.socket.transmit("y")
        self.protocol.dataReceived(clientFrame(b"p", PING))
        self.clock.advance(8.1)
        self.socket.disconnect(4500)
        got = b""
        for _ in range(10000):
            got += self.read()
            if not (self.transport.dataBuffer or self.transport._tempDataBuffer):
                break
            self.transport.doWrite()
        got += self.read()
        found = frames(got)
        self.assertEqual([opcode for opcode, _ in found if opcode != PONG], [TEXT, TEXT, TEXT, CLOSE])
        self.assertEqual([payload for opcode, payload in found if opcode == PONG], [b"p"])
        self.assertEqual(
            [payload for _, payload in found if len(payload) < 20 and payload != b"p"][:2], [b'{"event":"y"}', b""]
        )
        self.assertEqual(json.loads(found[0][1])["data"], big)

    def test_hungUp(self) -> None:
        """
        A client that hangs up when many do is cleaned up after in a later turn; until then, nothing is sent to it.
        """
        moment = iter(range(1_000_000))
        cleaning: Any = self.server.cleaning
        cleaning._seconds = lambda: next(moment)
        self.assertTrue(cleaning.mayGoOn())
        self.peer.close()
        self.assertIsNone(self.transport.doRead())
        self.socket.transmit("x")
        self.socket.flush()
        self.assertFalse(self.transport.dataBuffer or self.transport._tempDataBuffer)
        self.assertEqual(self.server.clientsCount, 1)
        self.settle()
        self.assertEqual((self.server.clientsCount, self.socket.state), (0, "closed"))
        self.assertTrue(self.transport.disconnected)

    def test_hungUpWhilePolled(self) -> None:
        """
        Where turns are polls, nobody looks at the connection again: it ends at once.
        """
        self.server.turns.isPolled = True
        self.peer.close()
        self.assertIsNone(self.transport.doRead())
        self.assertEqual((self.server.clientsCount, self.socket.state), (0, "closed"))
        self.assertTrue(self.transport.disconnected)

    def test_handedOn(self) -> None:
        """
        While the transport has something to send, nothing is offered to the kernel before it; afterwards it is again.
        """
        outbox = self.socket._outbox
        self.socket.transmit("x")
        self.read()
        self.assertIsNotNone(outbox.send)
        self.socket.transmit("x", "a" * 1_000_000)
        self.settle()
        self.assertIsNone(outbox.send)
        self.socket.transmit("y")
        self.settle()
        got = b""
        while self.transport.dataBuffer or self.transport._tempDataBuffer:
            got += self.read()
            self.transport.doWrite()
        self.socket.transmit("z")
        got += self.read()
        self.assertEqual([payload for _, payload in frames(got)][1:], [b'{"event":"y"}', b'{"event":"z"}'])
        self.assertIsNotNone(outbox.send)

    def test_sendsNoMore(self) -> None:
        """
        However a connection ends, nothing is offered to the kernel afterwards.
        """
        ends: list[Callable[[], object]] = [
            lambda: self.socket.disconnect(),
            lambda: self.socket.terminate(),
            lambda: self.protocol.dataReceived(closeFrame(1000)),
            lambda: self.protocol.dataReceived(clientFrame(b"x", 0x3)),
            lambda: self.protocol.connectionLost(Failure(CONNECTION_DONE)),
        ]
        for end in ends:
            self.setUp()
            outbox = self.socket._outbox
            self.socket.transmit("x")
            self.read()
            self.assertIsNotNone(outbox.send)
            end()
            self.assertIsNone(outbox.send)

    def test_hungUpAlone(self) -> None:
        """
        Else that happens at once, as with any other transport.
        """
        self.peer.close()
        self.assertIs(self.transport.doRead(), CONNECTION_DONE)

    def test_broken(self) -> None:
        """
        A broken connection is the transport's to find out.
        """
        self.peer.close()
        self.socket.transmit("x")
        self.settle()
        self.socket.transmit("y")
        self.settle()
        self.assertTrue(self.transport.dataBuffer or self.transport._tempDataBuffer)


class WritersClock(Clock):
    """
    A clock that a TCP transport takes for a reactor.
    """

    def addReader(self, reader: object) -> None:
        """
        The test reads.
        """

    removeReader = addWriter = removeWriter = addReader


class DeflatingClient(WebSocketClientProtocol):  # type: ignore[misc]
    """
    Autobahn's client, which remembers messages.
    """

    def onOpen(self) -> None:
        """
        Introduce itself.
        """
        self.received: list[bytes] = []
        self.sendMessage(b'{"event":"#handshake","cid":1}')

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """
        Remember it.
        """
        self.received.append(payload)


class DeflateTests(WebSocketTestCase):
    """
    C{permessage-deflate}, with Autobahn's client.
    """

    def connectDeflating(self, offer: bool = True, **options: Any) -> tuple[Any, IOPump]:
        """
        @return: a client, and what moves bytes between it and the server.
        """
        self.server = self.makeServer(**options)
        factory = WebSocketClientFactory("ws://localhost/socketcluster/", reactor=self.clock)
        factory.protocol = DeflatingClient
        factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0, serverConnectionDropTimeout=0)
        if offer:
            factory.setProtocolOptions(
                perMessageCompressionOffers=[PerMessageDeflateOffer()], perMessageCompressionAccept=acceptDeflate
            )
        serverSide = self.server.websocketFactory().buildProtocol(None)
        client = factory.buildProtocol(None)
        pump = connectThroughPump(serverSide, FakeTransport(serverSide, True), client, FakeTransport(client, False))
        self.pump(pump)
        return client, pump

    def pump(self, pump: IOPump) -> None:
        """
        Move bytes and let turns end until nothing happens any more.
        """
        for _ in range(4):
            self.settle()
            pump.flush()

    def exchange(self, client: Any, pump: IOPump) -> list[Any]:
        """
        Let a client call, subscribe and publish.

        @return: what it gets.
        """
        (socket,) = self.server.clients.values()
        self.collect(socket.procedure("echo"), lambda request: request.end(request.data))
        client.received.clear()
        for message in (
            {"event": "echo", "cid": 2, "data": "a" * 5000},
            {"event": "#subscribe", "cid": 3, "data": {"channel": "news"}},
            {"event": "#publish", "data": {"channel": "news", "data": "b" * 5000}},
        ):
            client.sendMessage(json.dumps(message).encode())
        self.pump(pump)
        self.clock.advance(8.1)
        self.pump(pump)
        return [json.loads(payload) if payload else "" for payload in client.received]

    EXPECTED = (
        {"rid": 2, "data": "a" * 5000},
        {"rid": 3},
        {"event": "#publish", "data": {"channel": "news", "data": "b" * 5000}},
        "",
    )

    def test_negotiated(self) -> None:
        """
        With C{perMessageDeflate}, a client that offers it gets everything compressed, and the same as without.
        """
        client, pump = self.connectDeflating(perMessageDeflate=True)
        self.assertIsNotNone(client._perMessageCompress)
        (socket,) = self.server.clients.values()
        self.assertFalse(socket.socket.isPlain)
        self.assertEqual(self.exchange(client, pump), list(self.EXPECTED))
        self.assertLess(len(socket.socket.frame(b"a" * 5000, False)), 100)

    def test_settings(self) -> None:
        """
        C{perMessageDeflate} may be settings.
        """
        client, pump = self.connectDeflating(perMessageDeflate={"mem_level": 5})
        self.assertIsNotNone(client._perMessageCompress)
        self.assertEqual(self.exchange(client, pump), list(self.EXPECTED))

    def test_notOffered(self) -> None:
        """
        A client that does not offer it, and a server that does not want it, speak plainly.
        """
        for offer, wanted in ((False, True), (True, False)):
            client, pump = self.connectDeflating(offer, perMessageDeflate=wanted)
            self.assertIsNone(client._perMessageCompress)
            self.assertEqual(self.exchange(client, pump), list(self.EXPECTED))

    def test_tooLarge(self) -> None:
        """
        C{maxPayload} counts what is inflated: a small frame that becomes too large closes with 1009.
        """
        client, pump = self.connectDeflating(perMessageDeflate=True, maxPayload=1000)
        closed = self.record(self.server, "closure")
        client.sendMessage(b"a" * 100000)
        self.pump(pump)
        self.assertEqual([event.code for _, event in closed], [1009])
        self.assertEqual(dict(self.server.counters.limitsHit), {"maxPayload": 1})

    def test_otherExtensions(self) -> None:
        """
        An extension that is not known is not agreed on.
        """
        server = self.makeServer(perMessageDeflate=True)
        answer = self.raw(server).open(sec_websocket_extensions="x-unknown")
        self.assertTrue(answer.startswith(b"HTTP/1.1 101"))
        self.assertNotIn(b"Extensions", answer)


def acceptDeflate(response: Any) -> Any:
    """
    @return: the client's consent to what the server has chosen.
    """
    if isinstance(response, PerMessageDeflateResponse):
        return PerMessageDeflateResponseAccept(response)
    return None


class InternalsTests(SynchronousTestCase):
    """
    L{internals}: whether the fast paths may be taken.
    """

    def test_there(self) -> None:
        """
        They may with what is installed, unless the operator has said no.
        """
        self.patch(shortcuts, "mayBeTaken", lambda: True)
        self.assertTrue(internals.fastPathsMayBeTaken())
        self.patch(shortcuts, "mayBeTaken", lambda: False)
        self.assertFalse(internals.fastPathsMayBeTaken())

    def test_changed(self) -> None:
        """
        They may not with an Autobahn that has changed inside, and the log says so.
        """
        lines: list[Any] = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        self.patch(shortcuts, "mayBeTaken", lambda: True)
        self.patch(internals, "WebSocketServerProtocol", object)
        self.assertFalse(internals.fastPathsMayBeTaken())
        self.assertEqual([line["log_level"].name for line in lines], ["warn"])


class FactoryTests(WebSocketTestCase):
    """
    L{websocket.AGServerFactory}.
    """

    def test_start(self) -> None:
        """
        Listening with it starts the server; a server that cannot be started is logged.
        """
        factory = self.server.websocketFactory()
        factory.doStart()
        self.assertTrue(self.server.isReady)
        factory.doStop()
        server = self.makeServer()
        self.patch(server.brokerEngine._broker, "start", lambda hub: 1 // 0)
        server.websocketFactory().doStart()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_noLimit(self) -> None:
        """
        Without C{maxPayload} there is no limit.
        """
        server = self.makeServer(maxPayload=None)
        client, socket = self.joined(server)
        received = self.values(socket.receiver("x"))
        client.send(packet("x", "a" * 3_000_000))
        self.assertEqual(len(received[0]), 3_000_000)

    def test_strictHandshake(self) -> None:
        """
        A message before SocketCluster's handshake closes with 4009 on the wire.
        """
        seen = self.record(self.server, "connectionAbort")
        client = self.raw()
        client.open()
        client.send(clientFrame("x"))
        self.assertEqual(client.frames()[0][1][:2], (4009).to_bytes(2, "big"))
        self.assertEqual(names(seen), ["connectionAbort"])

    def test_independent(self) -> None:
        """
        Connections share nothing: one in mid-message does not disturb another.
        """
        one, oneSocket = self.joined()
        two, twoSocket = self.joined()
        received = [self.values(each.receiver("x")) for each in (oneSocket, twoSocket)]
        text = b'{"event":"x","data":1}'
        one.send(clientFrame(text[:5], final=False))
        two.send(packet("x", 2))
        one.send(clientFrame(text[5:], CONTINUATION))
        self.assertEqual(received, [[1], [2]])
        one.lose()
        two.send(packet("x", 3))
        self.assertEqual(received, [[1], [2, 3]])

    def test_waitingProcedure(self) -> None:
        """
        A call is answered over the wire when the application gets to it.
        """
        client, socket = self.joined()
        gate: Deferred[int] = Deferred()

        async def serve() -> None:
            async for request in socket.procedure("p"):
                request.end(await gate)

        Deferred.fromCoroutine(serve())
        client.send(packet("p", None, 5))
        self.assertEqual(client.packets(), [])
        gate.callback(6)
        self.assertEqual(client.packets(), [{"rid": 5, "data": 6}])
