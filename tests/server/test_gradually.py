"""
Tests of long messages that are decoded step by step, for the servers of both APIs.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from agtwisted import AGServer, SCServer
from agtwisted.errors import InvalidMessageError
from agtwisted.interfaces import IGradualCodec
from agtwisted.protocol.depth import TooMany
from agtwisted.protocol.minbin import MinBinCodec
from agtwisted.testing import FakeClient, connect
from tests.server.support import ServerTestCase

#: Seconds that a step takes, and that fit into a turn together with the first.
STEP = 0.0015
IN_A_TURN = 3


class TurningClock(Clock):
    """
    A clock with turns, as a reactor has them: what is scheduled in one is called in the next at the earliest.
    """

    def advance(self, amount: float) -> None:
        """
        Let a turn go by.
        """
        self.rightNow += amount
        now = self.seconds()
        for call in sorted((call for call in self.calls if call.getTime() <= now), key=lambda call: call.getTime()):
            if call in self.calls:
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)


class SteppingCodec:
    """
    JSON, of which each letter C{.} that precedes it takes a step, and time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.steps = 0

    def encode(self, value: object) -> str:
        """
        @return: text.
        """
        return json.dumps(value)

    def decode(self, message: str | bytes) -> object:
        """
        Decode at once.
        """
        if isinstance(message, str):
            message = message.encode()
        if b"too many" in message:
            raise TooMany
        if b"not UTF-8" in message:
            b"\xff".decode("utf-8")
        if b"rubbish" in message:
            raise InvalidMessageError("It is rubbish")
        return json.loads(message.strip(b"."))

    def decodeWithin(self, message: bytes, maxDepth: int | None, maxContainers: int | None) -> object:
        """
        Decode at once.
        """
        return self.decode(message)

    def decodeGradually(
        self, message: bytes, maxDepth: int | None, maxContainers: int | None
    ) -> Generator[None, None, object]:
        """
        Decode with as many steps as there are dots.
        """
        for _ in range(message.count(b".")):
            self.steps += 1
            self._clock.rightNow += STEP
            yield
        return self.decode(message)


class GradualTestCase(ServerTestCase):
    """
    A server of each kind, with what its clients' events carry.
    """

    def connect(self, kind: Any, **options: Any) -> tuple[FakeClient, list[Any]]:
        """
        @return: a client of a new server, and the data of its events C{note}, in order.
        """
        self.clock = TurningClock()
        self.codec = SteppingCodec(self.clock)
        self.server = kind(self.clock, codecEngine=self.codec, **options)
        client, noted = connect(self.server), []
        if kind is SCServer:
            client.socket.on("note", lambda data, respond: noted.append(data))
        else:
            self.collect(client.socket.receiver("note"), noted.append)
        return client, noted

    def long(self, value: object, steps: int) -> bytes:
        """
        @return: a long message that takes so many steps.
        """
        return b"." * steps + json.dumps(value).encode() + b" " * 65536


def note(data: object) -> dict[str, object]:
    """
    @return: a packet.
    """
    return {"event": "note", "data": data}


