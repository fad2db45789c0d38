"""
Tests of L{agtwisted.websocket} with clients that send too much of something.
"""

from __future__ import annotations

import gc
import tracemalloc
import zlib
from functools import partial
from types import SimpleNamespace
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from agtwisted import AGServer, websocket
from tests.test_websocket import WebSocketTestCase
from tests.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawClient, clientFrame, closeFrame, packet


def inFragments(number: int, size: int) -> bytes:
    """
    @return: a message that is no packet, in so many fragments of that size.
    """
    payload = b"a" * size
    first, last = clientFrame(payload, final=False), clientFrame(payload, CONTINUATION)
    return first + clientFrame(payload, CONTINUATION, final=False) * (number - 2) + last


def bomb(mebibytes: int) -> bytes:
    """
    @return: a message that is small until it is inflated.
    """
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(mebibytes)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return data[:-4]


class FloodTestCase(WebSocketTestCase):
    """
    Tests of limits.
    """

    def limited(self, **options: Any) -> tuple[RawClient, Any]:
        """
        @return: a client of a new server that has these options, and its socket.
        """
        self.server: AGServer = self.makeServer(**options)
        self.warnings = self.record(self.server, "warning")
        self.closed = self.record(self.server, "closure")
        return self.joined()

    def assertServed(self, client: RawClient, socket: Any) -> None:
        """
        The client is connected, and what it sends arrives.
        """
        received = self.values(socket.receiver("still there"))
        client.send(packet("still there", 1))
        self.assertEqual((received, socket.state, dict(self.server.counters.limitsHit)), ([1], "open", {}))

    def assertClosed(self, client: RawClient, limit: str, code: int = 1008) -> None:
        """
        The client has been closed, and the operator told why, once.
        """
        closing = [payload for opcode, payload in client.frames() if opcode == CLOSE]
        self.assertEqual([int.from_bytes(payload[:2], "big") for payload in closing], [code])
        self.assertEqual([event.code for _, event in self.closed], [code])
        self.assertEqual(dict(self.server.counters.limitsHit), {limit: 1})
        warnings = [event.warning for _, event in self.warnings]
        # What is closed with 1009 is told by that error.
        told = [each.limit for each in warnings if hasattr(each, "limit")] or [each.code for each in warnings]
        self.assertEqual(told, [1009 if code == 1009 else limit])


class FragmentTests(FloodTestCase):
    """
    Option C{maxSmallFragments}.
    """

    def test_limit(self) -> None:
        """
        So many small fragments are a message; one more is an attack.
        """
        for size in (0, 1, 63):
            client, socket = self.limited(maxSmallFragments=10)
            for _ in range(3):
                client.send(inFragments(10, size))
            self.assertServed(client, socket)
            client.send(inFragments(11, size))
            self.assertClosed(client, "maxSmallFragments")

    def test_large(self) -> None:
        """
        Fragments from 64 bytes on are a matter of the message's size alone.
        """
        client, socket = self.limited()
        messages = self.values(socket.listener("message"))
        client.send(inFragments(2000, 64))
        self.clock.advance(0)
        self.assertEqual([len(event.message) for event in messages], [128000])
        self.assertServed(client, socket)

    def test_default(self) -> None:
        """
        One-byte fragments by the thousand end the connection, before the message is complete; without the limit they
        do not.
        """
        client, _ = self.limited()
        client.send(*[clientFrame(b"a", final=False), *[clientFrame(b"a", CONTINUATION, final=False) * 100] * 10])
        self.assertClosed(client, "maxSmallFragments")
        client, socket = self.limited(maxSmallFragments=None)
        client.send(inFragments(1500, 1))
        self.assertServed(client, socket)

    def test_controlFramesBetween(self) -> None:
        """
        Control frames between fragments are none.
        """
        client, socket = self.limited(maxSmallFragments=2)
        client.send(clientFrame(b"a", final=False) + clientFrame(b"", PING) * 5 + clientFrame(b"a", CONTINUATION))
        self.assertServed(client, socket)


