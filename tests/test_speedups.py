"""
Tests of L{agtwisted.speedups}: what there is in C does the same as in Python.

(Whatever else is tested is tested with it, where the package was installed with it, and partly without;
L{tests.test_readers} reads, and L{tests.test_shortcuts} plays conversations, both ways.)
"""

from __future__ import annotations

import datetime
import os
import socket as sockets
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from random import Random
from types import ModuleType, SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from agtwisted import speedups
from agtwisted.server.receiving import ReceivingSocket
from agtwisted.shortcuts import VARIABLE, mayBeInC
from agtwisted.sockets.outbound import OutboundSocket
from agtwisted.sockets.outbox import Outbox
from agtwisted.streams.turns import Turns
from agtwisted.v14.response import EXTENSION
from agtwisted.websocket.reading import ReadingProtocol
from tests.inpython import inPython
from tests.memory import grown
from tests.server.support import ServerTestCase
from tests.test_readers import Client, ReadersTestCase
from tests.test_websocket import WebSocketTestCase
from tests.wire import clientFrame, packet, takeAll

ROOT = Path(__file__).resolve().parent.parent

#: Whether C does it, and then Python.
WAYS = (True, False)


class SwitchTests(SynchronousTestCase):
    """
    Whether they are used.
    """

    def test_values(self) -> None:
        """
        They are used unless the variable says no to all short cuts, or to these.
        """
        for text in ("", "on", "anything"):
            self.assertTrue(mayBeInC({VARIABLE: text}), text)
        for text in ("off", "0", "python", " Python "):
            self.assertFalse(mayBeInC({VARIABLE: text}), text)

    def test_process(self) -> None:
        """
        A process obeys the variable that it was started with.
        """
        program = """
import agtwisted.websocket, agtwisted.v14.serversocket
from agtwisted import speedups
print(speedups.areUsed, len(speedups.replaced))
"""
        for text, expected in (("off", "False 0"), ("python", "False 0"), ("on", "True 6" if isInstalled() else "False 0")):
            environment = {**os.environ, VARIABLE: text}
            done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True)
            self.assertEqual((done.stdout.strip(), done.stderr), (expected, ""))

    def test_installed(self) -> None:
        """
        Where everything is tested, they are there.
        """
        if os.environ.get("CI") != "true":
            raise SkipTest("whoever has no compiler goes without")
        self.assertTrue(isInstalled())

    def test_missing(self) -> None:
        """
        Nothing happens where there is no such module.
        """
        self.assertIsNone(speedups.load("agtwisted.nowhere"))

        def function() -> None:
            pass

        self.assertIs(speedups.inC(extension="agtwisted.nowhere")(function), function)

    def test_otherVersion(self) -> None:
        """
        A module that is of another version is complained of, and not used.
        """
        module = ModuleType("agtwisted.old")
        needsMore: Callable[..., Any] = lambda owner, function, needed: function  # noqa: E731
        module.method = needsMore  # type: ignore[attr-defined]
        self.patch(speedups, "load", lambda extension: module)
        for name in ("method", "other"):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                owner: Any = type("Owner", (), {name: speedups.inC()(lambda self: 7)})
            self.assertEqual(getattr(owner(), name)(), 7)
            (warning,) = caught
            self.assertIn("agtwisted.old is of another version of agtwisted: install it again", str(warning.message))
        self.assertNotIn(owner, [each for each, _ in speedups.replaced])

    def test_replaced(self) -> None:
        """
        The function in C is called by its class, or by its objects, as the one in Python.
        """
        module = ModuleType("agtwisted.new")
        module.method = lambda owner, function, needed: lambda self: (owner, function(self), needed)  # type: ignore[attr-defined]
        module.static = lambda owner, function: staticmethod(lambda: (owner, function()))  # type: ignore[attr-defined]
        self.patch(speedups, "load", lambda extension: module)
        self.patch(speedups, "replaced", {})

        class Owner:
            @speedups.inC("needed")
            def method(self) -> object:
                return 1

            @speedups.inC()
            @staticmethod
            def static() -> object:
                return 2

        self.assertEqual((Owner().method(), Owner.static()), ((Owner, 1, "needed"), (Owner, 2)))
        with inPython():
            self.assertEqual((Owner().method(), Owner.static()), (1, 2))
        self.assertEqual((Owner().method(), Owner.static()), ((Owner, 1, "needed"), (Owner, 2)))


