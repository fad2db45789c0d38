"""
Tests that calls and their answers are the same in C as in Python: C{SCServerSocket._deliverAtOnce} and C{Response.__call__}.

(The other tests of version 14 are tests of them, too.)
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from agtwisted import speedups
from agtwisted.errors import InvalidActionError
from agtwisted.server.authentication import Authentication
from agtwisted.v14.emitter import Listener
from agtwisted.v14.response import EXTENSION, Response
from agtwisted.v14.serversocket import SCServerSocket
from tests.inpython import inPython
from tests.memory import grown
from tests.v14.support import Setting

#: Whether C does it, and then Python.
WAYS = (True, False)


async def _coroutine(data: Any, respond: Any) -> None:
    respond(None, ["coroutine", data])


def _twice(data: Any, respond: Any) -> None:
    respond(None, 1)
    respond(None, 2)


#: What functions do with a call.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "answer": lambda data, respond: respond(None, data),
    "answer without data": lambda data, respond: respond(),
    "answer with nothing": lambda data, respond: respond(None),
    "answer with none": lambda data, respond: respond(None, None),
    "answer by name": lambda data, respond: respond(error=None, data=data),
    "answer with options": lambda data, respond: respond(None, data, {"batch": True}),
    "answer with an error": lambda data, respond: respond(ValueError("No"), data),
    "answer with a text": lambda data, respond: respond("No"),
    "answer with a false error": lambda data, respond: respond(False, data),
    "answer with what cannot be sent": lambda data, respond: respond(None, object()),
    "answer too much": lambda data, respond: respond(None, 1, None, 2),
    "answer twice": _twice,
    "end": lambda data, respond: respond.end(data),
    "fail": lambda data, respond: respond.error("No"),
    "drop": lambda data, respond: None,
    "raise": lambda data, respond: 1 // 0,
    "coroutine": _coroutine,
    "deferred": lambda data, respond: succeed(None),
    "failing deferred": lambda data, respond: fail(ZeroDivisionError()),
    "return": lambda data, respond: data,
    "one argument": lambda data: None,
    "any arguments": lambda *arguments: arguments[1](None, len(arguments)),
}

IDS: tuple[Any, ...] = (1, 2, 0, -1, 2.5, 1 << 70, "1", "", None, True, [1])


class CallTests(SynchronousTestCase):
    """
    Calls of any kind.
    """

    def play(self, isInC: bool, listen: Callable[[Any], object], packets: list[Any]) -> list[Any]:
        """
        Send packets.

        @return: all that can be seen of what comes of it.
        """
        setting = Setting(False, maxUnansweredCalls=8, pubSubBatchDuration=10)
        client = setting.connect()
        [socket] = setting.sockets
        with inPython(not isInC):
            listen(socket)
            client.takePackets()
            setting.events.clear()
            for packet in packets:
                socket.messageReceived(json.dumps(packet).encode(), False, 1.0)
                setting.clock.advance(0)
            gc.collect()
            counts = socket.unansweredCount, socket.inboundReceivedMessageCount
            setting.clock.advance(0.1)
        logged = sorted(failure.type.__name__ for failure in self.flushLoggedErrors())
        events = [(name, [str(each) for each in arguments[-1:]]) for name, arguments in setting.events if name != "raw"]
        return [client.takePackets(), events, counts, socket.state, logged]

    def check(self, listen: Callable[[Any], object], packets: list[Any]) -> None:
        """
        Both ways come to the same.
        """
        inC, plain = (self.play(isInC, listen, packets) for isInC in WAYS)
        self.assertEqual(inC, plain)

    def test_functions(self) -> None:
        """
        Whatever a function does has the same effect.
        """
        packets = [{"event": "echo", "data": {"a": 1}, "cid": 5}, {"event": "echo", "cid": 6}, {"event": "echo", "data": 7}]
        for name, function in FUNCTIONS.items():
            self.check(lambda socket, function=function: socket.on("echo", function), packets)  # type: ignore[misc]
            self.check(lambda socket, function=function: socket.once("echo", function), packets)  # type: ignore[misc]
            self.assertTrue(name)

    def test_ids(self) -> None:
        """
        Whatever a call has for a number.
        """
        packets = [{"event": "echo", "data": "x", "cid": callId} for callId in IDS]
        for name in ("answer", "answer with an error", "drop"):
            self.check(lambda socket, name=name: socket.on("echo", FUNCTIONS[name]), packets)  # type: ignore[misc]

    def test_events(self) -> None:
        """
        Whatever the event is called.
        """
        names = ["echo", "nobody", "message", "error", "#publish", "#nothing", "#disconnect", "", "ü", 7, None, ["echo"]]

        def listen(socket: Any) -> None:
            for name in names:
                if isinstance(name, str) and name != "error":
                    socket.on(name, FUNCTIONS["answer"])

        for name in names:
            self.check(listen, [{"event": name, "data": {"channel": "c"}, "cid": 1}, {"event": "echo", "data": 1, "cid": 2}])

    def test_listeners(self) -> None:
        """
        Whoever listens, and whoever else; also those that come and go meanwhile.
        """

        def leaving(socket: Any) -> None:
            def leave(data: Any, respond: Any) -> None:
                socket.off("echo", leave)
                respond(None, "gone")

            socket.on("echo", leave)

        def replacing(socket: Any) -> None:
            def replace(data: Any, respond: Any) -> None:
                socket.off()
                socket.on("echo", FUNCTIONS["answer"])

            socket.on("echo", replace)

        listens: list[Callable[[Any], object]] = [
            lambda socket: None,
            lambda socket: [socket.on("echo", FUNCTIONS[name]) for name in ("drop", "answer")],
            lambda socket: [socket.on("echo", FUNCTIONS[name]) for name in ("answer", "raise", "answer")],
            leaving,
            replacing,
            lambda socket: socket.on("echo", lambda data, respond: socket.disconnect(4100, "enough")),
            lambda socket: socket.server.addMiddleware("emit", lambda request, next: next()),
            lambda socket: setattr(socket, "authentication", Authentication("authenticated", {"exp": 1})),
            lambda socket: setattr(socket, "authentication", Authentication("authenticated", {"exp": 1e12})),
            lambda socket: setattr(socket, "authentication", Authentication("authenticated", {"user": "Bob"})),
        ]
        packets = [{"event": "echo", "data": number, "cid": number} for number in (1, 2, 3)]
        for listen in listens:
            self.check(lambda socket, listen=listen: (listen(socket), socket.on("echo", FUNCTIONS["answer"])), packets)  # type: ignore[misc]
            self.check(listen, packets)

    def test_unanswered(self) -> None:
        """
        Calls that stay unanswered are counted, and too many refused.
        """

        def listen(socket: Any) -> None:
            held: list[Any] = []
            socket.on("hold", lambda data, respond: held.append(respond))
            socket.on("let go", lambda data, respond: [each(None, data) for each in [*held, respond]])

        calls = [{"event": "hold", "cid": number} for number in range(1, 12)]
        self.check(listen, calls)
        self.check(listen, [*calls, {"event": "let go", "data": 1, "cid": 20}, *calls[:3]])
        self.check(listen, [*calls[:5], {"event": "let go", "data": 1, "cid": 20}, *calls])

    def test_ends(self) -> None:
        """
        What is to end the process does.
        """

        def leave(data: Any, respond: Any) -> None:
            raise SystemExit

        for isInC in WAYS:
            setting = Setting(False)
            setting.connect()
            [socket] = setting.sockets
            socket.on("x", leave)
            with inPython(not isInC):
                self.assertRaises(SystemExit, socket.messageReceived, b'{"event":"x","cid":1}', False, 1.0)

    def test_later(self) -> None:
        """
        An answer may come at any time, once, whatever became of the connection.
        """
        for isInC in WAYS:
            setting = Setting(False)
            client = setting.connect()
            [socket] = setting.sockets
            held: list[Any] = []
            socket.on("x", lambda data, respond, held=held: held.append(respond))
            client.takePackets()
            with inPython(not isInC):
                socket.messageReceived(b'{"event":"x","cid":1}', False, 1.0)
                [respond] = held
                respond(None, "late")
                self.assertEqual(client.takePackets(), [{"rid": 1, "data": "late"}])
                self.assertRaises(InvalidActionError, respond, None, "again")
                plain = Response(socket, 7)
                plain(None, "made")
                self.assertEqual(client.takePackets(), [{"rid": 7, "data": "made"}])
                self.assertRaises(InvalidActionError, plain, None, "again")
                Response(socket, None)(None, "nobody asked")
                socket.disconnect()
                Response(socket, 8)(None, "nobody hears")
                self.assertNotIn({"rid": 8, "data": "nobody hears"}, client.takePackets())

    def test_arguments(self) -> None:
        """
        What is wrong with how they are called is said.
        """
        setting = Setting(False)
        setting.connect()
        [socket] = setting.sockets
        for isInC in WAYS:
            with inPython(not isInC):
                for call in (
                    lambda: Response(socket, 1)(None, 1, None, 2),
                    lambda: Response(socket, 1)(other=1),
                    lambda: socket._deliverAtOnce(),
                    lambda: SCServerSocket._deliverAtOnce(7, {}, b""),
                ):
                    self.assertRaises((TypeError, AttributeError), call)

    def test_memory(self) -> None:
        """
        Calls leave nothing behind.
        """
        setting = Setting(False)
        client = setting.connect()
        [socket] = setting.sockets
        for name, function in FUNCTIONS.items():
            socket.on(name, function)

        def work() -> None:
            for name in ("answer", "answer without data", "answer with an error", "drop", "any arguments", "coroutine"):
                socket.messageReceived(json.dumps({"event": name, "data": "a" * 50, "cid": 1}).encode(), False, 1.0)
            setting.clock.advance(0)
            client.takePackets()

        known = (socket, socket._outbox, socket._callbacks, *FUNCTIONS.values())
        objects, size, references = grown(work, *known)
        self.assertLess(max(references), 20)
        self.assertLess(objects, 50)
        self.assertLess(size, 20_000)


class BindingTests(SynchronousTestCase):
    """
    What is bound to what it does not fit is refused.
    """

    def test_refused(self) -> None:
        """
        A function is bound to one class, and with what it needs.
        """
        module: Any = speedups.load(EXTENSION)
        if module is None:
            raise SkipTest("installed without it, or not used")

        class Owner:
            pass

        classes, nothing = (Authentication, Listener, Response), Deferred
        for owner, events in ((Owner, frozenset({"x"})), (SCServerSocket, {"x"})):
            self.assertRaises(TypeError, module._deliverAtOnce, owner, nothing, *classes, events, nothing, "", nothing)
        bind = module.__dict__["__call__"]
        self.assertRaises(TypeError, bind, Owner, nothing, None)
        self.assertRaises(TypeError, bind, Owner)
