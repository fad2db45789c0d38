"""
Tests of L{agtwisted.sockets.socket}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.errors import BadConnectionError, TimeoutError
from agtwisted.protocol.codecs import JSONCodec
from agtwisted.protocol.frames import BINARY, frame, textFrame
from agtwisted.protocol.wire import Wire
from agtwisted.sockets.socket import CLOSED, CONNECTING, OPEN, AGSocket
from agtwisted.sockets.waiting import Waiting
from agtwisted.sockets.wheel import Wheel
from agtwisted.streams.turns import Turns


class Transport:
    """
    A connection that keeps what is written.
    """

    isPlain = True
    isOpen = True
    bytesReceived = 7

    def __init__(self) -> None:
        self.data = b""
        self.isReading = True

    def registerOutbox(self, outbox: Any) -> None:
        """
        Remember the producer.
        """
        self.outbox = outbox

    def frame(self, payload: bytes, isBinary: bool) -> bytes:
        """
        @return: a frame that shows that it was made here.
        """
        return b"framed:" + (frame(BINARY, payload) if isBinary else textFrame(payload))

    def write(self, data: bytes) -> None:
        """
        Keep data.
        """
        self.data += data

    def pauseReading(self) -> None:
        """
        Read no more.
        """
        self.isReading = False

    def resumeReading(self) -> None:
        """
        Read again.
        """
        self.isReading = True


class Surroundings:
    """
    What a socket needs of its server.
    """

    ackTimeoutSeconds = 10.0
    inboundHighWater = (4, 1000)

    def __init__(self, clock: Clock) -> None:
        self.turns = Turns(clock)
        self.wheel = Wheel(clock)
        self.wire = Wire(JSONCodec())


class Socket(AGSocket):
    """
    A socket that keeps the messages it processes; those that begin with C{wait} take until they are let go.
    """

    def __init__(self, transport: Any, surroundings: Any) -> None:
        super().__init__("id", transport, surroundings)
        self.processed: list[bytes] = []
        self.held: list[Deferred[None]] = []
        self.errors: list[Any] = []

    def emitError(self, error: object) -> None:
        """
        Keep it as well.
        """
        self.errors.append(error)
        super().emitError(error)

    def _processMessage(self, payload: bytes, isBinary: bool) -> Waiting:
        self.processed.append(payload)
        if not payload.startswith(b"wait"):
            return None
        self.held.append(Deferred())
        return self.held[-1]

    def _batchingOptions(self) -> float:
        return 0.05


class SocketTestCase(SynchronousTestCase):
    """
    A socket on a clock.
    """

    def setUp(self) -> None:
        """
        Make an open socket.
        """
        self.clock = Clock()
        self.transport = Transport()
        self.socket = Socket(self.transport, Surroundings(self.clock))
        self.socket.state = OPEN

    def sent(self) -> bytes:
        """
        @return: what was sent since the last time, at the end of the turn.
        """
        self.clock.advance(0)
        data, self.transport.data = self.transport.data, b""
        return data


class ReceivingTests(SocketTestCase):
    """
    Messages in order.
    """

    def test_order(self) -> None:
        """
        Messages are processed in order, each to its end; those that wait count as inbound back-pressure.
        """
        for message in (b"a", b"wait 1", b"b", b"wait 2", b"c"):
            self.socket.messageReceived(message, False)
        self.assertEqual(self.socket.processed, [b"a", b"wait 1"])
        self.assertEqual(self.socket.getInboundBackpressure(), 3)
        self.socket.held[0].callback(None)
        self.assertEqual(self.socket.processed, [b"a", b"wait 1", b"b", b"wait 2"])
        self.socket.held[1].errback(KeyError())
        self.assertEqual(self.socket.processed[-1], b"c")
        self.assertEqual(self.socket.getInboundBackpressure(), 0)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_lastHeard(self) -> None:
        """
        Every message tells that the peer is there, also one that is not taken any more.
        """
        self.clock.advance(5)
        self.socket.messageReceived(b"a", False)
        self.assertEqual(self.socket.lastHeard, 5)
        self.socket.closeInput()
        self.clock.advance(1)
        self.socket.messageReceived(b"b", False)
        self.assertEqual((self.socket.lastHeard, self.socket.processed), (6, [b"a"]))

    def test_closeInput(self) -> None:
        """
        Closing the input lets the messages that have come be processed; its stream ends after what is buffered.
        """
        ended = self.socket.inboundMessageStream.next()
        for message in (b"wait", b"a"):
            self.socket.messageReceived(message, False)
        self.socket.closeIO()
        self.socket.messageReceived(b"too late", False)
        self.socket.held[0].callback(None)
        self.clock.advance(0)
        self.assertEqual(self.socket.processed, [b"wait", b"a"])
        self.assertTrue(self.successResultOf(ended).done)

    def test_killInput(self) -> None:
        """
        Killing the input drops them, and they do not count any more.
        """
        ended = self.socket.inboundMessageStream.next()
        for message in (b"wait", b"a", b"b"):
            self.socket.messageReceived(message, False)
        self.socket.killIO()
        self.assertEqual(self.socket.getInboundBackpressure(), 0)
        self.socket.held[0].callback(None)
        self.clock.advance(0)
        self.assertEqual(self.socket.processed, [b"wait"])
        self.assertTrue(self.successResultOf(ended).done)

    def test_pressBack(self) -> None:
        """
        While too many messages wait, the transport is not read.
        """
        self.socket.messageReceived(b"wait", False)
        for _ in range(5):
            self.socket.messageReceived(b"a", False)
        self.assertFalse(self.transport.isReading)
        self.socket.held[0].callback(None)
        self.assertTrue(self.transport.isReading)


class SendingTests(SocketTestCase):
    """
    Transmit, invoke and raw messages.
    """

    def test_transmit(self) -> None:
        """
        An event with its data, or with none, which is something else than None; the packet stream sees it.
        """
        packet = self.socket.outboundPacketStream.next()
        self.successResultOf(self.socket.transmit("a"))
        self.socket.transmit("b", None)
        self.socket.transmit("c", 1)
        expected = [b'{"event":"a"}', b'{"event":"b","data":null}', b'{"event":"c","data":1}']
        self.assertEqual(self.socket.getOutboundBackpressure(), 3)
        self.assertEqual(self.sent(), b"".join(map(textFrame, expected)))
        self.assertEqual(self.successResultOf(packet).value, {"event": "a"})
        self.assertEqual((self.socket.getOutboundBackpressure(), self.socket.outboundSentMessageCount), (0, 3))
        self.assertEqual(self.socket.outboundPreparedMessageCount, 3)

    def test_notPlain(self) -> None:
        """
        A connection that has agreed on something that changes frames makes its own.
        """
        self.patch(Transport, "isPlain", False)
        self.transport = Transport()
        self.socket = Socket(self.transport, Surroundings(self.clock))
        self.socket.state = OPEN
        self.socket.transmit("a")
        self.assertEqual(self.sent(), b"framed:" + textFrame(b'{"event":"a"}'))

    def test_send(self) -> None:
        """
        Raw messages: text in text frames, bytes in binary ones; a closed connection is an error event, no exception.
        """
        self.socket.send("é")
        self.socket.send(b"\xff")
        expected = b"framed:" + textFrame("é".encode()) + b"framed:" + frame(BINARY, b"\xff")
        self.assertEqual(self.sent(), expected)
        self.transport.isOpen = False
        self.socket.send("a")
        self.assertEqual(self.sent(), b"")
        self.assertIn("WebSocket is not open", str(self.socket.errors[0]))

    def test_cached(self) -> None:
        """
        A packet that is encoded already goes as it is, if that is wanted.
        """
        self.socket.transmit("a", stringifiedData="cached", useCache=True)
        self.socket.transmit("a", stringifiedData="cached")
        self.assertEqual(self.sent(), b"framed:" + textFrame(b"cached") + textFrame(b'{"event":"a"}'))
        answered = self.socket.invoke("a", stringifiedData="cached", useCache=True)
        self.assertEqual(self.sent(), b"framed:" + textFrame(b"cached"))
        self.assertNoResult(answered)

    def test_invoke(self) -> None:
        """
        Calls are numbered, and time out after their own or the ordinary time.
        """
        ordinary, own = self.socket.invoke("a", 1), self.socket.invoke("b", ackTimeout=500)
        expected = [b'{"event":"a","cid":1,"data":1}', b'{"event":"b","cid":2}']
        self.assertEqual(self.sent(), b"".join(map(textFrame, expected)))
        self.clock.advance(0.6)
        self.failureResultOf(own, TimeoutError)
        self.assertNoResult(ordinary)
        self.clock.advance(9.5)
        self.failureResultOf(ordinary, TimeoutError)

    def test_notOpen(self) -> None:
        """
        On a socket that is not open, transmitting emits BadConnectionError, invoking emits it and fails with it.
        """
        for state in (CONNECTING, CLOSED):
            self.socket.state = state
            self.socket.errors.clear()
            self.successResultOf(self.socket.transmit("a"))
            self.failureResultOf(self.socket.invoke("b"), BadConnectionError)
            self.assertEqual(
                [str(error) for error in self.socket.errors],
                [f"Socket {what} event was aborted due to a bad connection" for what in ("transmit a", "invoke b")],
            )
            self.assertEqual(self.sent(), b"")

    def test_unencodable(self) -> None:
        """
        What the codec cannot encode is an error event, nothing is sent, and the next packet is.
        """
        loop: list[Any] = []
        loop.append(loop)
        self.socket.transmit("a", loop)
        self.assertIsNone(self.socket.serializeObject(loop))
        self.assertEqual(len(self.socket.errors), 2)
        self.socket.transmit("b")
        self.assertEqual(self.sent(), textFrame(b'{"event":"b"}'))
        self.assertEqual(self.socket.serializeObject([1]), "[1]")
        self.assertEqual(self.socket.decode("[1]"), [1])

    def test_closeOutput(self) -> None:
        """
        What is transmitted or invoked after the output was closed or killed is not sent; a call then fails.
        """
        for method in (self.socket.closeOutput, self.socket.killOutput):
            self.setUp()
            ended = self.socket.outboundPacketStream.next()
            method = getattr(self.socket, method.__name__)
            method()
            self.socket.transmit("a")
            self.failureResultOf(self.socket.invoke("b"), BadConnectionError)
            self.assertEqual(self.sent(), b"")
            self.assertTrue(self.successResultOf(ended).done)

    def test_orderBehindWaiting(self) -> None:
        """
        What is sent while a packet waits goes behind it, calls included; killing the output fails those calls.
        """
        for kills in (False, True):
            self.setUp()
            waiting: Deferred[None] = Deferred()
            self.socket._outbound.waitFor(waiting)
            self.socket.transmit("a")
            answered = self.socket.invoke("b")
            self.assertEqual(self.socket.getOutboundBackpressure(), 3)
            self.assertEqual(self.sent(), b"")
            if kills:
                self.socket.killOutput()
                self.failureResultOf(answered, BadConnectionError)
            waiting.callback(None)
            self.assertEqual(
                self.sent(), b"" if kills else textFrame(b'{"event":"a"}') + textFrame(b'{"event":"b","cid":1}')
            )

    def test_state(self) -> None:
        """
        What a socket says of itself.
        """
        self.assertEqual((self.socket.getState(), self.socket.getBytesReceived()), ("open", 7))
        self.assertIs(self.socket.socket, self.transport)


class BatchTests(SocketTestCase):
    """
    Several packets as one message.
    """

    def test_byHand(self) -> None:
        """
        What is sent between C{startBatch} and C{flushBatch} goes as one array; cancelling drops it.
        """
        self.assertFalse(self.socket.isBufferingBatch)
        self.socket.startBatch()
        self.socket.transmit("a")
        self.socket.invoke("b").addErrback(lambda _: None)
        self.assertEqual((self.sent(), self.socket.getOutboundBackpressure()), (b"", 2))
        self.assertTrue(self.socket.isBufferingBatch)
        self.assertFalse(self.socket.isBatching)
        self.socket.flushBatch()
        self.assertEqual(self.sent(), textFrame(b'[{"event":"a"},{"event":"b","cid":1}]'))
        self.socket.startBatch()
        self.socket.transmit("c")
        self.socket.cancelBatch()
        self.assertEqual((self.sent(), self.socket.isBufferingBatch), (b"", False))

    def test_interval(self) -> None:
        """
        C{startBatching} sends a batch after each interval until C{stopBatching}; C{cancelBatching} drops the rest.
        """
        self.socket.startBatching()
        self.assertTrue(self.socket.isBatching)
        self.socket.transmit("a")
        self.assertEqual(self.sent(), b"")
        self.clock.advance(0.05)
        self.assertEqual(self.sent(), textFrame(b'[{"event":"a"}]'))
        self.socket.transmit("b")
        self.socket.stopBatching()
        self.assertEqual(self.sent(), textFrame(b'[{"event":"b"}]'))
        self.assertFalse(self.socket.isBatching)
        self.socket.startBatching()
        self.socket.transmit("c")
        self.socket.cancelBatching()
        self.assertEqual((self.sent(), self.socket.isBatching), (b"", False))
        self.assertEqual(self.clock.getDelayedCalls(), [])
