"""
Tests of L{agtwisted.shortcuts}: short cuts are taken unless somebody forbids it, and they change nothing.

Frames in any order, legal or not, cut anywhere, are played to a server that takes the short cuts and to one that does not.
What is sent through a kernel that takes any number of bytes at any time comes out in the order in which it went in.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket as sockets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from errno import EWOULDBLOCK
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import AGServer, websocket
from agtwisted.shortcuts import VARIABLE, mayBeTaken
from agtwisted.websocket.reading import ReadingProtocol
from tests.inpython import inPython
from tests.wire import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    RawClient,
    SocketClient,
    Transport,
    clientFrame,
    closeFrame,
    frames,
    packet,
    upgradeRequest,
)

ROOT = Path(__file__).resolve().parent.parent
#: Payloads may be this long; more is refused.
MAXIMUM_PAYLOAD = 40_000


class SwitchTests(SynchronousTestCase):
    """
    The environment variable.
    """

    def test_values(self) -> None:
        """
        Short cuts are taken unless the variable says no, in whatever case.
        """
        for text in ("", "on", "1", "yes", "anything"):
            self.assertTrue(mayBeTaken({VARIABLE: text}), text)
        self.assertTrue(mayBeTaken({}))
        for text in ("off", "OFF", " no ", "false", "0"):
            self.assertFalse(mayBeTaken({VARIABLE: text}), text)

    def test_process(self) -> None:
        """
        A process obeys the variable that it was started with, in receiving and sending as in polling, without a warning.
        """
        program = """