def isInstalled() -> bool:
    """
    @return: whether the package was installed with them.
    """
    return all(find_spec(name) is not None for name in (speedups.EXTENSION, EXTENSION))


class BindingTests(SynchronousTestCase):
    """
    What is bound to what it does not fit is refused: nothing is read that is not there.
    """

    def setUp(self) -> None:
        """
        Find the module.
        """
        module = speedups.load(speedups.EXTENSION)
        if module is None:
            raise SkipTest("installed without it, or not used")
        self.module: Any = module

    def test_otherClass(self) -> None:
        """
        A function is bound to one class.
        """

        class Owner:
            pass

        arguments: dict[str, tuple[Any, ...]] = {
            "readAll": (sockets.SocketType, 3),
            "flushAll": (Turns, sockets.SocketType, 1),
            "sendObject": (None, None, None),
            "messageReceived": (Turns, None),
        }
        for name, others in arguments.items():
            bind = getattr(self.module, name)
            self.assertRaises(TypeError, bind, Owner, None, *others)
            self.assertRaises(TypeError, bind, 7, None, *others)
            self.assertRaises(TypeError, bind, Owner)

    def test_noSockets(self) -> None:
        """
        The class of sockets must have the methods that are gone round.
        """

        class Sockets:
            def recv(self) -> None:
                pass

            send = recv

        for owner, name, others in ((ReadingProtocol, "readAll", (3,)), (Outbox, "flushAll", (1,))):
            turns = () if name == "readAll" else (Turns,)
            function = speedups.replaced[owner, name][0].__func__
            for wrong in (Sockets, 7, int):
                self.assertRaises(
                    (AttributeError, TypeError), getattr(self.module, name), owner, function, *turns, wrong, *others
                )

# ---- sending


class Pipe:
    """
    An outbox that sends through a real socket, and a transport that gets what the kernel does not take.

    @ivar rest: what the transport got.
    """

    def __init__(self, test: SynchronousTestCase, turns: Turns, room: int = 0) -> None:
        """
        @param room: bytes that the kernel is to take, about.
        """
        self.ours, self.peer = sockets.socketpair()
        for each in (self.ours, self.peer):
            each.setblocking(False)
            test.addCleanup(each.close)
        if room:
            self.ours.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, room)
        self.rest: list[bytes] = []
        self.sender = SimpleNamespace(outboxPaused=lambda: None, outboxResumed=lambda: None, mayWait=lambda count: True)
        self.outbox = Outbox(self, turns, Sender())
        self.outbox.send = self.ours.send
        self.appended = b""

    def write(self, data: bytes) -> None:
        """
        Keep what waits.
        """
        self.outbox.send = None
        self.rest.append(data)

    def append(self, frame: bytes) -> None:
        """
        Send a frame.
        """
        self.appended += frame
        self.outbox.append(frame)

    def deliver(self, frame: bytes) -> None:
        """
        Send a publication.
        """
        self.appended += frame
        self.outbox.deliver(frame)


class Sender:
    """
    Whose outbox it is.
    """

    def outboxPaused(self) -> None:
        """
        The peer does not read.
        """

    outboxResumed = outboxPaused

    def mayWait(self, count: int) -> bool:
        """
        It may.
        """
        return True