class ControlFrameTests(FloodTestCase):
    """
    Options C{maxControlFrames} and C{maxWaitingPongs}.
    """

    def test_limit(self) -> None:
        """
        So many pings and pongs in a second are served; one more is an attack.
        """
        client, socket = self.limited(maxControlFrames=10)
        for _ in range(3):
            client.send(clientFrame(b"p", PING) * 5 + clientFrame(b"", PONG) * 5)
            self.assertEqual(client.frames(), [(PONG, b"p")] * 5)
            self.clock.advance(1.1)
        self.assertServed(client, socket)
        client.send(clientFrame(b"", PONG) * 11)
        self.assertClosed(client, "maxControlFrames")

    def test_default(self) -> None:
        """
        A flood ends the connection; without the limit it is served, in turns.
        """
        for opcode in (PING, PONG):
            client, _ = self.limited()
            client.send(clientFrame(b"", opcode) * 1000)
            self.assertClosed(client, "maxControlFrames")
            client, socket = self.limited(maxControlFrames=None)
            client.send(clientFrame(b"", opcode) * 1000)
            self.assertServed(client, socket)

    def test_unread(self) -> None:
        """
        So many pongs wait for a client that does not read; one more is too many. What it has read does not count.
        """
        client, socket = self.limited(maxWaitingPongs=5)
        outbox: Any = client.protocol._outbox
        for _ in range(3):
            outbox.pauseProducing()  # as the transport does when it is full
            client.send(clientFrame(b"", PING) * 5)
            outbox.resumeProducing()
            client.send(clientFrame(b"", PING) * 10)
        self.assertServed(client, socket)
        outbox.pauseProducing()
        client.send(clientFrame(b"", PING) * 6)
        self.assertClosed(client, "maxWaitingPongs")

    def test_unreadDefault(self) -> None:
        """
        By default, 60 pongs may wait; without the limit, the transport keeps more.
        """
        for options, number, isServed in (({}, 60, True), ({}, 61, False), ({"maxWaitingPongs": None}, 150, True)):
            client, socket = self.limited(**options)  # type: ignore[arg-type]
            client.protocol._outbox.pauseProducing()
            client.send(clientFrame(b"", PING) * number)
            if isServed:
                self.assertServed(client, socket)
            else:
                self.assertClosed(client, "maxWaitingPongs")

    def test_afterTheEnd(self) -> None:
        """
        When the server has begun to close, pings are not answered and no limit is counted any more.
        """
        client, socket = self.limited(maxControlFrames=5)
        socket.disconnect(4500)
        client.take()
        client.send(clientFrame(b"", PING) * 6)
        self.assertEqual((client.frames(), client.isClosing, dict(self.server.counters.limitsHit)), ([], True, {}))


class PayloadTests(FloodTestCase):
    """
    Option C{maxPayload}, with C{permessage-deflate}.
    """

    def deflating(self, **options: Any) -> tuple[RawClient, Any]:
        """
        @return: a client that has agreed on deflating, and its socket.
        """
        self.server = self.makeServer(perMessageDeflate=True, **options)
        self.warnings = self.record(self.server, "warning")
        self.closed = self.record(self.server, "closure")
        client = self.raw()
        self.assertIn(b"permessage-deflate", client.open(sec_websocket_extensions="permessage-deflate"))
        client.send(packet("#handshake", {}, 1))
        client.take()
        (socket,) = self.server.clients.values()
        return client, socket

    def test_counted(self) -> None:
        """
        A message that is too large is counted like other limits.
        """
        client, _ = self.limited(maxPayload=1000)
        client.send(clientFrame("a" * 1001))
        self.assertClosed(client, "maxPayload", 1009)

    def test_inflated(self) -> None:
        """
        What counts is the inflated size: at the limit it is served, a byte more is too large.
        """
        for size, isServed in ((1000, True), (1001, False)):
            client, socket = self.deflating(maxPayload=1000)
            deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
            data = deflate.compress(b"a" * size) + deflate.flush(zlib.Z_SYNC_FLUSH)
            client.send(clientFrame(data[:-4], rsv=4))
            if isServed:
                self.assertServed(client, socket)
            else:
                self.assertClosed(client, "maxPayload", 1009)

    def test_inflatedInFragments(self) -> None:
        """
        The inflated sizes of fragments are added up.
        """
        client, _ = self.deflating(maxPayload=1 << 20)
        data = bomb(2)
        first, rest = data[:100], data[100:]
        client.send(clientFrame(first, final=False, rsv=4) + clientFrame(rest, CONTINUATION))
        self.assertClosed(client, "maxPayload", 1009)

    def test_bomb(self) -> None:
        """
        A frame of 64 KiB that would become 64 MiB is given up at the limit, and takes no more memory than that allows;
        nor does what the client sends when it has been told so.
        """
        client, _ = self.deflating()
        data = clientFrame(bomb(64), rsv=4)
        self.assertLess(len(data), 1 << 17)
        rest = b"a" * (1 << 16)
        gc.collect()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        for start in range(0, len(data), 16384):
            client.send(data[start : start + 16384])
        self.assertLess(tracemalloc.get_traced_memory()[1] - before, 4 << 20)
        for _ in range(200):
            client.send(rest)
        gc.collect()
        self.assertLess(tracemalloc.get_traced_memory()[0] - before, 1 << 20)
        self.assertClosed(client, "maxPayload", 1009)