from twisted.internet.epollreactor import EPollReactor
from agtwisted import websocket
from agtwisted.process import useLeanPolling
from agtwisted.streams.turns import Turns
reactor = EPollReactor()
print(websocket.fastPaths, useLeanPolling(reactor, Turns(reactor)))
"""
        for text, expected in (("off", "False False"), ("on", "True True")):
            environment = {**os.environ, VARIABLE: text}
            done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True)
            self.assertEqual((done.stdout.strip(), done.stderr), (expected, ""))


def repeatable(examples: int) -> settings:
    """
    @return: settings with which a test finds the same each time, however slow the machine is.
    """
    return settings(
        max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )


@contextlib.contextmanager
def shortCuts(areTaken: bool) -> Iterator[None]:
    """
    Connections that begin and receive meanwhile take short cuts, or do not.
    """
    before, websocket.fastPaths = websocket.fastPaths, areTaken
    try:
        yield
    finally:
        websocket.fastPaths = before


# ---- receiving


@dataclass(frozen=True)
class Part:
    """
    Something that a client sends.

    @ivar breaksEarly: whether Autobahn finds the fault in it before it is whole: text that is no UTF-8.
    """

    data: bytes
    breaksEarly: bool = False


def text(size: int) -> bytes:
    """
    @return: the text of a packet with as much data as that.
    """
    return json.dumps({"event": "x", "data": "é" * (size // 2)}, ensure_ascii=False, separators=(",", ":")).encode()


sizes = st.one_of(
    st.integers(0, 300),
    st.sampled_from((95, 96, 97, 4060, 4080, 4096, 16_350, 16_384, 17_000, 39_000, 65_600)),
)
masks = st.one_of(st.just(b"\0\0\0\0"), st.binary(min_size=4, max_size=4))
controls = st.one_of(
    st.builds(lambda data, mask: clientFrame(data, PING, mask=mask), st.binary(max_size=125), masks),
    st.builds(lambda data, mask: clientFrame(data, PONG, mask=mask), st.binary(max_size=125), masks),
)


def inFragments(payload: bytes, cuts: list[int], between: list[bytes], opcode: int) -> bytes:
    """
    @param cuts: where to cut the payload.
    @param between: control frames that come between the fragments, as far as there are enough of them.
    @return: a message in fragments.
    """
    ends = [0, *sorted(cut % (len(payload) + 1) for cut in cuts), len(payload)]
    data = b""
    for number, (start, end) in enumerate(pairwise(ends)):
        kind = CONTINUATION if number else opcode
        data += clientFrame(payload[start:end], kind, final=number == len(cuts)) + b"".join(between[number : number + 1])
    return data


def call(value: object, mask: bytes | None) -> bytes:
    """
    @return: the frame of a call that is answered.
    """
    return clientFrame(json.dumps({"event": "echo", "data": value, "cid": 7}), mask=mask)


#: What may come in one piece with calls: those of two procedures, one of which ends the connection now and then; numbers
#: that are none; events; and what is no packet.
together = st.lists(
    st.one_of(
        *[st.builds(call, st.integers(0, 9), masks)] * 3,
        st.sampled_from(
            [
                packet("count", 1, 8),
                packet("count", 2, 9),
                packet("end?", "no", 10),
                packet("end?", "yes", 11),
                packet("nobody", 1, 12),
                packet("x", "event"),
                packet("#publish", {"channel": "news", "data": 1}, 13),
                clientFrame('{"event":"echo","cid":1.5}'),
                clientFrame('{"event":"echo","cid":"1"}'),
                clientFrame('{"event":["echo"],"cid":1}'),
                clientFrame('[{"event":"echo","cid":1},{"event":"count","cid":2}]'),
                clientFrame('{"event":"echo","cid":1'),
                clientFrame("#2"),
                clientFrame(""),
                clientFrame("[" * 200),
            ]
        ),
    ),
    max_size=40,
).map(b"".join)
legal = st.one_of(
    st.builds(lambda size, mask: clientFrame(text(size), mask=mask), sizes, masks),
    st.builds(call, st.integers() | st.text(max_size=10), masks),
    st.builds(lambda size, mask: clientFrame(text(size), BINARY, mask=mask), st.integers(0, 300), masks),
    st.builds(lambda number: packet("x", number) * (1 + number), st.integers(0, 12)),
    together,
    st.builds(lambda word: clientFrame(word), st.sampled_from(["", "x", "[]", "null", '"a"', "{", "#2", "[1,{}]"])),
    st.builds(
        inFragments,
        sizes.map(text),
        st.lists(st.integers(0, 70_000), max_size=4),
        st.lists(controls, max_size=5),
        st.sampled_from((TEXT, BINARY)),
    ),
    controls,
).map(Part)
closing = st.one_of(
    st.just(closeFrame()),
    st.builds(closeFrame, st.sampled_from((1000, 1001, 3000, 4444, 4999)), st.sampled_from((b"", b"bye", "ö".encode()))),
)
illegal = st.one_of(
    st.builds(lambda size: clientFrame(text(size), mask=None), st.integers(0, 300)),
    st.builds(lambda size, rsv: clientFrame(text(size), rsv=rsv), st.integers(0, 300), st.integers(1, 7)),
    st.builds(lambda opcode: clientFrame("{}", opcode), st.sampled_from((3, 4, 5, 6, 7, 11, 12, 15))),
    st.sampled_from(
        (
            clientFrame("{}", CONTINUATION),
            clientFrame("{", final=False) + clientFrame("{}"),
            clientFrame("{", final=False) + clientFrame("{}", BINARY),
            clientFrame(b"x" * 126, PING),
            clientFrame(b"x", PING, final=False),
            clientFrame(b"x", CLOSE),
            b"\x81\xfe\x00\x02\0\0\0\0{}",
            b"\x81\xff\0\0\0\0\0\0\0\x02\0\0\0\0{}",
            b"\x81\xff\x80\0\0\0\0\0\0\x02\0\0\0\0{}",
            b"\x81\xff\x00\0\0\x01\0\0\0\x02\0\0\0\0{}",
        )
    ),
    st.builds(closeFrame, st.sampled_from((0, 999, 1004, 1005, 1006, 1015, 2999, 5000))),
).map(Part) | st.sampled_from((b"\xff", b'{"a":"\xff"}', b"\xed\xa0\x80", b"a" * 200 + b"\xc3", b"\xc3(" * 2500)).map(
    lambda payload: Part(clientFrame(payload), breaksEarly=True)
)
#: How a client may end: not at all, with a close frame, in the midst of a frame, or with what is no frame of text.
ends = st.one_of(
    st.just(b""),
    closing,
    st.builds(lambda size, end: clientFrame("a" * size)[:end], sizes, st.integers(1, 5000)),
    st.binary(max_size=40).filter(lambda data: data[:1] != b"\x81"),
).map(Part)

conversations = st.builds(
    lambda parts, end: [*parts, end],
    st.lists(st.one_of(legal, legal, legal, illegal), max_size=10) | st.lists(legal, max_size=20),
    ends,
)
#: Where to cut what is sent, as shares of it; and byte by byte around these places.
cuttings = st.lists(st.floats(0, 1, exclude_max=True), max_size=12)


def chunks(data: bytes, cuts: list[float], isShredded: bool) -> list[bytes]:
    """
    @return: the data in pieces.
    """
    places = {int(cut * len(data)) for cut in cuts}
    if isShredded:
        places = {place + step for place in places for step in range(-8, 9)}
    ends = sorted({0, len(data), *(place for place in places if 0 < place < len(data))})
    return [data[start:end] for start, end in pairwise(ends)]


class Play:
    """
    A client and its server, and all that can be seen of them.

    @ivar seen: after each chunk, what the application has got, what was sent, and whether the server has hung up.
    """

    def __init__(self, deeds: dict[int, str], isWatched: bool, isTogether: bool = False) -> None:
        """
        @param deeds: what the server does of itself, by the number of the chunk before which it does it.
        @param isWatched: whether the application looks at the messages as they come.
        @param isTogether: whether the connection is a real one, and read together with another one, which has nothing to
            say.
        """
        self.clock = PollingClock()
        self.server = AGServer(reactor=self.clock, authKey="secret", maxPayload=MAXIMUM_PAYLOAD)  # type: ignore[arg-type]
        self.client: Any
        if isTogether:
            self.client = SocketClient(self.server.websocketFactory(), self.clock)
        else:
            self.client = RawClient(self.server.websocketFactory(), self.clock)
            self.client.join()
        (self.socket,) = self.server.clients.values()
        self.happened: list[Any] = []
        self.seen: list[Any] = []
        self._deeds = deeds
        self._together: list[Any] = []
        if isTogether:
            other = RawClient(self.server.websocketFactory(), self.clock)
            other.join()
            self._together = [other.protocol, self.client.protocol]
        self._follow(self.socket.receiver("x"), lambda data: self.happened.append(("x", data)))
        self._follow(self.socket.procedure("echo"), lambda request: request.end(request.data))
        self._follow(self.socket.procedure("end?"), self._mayEnd)
        for number in (1, 2):
            self._follow(self.socket.procedure("count"), lambda request, number=number: self._count(number, request))
        if isWatched:
            self._follow(self.socket.listener("message"), lambda event: self.happened.append(("message", event.message)))
        for name in ("error", "disconnect", "close"):
            self._follow(self.socket.listener(name), lambda event, name=name: self._event(name, event))
        self._follow(self.server.listener("closure"), lambda event: self._event("closure", event))

    def _follow(self, stream: Any, handle: Callable[[Any], object]) -> None:
        consumer = stream.createConsumer()

        async def loop() -> None:
            async for value in consumer:
                handle(value)

        Deferred.fromCoroutine(loop())

    def _mayEnd(self, request: Any) -> None:
        request.end(request.data)
        if request.data == "yes":
            self.socket.disconnect(4321, "asked for")

    def _count(self, number: int, request: Any) -> None:
        self.happened.append((number, request.data, self.socket.inboundReceivedMessageCount))
        if number == 1:
            request.error(ValueError("counted"))

    def _event(self, name: str, event: Any) -> None:
        error = getattr(event, "error", None)
        self.happened.append((name, getattr(event, "code", None), getattr(event, "reason", None), str(error)))

    def send(self, pieces: list[bytes]) -> None:
        """
        Send everything, piece by piece, and hang up.
        """
        for number, piece in enumerate(pieces):
            self._do(self._deeds.get(number))
            if self._together:
                self._read(piece)
            else:
                self.client.send(piece)
            self._look()
        self.client.lose()
        self._look()

    def _read(self, piece: bytes) -> None:
        if not self.client.isClosing:
            self.client.say(piece)
            ReadingProtocol.readAll(self._together)
        self.clock.advance(0)

    def _do(self, deed: str | None) -> None:
        if deed == "transmit":
            self.socket.transmit("note", "n" * 200)
        elif deed == "ping":
            self.clock.advance(8.1)
        elif deed == "disconnect":
            self.socket.disconnect(4500, "enough")

    def _look(self) -> None:
        sent = frames(self.client.take())
        state = (self.client.isClosing, self.socket.state, self.socket.getBytesReceived())
        self.seen.append((list(self.happened), sent, state, self.socket.inboundProcessedMessageCount))

    def result(self) -> tuple[Any, ...]:
        """
        @return: what was seen in all, whenever that was, but for when the server has hung up.
        """
        return self.happened, [frame for _, sent, _, _ in self.seen for frame in sent], self.socket.state


class Way(NamedTuple):
    """
    How something is received.

    @ivar areTaken: whether short cuts are taken.
    @ivar isTogether: whether the connection is read together with another one.
    @ivar isInC: whether that is done in C, if there is any.
    """

    areTaken: bool
    isTogether: bool = False
    isInC: bool = True


WAYS = (Way(False), Way(True), Way(True, isInC=False), Way(True, isTogether=True), Way(True, isTogether=True, isInC=False))


class ReceivingTests(SynchronousTestCase):
    """
    Whatever a client sends.
    """

    def play(self, way: Way, pieces: list[bytes], deeds: dict[int, str], isWatched: bool) -> Play:
        """
        @return: what happens.
        """
        with shortCuts(way.areTaken), inPython(not way.isInC):
            play = Play(deeds, isWatched, way.isTogether)
            play.send(pieces)
        return play

    @repeatable(200)
    @given(
        conversations,
        cuttings,
        st.booleans(),
        st.dictionaries(st.integers(0, 12), st.sampled_from(("transmit", "ping", "disconnect")), max_size=3),
        st.booleans(),
    )
    def test_same(
        self, parts: list[Part], cuts: list[float], isShredded: bool, deeds: dict[int, str], isWatched: bool
    ) -> None:
        """
        With short cuts and without, read alone or together with others, the application gets the same, the client gets
        the same, and the connection ends with the same, after every single piece. (Only text that is no UTF-8 is found out
        earlier without, in the midst of its frame, and the connection closed sooner.)
        """
        isBroken = any(part.breaksEarly for part in parts)
        pieces = chunks(b"".join(part.data for part in parts), cuts, isShredded)
        plays = [self.play(way, pieces, {} if isBroken else deeds, isWatched) for way in WAYS]
        ordinary, *others = (play.result() if isBroken else play.seen for play in plays)
        for way, other in zip(WAYS[1:], others, strict=True):
            self.assertEqual(other, ordinary, way)

    @repeatable(40)
    @given(st.lists(st.integers(0, 300), min_size=1, max_size=30), cuttings, st.booleans(), masks)
    def test_complete(self, lengths: list[int], cuts: list[float], isShredded: bool, mask: bytes) -> None:
        """
        Nothing is lost or comes twice, however it is cut.
        """
        data = b"".join(clientFrame(text(length), mask=mask) for length in lengths)
        for way in WAYS:
            play = self.play(way, chunks(data, cuts, isShredded), {}, True)
            got = [values[1] for values in play.happened if values[0] == "x"]
            self.assertEqual(got, ["é" * (length // 2) for length in lengths])


# ---- sending


class Kernel:
    """
    As much of a socket as a transport sends through; it takes what it has room for.

    @ivar room: how many bytes it will still take.
    @ivar taken: what it has taken.
    """

    family = sockets.AF_UNIX

    def __init__(self) -> None:
        self.room = 1 << 20
        self.taken = bytearray()

    def send(self, data: bytes) -> int:
        """
        @raise BlockingIOError: there is no room.
        """
        if self.room == 0:
            raise BlockingIOError(EWOULDBLOCK, "full")
        count = min(self.room, len(data))
        self.taken += data[:count]
        self.room -= count
        return count

    def recv(self, size: int) -> bytes:
        """
        @raise BlockingIOError: nothing comes.
        """
        raise BlockingIOError(EWOULDBLOCK, "empty")

    def setblocking(self, isBlocking: bool) -> None:
        """
        It never blocks.
        """

    def fileno(self) -> int:
        """
        @return: none.
        """
        return -1


class ReluctantKernel(Kernel):
    """
    One that takes only a little of what comes first.
    """

    def send(self, data: bytes) -> int:
        """
        @return: see L{Kernel.send}.
        """
        return super().send(data if self.taken else data[:40])


class PollingClock(Clock):
    """
    A clock that a TCP transport takes for a reactor.

    @ivar readers: who wants to read.
    @ivar writers: who wants to write.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[object] = set()
        self.writers: set[object] = set()
        self.addReader, self.removeReader = self.readers.add, self.readers.discard
        self.addWriter, self.removeWriter = self.writers.add, self.writers.discard