class FlushTests(SynchronousTestCase):
    """
    L{Outbox.flushAll} with real sockets.
    """

    def setUp(self) -> None:
        """
        Make turns.
        """
        self.clock = Clock()
        self.turns = Turns(self.clock)  # type: ignore[arg-type]

    def pipes(self, count: int, room: int = 0) -> list[Pipe]:
        """
        @return: so many outboxes.
        """
        return [Pipe(self, self.turns, room) for _ in range(count)]

    def play(self, isInC: bool, seed: int) -> list[Any]:
        """
        Send anything through full and empty kernels, and read now and then.

        @return: all that can be seen of it.
        """
        random = Random(seed)
        pipes = self.pipes(random.choice((1, 2, 20)), 4608)
        seen: list[Any] = [[] for _ in pipes]
        got = [b"" for _ in pipes]
        with inPython(not isInC):
            for _ in range(12):
                for pipe in random.sample(pipes, random.randint(1, len(pipes))):
                    for _ in range(random.choice((1, 1, 1, 2, 5))):
                        frame = random.randbytes(random.choice((0, 1, 80, 3000, 30_000, 70_000)))
                        random.choice((pipe.append, pipe.deliver))(frame)
                self.clock.advance(0)
                for index, pipe in enumerate(pipes):
                    outbox = pipe.outbox
                    counts = (outbox.sentCount, outbox.sentBytes, len(outbox))
                    seen[index].append((counts, [len(rest) for rest in pipe.rest], outbox.send is None))
                    if random.random() < 0.5:
                        got[index] += takeAll(pipe.peer) + b"".join(pipe.rest)
                        pipe.rest.clear()
                        outbox.send = pipe.ours.send
        for index, pipe in enumerate(pipes):
            got[index] += takeAll(pipe.peer) + b"".join(pipe.rest)
            self.assertEqual(got[index], pipe.appended)
            for each in (pipe.ours, pipe.peer):
                each.close()
        return seen

    def test_same(self) -> None:
        """
        All that is sent arrives, in order, or is left to the transport, and is counted.
        """
        for seed in range(30):
            self.assertEqual(self.play(True, seed), self.play(False, seed), seed)

    def test_many(self) -> None:
        """
        There may be any number.
        """
        for count in (0, 1, 255, 256, 257, 300):
            pipes = self.pipes(count)
            for number, pipe in enumerate(pipes):
                pipe.append(b"%d" % number)
            Outbox.flushAll([pipe.outbox for pipe in pipes])
            self.assertEqual([takeAll(pipe.peer) for pipe in pipes], [b"%d" % number for number in range(count)])
            for pipe in pipes:
                pipe.ours.close()
                pipe.peer.close()

    def test_closed(self) -> None:
        """
        What is to go through a socket that was closed goes to the transport, and nothing to its successor, which has its
        descriptor.
        """
        for isInC in WAYS:
            (pipe, other) = self.pipes(2)
            number = pipe.ours.fileno()
            pipe.append(b"secret")
            other.append(b"other")
            pipe.ours.close()
            successors = sockets.socketpair()
            self.addCleanup(successors[0].close)
            self.addCleanup(successors[1].close)
            self.assertIn(number, [each.fileno() for each in successors])
            with inPython(not isInC):
                Outbox.flushAll([pipe.outbox, other.outbox])
            self.assertEqual((pipe.rest, takeAll(other.peer)), ([b"secret"], b"other"))
            for each in successors:
                each.setblocking(False)
                self.assertEqual(takeAll(each), b"")

    def test_broken(self) -> None:
        """
        So it does if the peer is gone.
        """
        for isInC in WAYS:
            (pipe, other) = self.pipes(2)
            pipe.append(b"1")
            pipe.append(b"2")
            other.append(b"3")
            pipe.peer.close()
            with inPython(not isInC):
                Outbox.flushAll([pipe.outbox, other.outbox])
            self.assertEqual((pipe.rest, takeAll(other.peer)), ([b"12"], b"3"))

    def test_failing(self) -> None:
        """
        Whatever the transport of one does, the others send theirs.
        """

        def fail(data: bytes) -> None:
            raise ZeroDivisionError

        for isInC in WAYS:
            pipes = self.pipes(4)
            for pipe in pipes:
                pipe.append(b"1")
            pipes[0].ours.close()
            pipes[1].peer.close()
            for pipe in pipes[:2]:
                self.patch(pipe, "write", fail)
            pipes[2].outbox.send = None
            with inPython(not isInC):
                Outbox.flushAll([pipe.outbox for pipe in pipes])
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
            self.assertEqual((pipes[2].rest, takeAll(pipes[3].peer)), ([b"1"], b"1"))

    def test_noOutboxes(self) -> None:
        """
        What is no list of outboxes is refused as Python refuses it, or at least without harm.
        """
        for isInC in WAYS:
            with inPython(not isInC):
                self.assertRaises(TypeError, Outbox.flushAll)
                self.assertRaises(TypeError, Outbox.flushAll, 7)
                self.assertRaises(AttributeError, Outbox.flushAll, [object()])
                self.assertIsNone(Outbox.flushAll([]))  # type: ignore[func-returns-value]

    def test_emptied(self) -> None:
        """
        Nothing is sent of an outbox that has been emptied meanwhile; and lists may change while they are flushed.
        """
        for isInC in WAYS:
            pipes = self.pipes(3)
            for pipe in pipes:
                pipe.append(b"1")
            pipes[1].outbox.clear()
            outboxes = [pipe.outbox for pipe in pipes]
            pipes[0].outbox.send = lambda data, outboxes=outboxes: outboxes.clear() or len(data)  # type: ignore[assignment]
            with inPython(not isInC):
                Outbox.flushAll(outboxes)
            self.assertEqual([takeAll(pipe.peer) for pipe in pipes[:2]], [b"", b""])


