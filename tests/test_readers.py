"""
Tests of reading from many connections together: L{agtwisted.websocket.reading.ReadingProtocol.readAll}.
"""

from __future__ import annotations

import socket as sockets
from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure

from agtwisted import websocket
from agtwisted.websocket.reading import ReadingProtocol
from tests.inpython import inPython
from tests.test_websocket import WebSocketTestCase, WritersClock
from tests.wire import BINARY, PING, PONG, TEXT, clientFrame, closeFrame, frames, joinThrough, packet, takeAll

#: Of texts; frames that have a short head are among them, those that have a long one, and all between.
LENGTHS = (0, 1, 60, 90, 91, 92, 93, 94, 100, 101, 102, 103, 400, 1500)


class Client:
    """
    A client, and the server's end of its connection, which a turn reads together with others.
    """

    def __init__(self, test: ReadersTestCase) -> None:
        ours, self.peer = sockets.socketpair()
        for each in (ours, self.peer):
            each.setblocking(False)
            test.addCleanup(each.close)
        before = set(test.server.clients)
        self.protocol = joinThrough(test.server.websocketFactory(), ours, test.clock)
        self.transport = self.protocol.transport
        self.descriptor = ours.fileno()
        test.settle()
        (id,) = set(test.server.clients) - before
        self.socket: Any = test.server.clients[id]
        self.heard: list[Any] = []
        Deferred.fromCoroutine(self._hear())
        test.settle()
        self.take()

    async def _hear(self) -> None:
        async for value in self.socket.receiver("x"):
            self.heard.append(value)

    def say(self, value: object) -> None:
        """
        Send a message that the application hears.
        """
        self.peer.send(packet("x", value))

    def take(self) -> bytes:
        """
        @return: what has come.
        """
        return takeAll(self.peer)


class ReadersTestCase(WebSocketTestCase):
    """
    Tests with a server whose turns are polls.
    """

    def setUp(self) -> None:
        """
        Make a server whose turns are polls.
        """
        self.patch(websocket, "fastPaths", True)
        self.clock = WritersClock()
        self.server = self.makeServer()
        self.readers: dict[int, Any] = {}
        self.server.turns.readers = self.readers

    def join(self, count: int) -> list[Client]:
        """
        @return: so many clients.
        """
        return [Client(self) for _ in range(count)]

    def read(self, clients: list[Client]) -> None:
        """
        Read from them, as a turn does.
        """
        self.server.turns.isPolled = True
        ReadingProtocol.readAll([client.protocol for client in clients])
        self.server.turns.isPolled = False
        self.settle()