class Sending:
    """
    A server's end of one connection, and what it was asked to send.

    @ivar numbers: how many messages there were of each kind.
    """

    def __init__(self, skt: Any) -> None:
        """
        @param skt: what the server's transport sends through.
        """
        self.clock = PollingClock()
        self.server = AGServer(reactor=self.clock, authKey="secret", pingTimeout=10**9)  # type: ignore[arg-type]
        self.protocol = self.factory().buildProtocol(None)
        self.transport = Transport(skt, self.protocol, self.clock)
        self.protocol.makeConnection(self.transport)
        self.transport.startReading()
        self.numbers = {"note": 0, "rid": 0, PONG: 0}
        self._arrivals: list[bytes] = []
        self.begin()
        self.receive(upgradeRequest())
        self.receive(packet("#handshake", {}, 10**6))
        self.receive(packet("#subscribe", {"channel": "note"}, 10**6 + 1))
        (self.socket,) = self.server.clients.values()
        self._serve()

    def factory(self) -> Any:
        """
        @return: what makes the protocol.
        """
        return self.server.websocketFactory()

    def begin(self) -> None:
        """
        The connection has been made.
        """

    def arrive(self, data: bytes) -> None:
        """
        The server reads what has come.
        """
        self.protocol.dataReceived(data)

    def _serve(self) -> None:
        consumer = self.socket.procedure("echo").createConsumer()

        async def serve() -> None:
            async for request in consumer:
                request.end(request.data)

        Deferred.fromCoroutine(serve())

    def _next(self, kind: Any) -> int:
        self.numbers[kind] += 1
        return self.numbers[kind]

    def receive(self, data: bytes) -> None:
        """
        The client has sent something, which comes as soon as the server reads.
        """
        self._arrivals.append(data)
        self.turn()

    def turn(self) -> None:
        """
        One turn of the reactor.
        """
        while self._arrivals and self.transport in self.clock.readers:
            self.arrive(self._arrivals.pop(0))
        self.clock.advance(0)

    def write(self) -> None:
        """
        The reactor finds that the socket can be written to.
        """
        if self.transport in self.clock.writers:
            self.transport.doWrite()
        self.turn()

    def do(self, kind: str, size: int) -> None:
        """
        Let something happen that makes the server send something, or let it be sent.
        """
        if kind == "transmit":
            self.socket.transmit("note", [self._next("note"), "t" * size])
        elif kind == "publish":
            self.server.exchange.transmitPublish("note", [self._next("note"), "p" * size])
        elif kind == "call":
            self.receive(packet("echo", "c" * size, self._next("rid")))
        elif kind == "clientPings":
            self.receive(clientFrame(str(self._next(PONG)), PING))
        elif kind == "serverPings":
            self.clock.advance(8.1)
        elif kind == "turn":
            self.turn()
        elif kind == "write":
            self.write()

    def play(self, kernel: Any, steps: list[tuple[int | None, tuple[str, int]]], isClosed: bool) -> None:
        """
        Do one thing after the other, before each of which the kernel has room for so many bytes, C{None} for as many as
        before; then let everything be sent.

        @param isClosed: whether the server closes the connection at last.
        """
        for room, (kind, size) in steps:
            kernel.room = kernel.room if room is None else room
            self.do(kind, size)
        kernel.room = 1 << 30
        while not self.isDone:
            self.write()
        self.turn()
        if isClosed:
            self.socket.disconnect(4500)
            self.turn()
        while not self.isDone:
            self.write()

    @property
    def isDone(self) -> bool:
        """
        Whether there is nothing left to be sent.
        """
        return self.transport not in self.clock.writers and not self._arrivals

    def check(self, case: SynchronousTestCase, data: bytes, isClosed: bool) -> None:
        """
        Everything was sent, in the order in which it was asked for.

        @param data: all that has come out.
        """
        head, _, sent = data.partition(b"\r\n\r\n")
        case.assertTrue(head.startswith(b"HTTP/1.1 101") and head.isascii(), head)
        found: dict[Any, list[int]] = {kind: [] for kind in self.numbers}
        all = frames(sent)
        for opcode, payload in all:
            if opcode == PONG:
                found[PONG].append(int(payload))
            elif opcode == TEXT and payload:
                value = json.loads(payload)
                if "event" in value:
                    data = value["data"]
                    found["note"].append((data["data"] if value["event"] == "#publish" else data)[0])
                elif value["rid"] < 10**6:
                    found["rid"].append(value["rid"])
        for kind, count in self.numbers.items():
            case.assertEqual(found[kind], list(range(1, count + 1)), kind)
        case.assertEqual([place for place, (opcode, _) in enumerate(all, 1) if opcode == CLOSE], [len(all)] * isClosed)