def nested(depth: int) -> object:
    """
    @return: lists in lists.
    """
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


#: What is sent: short and long, what orjson writes, what only the codec does, and what nobody does.
PACKETS: tuple[Callable[[], Any], ...] = (
    dict,
    lambda: {"rid": 1},
    lambda: {"rid": 1, "data": "ü\x00"},
    *(lambda length=length: {"x": "a" * length} for length in (116, 117, 118, 119, 65526, 65527, 65528, 65529, 200_000)),
    lambda: {"data": {"deep": nested(200)}},
    lambda: {"data": nested(2000)},
    lambda: {"data": float("nan"), "more": [1e300, -0.0, 1 << 70, None, True]},
    lambda: {"data": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)},
    lambda: {"data": b"bytes", "set": {1}},
    lambda: {1: "key", None: 2},
    lambda: {"data": object()},
    lambda: {"data": "\ud800"},
    lambda: [1, {"event": "x"}],
    lambda: "text",
    lambda: None,
    lambda: type("Dict", (dict,), {})(event="x"),
)


class SendObjectTests(WebSocketTestCase):
    """
    L{OutboundSocket.sendObject}.
    """

    def play(self, isInC: bool, prepare: Callable[[Any], object]) -> list[Any]:
        """
        Send everything.

        @return: what came of it.
        """
        self.setUp()
        client, socket = self.joined()
        errors = self.values(socket.listener("error"))
        self.settle()
        seen: list[Any] = []
        with inPython(not isInC):
            for make in PACKETS:
                prepare(socket)
                seen.append((socket.sendObject(make()), socket.sendObject({"second": 1})))
                outbox, turns = socket._outbox, socket.turns
                seen.append((outbox._isBehind, outbox in turns.outboxes, outbox in turns.deliveries, turns.isDue))
                seen.append(socket.sendObject({"third": 1}, {"any": "options"}))
                seen.append(socket.sendObject(packet={"fourth": 1}, options=None))
                if socket.isBufferingBatch:
                    socket.flushBatch()
                self.settle()
                seen.append((client.take(), socket._outbox.frames, socket._outbox.sentCount, socket._outbox.sentBytes))
        seen.append([type(event.error) for event in errors])
        return seen

    def test_same(self) -> None:
        """
        Everything is sent, or refused, alike, whatever state the connection is in.
        """
        preparations: tuple[Callable[[Any], object], ...] = (
            lambda socket: None,
            lambda socket: socket._outbox.deliver(b"publication"),
            lambda socket: socket._outbox.pauseProducing(),
            lambda socket: socket.startBatch(),
            lambda socket: socket.disconnect(),
            lambda socket: setattr(socket.server.turns, "isDue", True),
        )
        for prepare in preparations:
            self.assertEqual(self.play(True, prepare), self.play(False, prepare))

    def test_arguments(self) -> None:
        """
        What is wrong with how it is called is said.
        """
        _, socket = self.joined()
        for isInC in WAYS:
            with inPython(not isInC):
                for call in (
                    lambda: socket.sendObject(),
                    lambda: socket.sendObject({}, None, None),
                    lambda: socket.sendObject({}, other=1),
                    lambda: socket.sendObject({}, *range(20)),
                    lambda: OutboundSocket.sendObject(7, {}),
                ):
                    self.assertRaises((TypeError, AttributeError), call)


