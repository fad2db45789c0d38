"""
Tests of the limits of what one client may send, for the servers of both APIs: what is within them, and what is past
them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from twisted.internet.task import Clock

from agtwisted import AGServer, SCServer, SCServerSocket
from agtwisted.errors import ResourceLimitError
from agtwisted.testing import FakeClient, connect
from tests.server.support import ServerTestCase


class LimitTestCase(ServerTestCase):
    """
    Tests that are run with both servers.
    """

    def servers(self, **options: Any) -> list[tuple[AGServer, list[Any]]]:
        """
        @return: a server of each kind, and where its warnings will be.
        """
        both: list[Any] = [self.makeServer(**options), SCServer(self.clock, authKey="secret", **options)]
        made = []
        for server in both:
            warnings: list[Any] = []
            self.collect(server.listener("warning"), lambda event, warnings=warnings: warnings.append(event.warning))
            made.append((server, warnings))
        return made

    def assertHit(self, server: AGServer, warnings: list[Any], limit: str, times: int = 1) -> None:
        """
        Check that a limit has been hit so often, and no other, and that the operator knows.
        """
        self.assertEqual(dict(server.counters.limitsHit), {limit: times})
        told = [each for each in warnings if isinstance(each, ResourceLimitError)]
        self.assertEqual([each.limit for each in told], [limit] * times)  # type: ignore[attr-defined]

    def assertNotHit(self, server: AGServer, warnings: list[Any]) -> None:
        """
        Check that nothing has been hit.
        """
        self.assertEqual((dict(server.counters.limitsHit), warnings), ({}, []))

    def assertClosed(self, client: FakeClient, code: int, reason: str) -> None:
        """
        Check how a client was closed.
        """
        self.assertEqual((client.state, client.closeCode, client.closeReason), ("closed", code, reason))


def nested(depth: int) -> str:
    """
    @return: a list with so many levels.
    """
    return "[" * depth + "]" * depth


class ChannelNameTests(LimitTestCase):
    """
    C{maxChannelNameLength}
    """

    def test_limit(self) -> None:
        """
        A name that is as long as it may be is like any other; to a longer one the client gets a C{ResourceLimitError},
        and can go on.
        """
        for server, warnings in self.servers(maxChannelNameLength=8):
            client = connect(server)
            name = "é" * 8
            for done in (client.subscribe(name), client.publish(name, 1), client.unsubscribe(name)):
                self.successResultOf(done)
            self.assertEqual(client.publications(name), [1])
            self.assertNotHit(server, warnings)
            for refused in (client.subscribe("x" * 9), client.publish("x" * 9, 1), client.unsubscribe("x" * 9)):
                error = self.failureResultOf(refused, ResourceLimitError).value
                self.assertEqual(
                    (error.message, error.limit),
                    ("A channel name of 9 characters is longer than the 8 that it may have", "maxChannelNameLength"),
                )
            self.assertHit(server, warnings, "maxChannelNameLength", 3)
            self.successResultOf(client.subscribe("y"))
            self.assertEqual(client.socket.subscriptions(), ["y"])  # type: ignore[union-attr]

    def test_middleware(self) -> None:
        """
        Middleware does not see names that are too long.
        """
        for server, _ in self.servers(maxChannelNameLength=8):
            seen: list[Any] = []
            if isinstance(server, SCServer):
                for line in (server.MIDDLEWARE_SUBSCRIBE, server.MIDDLEWARE_PUBLISH_IN):
                    server.addMiddleware(line, lambda request, next, seen=seen: (seen.append(request.channel), next()))
            else:

                async def middleware(stream: Any, seen: list[Any] = seen) -> None:
                    async for action in stream:
                        seen.append(action.channel)
                        action.allow()

                server.setMiddleware(server.MIDDLEWARE_INBOUND, middleware)
            client = connect(server)
            for name in ("x" * 9, "x" * 8):
                for done in (client.subscribe(name), client.publish(name)):
                    done.addErrback(lambda failure: failure.trap(ResourceLimitError))
            self.assertEqual(seen, ["x" * 8] * 2)

    def test_unanswered(self) -> None:
        """
        What expects no answer gets none.
        """
        for server, warnings in self.servers(maxChannelNameLength=8):
            client = connect(server)
            client.packets.clear()
            client.transmit("#publish", {"channel": "x" * 9})
            client.transmit("#unsubscribe", "x" * 9)
            self.assertEqual(client.packets, [])
            self.assertHit(server, warnings, "maxChannelNameLength", 2)

    def test_off(self) -> None:
        """
        C{None} is no limit.
        """
        for server, warnings in self.servers(maxChannelNameLength=None):
            self.successResultOf(connect(server).subscribe("x" * 5000))
            self.assertNotHit(server, warnings)


class ChannelCountTests(LimitTestCase):
    """
    C{socketChannelLimit}
    """

    def test_counted(self) -> None:
        """
        A subscription too many is counted; client and operator are told as in the reference.
        """
        for server, warnings in self.servers(socketChannelLimit=2):
            client = connect(server)
            for name in "ab":
                self.successResultOf(client.subscribe(name))
            self.assertNotHit(server, warnings)
            refused = self.failureResultOf(client.subscribe("c")).value
            self.assertIn("tried to exceed the channel subscription limit of 2", refused.message)
            self.assertEqual(dict(server.counters.limitsHit), {"socketChannelLimit": 1})
            self.assertEqual([each.name for each in warnings], ["BrokerError"])


class BatchTests(LimitTestCase):
    """
    C{maxBatchLength}
    """

    def test_limit(self) -> None:
        """
        A batch that is as long as it may be is processed; a longer one is not, and ends the connection with 1008.
        """
        for server, warnings in self.servers(maxBatchLength=3):
            client = connect(server)
            assert client.socket is not None
            received: list[Any] = []
            self.collect(client.socket.receiver("x"), received.append)
            if isinstance(server, SCServer):
                client.socket.on("x", received.append)  # type: ignore[attr-defined]
            client.send([{"event": "x", "data": number} for number in range(3)])
            self.assertEqual(received, [0, 1, 2])
            self.assertNotHit(server, warnings)
            client.send([{"event": "x", "data": number} for number in range(4)])
            self.assertEqual(received, [0, 1, 2])
            self.assertHit(server, warnings, "maxBatchLength")
            self.assertClosed(client, 1008, "A batch has 4 packets; it may have 3")

    def test_off(self) -> None:
        """
        C{None} is no limit.
        """
        for server, warnings in self.servers(maxBatchLength=None):
            client = connect(server)
            client.send([{}] * 20_000)
            self.clock.pump([0.1] * 100)
            self.assertEqual(client.state, "open")
            self.assertNotHit(server, warnings)


class BatchSliceTests(LimitTestCase):
    """
    Long batches are processed in slices, so that others get their turn.
    """

    def clients(self, received: list[Any]) -> Iterator[FakeClient]:
        """
        @return: a client of a server of each kind, whose messages of the kind C{"x"} are collected.
        """
        for server, _ in self.servers():
            client = connect(server)
            assert client.socket is not None
            self.collect(client.socket.receiver("x"), received.append)
            if isinstance(server, SCServer):
                client.socket.on("x", received.append)  # type: ignore[attr-defined]
            received.clear()
            yield client

    def send(self, client: FakeClient, value: object) -> None:
        """
        Let a message arrive, in the middle of a turn.
        """
        assert client.socket is not None
        client.socket.messageReceived(json.dumps(value).encode(), False)
        client.socket.turns.run()

    def test_order(self) -> None:
        """
        The packets of a batch are processed a slice per turn; what comes behind the batch is processed behind it.
        """
        received: list[Any] = []
        for client in self.clients(received):
            self.send(client, [{"event": "x", "data": number} for number in range(1000)])
            self.send(client, {"event": "x", "data": 1000})
            seen = [0]

            def look(seen: list[int] = seen) -> None:
                # Somebody else's turn.
                seen.append(len(received))
                if len(seen) < 10:
                    self.clock.callLater(0, look)

            look()
            self.clock.advance(0)
            self.assertEqual(received, list(range(1001)))
            self.assertEqual(seen[1], 128)
            self.assertLessEqual(max(after - before for before, after in pairwise(seen)), 257)

    def test_closed(self) -> None:
        """
        When the connection ends between two slices, neither the rest of the batch nor what waits behind it is processed.
        """
        received: list[Any] = []
        for client in self.clients(received):
            self.send(client, [{"event": "x", "data": number} for number in range(1000)])
            self.send(client, {"event": "x", "data": 1000})
            client.disconnect()
            self.clock.pump([0] * 10)
            self.assertEqual(received, list(range(128)))

    def test_failed(self) -> None:
        """
        A packet of a later slice that cannot be processed ends the connection.
        """
        received: list[Any] = []
        for client in self.clients(received):
            assert client.socket is not None
            socket = client.socket
            self.send(client, [{"event": "x", "data": number} for number in range(500)])
            failing = "_packetTaken" if isinstance(socket, SCServerSocket) else "_deliverAtOnce"
            patch = self.patch(type(socket), failing, lambda *_: 1 // 0)
            self.clock.pump([0] * 10)
            patch.restore()
            self.assertEqual((client.state, client.closeCode), ("closed", 1011))
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class TextCodec:
    """
    A codec that hides how deep a message is.
    """

    def encode(self, value: object) -> str:
        """
        Write backwards.
        """
        return json.dumps(value)[::-1]

    def decode(self, message: str) -> object:
        """
        Read backwards.
        """
        return json.loads(message[::-1])


class BinaryCodec:
    """
    The same in binary messages.
    """

    def encode(self, value: object) -> bytes:
        """
        Write backwards.
        """
        return json.dumps(value).encode()[::-1]

    def decode(self, message: str | bytes) -> object:
        """
        Read backwards; what is no JSON is text.
        """
        try:
            return json.loads(message[::-1])
        except ValueError:
            return message


class EchoTestCase(LimitTestCase):
    """
    Tests with calls that are answered with what they came with.
    """

    def echoing(self, server: AGServer) -> FakeClient:
        """
        @return: a client, of whom calls of C{echo} are answered with what they came with.
        """
        client = connect(server)
        assert client.socket is not None
        if isinstance(server, SCServer):
            client.socket.on("echo", lambda data, respond: respond(None, data))  # type: ignore[attr-defined]
        else:
            self.collect(client.socket.procedure("echo"), lambda request: request.end(request.data))
        return client


class ContainerTests(EchoTestCase):
    """
    C{maxContainers}
    """

    def message(self, count: int) -> str:
        """
        @return: a call of C{echo} that holds so many arrays and objects, itself included, and a text that has more brackets.
        """
        return f'{{"event":"echo","cid":5,"data":["{"[{" * 200}",{",".join(["[]"] * (count - 2))}]}}'

    def test_limit(self) -> None:
        """
        A message that holds as many as it may is answered, one with one more ends the connection with 1008, as text, in a
        batch and as a binary message.
        """
        wraps: tuple[tuple[Any, int], ...] = ((str, 100), ("[{}]".format, 99), (str.encode, 100))
        for wrap, size in wraps:
            for server, warnings in self.servers(maxContainers=100):
                client = self.echoing(server)
                client.send(wrap(self.message(size)))
                self.assertEqual(client.packets[-1]["data"], json.loads(self.message(size))["data"])
                self.assertNotHit(server, warnings)
                client.send(wrap(self.message(size + 1)))
                self.assertHit(server, warnings, "maxContainers")
                self.assertClosed(client, 1008, "A message holds more arrays and objects than the 100 that it may hold")

    def test_minBin(self) -> None:
        """
        So it is with MessagePack, where a packet has an array more than it says.
        """
        for size, isHit in ((99, False), (100, True)):
            for server, warnings in self.servers(maxContainers=100, codecEngine="minBin"):
                client = self.echoing(server)
                packet = json.loads(self.message(size))
                client.send(server.codec.encode(packet))
                if isHit:
                    self.assertHit(server, warnings, "maxContainers")
                    self.assertEqual(client.closeCode, 1008)
                else:
                    self.assertEqual(client.packets[-1]["data"], packet["data"])
                    self.assertNotHit(server, warnings)

    def test_default(self) -> None:
        """
        By default a mebibyte of nothing but brackets does not come through; without a limit it does.
        """
        message = self.message(300_000)
        cases: tuple[tuple[dict[str, Any], int | None], ...] = (
            ({}, 1008),
            ({"maxContainers": None}, None),
            ({"maxContainers": None, "maxDepth": None}, None),
        )
        for limits, code in cases:
            for server, _ in self.servers(**limits):
                client = self.echoing(server)
                client.send(message)
                self.assertEqual(client.closeCode, code)


class DepthTests(EchoTestCase):
    """
    C{maxDepth}
    """

    def message(self, depth: int) -> str:
        """
        @return: a call of C{echo} with so many levels, itself included.
        """
        return f'{{"event":"echo","cid":5,"data":{nested(depth - 1)}}}'

    def test_limit(self) -> None:
        """
        A message with as many levels as it may have is answered, one with one more ends the connection with 1008.
        """
        reason = "A message has more levels than the 12 that it may have"
        for codec in (None, TextCodec(), BinaryCodec(), "minBin"):
            for server, warnings in self.servers(maxDepth=12, codecEngine=codec):
                client = self.echoing(server)
                client.send(server.codec.encode(json.loads(self.message(12))))
                self.assertEqual(client.packets[-1], {"rid": 5, "data": json.loads(nested(11))} | client.packets[-1])
                self.assertNotHit(server, warnings)
                client.send(server.codec.encode(json.loads(self.message(13))))
                self.assertHit(server, warnings, "maxDepth")
                self.assertClosed(client, 1008, reason)

    def test_beforeHandshake(self) -> None:
        """
        Before the handshake it is no other.
        """
        for server, warnings in self.servers(maxDepth=12):
            client = connect(server, handshake=False)
            client.send(nested(13))
            self.assertHit(server, warnings, "maxDepth")
            self.assertEqual(client.closeCode, 1008)

    def test_default(self) -> None:
        """
        Whatever has come through by default goes out again, in an answer, in a batch and in a publication; what is as
        deep as parsers break at does not come through, in a text or a binary message.
        """
        for codec in (None, "minBin"):
            for server, warnings in self.servers(codecEngine=codec):
                client = self.echoing(server)
                deep = json.loads(nested(254))
                self.assertEqual(self.successResultOf(client.invoke("echo", deep)), deep)
                self.successResultOf(client.subscribe("a"))
                deep = json.loads(nested(253))
                self.successResultOf(client.publish("a", deep))
                self.assertEqual(client.publications("a"), [deep])
                self.assertNotHit(server, warnings)
        for server, _ in self.servers():
            for depth in (257, 1023, 1024, 1025, 100_000):
                for text in (nested(depth), "[" * (2 * depth), self.message(depth)):
                    for message in (text, text.encode()):
                        client = self.echoing(server)
                        client.send(message)
                        self.assertEqual(client.closeCode, 1008, depth)

    def test_off(self) -> None:
        """
        Without a limit the codec's own decides, and is nothing worse than an error: what is too deep for it is raw text,
        and what it reads it can write.
        """
        for server, warnings in self.servers(maxDepth=None, maxContainers=None):
            client = self.echoing(server)
            for depth in (300, 1023, 1024, 1025, 2000, 100_000):
                client.send(self.message(depth))
                self.assertEqual(client.state, "open", depth)
            self.assertEqual(self.successResultOf(client.invoke("echo", 1)), 1)
            self.assertNotHit(server, warnings)

    def test_application(self) -> None:
        """
        What the application sends may be deeper than what is received; what the codec cannot write is an error of that
        call alone.
        """
        endless: list[Any] = []
        endless.append(endless)
        absurd: list[Any] = []
        for _ in range(100_000):
            absurd = [absurd]
        for codec in (None, "minBin"):
            server = self.makeServer(codecEngine=codec)
            for answer in (endless, absurd):
                client = connect(server)
                assert client.socket is not None
                self.collect(client.socket.procedure("x"), lambda request, answer=answer: request.end(answer))
                self.collect(client.socket.procedure("echo"), lambda request: request.end(request.data))
                self.failureResultOf(client.invoke("x"))
                client.socket.transmit("x", answer)
                self.failureResultOf(client.socket.invoke("x", answer))
                self.assertEqual(self.successResultOf(client.invoke("echo", 1)), 1)


class UnansweredCallsTests(LimitTestCase):
    """
    C{maxUnansweredCalls}
    """

    def serving(self, server: AGServer) -> tuple[FakeClient, list[Any]]:
        """
        @return: a client, and the functions that answer its calls of C{x}, each with its data.
        """
        client = connect(server)
        assert client.socket is not None
        answers: list[Any] = []
        if isinstance(server, SCServer):
            client.socket.on(  # type: ignore[attr-defined]
                "x", lambda data, respond: answers.append(lambda: respond(None, data))
            )
        else:
            self.collect(
                client.socket.procedure("x"), lambda request: answers.append(lambda: request.end(request.data))
            )
        return client, answers

    def call(self, client: FakeClient, count: int) -> list[Any]:
        """
        Call C{x} so often.

        @return: where the answers will be.
        """
        answers: list[Any] = []
        for number in range(count):
            client.invoke("x", number).addBoth(answers.append)
        return answers

    def isRead(self, client: FakeClient) -> bool:
        """
        @return: whether what the client sends is read.
        """
        return client._transport.isReading

    def test_limit(self) -> None:
        """
        With as many unanswered calls as it may have, a client is read; with one more it is not, until a quarter of them
        is answered. All are served.
        """
        for server, warnings in self.servers(maxUnansweredCalls=8):
            client, answers = self.serving(server)
            answered = self.call(client, 8)
            self.assertTrue(self.isRead(client))
            self.assertNotHit(server, warnings)
            answered += self.call(client, 1)
            self.assertFalse(self.isRead(client))
            self.assertHit(server, warnings, "maxUnansweredCalls")
            for _ in range(2):
                answers.pop()()
            self.assertFalse(self.isRead(client))
            answers.pop()()
            self.assertTrue(self.isRead(client))
            while answers:
                answers.pop()()
            self.assertEqual(client.socket.unansweredCount, 0)  # type: ignore[union-attr]
            self.call(client, 9)
            self.assertFalse(self.isRead(client))
            self.assertHit(server, warnings, "maxUnansweredCalls", 2)

    def test_twice(self) -> None:
        """
        What had been read already is served up to twice the limit; calls past that are refused, and the others are not.
        """
        for server, warnings in self.servers(maxUnansweredCalls=8):
            client, answers = self.serving(server)
            answered = self.call(client, 16)
            self.assertEqual((len(answers), answered), (16, []))
            self.assertHit(server, warnings, "maxUnansweredCalls")
            (refused,) = self.call(client, 1)
            self.assertEqual((refused.value.name, refused.value.limit), ("ResourceLimitError", "maxUnansweredCalls"))
            self.assertHit(server, warnings, "maxUnansweredCalls", 2)
            answers.pop()()
            self.assertEqual(self.call(client, 1), [])
            self.assertEqual(len(answers), 16)

    def test_stuck(self) -> None:
        """
        When nothing is answered for as long as a call may take, the client is read again, since the calls may wait for
        what it sends; further calls are refused until a quarter is answered.
        """
        for server, warnings in self.servers(maxUnansweredCalls=8, ackTimeout=3000):
            client, answers = self.serving(server)
            self.call(client, 9)
            self.clock.advance(2.9)
            self.assertFalse(self.isRead(client))
            self.clock.advance(0.2)
            self.assertTrue(self.isRead(client))
            (refused,) = self.call(client, 1)
            self.assertEqual(refused.value.name, "ResourceLimitError")
            self.successResultOf(client.subscribe("a"))
            for _ in range(3):
                answers.pop()()
            self.assertEqual(self.call(client, 2), [])
            self.assertEqual(len(answers), 8)
            self.assertHit(server, warnings, "maxUnansweredCalls", 2)

    def test_forgotten(self) -> None:
        """
        Calls that nobody serves, and calls that the application has dropped, will not be answered and do not count.
        """
        for server, warnings in self.servers(maxUnansweredCalls=8):
            client, answers = self.serving(server)
            for number in range(40):
                client.invoke("nobody", number)
                client.invoke("x", number)
                answers.clear()
            # Dropped calls are only missed when there are some; the loop over the procedure still has the last one.
            self.assertLessEqual(client.socket.unansweredCount, 5)  # type: ignore[union-attr]
            self.assertNotHit(server, warnings)

    def test_middleware(self) -> None:
        """
        Calls that have been through middleware count like the others.
        """
        server, warnings = self.servers(maxUnansweredCalls=8)[0]

        async def middleware(stream: Any) -> None:
            async for action in stream:
                action.allow()

        server.setMiddleware(server.MIDDLEWARE_INBOUND, middleware)
        client, answers = self.serving(server)
        self.call(client, 16)
        self.assertFalse(self.isRead(client))
        (refused,) = self.call(client, 1)
        self.assertEqual(refused.value.name, "ResourceLimitError")
        answers.clear()
        self.assertTrue(self.isRead(client))
        self.assertEqual(client.socket.unansweredCount, 5)  # type: ignore[union-attr]
        self.assertHit(server, warnings, "maxUnansweredCalls", 2)

    def test_slowMiddleware(self) -> None:
        """
        In version 14, where middleware does not hold up what comes behind, calls that wait for it count.
        """
        server, warnings = self.servers(maxUnansweredCalls=8)[1]
        assert isinstance(server, SCServer)
        waiting: list[Any] = []
        server.addMiddleware(server.MIDDLEWARE_SUBSCRIBE, lambda request, next: waiting.append(next))
        client = connect(server)
        done = [client.subscribe(f"{number}") for number in range(9)]
        self.assertFalse(self.isRead(client))
        for next in waiting:
            next()
        client.settle()
        self.assertTrue(self.isRead(client))
        for each in done:
            self.successResultOf(each)

    def test_awaiting(self) -> None:
        """
        While the application waits for an answer of the client, the client is read.
        """
        server, _ = self.servers(maxUnansweredCalls=8)[0]
        client, _ = self.serving(server)
        assert client.socket is not None
        self.call(client, 9)
        question = client.socket.invoke("question")
        self.assertTrue(self.isRead(client))
        client.send({"rid": 1, "data": "answer"})
        self.assertEqual(self.successResultOf(question), "answer")
        self.assertFalse(self.isRead(client))

    def test_closed(self) -> None:
        """
        A connection that goes leaves nothing behind.
        """
        for server, _ in self.servers(maxUnansweredCalls=8, pingTimeoutDisabled=True):
            client, answers = self.serving(server)
            self.call(client, 9)
            socket = client.socket
            client.disconnect()
            self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()], [])
            while answers:
                answers.pop()()
            self.assertEqual(socket.unansweredCount, 0)  # type: ignore[union-attr]

    def test_off(self) -> None:
        """
        C{None} is no limit.
        """
        for server, warnings in self.servers(maxUnansweredCalls=None):
            client, answers = self.serving(server)
            self.call(client, 3000)
            self.assertEqual(len(answers), 3000)
            self.assertTrue(self.isRead(client))
            self.assertNotHit(server, warnings)


class RateTests(LimitTestCase):
    """
    C{maxMessagesPerSecond} and C{maxMessagesBurst}, here 20 a second and 6 at once. Deadlines may come 50 ms late, in
    which a message comes.
    """

    OPTIONS = {"maxMessagesPerSecond": 20, "maxMessagesBurst": 6}

    def receiving(self, server: AGServer) -> tuple[FakeClient, list[Any]]:
        """
        @return: a client, and where what it transmits as C{x} will be. Its handshake was a message as well, which has
            been made up for.
        """
        client = connect(server)
        assert client.socket is not None
        received: list[Any] = []
        if isinstance(server, SCServer):
            client.socket.on("x", received.append)  # type: ignore[attr-defined]
        else:
            self.collect(client.socket.receiver("x"), received.append)
        self.clock.advance(1)
        return client, received

    def transmit(self, client: FakeClient, *numbers: int) -> None:
        """
        Send messages in one turn.
        """
        client.send(*[{"event": "x", "data": number} for number in numbers])

    def pass_(self, seconds: float) -> None:
        """
        Let time pass in small steps, as it does.
        """
        self.clock.pump([0.01] * round(seconds * 100))

    def test_burst(self) -> None:
        """
        As many messages as may come at once are processed at once, and time makes room for more.
        """
        for server, warnings in self.servers(**self.OPTIONS):
            client, received = self.receiving(server)
            for _ in range(4):
                self.transmit(client, *range(6))
                self.assertEqual(len(received), 6)
                received.clear()
                self.clock.advance(0.3)
            self.assertTrue(client._transport.isReading)
            self.assertNotHit(server, warnings)

    def test_slowedDown(self) -> None:
        """
        What is past that waits for its time, in order, and the client is not read until half of a burst may come again.
        """
        for server, warnings in self.servers(**self.OPTIONS):
            client, received = self.receiving(server)
            self.transmit(client, *range(16))
            self.assertEqual(received, list(range(6)))
            self.assertFalse(client._transport.isReading)
            self.assertHit(server, warnings, "maxMessagesPerSecond")
            self.pass_(0.24)
            self.assertIn(len(received), range(9, 12))
            self.assertFalse(client._transport.isReading)
            self.pass_(0.4)
            self.assertEqual(received, list(range(16)))
            self.pass_(0.3)
            self.assertTrue(client._transport.isReading)
            self.assertHit(server, warnings, "maxMessagesPerSecond")

    def test_average(self) -> None:
        """
        A client that sends as fast as it is read gets what it may on average, for as long as it likes.
        """
        for server, _ in self.servers(**self.OPTIONS):
            client, received = self.receiving(server)
            for _ in range(1000):
                if client._transport.isReading:
                    self.transmit(client, 1, 2, 3)
                self.clock.advance(0.01)
            self.assertIn(len(received), range(160, 210))
            self.assertLessEqual(server.counters.limitsHit["maxMessagesPerSecond"], 70)

    def test_batches(self) -> None:
        """
        Each packet of a batch counts.
        """
        for server, warnings in self.servers(**self.OPTIONS):
            client, received = self.receiving(server)
            client.send([{"event": "x", "data": number} for number in range(16)])
            self.assertEqual(len(received), 16)
            self.assertNotHit(server, warnings)
            self.transmit(client, 16)
            self.assertEqual(len(received), 16)
            self.assertHit(server, warnings, "maxMessagesPerSecond")
            self.pass_(0.5)
            self.assertEqual(len(received), 16)
            self.pass_(0.2)
            self.assertEqual(received, list(range(17)))

    def test_waiting(self) -> None:
        """
        Messages that middleware has held up need their time as well, and keep their order.
        """
        server, _ = self.servers(**self.OPTIONS)[0]
        actions: list[Any] = []

        async def middleware(stream: Any) -> None:
            async for action in stream:
                actions.append(action)

        client, received = self.receiving(server)
        server.setMiddleware(server.MIDDLEWARE_INBOUND_RAW, middleware)
        self.transmit(client, *range(9))
        while actions:
            actions.pop().allow()
            client.settle()
        self.assertEqual(received, list(range(6)))
        for _ in range(30):
            self.clock.advance(0.05)
            while actions:
                actions.pop().allow()
                client.settle()
        self.assertEqual(received, list(range(9)))

    def test_alive(self) -> None:
        """
        A client that waits is not taken for dead, and its messages that were read meanwhile wait as well.
        """
        for server, _ in self.servers(maxMessagesPerSecond=0.1, maxMessagesBurst=1, pingTimeout=5000, pingInterval=2000):
            client = connect(server)
            for _ in range(20):
                self.clock.advance(1)
                client.transmit("x")
            self.assertEqual(client.state, "open")

    def test_closed(self) -> None:
        """
        A connection that goes leaves nothing behind, and nothing of it is processed any more.
        """
        for server, _ in self.servers(**self.OPTIONS):
            client, received = self.receiving(server)
            self.transmit(client, *range(16))
            client.disconnect()
            self.pass_(2)
            self.assertEqual(received, list(range(6)))
            self.assertEqual(server.clients, {})

    def test_defaultBurst(self) -> None:
        """
        Without C{maxMessagesBurst}, the messages of two seconds may come at once.
        """
        for server, _ in self.servers(maxMessagesPerSecond=4):
            client, received = self.receiving(server)
            self.clock.advance(2)
            self.transmit(client, *range(12))
            self.assertEqual(len(received), 8)

    def test_off(self) -> None:
        """
        By default nothing is counted, and sockets are the ordinary ones.
        """
        for server, warnings in self.servers():
            client, received = self.receiving(server)
            self.assertIn(type(client.socket).__name__, ("AGServerSocket", "SCServerSocket"))
            self.transmit(client, *range(20_000))
            self.assertEqual(len(received), 20_000)
            self.assertNotHit(server, warnings)


class DefaultsTests(ServerTestCase):
    """
    What ordinary applications do is far from the defaults.
    """

    def test_ordinary(self) -> None:
        """
        Long names, long batches, data with many levels and messages with many lists get through.
        """
        server = AGServer(Clock(), authKey="secret")
        client = connect(server)
        self.successResultOf(client.subscribe("a/very/long/name/" * 50))
        client.send([{"event": "x", "data": {}}] * 5000)
        client.send([{"event": "x", "data": json.loads(nested(200))}] * 150)
        server.reactor.pump([0.1] * 100)  # type: ignore[attr-defined]
        self.assertEqual((client.state, dict(server.counters.limitsHit)), ("open", {}))
