"""
Floods of WebSocket frames, over real sockets, against the process that people run, while somebody else is being served.
"""

from __future__ import annotations

import zlib
from time import perf_counter
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, clientFrame, closeFrame, packet, upgradeRequest

from .process import ProcessTestCase, join
from .test_bytes import HELLO

#: Clients that flood at the same time, and for how long each does, in seconds. Whom the server is to close goes on until
#: it has been, which may take longer on a busy machine.
CLIENTS = 2
DURATION = 0.5
PATIENCE = 30

#: The longest that somebody else may have to wait, in seconds. On a machine with nothing else to do it is below 0.05; a
#: busy one makes everybody wait.
LONGEST_WAIT = 5.0

#: What is sent at once.
BLOCK = 65536


def repeated(frame: bytes) -> bytes:
    """
    @return: about a block of a frame.
    """
    return frame * max(1, BLOCK // len(frame))


def bomb() -> bytes:
    """
    @return: a frame of 16 KiB that inflates to 16 MiB.
    """
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = deflate.compress(bytes(1 << 24)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return clientFrame(data[:-4], rsv=4)


BEGUN = clientFrame(b"x", final=False)

#: What is sent first, what is sent again and again, and the code that the server closes with; C{None} if it goes on to
#: serve the client.
FLOODS: dict[str, tuple[bytes, bytes, int | None]] = {
    "empty pings": (b"", clientFrame(b"", PING), 1008),
    "full pings": (b"", clientFrame(b"p" * 125, PING), 1008),
    "pongs": (b"", clientFrame(b"", PONG), 1008),
    "one-byte fragments": (BEGUN, clientFrame(b"x", CONTINUATION, final=False), 1008),
    "empty fragments": (BEGUN, clientFrame(b"", CONTINUATION, final=False), 1008),
    "fragments of a message that does not end": (BEGUN, clientFrame(b"x" * 1000, CONTINUATION, final=False), 1009),
    "large fragments of it": (BEGUN, clientFrame(b"x" * 60000, CONTINUATION, final=False), 1009),
    "messages in two fragments": (b"", BEGUN + clientFrame(b"x", CONTINUATION), None),
    "empty messages": (b"", clientFrame(b""), None),
    "empty binary messages": (b"", clientFrame(b"", BINARY), None),
    "one-byte messages": (b"", clientFrame(b"x"), None),
    "one-byte binary messages": (b"", clientFrame(b"x", BINARY), None),
    "deflate bombs": (b"", bomb(), 1009),
    "close frames": (b"", closeFrame(1000), 1000),
    "close frames without a code": (b"", closeFrame(), 1005),
    "close frames with a wrong code": (b"", closeFrame(1005), 1002),
    "close frames with half a code": (b"", clientFrame(b"\x03", CLOSE), 1002),
    "close frames with rubbish": (b"", closeFrame(1000, b"\xff" * 100), 1007),
    "close frames that are too long": (b"", clientFrame(b"\x03\xe8" + b"x" * 200, CLOSE), 1002),
    "close frames in fragments": (b"", clientFrame(b"\x03\xe8", CLOSE, final=False), 1002),
    "wrong frames": (b"", clientFrame(b"x", opcode=5), 1002),
    "unmasked frames": (b"", clientFrame(b"x", mask=None), 1002),
}


def closeCode(received: bytes) -> int | None:
    """
    @return: the code of the close frame that the server's frames end with, 1005 if it has none, C{None} without one.
    """
    rest = received.partition(b"\r\n\r\n")[2]
    while len(rest) >= 2:
        length, start = rest[1], 2
        if length > 125:
            start = 4 if length == 126 else 10
            length = int.from_bytes(rest[2:start], "big")
        if rest[0] == 0x80 | CLOSE:
            return int.from_bytes(rest[2:4], "big") if length else 1005
        rest = rest[start + length :]
    return None


@implementer(IPushProducer, IHalfCloseableProtocol)
class Flood(Protocol):
    """
    Sends the same again and again, whatever it is told, until its time is over or the connection is cut.

    @ivar gone: fires with what it got.
    """

    transport: Any

    def __init__(self, first: bytes, again: bytes, reads: bool, isClosed: bool) -> None:
        """
        @param isClosed: whether the server is to close the connection.
        """
        self._isClosed = isClosed and reads
        self._began = perf_counter()
        self._first = first
        self._block = repeated(again)
        self._reads = reads
        self._received = b""
        self._isPaused = False
        self._timer: Any = None
        self.gone: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        """
        Begin.
        """
        self._timer = reactor.callLater(DURATION, self._stop)
        self.transport.registerProducer(self, True)
        if self._reads:
            self._readBeforeTheEnd(self.transport)
        else:
            self.transport.stopReading()
        self.transport.write(self._first)
        self._go()

    def _readBeforeTheEnd(self, transport: Any) -> None:
        """
        Whoever goes on sending to a server that has closed is told so by a reset: what had come before that is still there
        to be read, but Twisted gives up a connection whose sending failed without reading it.
        """
        send = transport.writeSomeData

        def sendOrRead(data: bytes) -> int | Exception:
            sent: int | Exception = send(data)
            if isinstance(sent, Exception):
                transport.doRead()
            return sent

        transport.writeSomeData = sendOrRead

    def _stop(self) -> None:
        isInTime = perf_counter() - self._began < PATIENCE
        if self._isClosed and isInTime and closeCode(self._received) is None:
            self._timer = reactor.callLater(DURATION, self._stop)
        else:
            self.transport.abortConnection()

    def _go(self) -> None:
        if not self._isPaused and self._timer.active():
            self.transport.write(self._block)
            reactor.callLater(0.001, self._go)

    def pauseProducing(self) -> None:
        """
        The server does not read so fast.
        """
        self._isPaused = True

    def resumeProducing(self) -> None:
        """
        It has.
        """
        self._isPaused = False
        self._go()

    def stopProducing(self) -> None:
        """
        It is over.
        """
        self._isPaused = True

    def dataReceived(self, data: bytes) -> None:
        """
        Read.
        """
        self._received += data

    def readConnectionLost(self) -> None:
        """
        The server has closed its end: no reason to stop.
        """

    def writeConnectionLost(self) -> None:
        """
        This end is closed.
        """

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is over.
        """
        if self._timer.active():
            self._timer.cancel()
        self.gone.callback(self._received)


class Heartbeat(Protocol):
    """
    Somebody else: calls, waits for the answer, and calls again.

    @ivar answers: how many answers have come.
    @ivar longest: how long the slowest of them took, in seconds.
    """

    transport: Any

    def __init__(self) -> None:
        self.answers = 0
        self.longest = 0.0
        self.isLost = False
        self.gone: Deferred[None] = Deferred()
        self._received = b""
        self._asked = 0.0
        self._next: Deferred[None] | None = None

    def nextAnswer(self) -> Deferred[None]:
        """
        @return: fires when the call that is being made has been answered, or the connection is lost.
        """
        self._next = Deferred()
        return self._next

    def _goOn(self) -> None:
        if self._next is not None:
            waiting, self._next = self._next, None
            waiting.callback(None)

    def connectionMade(self) -> None:
        """
        Join.
        """
        self.transport.setTcpNoDelay(True)
        self.transport.write(join(clientFrame("")))
        self._ask()

    def _ask(self) -> None:
        if not self.isLost:
            self._asked = perf_counter()
            self.transport.write(packet("echo", f"beat {self.answers}", 7))

    def dataReceived(self, data: bytes) -> None:
        """
        Count answers; be alive.
        """
        self._received += data
        if b"\x81\x00" in data:
            self.transport.write(clientFrame(""))
        if f'"beat {self.answers}"'.encode() in self._received:
            self._received = b""
            self.answers += 1
            self.longest = max(self.longest, perf_counter() - self._asked)
            reactor.callLater(0.005, self._ask)
            self._goOn()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is over.
        """
        self.isLost = True
        self.gone.callback(None)
        self._goOn()


class FloodTests(ProcessTestCase):
    """
    Whatever somebody floods the process with, others are served meanwhile.
    """

    async def flood(self, port: int, first: bytes, again: bytes, reads: bool, isClosed: bool) -> list[bytes]:
        """
        Let some clients flood.

        @return: what each got.
        """
        clients = [Flood(first, again, reads, isClosed) for _ in range(CLIENTS)]
        await gatherResults(
            [connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), client) for client in clients]
        )
        return await gatherResults([client.gone for client in clients])

    async def test_floods(self) -> None:
        """
        Each flood ends as it has to, or goes on, and nobody else waits long meanwhile; afterwards nothing is left.
        """
        server, port = await self.start()
        for _ in range(20):
            await self.assertServes(port)
        descriptors, memory = server.descriptors, server.memory
        upgrade = upgradeRequest(sec_websocket_extensions="permessage-deflate") + HELLO

        waits: dict[str, float] = {}
        codes: dict[str, set[int | None]] = {}
        for reads in (True, False):
            for name, (first, again, code) in FLOODS.items():
                heartbeat = Heartbeat()
                await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), heartbeat)
                got = await self.flood(port, upgrade + first, again, reads, code is not None)
                if reads:
                    # None of them answers pings: on a busy machine that may be noticed before its time is over.
                    codes[name] = {None if code is None and each == 4001 else each for each in map(closeCode, got)}
                await heartbeat.nextAnswer()
                waits[f"{name}, {'read' if reads else 'unread'}"] = heartbeat.longest
                self.assertFalse(heartbeat.isLost, name)
                heartbeat.transport.loseConnection()
                await heartbeat.gone

        self.assertEqual(codes, {name: {code} for name, (_, _, code) in FLOODS.items()})
        slowest = max(waits, key=waits.__getitem__)
        self.assertLess(waits[slowest], LONGEST_WAIT, slowest)
        await self.assertUnhurt(server, port, descriptors, memory)