# ---- receiving


PAYLOADS = (
    b'{"event":"x","data":1}',
    b'{"event":"y"}',
    b'{"event":"echo","data":{"a":[1]},"cid":1}',
    b'{"event":"echo","cid":2.5}',
    b'{"event":"nobody","cid":3}',
    b'{"event":"#publish","data":{"channel":"c","data":1},"cid":4}',
    b'{"event":"#subscribe","data":{"channel":"c"},"cid":5}',
    b'{"event":7}',
    b'{"rid":1}',
    b"{}",
    b"[]",
    b'[{"event":"x","data":2},{"event":"echo","cid":6}]',
    b'"text"',
    b"7",
    b"null",
    b"not JSON",
    b'{"event":"x"',
    b"",
    b"\xff\xfe",
    b"#2",
    b'{"event":"x","data":"' + b"a" * 100_000 + b'"}',
    b"[" * 5000 + b"]" * 5000,
)


class MessageTests(ServerTestCase):
    """
    L{ReceivingSocket.messageReceived}.
    """

    def play(self, isInC: bool, prepare: Callable[[Any], object], payload: bytes, *others: Any) -> list[Any]:
        """
        Receive a message, twice.

        @return: all that can be seen of it.
        """
        self.setUp()
        client, socket = self.connect()
        seen = self.values(socket.receiver("x"))
        self.collect(socket.procedure("echo"), lambda request: request.end(request.data))
        errors = self.values(socket.listener("error"))
        self.settle()
        before = len(client.packets)
        prepare(socket)
        got: list[Any] = []
        with inPython(not isInC):
            for _ in range(2):
                got.append(socket.messageReceived(payload, *others))  # type: ignore[func-returns-value]
                self.settle()
        counts = (socket.inboundReceivedMessageCount, socket.inboundProcessedMessageCount, socket.unansweredCount)
        told = [str(event.error) for event in errors]
        return [got, seen, told, counts, socket.state, socket.lastHeard, client.packets[before:], client.closeCode]

    def test_same(self) -> None:
        """
        Whatever comes has the same effect.
        """
        preparations: tuple[Callable[[Any], object], ...] = (
            lambda socket: None,
            lambda socket: socket.takesNotDirectly(),
            lambda socket: socket.disconnect(),
            lambda socket: socket._inbound.waitFor(socket.turns.nextTurn()),
        )
        for prepare in preparations:
            for payload in PAYLOADS:
                for others in ((False, 5.5), (False, None), (False,), (True, 5.5), (True,)):
                    c, python = (self.play(isInC, prepare, payload, *others) for isInC in WAYS)
                    self.assertEqual(c, python, payload[:80])
        self.flushLoggedErrors()

    def test_failing(self) -> None:
        """
        What goes wrong while a message is processed ends the connection, and is logged; what is to end the process, does.
        """

        def fail(error: BaseException) -> Callable[..., bool]:
            def deliver(*arguments: object) -> bool:
                raise error

            return deliver

        for isInC in WAYS:
            for name in ("_deliverAtOnce", "_takePacket"):
                with inPython(not isInC):
                    _, socket = self.connect()
                    setattr(socket, name, fail(ZeroDivisionError()))
                    socket.messageReceived(b'{"event":"nobody"}', False, 1.0)
                    self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
                    self.assertEqual(socket.state, "closed")
                    _, socket = self.connect()
                    setattr(socket, name, fail(SystemExit()))
                    self.assertRaises(SystemExit, socket.messageReceived, b'{"event":"nobody"}', False, 1.0)

    def test_waiting(self) -> None:
        """
        If a message has to be waited for, those behind it wait.
        """
        for isInC in WAYS:
            with inPython(not isInC):
                _, socket = self.connect()
                waiting = socket.turns.nextTurn()
                taken: list[Any] = []

                def take(packet: object, *others: Any, taken: list[Any] = taken, waiting: Any = waiting) -> Any:
                    taken.append(packet)
                    return waiting if len(taken) == 1 else None

                setattr(socket, "_takePacket", take)  # noqa: B010
                for number in (1, 2):
                    socket.messageReceived(b'{"event":"nobody","data":%d}' % number, False, 1.0)
                self.assertEqual((len(taken), socket._inbound.isWaiting), (1, True))
                self.settle()
                self.assertEqual((len(taken), socket._inbound.isWaiting), (2, False))

    def test_arguments(self) -> None:
        """
        What is wrong with how it is called is said.
        """
        _, socket = self.connect()
        for isInC in WAYS:
            with inPython(not isInC):
                socket.messageReceived(payload=b'{"event":"nobody"}', isBinary=False, heardAt=2.0)
                self.assertEqual(socket.lastHeard, 2.0)
                for call in (
                    lambda: socket.messageReceived(),
                    lambda: socket.messageReceived(b"{}", False, 1.0, 1),
                    lambda: ReceivingSocket.messageReceived(7, b"{}", False, 1.0),
                ):
                    self.assertRaises((TypeError, AttributeError), call)


