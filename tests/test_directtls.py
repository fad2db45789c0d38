"""
Tests of L{agtwisted.websocket.directtls}: the short way through TLS changes nothing.
"""

from __future__ import annotations

import gc
import socket as sockets
from collections.abc import Callable
from errno import ECONNRESET, EWOULDBLOCK
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.protocols.tls import BufferingTLSTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from agtwisted import AGServer
from agtwisted.protocol.frames import textFrame
from agtwisted.websocket.directtls import DirectTLS, directTLS
from tests.test_shortcuts import Kernel, PollingClock, Sending, chunks, cuttings, deeds, repeatable, shortCuts
from tests.tls import TLSClient, secured
from tests.wire import Transport, frames, packet, upgradeRequest

VERSIONS = (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION)


class Wire(Kernel):
    """
    A socket with two directions.

    @ivar arriving: what the server finds when it reads next: data, the end, or an error.
    """

    def __init__(self) -> None:
        super().__init__()
        self.arriving: list[bytes | OSError] = []

    def recv(self, size: int) -> bytes:
        """
        @raise BlockingIOError: there is nothing.
        """
        if not self.arriving:
            raise BlockingIOError(EWOULDBLOCK, "empty")
        found = self.arriving.pop(0)
        if isinstance(found, OSError):
            raise found
        if len(found) > size:
            self.arriving.insert(0, found[size:])
        return found[:size]

    def setsockopt(self, *option: int) -> None:
        """
        It has no options.
        """

    def shutdown(self, how: int) -> None:
        """
        The server says no more.
        """

    def close(self) -> None:
        """
        The server has closed it.
        """


class WithHost(Transport):
    """
    A transport that knows where it is.
    """

    def getHost(self) -> IPv4Address:
        """
        @return: some address.
        """
        return IPv4Address("TCP", "192.0.2.2", 443)


class Link:
    """
    A connection through TLS, with both its ends.

    @ivar server: the server.
    @ivar client: the client's end.
    @ivar happened: what the application has received, and how the connection has ended.
    """

    def __init__(self, version: int = SSL.TLS1_3_VERSION, isBuffering: bool = True) -> None:
        """
        @param version: the highest version of TLS that the client speaks.
        @param isBuffering: whether Twisted collects what is written.
        """
        self.clock = PollingClock()
        self.server = AGServer(reactor=self.clock, authKey="secret", pingTimeout=10**9)  # type: ignore[arg-type]
        self.happened: list[Any] = []
        factory = secured(self.server.websocketFactory(), self.clock, isBuffering)
        self.tls: Any = factory.buildProtocol(None)
        self.wire = Wire()
        self.transport = WithHost(self.wire, self.tls, self.clock)
        self.client = TLSClient(version)
        self._taken = 0
        self.tls.makeConnection(self.transport)
        self.transport.startReading()

    @property
    def protocol(self) -> Any:
        """
        The server's protocol.
        """
        return self.tls.wrappedProtocol

    def shakeHands(self, isOneByOne: bool = False) -> None:
        """
        Begin TLS.

        @param isOneByOne: whether the server reads each record alone.
        """
        while True:
            self.client.receive(b"")
            records = self.client.take()
            if not records:
                return
            while records:
                length = 5 + int.from_bytes(records[3:5], "big") if isOneByOne else len(records)
                self.deliver(records[:length])
                records = records[length:]

    def deliver(self, data: bytes | OSError) -> None:
        """
        The server finds something when it reads.
        """
        if self.transport not in self.clock.readers:
            return
        self.wire.arriving.append(data)
        while self.wire.arriving and self.transport in self.clock.readers:
            self._act("doRead")
        self.clock.advance(0)
        self.write()

    def _act(self, deed: str) -> None:
        why = getattr(self.transport, deed)()
        if why is not None:
            # As a reactor does.
            self.transport.stopReading()
            self.transport.stopWriting()
            self.transport.connectionLost(Failure(why))

    def write(self) -> None:
        """
        What the server wants to send reaches the client.
        """
        while self.transport in self.clock.writers and self.wire.room:
            self._act("doWrite")
            self.clock.advance(0)
        data = bytes(self.wire.taken[self._taken :])
        self._taken += len(data)
        self.client.receive(data)

    def send(self, data: bytes) -> None:
        """
        The client sends something, in one record.
        """
        self.client.send(data)
        self.deliver(self.client.take())

    def join(self) -> None:
        """
        Open the connection, and complete SocketCluster's handshake.
        """
        self.send(upgradeRequest())
        self.send(packet("#handshake", {}, 1))
        (self.socket,) = self.server.clients.values()
        self._listen("x")
        self._consume("closure", self.server.listener("closure").createConsumer())
        self.client.plain = b""

    def _listen(self, event: str) -> None:
        self._consume(event, self.socket.receiver(event).createConsumer())

    def _consume(self, name: str, consumer: Any) -> None:
        async def consume() -> None:
            async for value in consumer:
                self.happened.append((name, getattr(value, "code", value)))

        Deferred.fromCoroutine(consume())

    @property
    def isDirect(self) -> bool:
        """
        Whether the short way is taken.
        """
        return isinstance(getattr(self.transport.__dict__.get("doRead"), "__self__", None), DirectTLS)