class ReadersTests(ReadersTestCase):
    """
    Several connections that are read in one go.
    """

    def hurry(self) -> None:
        """
        Leave no time to clean up after those who are gone, until the next turn.
        """
        moment = iter(range(1_000_000))
        cleaning: Any = self.server.cleaning
        cleaning._seconds = lambda: next(moment)
        self.assertTrue(cleaning.mayGoOn())

    def test_known(self) -> None:
        """
        A connection is found by its descriptor until it is gone, or given up, however that comes.
        """
        ends: list[Callable[[Client], object]] = [
            lambda client: client.protocol.abort(),
            lambda client: client.socket.terminate(),
            lambda client: (client.peer.close(), self.read([client])),
            lambda client: client.transport.connectionLost(self.failure()),
        ]
        for end in ends:
            client, other = self.join(2)
            known = {each.descriptor: each.protocol for each in (client, other)}
            self.assertEqual(self.readers, known)
            end(client)
            self.assertEqual(self.readers, {other.descriptor: other.protocol})
            other.protocol.abort()
        self.assertEqual(self.readers, {})

    def failure(self) -> Any:
        """
        @return: why a connection is gone.
        """
        return Failure(CONNECTION_LOST)

    def test_together(self) -> None:
        """
        Everybody is heard, in the order of the connections; with short messages and long ones, with several at once, with
        a part of one, with none; and when it was is remembered.
        """
        clients = self.join(5)
        self.clock.advance(3)
        clients[0].say(1)
        clients[1].say("a" * 1000)
        for value in (2, 3, 4):
            clients[2].say(value)
        frame = packet("x", "whole")
        clients[3].peer.send(frame[:7])
        before = [client.socket.lastHeard for client in clients]
        self.read(clients)
        self.assertEqual([client.heard for client in clients], [[1], [], [2, 3, 4], [], []])
        self.read(clients)  # who sends much for the first time is read twice
        clients[3].peer.send(frame[7:])
        self.read(clients[3:])
        self.assertEqual([client.heard for client in clients], [[1], ["a" * 1000], [2, 3, 4], ["whole"], []])
        heard = [client.socket.lastHeard - moment for client, moment in zip(clients, before, strict=True)]
        self.assertEqual([round(seconds, 3) for seconds in heard], [3, 3, 3, 3, 0])
        self.assertEqual([client.socket.inboundReceivedMessageCount for client in clients], [2, 2, 4, 2, 1])

    def test_bytesCounted(self) -> None:
        """
        Each connection knows how many bytes have come.
        """
        (client,) = self.join(1)
        before = client.protocol.bytesReceived
        for data in (packet("x", 1), packet("x", "a" * 200), packet("x", 1) * 2):
            client.peer.send(data)
            before += len(data)
            self.read([client])
            self.assertEqual(client.protocol.bytesReceived, before)

    def test_random(self) -> None:
        """
        However the bytes of usual and unusual frames are cut, each client's messages arrive whole and in order.
        """
        for seed in range(20):
            random = Random(seed)
            clients = self.join(4)
            expected: list[list[Any]] = [[] for _ in clients]
            pings = [0] * len(clients)
            streams = [bytearray() for _ in clients]
            for index, stream in enumerate(streams):
                for count in range(12):
                    kind = random.random()
                    if kind < 0.15:
                        stream += clientFrame(b"?", PING)
                        pings[index] += 1
                    elif kind < 0.25:
                        stream += clientFrame(b"", TEXT)
                    elif kind < 0.35:
                        stream += clientFrame(b'{"event":"x","data":"binary"}', BINARY)
                        expected[index].append("binary")
                    else:
                        value = f"{count}" + "a" * random.choice(LENGTHS)
                        stream += packet("x", value)
                        expected[index].append(value)
            while any(streams):
                for client, stream in zip(clients, streams, strict=True):
                    length = random.choice((0, 1, 5, 20, 70, 200, 800))
                    if stream and length:
                        client.peer.send(bytes(stream[:length]))
                        del stream[:length]
                self.read(clients)
            for _ in range(5):
                self.read(clients)
            self.assertEqual([client.heard for client in clients], expected, seed)
            for client, count in zip(clients, pings, strict=True):
                pongs = [opcode for opcode, _ in frames(client.take()) if opcode == PONG]
                self.assertEqual(len(pongs), count)
                client.protocol.abort()

    def test_endedMeanwhile(self) -> None:
        """
        What was read of a connection that another one's message has ended is of no account: nobody hears it, and it does
        not end twice.
        """
        ends: list[Callable[[Client], object]] = [
            lambda client: client.protocol.abort(),
            lambda client: client.socket.terminate(),
            lambda client: client.transport.connectionLost(self.failure()),
        ]
        says: list[Callable[[Client], object]] = [
            lambda client: client.say("late"),
            lambda client: client.say("late" * 100),
            lambda client: client.peer.send(closeFrame(1000)),
            lambda client: client.peer.close(),
        ]
        for end in ends:
            for say in says:
                first, second, third = self.join(3)
                lost: list[object] = []
                second.protocol.whenLost().addCallback(lost.append)

                def take(*message: Any, end: Any = end, second: Client = second) -> None:
                    end(second)

                self.patch(first.protocol, "_receiver", _Receiver(take))
                first.say(1)
                say(second)
                third.say(3)
                self.read([first, second, third])
                self.clock.advance(1)
                self.assertEqual((second.heard, third.heard, lost), ([], [3], [None]))
                for client in (first, third):
                    client.protocol.abort()

    def test_disconnectedMeanwhile(self) -> None:
        """
        To a client that is being disconnected nobody listens any more, but its part of the goodbye is heard.
        """
        first, second = self.join(2)
        before = second.socket.inboundReceivedMessageCount
        self.patch(first.protocol, "_receiver", _Receiver(lambda *message: second.socket.disconnect(4123, "enough")))
        first.say(1)
        second.say("late")
        self.read([first, second])
        self.assertEqual((second.heard, second.socket.state), ([], "closed"))
        self.assertEqual(second.socket.inboundReceivedMessageCount, before)
        self.assertIn(b"enough", second.take())
        second.peer.send(packet("x", "later") + closeFrame(4123))
        self.read([first, second])
        self.assertEqual((second.heard, second.protocol.wasClean), ([], True))

    def test_failing(self) -> None:
        """
        If a message cannot be dealt with, its connection ends; what the others have said is heard.
        """
        first, second, third = self.join(3)
        self.patch(second.protocol, "_receiver", _Receiver(lambda *message: 1 // 0))
        for client in (first, second, third):
            client.say(1)
        self.read([first, second, third])
        self.assertEqual((first.heard, third.heard), ([1], [1]))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(second.transport.disconnected)
        self.assertNotIn(second.descriptor, self.readers)
        self.read([first, second, third])

    def test_failingWhenGone(self) -> None:
        """
        A connection that is gone by then does not end again, whether it has been cleaned up after or not.
        """
        for isCleanedUp in (True, False):
            self.failWhenGone(isCleanedUp)

    def failWhenGone(self, isCleanedUp: bool) -> None:
        """
        Let a message end its connection, and then fail.
        """
        (client,) = self.join(1)
        if not isCleanedUp:
            self.hurry()

        def fail(*message: Any) -> None:
            client.transport.connectionLost(self.failure())
            raise ZeroDivisionError

        lost: list[object] = []
        client.protocol.whenLost().addCallback(lost.append)
        self.patch(client.protocol, "_receiver", _Receiver(fail))
        client.say(1)
        self.read([client])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.clock.advance(1)
        self.assertEqual(lost, [None])

    def test_nothingToRead(self) -> None:
        """
        A connection that has nothing to say is left alone; one that was reset, or whose peer has gone, ends.
        """

        def reset(size: int) -> bytes:
            raise ConnectionResetError(104, "Connection reset by peer")

        silent, broken, gone, third = self.join(4)
        self.patch(broken.protocol, "_receive", reset)
        gone.peer.close()
        third.say(3)
        self.read([silent, broken, gone, third])
        states = [client.socket.state for client in (silent, broken, gone, third)]
        self.assertEqual(states, ["open", "closed", "closed", "open"])
        self.assertEqual(third.heard, [3])
        self.assertEqual(set(self.readers), {silent.descriptor, third.descriptor})

    def test_notReadable(self) -> None:
        """
        Whatever goes wrong with reading from one, nothing is lost that was read from others.
        """

        def full(size: int) -> bytes:
            raise MemoryError

        first, second, third = self.join(3)
        self.patch(second.protocol, "_receive", full)
        first.say(1)
        third.say(3)
        self.read([first, second, third])
        self.assertEqual((first.heard, third.heard), ([1], [3]))
        self.assertEqual(len(self.flushLoggedErrors(MemoryError)), 1)
        self.assertEqual(second.socket.state, "closed")

    def test_sameDescriptor(self) -> None:
        """
        A connection that is cleaned up after later does not take its successor's place away, which has its descriptor.
        """
        first, second = self.join(2)
        self.hurry()
        first.transport.connectionLost(self.failure())
        self.assertFalse(first.protocol._isCleanedUp)
        self.readers[first.descriptor] = second.protocol
        self.clock.advance(1)
        self.assertTrue(first.protocol._isCleanedUp)
        self.assertIs(self.readers[first.descriptor], second.protocol)

    def test_wakesBehind(self) -> None:
        """
        Whoever hears the messages runs when all have been taken.
        """
        first, second = self.join(2)
        seen: list[int] = []
        self.collect(first.socket.receiver("y"), lambda value: seen.append(second.socket.inboundReceivedMessageCount))
        self.settle()
        before = second.socket.inboundReceivedMessageCount
        first.peer.send(packet("y", 1))
        second.say(2)
        self.read([first, second])
        self.assertEqual(seen, [before + 1])

    def test_apart(self) -> None:
        """
        Where turns are no polls, connections are not told to anybody.
        """
        self.server.turns.readers = None
        client, _ = self.join(2)
        self.assertIsNone(client.protocol._descriptor)
        client.say(1)
        self.assertIsNone(client.transport.doRead())
        self.settle()
        self.assertEqual(client.heard, [1])
        client.protocol.abort()


class InPythonTests(ReadersTests):
    """
    The same without C, if there is any.
    """

    def setUp(self) -> None:
        """
        Let Python do it.
        """
        super().setUp()
        switched = inPython()
        switched.__enter__()
        self.addCleanup(switched.__exit__, None, None, None)


class _Receiver:
    """
    Takes messages.
    """

    def __init__(self, messageReceived: Callable[..., None]) -> None:
        self.messageReceived = messageReceived

    def connectionLost(self, code: int, reason: str) -> None:
        """
        The connection is gone.
        """

    def flush(self) -> None:
        """
        There is nothing.
        """