class ReadTests(ReadersTestCase):
    """
    L{ReadingProtocol.readAll}: what L{tests.test_readers} has not.
    """

    def test_many(self) -> None:
        """
        There may be any number of connections, and they may read any amount.
        """
        for count, size in ((1, 479), (40, 16384), (300, 479), (3, 1), (3, 300_000)):
            clients = self.join(count)
            for number, client in enumerate(clients):
                client.say(number)
                client.protocol._readSize = size
            self.read(clients)
            if size == 1:
                for client in clients:
                    client.protocol._readSize = 16384
                self.read(clients)
            self.assertEqual([client.heard for client in clients], [[number] for number in range(count)])
            for client in clients:
                client.protocol.abort()

    def test_nested(self) -> None:
        """
        Whoever deals with a message may let others be read, and nothing gets mixed up.
        """
        clients = self.join(4)
        first = clients[0]
        for number, client in enumerate(clients):
            client.say(f"{number}" * 60)
        inner = clients[1:]

        def messageReceived(*message: Any) -> None:
            for client in inner:
                client.peer.send(packet("x", "again"))
            ReadingProtocol.readAll([client.protocol for client in inner])

        self.patch(first.protocol, "_receiver", SimpleNamespace(messageReceived=messageReceived))
        self.read(clients)
        # What was said again arrives while the others' first messages have been read, and not been taken.
        self.assertEqual([sorted(client.heard) for client in inner], [[f"{n}" * 60, "again"] for n in (1, 2, 3)])

    def test_shrinking(self) -> None:
        """
        The list may change meanwhile, without harm. (Nobody does that; Python complains of it.)
        """
        if not speedups.areUsed:
            raise SkipTest("installed without C, or not used")
        clients = self.join(3)
        protocols = [client.protocol for client in clients]
        self.patch(clients[0].protocol, "_receiver", SimpleNamespace(messageReceived=lambda *message: protocols.clear()))
        for client in clients:
            client.say(1)
        ReadingProtocol.readAll(protocols)
        self.assertEqual(protocols, [])

    def test_noProtocols(self) -> None:
        """
        What is no list of them is refused.
        """
        for isInC in WAYS:
            with inPython(not isInC):
                self.assertRaises(TypeError, ReadingProtocol.readAll)
                self.assertRaises(TypeError, ReadingProtocol.readAll, 7)
                self.assertRaises(AttributeError, ReadingProtocol.readAll, [object()])

    def test_ends(self) -> None:
        """
        What is to end the process does, and reading goes on if it does not.
        """

        def exit(*message: Any) -> None:
            raise SystemExit

        for isInC in WAYS:
            with inPython(not isInC):
                clients = self.join(2)
                receiver = clients[0].protocol._receiver
                clients[0].protocol._receiver = SimpleNamespace(messageReceived=exit)
                for client in clients:
                    client.say(1)
                self.assertRaises(SystemExit, self.read, clients)
                clients[0].protocol._receiver = receiver
                for client in clients:
                    client.say(2)
                self.read(clients)
                self.assertEqual([client.heard[-1:] for client in clients], [[2], [2]])

    def test_unmasked(self) -> None:
        """
        A message of any length comes out as it went in, with any mask.
        """
        (client, other) = self.join(2)
        heard: list[bytes] = []
        random = Random(1)
        client.protocol._receiver = SimpleNamespace(messageReceived=lambda payload, *others: heard.append(payload))
        for length in (*range(300), 470, 471, 472, 1000, 16383, 16384, 16385, 60_000):
            payload = bytes(random.choices(b"0123456789", k=length))
            client.peer.send(clientFrame(payload, mask=random.randbytes(4)))
            client.protocol._readSize = length + 20
            self.read([client, other])
            self.assertEqual(heard.pop(), payload)

    def test_limit(self) -> None:
        """
        What is longer than a message may be is not read as a usual one, whatever its head.
        """
        for limit in (100, 125, 126, 127, 200):
            for isInC in WAYS:
                self.server = self.makeServer(maxPayload=limit)
                self.server.turns.readers = {}
                taken = []
                for length in (limit - 1, limit, limit + 1):
                    client = Client(self)
                    client.peer.send(clientFrame(b'"' + b"a" * (length - 2) + b'"'))
                    with inPython(not isInC):
                        self.read([client])
                    taken.append((client.socket.state, client.socket.inboundReceivedMessageCount))
                    client.protocol.abort()
                self.assertEqual(taken, [("open", 2), ("open", 2), ("closed", 1)])