def opened(areTaken: bool = True, version: int = SSL.TLS1_3_VERSION, isBuffering: bool = True) -> Link:
    """
    @return: an open connection, with short cuts or without.
    """
    with shortCuts(areTaken):
        link = Link(version, isBuffering)
        link.shakeHands()
        link.join()
    return link


class Counting:
    """
    Counts calls, and passes them on.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.count = 0
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        self.count += 1
        return self._function(*arguments)


class ReceivingTests(SynchronousTestCase):
    """
    Whatever a client sends, however its records are cut.
    """

    @repeatable(60)
    @given(
        st.lists(st.lists(st.sampled_from((0, 5, 100, 130, 3000, 17_000)), min_size=1, max_size=4), max_size=8),
        cuttings,
        st.booleans(),
        st.sampled_from(VERSIONS),
        st.booleans(),
    )
    def test_same(
        self, writes: list[list[int]], cuts: list[float], isShredded: bool, version: int, isBuffering: bool
    ) -> None:
        """
        Everything arrives once and in order, and everything is answered, with the short way and without, whichever
        messages share a record and wherever the records are cut.
        """
        for areTaken in (True, False):
            link = opened(areTaken, version, isBuffering)
            self.assertEqual(link.isDirect, areTaken)
            expected = []
            for number, sizes in enumerate(writes):
                values = [[number, place, "v" * size] for place, size in enumerate(sizes)]
                expected += values
                link.client.send(b"".join(packet("x", value) for value in values))
                link.client.send(packet("nobody", number, number + 2))
            for piece in chunks(link.client.take(), cuts, isShredded and sum(map(sum, writes)) < 3000):
                link.deliver(piece)
            self.assertEqual([value for _, value in link.happened], expected)

    def test_handshake(self) -> None:
        """
        The handshake is Twisted's, and comes to its end, if every record of it comes alone: in TLS 1.3 the last one looks
        like data.
        """
        for version in VERSIONS:
            with shortCuts(True):
                link = Link(version)
                link.shakeHands(isOneByOne=True)
            self.assertTrue(link.tls._handshakeDone)
            link.join()
            link.send(packet("x", 1))
            self.assertEqual(link.happened, [("x", 1)])

    def test_offered(self) -> None:
        """
        A client that offers HTTP/1.1 with other protocols, as browsers do, or none at all, is welcome.
        """
        for offered in ((b"h2", b"http/1.1"), (b"http/1.1",), ()):
            for areTaken in (True, False):
                with shortCuts(areTaken):
                    link = Link()
                    link.client = TLSClient(offered=offered)
                    link.shakeHands()
                    link.join()
                self.assertEqual(link.client.connection.get_alpn_proto_negotiated(), b"http/1.1" if offered else b"")

    def test_wholeRecords(self) -> None:
        """
        A whole record is decrypted with one question, and OpenSSL is not asked what it wants to say.
        """
        link = opened()
        connection = link.tls._tlsConnection
        recv, read = Counting(connection.recv), Counting(connection.bio_read)
        link.tls._tlsConnection = _Patched(connection, recv=recv, bio_read=read)
        link.send(packet("x", 1))
        self.assertEqual((recv.count, read.count), (1, 0))
        link.client.send(packet("x", 2))
        link.client.send(packet("x", 3))
        link.deliver(link.client.take())
        self.assertEqual((recv.count, read.count), (3, 0))
        self.assertEqual([value for _, value in link.happened], [1, 2, 3])

    def test_empty(self) -> None:
        """
        What TLS says between data, here an empty record, is Twisted's to deal with; what came before it arrives.
        """
        link = opened()
        connection = link.tls._tlsConnection
        answers = [connection.recv, _raising(SSL.WantReadError()), connection.recv, connection.recv]
        link.tls._tlsConnection = _Patched(connection, recv=lambda size: answers.pop(0)(size))
        link.client.send(packet("x", 1))
        link.client.send(packet("x", 2))
        link.deliver(link.client.take())
        self.assertEqual([value for _, value in link.happened], [1, 2])
        self.assertEqual(answers, [])

    def test_goodbye(self) -> None:
        """
        The client ends TLS behind its last message, in the same breath or alone: the message arrives, and the connection
        ends in the same way.
        """
        for version in VERSIONS:
            for isTogether in (True, False):
                ends = []
                for areTaken in (True, False):
                    link = opened(areTaken, version)
                    link.client.send(packet("x", 1))
                    records = link.client.take()
                    link.client.connection.shutdown()
                    goodbye = link.client.take()
                    for data in (records + goodbye,) if isTogether else (records, goodbye):
                        link.deliver(data)
                    self.assertTrue(link.transport.disconnecting or not link.transport.connected)
                    link.deliver(b"")
                    ends.append((link.happened, link.client.isEnded, len(link.server.clients)))
                self.assertEqual(ends[0], ends[1])
                self.assertEqual(ends[0], ([("x", 1), ("closure", 1006)], True, 0))

    def test_end(self) -> None:
        """
        The client hangs up, or the connection breaks, without a word: the connection ends in the same way.
        """
        for end in (b"", ConnectionResetError(ECONNRESET, "reset")):
            ends = []
            for areTaken in (True, False):
                link = opened(areTaken)
                link.deliver(end)
                link.clock.pump([0, 0, 0])
                ends.append((link.happened, len(link.server.clients)))
            self.assertEqual(ends[0], ends[1])
            self.assertEqual(ends[0], ([("closure", 1006)], 0))

    def test_nothing(self) -> None:
        """
        That there is nothing to read after all ends nothing.
        """
        link = opened()
        link.deliver(BlockingIOError(EWOULDBLOCK, "empty"))
        link.send(packet("x", 1))
        self.assertEqual(link.happened, [("x", 1)])

    def test_forged(self) -> None:
        """
        A record that was changed on its way ends the connection; what came before it arrives.
        """
        for version in VERSIONS:
            ends = []
            for areTaken in (True, False):
                link = opened(areTaken, version)
                link.client.send(packet("x", 1))
                link.client.send(packet("x", 2))
                records = bytearray(link.client.take())
                records[-1] ^= 1
                link.wire.arriving.append(bytes(records))
                link.transport.doRead()
                link.clock.pump([0, 0])
                self.assertTrue(link.transport.disconnecting or not link.transport.connected)
                ends.append(link.happened[:1])
            self.assertEqual(ends, [[("x", 1)]] * 2)

    def test_noTLS(self) -> None:
        """
        Who does not speak TLS is told so, in the same way.
        """
        answers = []
        for areTaken in (True, False):
            with shortCuts(areTaken):
                link = Link()
                link.wire.arriving.append(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                link.transport.doRead()
                link.clock.pump([0, 0])
                answers.append((bytes(link.wire.taken), link.transport.disconnecting or not link.transport.connected))
        self.assertEqual(answers[0], answers[1])
        self.assertTrue(answers[0][1])

    def test_renegotiation(self) -> None:
        """
        A client of TLS 1.2 asks for new keys: Twisted and OpenSSL deal with it as ever.
        """
        results = []
        for areTaken in (True, False):
            link = opened(areTaken, SSL.TLS1_2_VERSION)
            link.client.connection.renegotiate()
            try:
                link.client.connection.do_handshake()
            except SSL.WantReadError:
                pass
            before = len(link.wire.taken)
            link.wire.arriving.append(link.client.take())
            link.transport.doRead()
            link.clock.pump([0, 0])
            while link.transport in link.clock.writers:
                link.transport.doWrite()
            results.append((link.happened, link.transport.disconnecting, len(link.wire.taken) - before))
        self.assertEqual(results[0], results[1])
        self.assertGreater(results[0][2], 0)

    def test_paused(self) -> None:
        """
        While reading is paused, nothing is read.
        """
        link = opened()
        link.protocol.pauseReading()
        self.assertNotIn(link.transport, link.clock.readers)
        link.protocol.resumeReading()
        link.send(packet("x", 1))
        self.assertEqual(link.happened, [("x", 1)])


class _Patched:
    """
    A connection of OpenSSL, some of whose methods are others.
    """

    def __init__(self, connection: Any, **methods: Callable[..., Any]) -> None:
        self.__dict__.update(methods)
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _raising(error: Exception) -> Callable[[int], bytes]:
    def recv(size: int) -> bytes:
        raise error

    return recv


class SecuredSending(Sending):
    """
    A server's end of a connection through TLS, and what it was asked to send.
    """

    isBuffering = True

    def factory(self) -> Any:
        """
        @return: what makes the protocol.
        """
        self.client = TLSClient()
        return secured(super().factory(), self.clock, self.isBuffering)

    def begin(self) -> None:
        """
        Begin TLS.
        """
        self._wire: Any = self.transport.socket
        self._taken = 0
        while True:
            self.client.receive(bytes(self._wire.taken[self._taken :]))
            self._taken = len(self._wire.taken)
            records = self.client.take()
            if not records:
                return
            self._arrivals.append(records)
            self.turn()
            self.write()

    def arrive(self, data: bytes) -> None:
        """
        The server reads what has come.
        """
        self._wire.arriving.append(data)
        self.transport.doRead()

    def receive(self, data: bytes) -> None:
        """
        The client has sent something, in one record or several.
        """
        self.client.send(data)
        records = self.client.take()
        self._arrivals += [records[start : start + 4000] for start in range(0, len(records), 4000)]
        self.turn()

    def got(self) -> bytes:
        """
        @return: all that the client has got.
        """
        self.client.receive(bytes(self._wire.taken[self._taken :]))
        return self.client.plain


class SendingTests(SynchronousTestCase):
    """
    Whatever a server sends, and however the kernel takes it.
    """

    @repeatable(100)
    @given(
        st.lists(st.tuples(st.sampled_from((None, 0, 0, 1, 7, 130, 5000, 66_000)), deeds), max_size=40),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    )
    def test_order(
        self,
        steps: list[tuple[int | None, tuple[str, int]]],
        isClosed: bool,
        areTaken: bool,
        isBuffering: bool,
    ) -> None:
        """
        Nothing overtakes what is still buffered, by the transport or by Twisted's TLS, and nothing is lost, when before
        each step the kernel has room for as many bytes as it likes; the close frame comes last.
        """
        with shortCuts(areTaken):
            wire = Wire()
            self.patch(SecuredSending, "isBuffering", isBuffering)
            sending = SecuredSending(wire)
            sending.play(wire, steps, isClosed)
            sending.check(self, sending.got(), isClosed)

    def test_atOnce(self) -> None:
        """
        With room in the kernel, a record is there at the end of the turn, without a way through the poller.
        """
        link = opened()
        before = len(link.wire.taken)
        link.socket.transmit("note", "n")
        link.clock.advance(0)
        self.assertNotIn(link.transport, link.clock.writers)
        link.client.receive(bytes(link.wire.taken[before:]))
        self.assertIn(b'"note"', link.client.plain)

    def test_encryptedLater(self) -> None:
        """
        What OpenSSL does not encrypt before something has come goes the ordinary way, where Twisted keeps it until then.
        """
        link = opened()
        connection = link.tls._tlsConnection
        waiting = [True]

        def send(data: bytes) -> int:
            if waiting:
                raise SSL.WantReadError
            return int(connection.send(data))

        link.tls._tlsConnection = _Patched(connection, send=send)
        before = len(link.wire.taken)
        link.socket.transmit("note", "first")
        link.clock.pump([0, 0])
        self.assertTrue(link.tls._appSendBuffer)
        link.socket.transmit("note", "second")
        link.clock.pump([0, 0])
        self.assertEqual(len(link.wire.taken), before)
        waiting.clear()
        link.protocol.resumeReading()
        link.send(packet("x", 1))
        link.clock.pump([0, 0])
        link.write()
        self.assertEqual(self.told(link), ["first", "second"])
        self.assertEqual(link.happened, [("x", 1)])

    def test_behind(self) -> None:
        """
        While Twisted keeps something, nothing is encrypted before it.
        """
        link = opened()
        link.tls._appSendBuffer = [textFrame(b"first")]
        before = len(link.wire.taken)
        link.protocol.write(textFrame(b"second"))
        self.assertEqual(len(link.wire.taken), before)
        self.assertTrue(link.tls._aggregator._buffer)

    def told(self, link: Link) -> list[str]:
        """
        @return: the words in the messages that the client has got.
        """
        words = ("first", "second")
        return [word for _, payload in frames(link.client.plain) for word in words if word.encode() in payload]

    def test_collected(self) -> None:
        """
        What is too long for a record is left to Twisted, which collects it for the next turn; what is sent in this one
        does not overtake it.
        """
        for size in (20_000, 16_385, 16_384, 10):
            link = opened()
            link.protocol.write(textFrame(b"first" + bytes(size - 5)))
            self.assertEqual(bool(link.tls._aggregator._buffer), size > 16_384 - 4)
            link.protocol.write(textFrame(b"second"))
            link.clock.advance(0)
            link.write()
            self.assertEqual(self.told(link), ["first", "second"])

    def test_lost(self) -> None:
        """
        Once the connection is gone, nothing is sent; it may not have been cleaned up after yet.
        """
        link = opened()
        direct = link.transport.__dict__["doRead"].__self__
        link.deliver(b"")
        self.assertRaises(BlockingIOError, direct.send, textFrame(b"late"))

    def test_slow(self) -> None:
        """
        A client that does not read makes the server's socket wait, and gets everything when it does.
        """
        link = opened()
        link.wire.room = 100
        for number in range(50):
            link.socket.transmit("note", [number, "n" * 3000])
            link.clock.pump([0, 0])
            if link.transport in link.clock.writers:
                link.transport.doWrite()
        self.assertGreater(link.socket.getOutboundBackpressure(), 0)
        link.wire.room = 1 << 30
        for _ in range(100):
            link.write()
            link.clock.advance(0)
        self.assertEqual(link.socket.getOutboundBackpressure(), 0)
        self.assertEqual(len(frames(link.client.plain)), 50)


class TakenTests(SynchronousTestCase):
    """
    Where the short way is taken.
    """

    def test_kinds(self) -> None:
        """
        It is taken straight on top of TCP, through Twisted's own TLS.
        """
        for isBuffering in (True, False):
            self.assertTrue(opened(isBuffering=isBuffering).isDirect)

        class Different(BufferingTLSTransport):
            """
            Somebody's own.
            """

        self.assertIsNone(directTLS(object(), Link().protocol))
        link = Link()
        around = secured(link.server.websocketFactory(), link.clock)
        around.protocol = Different
        tls = around.buildProtocol(None)
        tls.makeConnection(Transport(Wire(), tls, link.clock))
        self.assertIsNone(directTLS(tls, link.protocol))

    def test_elsewhere(self) -> None:
        """
        It is not taken where TLS is not on top of TCP, or Twisted has changed inside.
        """
        link = Link()
        self.assertIsNotNone(directTLS(link.tls, link.protocol))
        link.transport.TLS = True
        self.assertIsNone(directTLS(link.tls, link.protocol))
        link.transport.TLS = False
        buffer, link.tls._aggregator._buffer = link.tls._aggregator._buffer, None
        self.assertIsNone(directTLS(link.tls, link.protocol))
        link.tls._aggregator._buffer = buffer
        del link.tls._appSendBuffer
        self.assertIsNone(directTLS(link.tls, link.protocol))
        link.tls.transport = object()
        self.assertIsNone(directTLS(link.tls, link.protocol))

    def test_noDelay(self) -> None:
        """
        A connection through TLS sends without delay.
        """
        listening = sockets.create_server(("127.0.0.1", 0))
        with listening, sockets.create_connection(listening.getsockname()) as peer:
            ours, _ = listening.accept()
            with ours, shortCuts(True):
                clock = PollingClock()
                server = AGServer(reactor=clock)  # type: ignore[arg-type]
                host, port = peer.getsockname()
                tls = secured(server.websocketFactory(), clock).buildProtocol(IPv4Address("TCP", host, port))
                tls.makeConnection(Transport(ours, tls, clock))
                self.assertTrue(ours.getsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY))

    def test_site(self) -> None:
        """
        Who wants a page gets it from the site, which has the connection from then on.
        """
        root = Resource()
        for areTaken in (True, False):
            with shortCuts(areTaken):
                link = Link()
                link.protocol.factory.site = Site(root, reactor=link.clock)
                link.shakeHands()
                link.send(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n")
                link.clock.pump([0, 0])
                link.write()
                self.assertFalse(link.isDirect)
                link.send(b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
                link.clock.pump([0, 0])
                link.write()
                self.assertEqual(link.client.plain.count(b"HTTP/1.1 404"), 2)

    def test_freed(self) -> None:
        """
        A connection that is gone is freed without the garbage collector's help, as far as Twisted lets it.
        """
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        before = self.shortWays()
        link = opened()
        self.assertEqual(self.shortWays(), before + 1)
        link.deliver(b"")
        link.clock.pump([0, 0, 0])
        self.assertEqual(self.shortWays(), before)

    def shortWays(self) -> int:
        """
        @return: how many there are.
        """
        return sum(type(each) is DirectTLS for each in gc.get_objects())


class FollowingTests(SynchronousTestCase):
    """
    Where records begin and end.
    """

    def follow(self, *pieces: bytes) -> list[int]:
        """
        @return: how many records of data each piece is taken for.
        """
        link = Link()
        direct = directTLS(link.tls, link.protocol)
        assert direct is not None
        return [direct._wholeRecords(piece) for piece in pieces]

    def test_whole(self) -> None:
        """
        Whole records of data count, whatever their length.
        """
        empty, short, long = (b"\x17\x03\x03" + size.to_bytes(2, "big") + bytes(size) for size in (0, 7, 16_640))
        self.assertEqual(self.follow(short, long, empty, short + short, empty + long + short), [1, 1, 1, 2, 3])

    def test_others(self) -> None:
        """
        A record of another kind does not, nor do those that come with it.
        """
        data, alert = b"\x17\x03\x03\x00\x01d", b"\x15\x03\x03\x00\x02aa"
        self.assertEqual(self.follow(alert, data + alert, alert + data, data), [0, 0, 0, 1])

    def test_pieces(self) -> None:
        """
        Nor does a record in pieces, wherever it is cut; the one after it does.
        """
        record = b"\x17\x03\x03\x00\x09dddd\x17\x17\x17\x17\x17"
        for first in range(1, len(record)):
            for second in range(first + 1, len(record)):
                pieces = record[:first], record[first:second], record[second:]
                self.assertEqual(self.follow(*pieces, record), [0, 0, 0, 1], pieces)
            self.assertEqual(self.follow(record + record[:first], record[first:] + record, record), [0, 0, 1])


