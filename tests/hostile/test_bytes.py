"""
Bytes that are no WebSocket, or not quite.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from random import Random
from typing import Any
from zlib import compressobj

from twisted.internet.defer import Deferred

from agtwisted import AGServer, AGServerSocket
from tests.wire import CLOSE, PING, PONG, TEXT, RawClient, clientFrame, closeFrame, packet, upgradeRequest

from .support import HostileTestCase

HELLO = packet("#handshake", {}, 1)

#: What a client says that does everything right, frame by frame.
CONVERSATION = (
    HELLO,
    packet("echo", {"a": [1, 2.5, "é"]}, 2),
    packet("echo", "event"),
    clientFrame("", PING),
    packet("#subscribe", {"channel": "news", "data": 1}, 3),
    packet("#publish", {"channel": "news", "data": "x" * 200}, 4),
    clientFrame('[{"event":"echo","data":1,"cid":5},{"event":"echo","data":2,"cid":6}]'),
    clientFrame('{"event":"ec', TEXT, final=False) + clientFrame("ping", PING) + clientFrame('ho","cid":7}', 0),
    packet("#unsubscribe", "news", 8),
    closeFrame(1000, b"bye"),
)


def chunks(random: Random, data: bytes) -> Iterator[bytes]:
    """
    @return: the data in pieces of any size.
    """
    while data:
        size = random.choice((1, 2, 3, 7, 40, 1000, len(data)))
        yield data[:size]
        data = data[size:]


def mutated(random: Random, data: bytes) -> bytes:
    """
    @return: the data with some mistakes.
    """
    mistakes: tuple[Callable[[bytes, int, int], bytes], ...] = (
        lambda data, start, stop: data[:start] + bytes((random.randrange(256),)) + data[start + 1 :],
        lambda data, start, stop: data[:start] + bytes((data[start] ^ 1 << random.randrange(8),)) + data[start + 1 :],
        lambda data, start, stop: data[:start] + data[stop:],
        lambda data, start, stop: data[:start] + data[start:stop] * 2 + data[stop:],
        lambda data, start, stop: data[:start] + random.randbytes(stop - start) + data[start:],
        lambda data, start, stop: data[:start],
        lambda data, start, stop: data[stop:] + data[:stop],
    )
    for _ in range(random.choice((1, 1, 2, 5))):
        if data:
            start = random.randrange(len(data))
            data = random.choice(mistakes)(data, start, min(len(data), start + random.randrange(1, 12)))
    return data


def randomFrame(random: Random) -> bytes:
    """
    @return: a frame of any kind, whose length need not be true.
    """
    payload = random.choice(
        (b"", b"x", b'{"event":"echo","cid":1}', b"\x03\xe8bye", random.randbytes(random.randrange(300)))
    )
    frame = bytearray(
        clientFrame(
            payload,
            opcode=random.choice((0, 1, 1, 2, 8, 9, 10, 3, 15)),
            final=random.random() < 0.8,
            mask=None if random.random() < 0.05 else random.randbytes(4),
            rsv=random.choice((0, 0, 0, 0, 0, 0, 1, 2, 4)),
        )
    )
    if random.random() < 0.1:
        frame[1] = random.randrange(256)
    return bytes(frame)


class BytesTestCase(HostileTestCase):
    """
    Tests with raw connections.
    """

    def upgraded(self, server: AGServer | None = None, **headers: str | None) -> RawClient:
        """
        @return: a client that has completed the WebSocket handshake.
        """
        client = self.raw(server)
        self.assertTrue(client.open(**headers).startswith(b"HTTP/1.1 101 "))
        return client

    def feed(self, client: RawClient, data: bytes) -> None:
        """
        Send bytes in pieces, and be gone when the server closes the connection or nothing is left to say.
        """
        for chunk in chunks(self.random, data):
            client.send(chunk)
            if client.isClosing:
                break
        client.lose()

    def assertUnharmed(self, server: AGServer | None = None) -> None:
        """
        The next client is served, and nobody has left anything behind.
        """
        self.assertServes(server)
        self.assertEmpty(server)


class FrameTests(BytesTestCase):
    """
    What comes after the upgrade.
    """

    def test_randomBytes(self) -> None:
        """
        Bytes without any meaning end their connection at most.
        """
        for number in range(400):
            client = self.upgraded()
            self.feed(client, (HELLO if number % 2 else b"") + self.random.randbytes(self.random.randrange(400)))
        self.assertUnharmed()

    def test_heads(self) -> None:
        """
        So does any first byte of a frame with any second one that has a meaning of its own.
        """
        for first in range(256):
            for second in (0, 1, 125, 126, 127, 128, 129, 253, 254, 255):
                client = self.upgraded()
                client.send(HELLO, bytes((first, second)), self.random.randbytes(20))
                client.lose()
        self.assertUnharmed()

    def test_randomFrames(self) -> None:
        """
        Frames of any kind in any order, cut anywhere.
        """
        for number in range(400):
            client = self.upgraded()
            frames = b"".join(randomFrame(self.random) for _ in range(20))
            self.feed(client, (HELLO if number % 2 else b"") + frames)
        self.assertUnharmed()

    def test_deflated(self) -> None:
        """
        The same where the server agrees to inflate what comes.
        """
        server = self.makeServer(perMessageDeflate=True)
        for number in range(400):
            client = self.upgraded(server, sec_websocket_extensions="permessage-deflate")
            frames = [randomFrame(self.random) for _ in range(10)]
            frames.insert(self.random.randrange(10), clientFrame(self.random.randbytes(30), rsv=4))
            self.feed(client, (HELLO if number % 2 else b"") + b"".join(frames))
        self.assertUnharmed(server)

    def test_deflateBomb(self) -> None:
        """
        A small message that inflates to a huge one is refused before it has.
        """
        server = self.makeServer(perMessageDeflate=True)
        client = self.upgraded(server, sec_websocket_extensions="permessage-deflate")
        client.send(HELLO)
        client.take()
        deflate = compressobj(9, wbits=-15)
        bomb = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(64)) + deflate.flush(2)
        client.send(clientFrame(bomb[:-4], rsv=4))
        self.assertIn((CLOSE, (1009).to_bytes(2, "big")), [(opcode, text[:2]) for opcode, text in client.frames()])
        client.lose()
        self.assertUnharmed(server)

    def test_mutations(self) -> None:
        """
        A conversation with a few mistakes in its bytes.
        """
        whole = b"".join(CONVERSATION)
        for _ in range(1000):
            self.feed(self.upgraded(), mutated(self.random, whole))
        self.assertUnharmed()

    def test_mutatedTexts(self) -> None:
        """
        A conversation with mistakes in its messages, whose frames are right.
        """
        texts = [
            b'{"event":"echo","data":{"a":[1,2.5,"x"]},"cid":2}',
            b'{"event":"#subscribe","data":{"channel":"news","data":1},"cid":3}',
            b'{"event":"#publish","data":{"channel":"news","data":"x"},"cid":4}',
            b'{"event":"#unsubscribe","data":"news","cid":8}',
            b'{"event":"#authenticate","data":"a.b.c","cid":9}',
            b'[{"event":"echo","cid":5},{"rid":1,"error":{"name":"E","message":"m"}}]',
        ]
        for _ in range(500):
            client = self.upgraded()
            self.feed(client, HELLO + b"".join(clientFrame(mutated(self.random, text)) for text in texts))
        self.assertUnharmed()

    def test_cuts(self) -> None:
        """
        However TCP cuts a conversation, it gets the same answers in the same order; pongs may come before them.
        """
        whole = b"".join(CONVERSATION)
        answers: list[list[bytes]] = []
        for cut in range(0, len(whole), 3):
            client = self.upgraded()
            client.send(whole[:cut], whole[cut:])
            frames = client.frames()
            self.assertEqual([opcode for opcode, _ in frames].count(PONG), 2)
            self.assertEqual(frames[-1], (CLOSE, (1000).to_bytes(2, "big") + b"bye"))
            answers.append([text for opcode, text in frames if opcode == TEXT and b'"isAuthenticated"' not in text])
            client.lose()
        self.assertEqual([each for each in answers if each != answers[0]], [])
        self.assertUnharmed()

    def test_gone(self) -> None:
        """
        A client may be gone after any byte.
        """
        whole = upgradeRequest() + b"".join(CONVERSATION)
        for end in range(len(whole)):
            client = self.raw()
            client.send(whole[:end])
            client.lose()
        self.assertUnharmed()

    def test_nothingKept(self) -> None:
        """
        Nobody keeps the sockets of connections that are gone.
        """
        for _ in range(50):
            self.feed(self.upgraded(), b"".join(CONVERSATION))
            self.feed(self.upgraded(), mutated(self.random, b"".join(CONVERSATION)))
        self.clock.advance(60)
        self.assertUnharmed()
        gc.collect()
        kept = [each for each in gc.get_objects() if isinstance(each, AGServerSocket) and each.server is self.server]
        self.assertLess(len(kept), 3)


#: Requests that get no 101, and what they get; C{None} is no answer, but a connection that is open still.
REQUESTS: dict[str, tuple[bytes, bytes | None]] = {
    "nothing": (b"", None),
    "a part": (upgradeRequest()[:-2], None),
    "line ends of Unix": (upgradeRequest().replace(b"\r\n", b"\n"), None),
    "no request": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"400"),
    "an empty line": (b"\r\n\r\n", b"400"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"501"),
    "HTTP/0.9": (b"GET /\r\n\r\n", b"400"),
    "HTTP/1.0": (upgradeRequest(version="1.0"), b"400"),
    "a page": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"501"),
    "another method": (upgradeRequest(method="POST"), b"405"),
    "another path": (upgradeRequest(path="/"), b"400"),
    "a path above": (upgradeRequest(path="/socketcluster/../socketcluster/"), b"400"),
    "a path with a zero byte": (upgradeRequest(path="/socketcluster/\x00"), b"400"),
    "no host": (upgradeRequest(host=None), b"400"),
    "two hosts": (upgradeRequest().replace(b"Host: ", b"Host: a\r\nHost: "), b"400"),
    "a body": (upgradeRequest(content_length="5") + b"hello", b"400"),
    "a chunked body": (upgradeRequest(transfer_encoding="chunked") + b"0\r\n\r\n", b"400"),
    "a length that is none": (upgradeRequest(content_length="-1"), b"400"),
    "no key": (upgradeRequest(sec_websocket_key=None), b"400"),
    "a short key": (upgradeRequest(sec_websocket_key="YQ=="), b"400"),
    "a key that is none": (upgradeRequest(sec_websocket_key="é" * 24), b"400"),
    "another version": (upgradeRequest(sec_websocket_version="99"), b"400"),
    "a version that is none": (upgradeRequest(sec_websocket_version="x"), b"400"),
    "no connection header": (upgradeRequest(connection=None), b"400"),
    "a folded line": (upgradeRequest().replace(b"Host: ", b"X: a\r\n b\r\nHost: "), b"400"),
    "a space before the colon": (upgradeRequest().replace(b"Host:", b"Host :"), b"400"),
    "a zero byte": (upgradeRequest(x="a\x00b"), b"400"),
    "a carriage return": (upgradeRequest(x="a\rb"), b"400"),
    "no name": (upgradeRequest().replace(b"Host: ", b": a\r\nHost: "), b"400"),
    "a long line": (upgradeRequest(x="a" * 9000), b"431"),
    "many lines": (upgradeRequest().replace(b"\r\n\r\n", b"\r\n" + b"X: a\r\n" * 200 + b"\r\n"), b"431"),
    "no end": (b"GET / HTTP/1.1\r\n" + b"X: aaaaaaaaaaaa\r\n" * 2000, b"431"),
    "one line without end": (b"a" * 40_000, b"431"),
}


class RequestTests(BytesTestCase):
    """
    What comes instead of an upgrade request.
    """

    def test_requests(self) -> None:
        """
        Every request that is not clean gets its status, and its connection is closed, however it is cut.
        """
        for name, (request, status) in REQUESTS.items():
            for cut in (0, 1, len(request) // 2, len(request) - 1):
                client = self.raw()
                client.send(request[: max(cut, 0)], request[max(cut, 0) :])
                answer = client.take()
                self.assertEqual(answer.split(b" ", 2)[1] if answer else None, status, name)
                self.assertEqual(client.isClosing, status is not None, name)
                client.lose()
        self.assertUnharmed()

    def test_slow(self) -> None:
        """
        Who does not come to an end with the request is dropped in time; so is who never shakes hands.
        """
        clients = [self.raw() for _ in range(20)]
        for second in range(15):
            for client in clients:
                client.send(upgradeRequest()[second : second + 1])
            self.clock.advance(1)
        self.assertTrue(all(client.isClosing for client in clients))
        idle = [self.upgraded() for _ in range(20)]
        self.clock.advance(11)
        for client in idle:
            self.assertEqual(client.frames()[-1], (CLOSE, (4005).to_bytes(2, "big")))
        for client in (*clients, *idle):
            client.lose()
        self.assertUnharmed()

    def test_mutations(self) -> None:
        """
        Requests with a few mistakes in their bytes are accepted or refused.
        """
        for _ in range(1500):
            client = self.raw()
            client.send(mutated(self.random, upgradeRequest(origin="http://a.example", cookie="a=b")))
            answer = client.take()
            self.assertIn(
                answer[:13],
                (b"", b"HTTP/1.1 101 ", b"HTTP/1.1 400 ", b"HTTP/1.1 405 ", b"HTTP/1.1 431 ", b"HTTP/1.1 501 "),
            )
            self.feed(client, HELLO)
        self.assertUnharmed()

    def test_extensions(self) -> None:
        """
        Offers of extensions and subprotocols that make no sense are not accepted, and do no harm.
        """
        server = self.makeServer(perMessageDeflate=True)
        for offer in (
            "permessage-deflate; client_max_window_bits=99",
            "permessage-deflate; server_max_window_bits=x",
            "permessage-deflate; a; b; a",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate=1",
            "permessage-deflate;" * 200,
            "x-unknown, permessage-deflate; =",
            ",,;;==",
            "\xff",
            '"',
        ):
            client = self.raw(server)
            answer = client.open(sec_websocket_extensions=offer, sec_websocket_protocol=offer)
            self.assertIn(answer[:13], (b"HTTP/1.1 101 ", b"HTTP/1.1 400 "), offer)
            self.feed(client, HELLO)
        self.assertUnharmed(server)


class EndTests(BytesTestCase):
    """
    Connections that end at every stage, in every way.
    """

    #: How far a client gets.
    STAGES: dict[str, Callable[[RawClient], None]] = {
        "connected": lambda client: None,
        "half a request": lambda client: client.send(upgradeRequest()[:40]),
        "upgraded": lambda client: client.send(upgradeRequest()),
        "upgraded, and half a frame": lambda client: client.send(upgradeRequest(), HELLO[:9]),
        "shaking hands": lambda client: client.send(upgradeRequest() + HELLO),
        "joined": lambda client: client.send(upgradeRequest(), HELLO),
        "subscribed": lambda client: client.send(upgradeRequest(), HELLO, *CONVERSATION[4:6]),
        "inside a message": lambda client: client.send(upgradeRequest(), HELLO, clientFrame("{", final=False)),
        "inside a long frame": lambda client: client.send(upgradeRequest(), HELLO, clientFrame("x" * 70_000)[:30_000]),
        "closing": lambda client: client.send(upgradeRequest(), HELLO, closeFrame(1000)),
        "failing": lambda client: client.send(upgradeRequest(), HELLO, b"\xff\xff"),
    }

    #: How it ends.
    ENDS: dict[str, Callable[[RawClient], None]] = {
        "gone": lambda client: None,
        "close frame": lambda client: client.send(closeFrame(1000)),
        "close frame of a client that stays": lambda client: client.send(closeFrame(4000), HELLO, HELLO),
        "half a close frame": lambda client: client.send(closeFrame(1000)[:3]),
        "two close frames": lambda client: client.send(closeFrame(1000) * 2),
        "rubbish": lambda client: client.send(b"\x00" * 50),
        "too much": lambda client: client.send(clientFrame("x" * 1_100_000)),
        "another request": lambda client: client.send(upgradeRequest()),
    }

    def test_ends(self) -> None:
        """
        Every stage with every end, on servers of every kind.
        """
        for server in self.eachServer().values():
            for reach in self.STAGES.values():
                for end in self.ENDS.values():
                    client = self.raw(server)
                    reach(client)
                    end(client)
                    client.lose()
            self.assertUnharmed(server)

    def test_silent(self) -> None:
        """
        Clients that stay at any stage and say nothing more are dropped in time.
        """
        clients = []
        for reach in self.STAGES.values():
            for end in self.ENDS.values():
                client = self.raw()
                reach(client)
                end(client)
                clients.append(client)
        for _ in range(100):
            self.clock.advance(1)
        self.assertEqual([client for client in clients if not client.isClosing and self.server.clients], [])
        for client in clients:
            client.lose()
        self.assertUnharmed()

    def test_serverCloses(self) -> None:
        """
        The application disconnects clients at any stage, with calls pending, and they go on talking.
        """
        for reach in self.STAGES.values():
            client = self.raw()
            reach(client)
            for socket in (*self.server.clients.values(), *self.server.pendingClients.values()):
                asked: list[Any] = []
                socket.invoke("question").addBoth(asked.append)
                socket.disconnect(4100, "enough")
                self.settle()
                self.assertEqual(len(asked), 1)
            client.send(*CONVERSATION)
            client.lose()
        self.assertUnharmed()

    def test_middlewareWaits(self) -> None:
        """
        Clients that are gone while middleware has not decided yet, at every line.
        """
        for line in ("handshake", "inboundRaw", "inbound"):
            waiting: list[Any] = []
            server = self.makeServer()

            async def hold(stream: Any, waiting: list[Any] = waiting) -> None:
                async for action in stream:
                    decision: Deferred[None] = Deferred()
                    waiting.append(decision)
                    await decision
                    action.allow()

            server.setMiddleware(line, hold)
            for end in self.ENDS.values():
                for steps in range(1, 5):
                    client = self.raw(server)
                    client.send(upgradeRequest(), *CONVERSATION[:5])
                    for _ in range(steps):
                        if waiting:
                            waiting.pop(0).callback(None)
                            self.settle()
                    end(client)
                    client.lose()
                    while waiting:
                        waiting.pop(0).callback(None)
                        self.settle()
            server.removeMiddleware(line)
            self.assertUnharmed(server)

    def test_cycles(self) -> None:
        """
        One connection after the other, hundreds of times.
        """
        for number in range(500):
            client = self.raw()
            for frame in (upgradeRequest(), *CONVERSATION)[: number % (len(CONVERSATION) + 2)]:
                client.send(frame)
            client.lose()
        self.assertUnharmed()