class GradualTests(GradualTestCase):
    """
    Each for the servers of both APIs.
    """

    kinds = (AGServer, SCServer)

    def turn(self) -> None:
        """
        Let a turn of the reactor go by.
        """
        self.clock.advance(0)

    def test_interface(self) -> None:
        """
        The codec of these tests is one that can do so, and so is MessagePack's.
        """
        for codec in (SteppingCodec(Clock()), MinBinCodec()):
            self.assertTrue(verifyObject(IGradualCodec, codec, tentative=True))

    def test_turns(self) -> None:
        """
        No turn takes longer than it may: what is left is for the next one.
        """
        for kind in self.kinds:
            client, noted = self.connect(kind)
            client.send(self.long(note("long"), 10))
            done = []
            while not noted:
                done.append(self.codec.steps)
                self.turn()
            # Sending takes a turn itself.
            self.assertEqual(done[:2], [2 * IN_A_TURN, 3 * IN_A_TURN])
            self.assertEqual(noted, ["long"])

    def test_order(self) -> None:
        """
        What comes behind a long message waits for it, and does not get lost when a batch or a call follows.
        """
        for kind in self.kinds:
            client, noted = self.connect(kind)
            client.send(self.long(note(1), 10), json.dumps(note(2)), self.long([note(3), note(4)], 5))
            client.send(json.dumps([note(5), note(6)]))
            self.assertEqual(client.socket.getInboundBackpressure(), 3)
            for _ in range(9):
                self.turn()
            self.assertEqual(noted, [1, 2, 3, 4, 5, 6])
            self.assertEqual(client.socket.getInboundBackpressure(), 0)

    def test_othersMeanwhile(self) -> None:
        """
        Others are served while a long message is decoded.
        """
        for kind in self.kinds:
            client, noted = self.connect(kind)
            other = connect(self.server)
            client.send(self.long(note(1), 10))
            self.assertEqual(self.successResultOf(other.publish("news", 1)), None)
            self.assertEqual(noted, [])

    def test_quick(self) -> None:
        """
        What does not take long is there at once, and so is a short message, which takes no steps.
        """
        for kind in self.kinds:
            client, noted = self.connect(kind)
            client.send(self.long(note(1), 2), b"." * 20 + json.dumps(note(2)).encode())
            self.turn()
            self.assertEqual((noted, self.codec.steps), ([1, 2], 2))

    def test_gone(self) -> None:
        """
        The message of a client that has gone meanwhile is dropped, and takes no more time.
        """
        for kind in self.kinds:
            client, noted = self.connect(kind)
            client.send(self.long(note(1), 10))
            client.disconnect(1000)
            for _ in range(9):
                self.turn()
            self.assertEqual((noted, self.codec.steps), ([], 2 * IN_A_TURN))
            self.assertEqual(client.socket.state, "closed")

    def test_failures(self) -> None:
        """
        What is wrong with a message ends the connection or is an error, as it is when it is decoded at once.
        """
        for kind in self.kinds:
            for what, code in (("too many", 1008), ("not UTF-8", 1007), ("rubbish", None)):
                outcomes = [self.failure(kind, what, steps) for steps in (None, 0, 10)]
                self.assertEqual(outcomes[1:], outcomes[:1] * 2)
                self.assertEqual(outcomes[0][0], code)

    def failure(self, kind: Any, what: str, steps: int | None) -> tuple[int | None, list[Any], list[str], dict[str, int]]:
        """
        Send a message with which something is wrong.

        @param steps: which it takes; if C{None}, it is decoded at once.
        @return: how the client was closed, what came of its next message, and what the operator learns.
        """
        client, noted = self.connect(kind)
        warnings: list[str] = []
        self.collect(self.server.listener("warning"), lambda event: warnings.append(event.warning.name))
        client.send(self.long(what, steps) if steps is not None else json.dumps(what).encode(), json.dumps(note("next")))
        for _ in range(5):
            self.turn()
        return client.closeCode, noted, warnings, dict(self.server.counters.limitsHit)

    def test_beforeHandshake(self) -> None:
        """
        A long message before the handshake ends the connection.
        """
        for kind in self.kinds:
            self.connect(kind)
            stranger = connect(self.server, handshake=False)
            stranger.send(self.long(note(1), 5))
            self.turn()
            self.assertEqual(stranger.closeCode, 4009)

    def test_rawMiddleware(self) -> None:
        """
        What raw middleware lets through is decoded in steps as well.
        """
        client, noted = self.connect(AGServer)

        async def allow(stream: Any) -> None:
            async for action in stream:
                action.allow()

        self.server.setMiddleware(self.server.MIDDLEWARE_INBOUND_RAW, allow)
        client.send(self.long(note(1), 10), self.long(note(2), 1))
        client.settle()
        self.assertEqual(noted, [])
        self.assertIn(self.codec.steps, (IN_A_TURN, 2 * IN_A_TURN))
        for _ in range(6):
            self.turn()
        self.assertEqual(noted, [1, 2])

    def test_minBin(self) -> None:
        """
        A long message in MessagePack comes as it was sent.
        """
        for kind in self.kinds:
            self.clock = TurningClock()
            server = kind(self.clock, codecEngine="minBin")
            client, noted = connect(server), []
            texts = [{"n": f"text {n}"} for n in range(5000)]
            data = {"numbers": list(range(40_000)), "texts": texts, "bytes": b"\xc1" * 70_000}
            got: Deferred[Any] = Deferred()
            got.addCallback(noted.append)
            if kind is SCServer:
                client.socket.on("note", lambda data, respond, got=got: got.callback(data))
            else:
                self.collect(client.socket.receiver("note"), got.callback)
            client.send(server.codec.encode(note(data)))
            for _ in range(20):
                self.turn()
            self.assertEqual(noted, [data])
