"""
Tests of L{agtwisted.process}.
"""

from __future__ import annotations

import gc
import resource
import signal
import socket
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import shortcuts
from agtwisted.process import (
    endWell,
    heedSignals,
    raiseDescriptorLimit,
    tuneGarbageCollector,
    useLeanPolling,
    useMonotonicClock,
)
from agtwisted.streams.turns import PORTION, Turns


class Receiver:
    """
    A protocol that keeps what it gets, and fails if it is told to.
    """

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.lost: list[Failure] = []
        self.fails = False

    def dataReceived(self, data: bytes) -> None:
        """
        Keep it.
        """
        self.received.append(data)
        if self.fails:
            raise ZeroDivisionError

    def connectionLost(self, reason: Failure) -> None:
        """
        Keep why.
        """
        self.lost.append(reason)


class LeanPollingTests(SynchronousTestCase):
    """
    Polling without the logging context, and with an end to each turn.
    """

    def setUp(self) -> None:
        """
        Make a reactor that polls leaner, with one connection.
        """
        self.reactor: Any = EPollReactor()
        self.addCleanup(self.closeReactor)
        self.turns = Turns(self.reactor)
        self.patch(shortcuts, "mayBeTaken", lambda: True)
        self.assertTrue(useLeanPolling(self.reactor, self.turns))
        near, self.far = socket.socketpair()
        self.addCleanup(self.far.close)
        self.protocol = Receiver()
        self.connection: Any = Connection(near, self.protocol, self.reactor)  # type: ignore[arg-type]
        self.connection.connected = True
        self.connection.startReading()

    def closeReactor(self) -> None:
        """
        Give back the reactor's descriptors.
        """
        self.reactor.removeAll()
        self.reactor._poller.close()
        for waker in self.reactor._internalReaders:
            waker.connectionLost(None)

    def test_reads(self) -> None:
        """
        What has come is read; what that has woken runs before the poll returns, without a delayed call.
        """
        ran: list[str] = []
        self.protocol.dataReceived = lambda data: self.turns.wake(lambda: ran.append(data.decode()))  # type: ignore
        self.far.send(b"hello")
        self.reactor.doIteration(1)
        self.assertEqual((ran, self.reactor.getDelayedCalls()), (["hello"], []))

    def chain(self, *messages: bytes) -> None:
        """
        Let the peer send a message, and each further one when the one before has come.
        """
        remaining = list(messages[1:])

        def received(data: bytes) -> None:
            self.protocol.received.append(data)
            if remaining:
                self.far.send(remaining.pop(0))

        self.protocol.dataReceived = received  # type: ignore[method-assign]
        self.far.send(messages[0])

    def test_nothingElseDue(self) -> None:
        """
        While the reactor has nothing else to do, turn follows upon turn; it comes back in time for what is due.
        """
        self.reactor.running = True
        fired: list[int] = []
        self.reactor.callLater(1, fired.append, 1)
        self.reactor.runUntilCurrent()
        self.chain(b"1", b"2", b"3")
        started = self.reactor.seconds()
        self.reactor.doIteration(60)
        self.assertEqual((self.protocol.received, fired), ([b"1", b"2", b"3"], []))
        self.assertLess(self.reactor.seconds() - started, 50)

    def test_somethingElseDue(self) -> None:
        """
        A call that was made meanwhile, by this thread or another, or the end of the reactor, comes before the next poll.
        """
        calls: list[Callable[[], object]] = [
            lambda: self.reactor.callLater(0, list),
            lambda: self.reactor.threadCallQueue.append((list, (), {})),
            lambda: setattr(self.reactor, "running", False),
            lambda: setattr(self.reactor, "_justStopped", True),
        ]
        for call in calls:
            self.reactor.running = True
            self.protocol.received.clear()
            self.chain(b"1", b"2")
            self.turns.wake(call)
            self.reactor.doIteration(1)
            self.assertEqual(self.protocol.received, [b"1"])
            self.reactor._justStopped = False
            self.reactor.runUntilCurrent()
            self.reactor.running = False
            self.reactor.doIteration(1)
            self.assertEqual(self.protocol.received, [b"1", b"2"])

    def test_overdue(self) -> None:
        """
        A call whose time has come by the end of a turn is not kept waiting either.
        """
        self.reactor.running = True
        self.reactor.callLater(60, list)
        self.reactor.runUntilCurrent()
        self.chain(b"1", b"2")
        self.turns.wake(lambda: self.patch(self.reactor, "seconds", lambda: time.time() + 61))
        self.reactor.doIteration(1)
        self.assertEqual(self.protocol.received, [b"1"])

    def test_nothingComes(self) -> None:
        """
        A poll in which nothing happens ends with its time.
        """
        self.reactor.doIteration(0)
        self.assertEqual(self.protocol.received, [])

    def gathered(self, connections: int, *messages: bytes) -> list[list[bytes]]:
        """
        Let the peer say more whenever it is heard, while each time so many connections get a publication.

        @return: what was heard before each end of a turn, in three turns.
        """
        heard: list[bytes] = []
        turns: list[list[bytes]] = []
        outbox = SimpleNamespace(flushAll=lambda outboxes: None)
        remaining = list(messages[1:])

        def received(data: bytes) -> None:
            heard.append(data)
            if remaining:
                self.far.send(remaining.pop(0))
            self.turns.deliveries.extend([outbox] * connections)

        self.protocol.dataReceived = received  # type: ignore[method-assign]
        self.far.send(messages[0])
        for _ in range(3):
            self.reactor.doIteration(0)
            turns.append(heard[:])
            heard.clear()
        return turns

    def test_gathers(self) -> None:
        """
        When many get something, the turn looks a few times whether more has come, before that is sent; else it ends.
        """
        messages = [b"1", b"2", b"3", b"4", b"5", b"6", b"7"]
        self.assertEqual(self.gathered(100, *messages), [messages[:5], messages[5:], []])

    def test_fewGetSomething(self) -> None:
        """
        Where few do, each turn ends at once, also while many still wait for what was there before.
        """
        waiting = SimpleNamespace(flushAll=lambda outboxes: None)
        self.turns.deliveries.extend([waiting] * 1000)
        self.assertEqual(self.gathered(1, b"1", b"2", b"3"), [[b"1"], [b"2"], [b"3"]])

    def deliveries(self, count: int, *more: object) -> list[str]:
        """
        Let the peer say something, whereupon so many connections get publications; and something else, when some of those
        have left.

        @param more: outboxes that come behind those.
        @return: what happens, from now on.
        """
        happened: list[str] = []

        def flushAll(outboxes: list[object]) -> None:
            if happened == ["1"]:
                self.far.send(b"2")
            happened.append(f"{len(outboxes)} publications")

        def received(data: bytes) -> None:
            happened.append(data.decode())
            if data == b"1":
                self.turns.deliveries.extend([*[SimpleNamespace(flushAll=flushAll)] * count, *more])

        self.protocol.dataReceived = received  # type: ignore[method-assign]
        self.far.send(b"1")
        return happened

    def test_deliveriesWait(self) -> None:
        """
        As long as publications wait to be sent, no poll waits for events; but it looks for them.
        """
        self.patch(self.reactor, "seconds", lambda: 0.0)
        started = time.monotonic()
        happened, portion = self.deliveries(3 * PORTION), f"{PORTION} publications"
        for expected in (["1", portion], ["1", portion, "2", portion], ["1", portion, "2", portion, portion]):
            self.reactor.doIteration(60)
            self.assertEqual(happened, expected)
        self.reactor.doIteration(0.05)
        self.assertTrue(0.04 < time.monotonic() - started < 50)

    def test_deliveriesFollow(self) -> None:
        """
        As long as the reactor has nothing else to do, turn follows upon turn, also if nothing comes meanwhile.
        """
        self.reactor.running = True
        self.patch(self.reactor, "seconds", lambda: 0.0)
        last = SimpleNamespace(flushAll=lambda outboxes: setattr(self.reactor, "running", False))
        happened, portion = self.deliveries(8 * PORTION, last), f"{PORTION} publications"
        self.reactor.doIteration(60)
        self.assertEqual(happened, ["1", portion, "2", *[portion] * 7])
        self.assertEqual(self.turns.deliveries, [])

    def test_writes(self) -> None:
        """
        Events other than reading take the reactor's own way.
        """
        self.connection.write(b"hello")
        self.reactor.doIteration(1)
        self.assertEqual(self.far.recv(10), b"hello")

    def test_peerLeaves(self) -> None:
        """
        A connection whose peer has gone is told so.
        """
        self.far.close()
        for _ in range(2):
            self.reactor.doIteration(0)
        self.assertEqual(len(self.protocol.lost), 1)

    def test_protocolFails(self) -> None:
        """
        A protocol that fails loses its connection, and nobody else notices; the failure is logged.
        """
        self.protocol.fails = True
        self.far.send(b"hello")
        self.reactor.doIteration(1)
        self.assertEqual(len(self.protocol.lost), 1)
        self.assertGreaterEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_goneMeanwhile(self) -> None:
        """
        A descriptor that was dropped while the events of the same poll were dispatched is passed over.
        """
        other, otherFar = socket.socketpair()
        self.addCleanup(otherFar.close)
        second = Receiver()
        another: Any = Connection(other, second, self.reactor)  # type: ignore[arg-type]
        another.connected = True
        another.startReading()
        self.protocol.dataReceived = lambda data: another.stopReading()  # type: ignore[method-assign]
        second.dataReceived = lambda data: self.connection.stopReading()  # type: ignore[method-assign]
        self.far.send(b"a")
        otherFar.send(b"b")
        self.reactor.doIteration(1)
        self.assertEqual(len(self.reactor.getReaders()) - len(self.reactor._internalReaders), 1)
        another.connectionLost(Failure(ZeroDivisionError()))

    def test_readTogether(self) -> None:
        """
        Those who want to be read together are, behind all others that have something to read, in one call.
        """
        happened: list[Any] = []
        reader = SimpleNamespace(readAll=lambda readers: happened.append(len(readers)))
        fars = []
        for _ in range(3):
            near, far = socket.socketpair()
            fars.append(far)
            self.addCleanup(far.close)
            connection: Any = Connection(near, Receiver(), self.reactor)  # type: ignore[arg-type]
            connection.startReading()
            self.addCleanup(connection.connectionLost, Failure(ZeroDivisionError()))
            assert self.turns.readers is not None
            self.turns.readers[near.fileno()] = reader
            far.send(b"x")
        self.protocol.dataReceived = happened.append  # type: ignore[method-assign]
        self.far.send(b"other")
        self.reactor.doIteration(1)
        self.assertEqual(happened, [b"other", 3])

    def test_readAndWritten(self) -> None:
        """
        Who can be written to as well is read by itself, as by any reactor.
        """
        happened: list[Any] = []
        assert self.turns.readers is not None
        self.turns.readers[self.connection.fileno()] = SimpleNamespace(readAll=happened.append)
        self.connection.write(b"hello")
        self.far.send(b"hello")
        self.reactor.doIteration(1)
        self.assertEqual((self.protocol.received, happened), ([b"hello"], []))
        self.assertEqual(self.far.recv(10), b"hello")

    def test_readBeforeTheEnd(self) -> None:
        """
        What a peer has said before it went is read as well, and then that it has gone.
        """
        happened: list[Any] = []

        def readAll(readers: list[object]) -> None:
            happened.extend(readers)
            self.connection.doRead()

        reader = SimpleNamespace(readAll=readAll)
        assert self.turns.readers is not None
        self.turns.readers[self.connection.fileno()] = reader
        self.far.send(b"hello")
        self.far.close()
        self.reactor.doIteration(1)
        self.assertEqual((self.protocol.received, happened), ([b"hello"], [reader]))

    def test_otherReactors(self) -> None:
        """
        Reactors of other kinds, also those that are made from this one, are left as they are.
        """

        class Mine(EPollReactor):
            pass

        mine: Any = Mine()
        self.addCleanup(mine._poller.close)
        for reactor in (Clock(), mine, SelectReactor.__new__(SelectReactor)):
            self.assertFalse(useLeanPolling(reactor, self.turns))  # type: ignore[arg-type]
        for waker in mine._internalReaders:
            waker.connectionLost(None)