class ExtensionTests(FloodTestCase):
    """
    What has not been agreed on.
    """

    def test_invalidOffers(self) -> None:
        """
        Offers of C{permessage-deflate} that are not valid are refused, in words of the server's own.
        """
        server = self.makeServer(perMessageDeflate=True)
        for offer in ("foo=1", "client_max_window_bits=99", "server_no_context_takeover=1", 'x="'):
            client = self.raw(server)
            head, _, body = client.open(sec_websocket_extensions=f"permessage-deflate; {offer}").partition(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 400 Bad Request\r\n"), head)
            self.assertEqual(body, b"The extensions that are offered are not valid")
            self.assertTrue(client.isClosing)
            client.lose()

    def test_manyOffers(self) -> None:
        """
        Of hundreds of offers one is taken; of rubbish, none.
        """
        server = self.makeServer(perMessageDeflate=True)
        answer = self.raw(server).open(sec_websocket_extensions=", ".join(["permessage-deflate"] * 300))
        self.assertEqual(answer.count(b"permessage-deflate"), 1)
        for rubbish in (";;;=,,", "a" * 4000, "permessage-bzip2", "x-webkit-deflate-frame"):
            self.assertNotIn(b"Extensions", self.raw(server).open(sec_websocket_extensions=rubbish))


class ToldOffTests(FloodTestCase):
    """
    What becomes of a client that has broken the protocol.
    """

    def test_deaf(self) -> None:
        """
        Nothing that it sends afterwards has a meaning or is kept; it has five seconds to go.
        """
        client, socket = self.limited()
        received = self.values(socket.receiver("x"))
        client.send(clientFrame("x", opcode=3) + packet("x", 1))
        self.assertEqual([opcode for opcode, _ in client.frames()], [CLOSE])
        for _ in range(10):
            client.send(packet("x", 2) + clientFrame(b"p", PING) + clientFrame("x", opcode=3) + bytes(10000))
        self.assertEqual((received, client.frames(), len(client.protocol.data)), ([], [], 0))
        self.clock.advance(4.9)
        self.assertFalse(client.isClosing)
        self.clock.advance(0.2)
        self.assertTrue(client.isClosing)
        client.lose()

    def test_goes(self) -> None:
        """
        When it goes in time there is nothing left to wait for.
        """
        client, _ = self.limited()
        client.send(clientFrame("x", opcode=3))
        client.lose()
        self.clock.advance(60)
        self.assertEqual([event.code for _, event in self.closed], [1002])

    def test_ourEnd(self) -> None:
        """
        The server closes its own direction at once, so that the client sees the close frame and then the end.
        """
        client, _ = self.limited()
        calls: list[str] = []
        self.patch(client.transport, "loseWriteConnection", lambda: calls.append(str(client.protocol.state)))
        client.send(clientFrame("x", opcode=3))
        self.assertEqual(len(calls), 1)

    def test_invalidClose(self) -> None:
        """
        A close frame that is not valid is answered with what is wrong with it; as both have sent one, TCP is closed.
        """
        for frame, code in ((closeFrame(999), 1002), (closeFrame(1005), 1002), (closeFrame(1000, b"\xff"), 1007)):
            client, _ = self.limited()
            client.send(frame)
            self.assertEqual([payload[:2] for _, payload in client.frames()], [code.to_bytes(2, "big")])
            self.assertTrue(client.isClosing)
            client.lose()


class SliceTests(FloodTestCase):
    """
    Thousands of frames that come at once.
    """

    def test_slices(self) -> None:
        """
        They are taken 128 a turn, in order, and the client is not read before all have been.
        """
        client, socket = self.limited()
        received = self.values(socket.receiver("x"))
        reading: list[str] = []
        for name in ("pauseProducing", "resumeProducing"):
            self.patch(client.transport, name, lambda name=name: reading.append(name))
        frame = [clientFrame(b'{"event":"x","data":%d}' % number, BINARY) for number in range(600)]
        client.protocol.dataReceived(b"".join(frame))
        self.assertEqual((socket.inboundReceivedMessageCount, reading), (1 + 128, ["pauseProducing"]))
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual(received, list(range(600)))
        self.assertEqual(reading, ["pauseProducing"] * 4 + ["resumeProducing"])

    def slow(self, milliseconds: float) -> None:
        """
        Let each message of the client take so long.
        """
        now = [0.0]
        self.server.wheel.seconds = lambda: now[0]
        received = self.socket.messageReceived

        def take(payload: bytes, isBinary: bool) -> None:
            now[0] += milliseconds / 1000
            received(payload, isBinary)

        def takeAll(payloads: list[bytes]) -> None:
            now[0] += milliseconds / 1000 * len(payloads)
            self.socket.messagesReceived(payloads)

        self.protocol._receiver = SimpleNamespace(
            messageReceived=take,
            messagesReceived=takeAll,
            flush=self.socket.flush,
            connectionLost=self.socket.connectionLost,
        )

    def test_usual(self) -> None:
        """
        Usual messages that come at once are taken for some milliseconds of each turn, in order, with what comes meanwhile
        behind them, and the client is not read before all have been; if they take no time, all are taken at once.
        """
        self.patch(websocket, "fastPaths", True)  # the other way is Autobahn's, so many frames in a turn
        for milliseconds in (0.1, 0.0):
            client, self.socket = self.limited()
            self.protocol = client.protocol
            received = self.values(self.socket.receiver("x"))
            reading: list[str] = []
            for name in ("pauseProducing", "resumeProducing"):
                self.patch(client.transport, name, partial(reading.append, name))
            self.slow(milliseconds)
            chunk = b"".join(packet("x", number) for number in range(200))
            client.protocol.dataReceived(chunk[:-3])
            first = self.socket.inboundReceivedMessageCount
            client.protocol.dataReceived(chunk[-3:] + closeFrame(1000))
            for _ in range(10):
                self.clock.advance(0)
            self.assertEqual(received, list(range(200)))
            self.assertEqual([event.code for _, event in self.closed], [1000])
            if milliseconds:
                self.assertLess(first, 150)
                self.assertEqual((reading[0], reading[-1]), ("pauseProducing", "resumeProducing"))
            else:
                self.assertEqual((first, reading), (200, []))

    def test_usualGone(self) -> None:
        """
        What is left of a client that is gone is nobody's any more.
        """
        client, self.socket = self.limited()
        self.protocol = client.protocol
        self.slow(0.1)
        client.protocol.dataReceived(b"".join(packet("x", number) for number in range(500)))
        first = self.socket.inboundReceivedMessageCount
        client.protocol.connectionLost(Failure(ConnectionDone()))
        self.clock.advance(0)
        self.assertEqual(self.socket.inboundReceivedMessageCount, first)

    def test_more(self) -> None:
        """
        What comes meanwhile waits behind.
        """
        client, socket = self.limited()
        received = self.values(socket.receiver("x"))
        client.protocol.dataReceived(clientFrame(b'{"event":"x","data":1}', BINARY) * 200)
        client.protocol.dataReceived(packet("x", 2))
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual(received, [1] * 200 + [2])

    def test_pausedMeanwhile(self) -> None:
        """
        If the socket wants the client to wait meanwhile, reading does not go on by itself.
        """
        client, socket = self.limited()
        reading: list[str] = []
        for name in ("pauseProducing", "resumeProducing"):
            self.patch(client.transport, name, lambda name=name: reading.append(name))
        client.protocol.dataReceived(clientFrame(b'{"event":"x"}', BINARY) * 200)
        socket.socket.pauseReading()
        self.clock.advance(0)
        self.assertEqual(reading, ["pauseProducing", "pauseProducing"])
        socket.socket.resumeReading()
        self.assertEqual(reading[2:], ["resumeProducing"])

    def test_resumedMeanwhile(self) -> None:
        """
        If the socket wants to go on meanwhile, it does when all have been taken.
        """
        client, socket = self.limited()
        reading: list[str] = []
        for name in ("pauseProducing", "resumeProducing"):
            self.patch(client.transport, name, lambda name=name: reading.append(name))
        client.protocol.dataReceived(clientFrame(b'{"event":"x"}', BINARY) * 200)
        socket.socket.resumeReading()
        self.assertEqual(reading, ["pauseProducing"])
        self.clock.advance(0)
        self.assertEqual(reading, ["pauseProducing", "resumeProducing"])

    def test_gone(self) -> None:
        """
        A client that is gone has left nothing to do.
        """
        client, socket = self.limited()
        client.protocol.dataReceived(clientFrame(b'{"event":"x"}', BINARY) * 200)
        client.lose()
        self.assertEqual(socket.inboundReceivedMessageCount, 1 + 128)
        self.assertEqual([event.code for _, event in self.closed], [1006])

    def test_emptyFrames(self) -> None:
        """
        A slice does not end in the midst of a frame, even if that frame is empty.
        """
        client, socket = self.limited()
        messages = self.values(socket.listener("message"))
        client.send(clientFrame(b"", BINARY) * 128)
        self.assertEqual(len(messages), 128)
        client.send(clientFrame(b"", TEXT, final=False) + clientFrame(b"", CONTINUATION))
        self.assertEqual(len(messages), 129)