deeds = st.tuples(
    st.sampled_from(("transmit", "publish", "call", "clientPings", "serverPings", "turn", "write")),
    st.sampled_from((0, 1, 100, 120, 130, 1000, 20_000, 70_000)),
)


class SendingTests(SynchronousTestCase):
    """
    Whatever a server sends, and however the kernel takes it.
    """

    @repeatable(120)
    @given(
        st.lists(st.tuples(st.sampled_from((None, 0, 0, 1, 7, 130, 5000, 66_000)), deeds), max_size=40),
        st.booleans(),
        st.booleans(),
    )
    def test_order(self, steps: list[tuple[int | None, tuple[str, int]]], isClosed: bool, areTaken: bool) -> None:
        """
        Nothing overtakes what is still buffered, and nothing is lost, when before each step the kernel has room for as
        many bytes as it likes: messages, publications, answers, pongs, pings; the close frame comes last.
        """
        with shortCuts(areTaken):
            kernel = Kernel()
            sending = Sending(kernel)
            sending.play(kernel, steps, isClosed)
            sending.check(self, bytes(kernel.taken), isClosed)

    def test_opening(self) -> None:
        """
        Nor does anything overtake the answer to the upgrade request, if not all of that can be sent at once.
        """
        for areTaken in (True, False):
            with shortCuts(areTaken):
                kernel = ReluctantKernel()
                sending = Sending(kernel)
                sending.play(kernel, [(None, ("transmit", 1))], False)
                sending.check(self, bytes(kernel.taken), False)

    @repeatable(40)
    @given(st.lists(st.tuples(st.sampled_from((0, 0, 1, 100, 3000, 1 << 20)), deeds), max_size=40), st.booleans())
    def test_kernel(self, steps: list[tuple[int, tuple[str, int]]], areTaken: bool) -> None:
        """
        The same through a real socket that holds little, when before each step its peer reads as much as it likes.
        """
        ours, peer = sockets.socketpair()
        with shortCuts(areTaken), ours, peer:
            ours.setblocking(False)
            peer.setblocking(False)
            ours.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 2048)
            sending = Sending(ours)
            got = bytearray()
            for count, (kind, size) in steps:
                got += read(peer, count)
                sending.do(kind, size)
            while not sending.isDone:
                got += read(peer, 1 << 20)
                sending.write()
            sending.socket.disconnect(4500)
            sending.turn()
            while not sending.isDone:
                got += read(peer, 1 << 20)
                sending.write()
            sending.check(self, bytes(got + read(peer, 1 << 20)), True)


def read(skt: sockets.socket, count: int) -> bytes:
    """
    @return: what has come, at most as many bytes as that.
    """
    data = b""
    with contextlib.suppress(BlockingIOError):
        while len(data) < count:
            data += skt.recv(count - len(data))
    return data