class OrdinaryPollingTests(SynchronousTestCase):
    """
    Without short cuts.
    """

    def test_forbidden(self) -> None:
        """
        A reactor is left as it is.
        """
        self.patch(shortcuts, "mayBeTaken", lambda: False)
        reactor: Any = EPollReactor()
        self.addCleanup(reactor._poller.close)
        self.assertFalse(useLeanPolling(reactor, Turns(reactor)))
        self.assertNotIn("doIteration", vars(reactor))
        for waker in reactor._internalReaders:
            waker.connectionLost(None)


class TuningTests(SynchronousTestCase):
    """
    The rest of what a process changes in itself.
    """

    def test_monotonicClock(self) -> None:
        """
        What was scheduled by the wall clock keeps its distance by the monotonic one.
        """
        call = SimpleNamespace(time=1_000_010.0, seconds=None)
        reactor = SimpleNamespace(getDelayedCalls=lambda: [call], seconds=lambda: 1_000_000.0)
        useMonotonicClock(reactor)
        self.assertIs(reactor.seconds, time.monotonic)
        self.assertIs(call.seconds, time.monotonic)
        self.assertAlmostEqual(call.time - time.monotonic(), 10, places=0)

    def test_descriptors(self) -> None:
        """
        The process may have as many descriptors as the hard limit allows, up to about a million, unless the reactor could
        not use them; it goes on with what it has if that cannot be.
        """
        unlimited = resource.RLIM_INFINITY
        table = [
            ((1024, 4096), object(), [(4096, 4096)]),
            ((4096, 4096), object(), []),
            ((1024, 10_000_000), object(), [(1 << 20, 10_000_000)]),
            ((1024, unlimited), object(), [(1 << 20, unlimited)]),
            ((unlimited, unlimited), object(), []),
            ((1024, 4096), SelectReactor.__new__(SelectReactor), []),
        ]
        for limits, reactor, expected in table:
            done: list[Any] = []
            self.patch(resource, "getrlimit", lambda kind, limits=limits: limits)
            self.patch(resource, "setrlimit", lambda kind, limits, done=done: done.append(limits))
            raiseDescriptorLimit(reactor)
            self.assertEqual(done, expected)

        def refuse(kind: int, limits: object) -> None:
            raise ValueError("not allowed")

        self.patch(resource, "getrlimit", lambda kind: (1024, 4096))
        self.patch(resource, "setrlimit", refuse)
        raiseDescriptorLimit(object())

    def test_garbageCollector(self) -> None:
        """
        What exists is frozen, and the thresholds are higher.
        """
        done: list[Any] = []
        self.patch(gc, "collect", lambda: done.append("collect"))
        self.patch(gc, "freeze", lambda: done.append("freeze"))
        self.patch(gc, "set_threshold", lambda *thresholds: done.append(thresholds))
        tuneGarbageCollector()
        self.assertEqual(done[:2], ["collect", "freeze"])
        self.assertGreater(done[2][0], 700)

    def test_signals(self) -> None:
        """
        When the process has heeded a signal, the next one ends it.
        """
        seen: list[Any] = []
        self.patch(signal, "signal", lambda *arguments: seen.append(arguments))
        heedSignals()
        self.assertEqual(seen, [(signal.SIGTERM, signal.SIG_DFL), (signal.SIGINT, signal.SIG_DFL)])

    def test_endWell(self) -> None:
        """
        The signal is not raised again at the end.
        """
        reactor = SimpleNamespace(_exitSignal=signal.SIGTERM)
        endWell(reactor)
        self.assertIsNone(reactor._exitSignal)