class MemoryTests(ReadersTestCase):
    """
    Nothing is kept that nobody needs.
    """

    def test_calls(self) -> None:
        """
        Messages that are read, delivered and answered together leave nothing behind; whatever they are.
        """
        clients = self.join(3)
        for client in clients:
            self.collect(client.socket.procedure("echo"), lambda request: request.end(request.data))

        def work() -> None:
            for frame in (
                packet("x", "text"),
                packet("echo", "text", 1),
                packet("echo", ["a" * 200], 2),
                packet("echo", 1, 3) + packet("echo", {"a": 1}, 4),
                clientFrame(b"not JSON"),
                clientFrame(b"[]"),
            ):
                for client in clients:
                    client.peer.send(frame)
                self.read(clients)
            for client in clients:
                client.take()
                client.heard.clear()

        client, turns = clients[0], self.server.turns
        known = (client.socket, client.protocol, client.socket._outbox, client.socket._inbound, turns, turns.outboxes, "rid")
        objects, size, references = grown(work, *known)
        self.assertLess(objects, 50)
        self.assertLess(size, 20_000)
        self.assertLess(max(references), 20)

    def test_failures(self) -> None:
        """
        Nor do those that cannot be encoded, and sockets that are closed.
        """
        (client,) = self.join(1)
        turns = self.server.turns

        def work() -> None:
            for make in PACKETS:
                client.socket.sendObject(make())
            self.settle()
            client.take()
            pipe = Pipe(SimpleNamespace(addCleanup=lambda function: None), turns)  # type: ignore[arg-type]
            pipe.append(b"1")
            pipe.append(b"2")
            pipe.peer.close()
            self.settle()
            pipe.ours.close()

        objects, size, references = grown(work, client.socket, client.socket._outbox, turns)
        self.assertLess(objects, 50)
        self.assertLess(size, 20_000)
        self.assertLess(max(references), 20)
