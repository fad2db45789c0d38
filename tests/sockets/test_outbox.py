"""
Tests of L{agtwisted.sockets.outbox}.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from agtwisted.sockets.outbox import Outbox
from agtwisted.streams.turns import PORTION, Turns


def owners(outboxes: list[Outbox]) -> list[Any]:
    """
    @return: those whose outboxes they are.
    """
    return [SimpleNamespace(directOutbox=outbox) for outbox in outboxes]


class Transport:
    """
    A transport that pauses its producer, as Twisted's do, inside the C{write} that fills it.
    """

    outbox: Outbox

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.room = 1 << 60

    def write(self, data: bytes) -> None:
        """
        Take everything, and pause when there was no room for it.
        """
        self.written.append(data)
        self.room -= len(data)
        if self.room <= 0:
            self.outbox.pauseProducing()

    def makeRoom(self, room: int) -> None:
        """
        The peer has read.
        """
        self.room = room
        self.outbox.resumeProducing()


class Sender:
    """
    A socket that notes what its outbox tells.
    """

    def __init__(self) -> None:
        self.told: list[str] = []
        self.largest = 0
        self.limit = 10**9

    def outboxPaused(self) -> None:
        """
        Note it.
        """
        self.told.append("paused")

    def outboxResumed(self) -> None:
        """
        Note it.
        """
        self.told.append("resumed")

    def mayWait(self, waitingBytes: int) -> bool:
        """
        Note the largest.
        """
        self.largest = max(self.largest, waitingBytes)
        return waitingBytes <= self.limit


class OutboxTests(SynchronousTestCase):
    """
    Frames on their way out.
    """

    def setUp(self) -> None:
        """
        Make an outbox.
        """
        self.clock = Clock()
        self.turns = Turns(self.clock)
        self.transport = Transport()
        self.sender = Sender()
        self.outbox = self.transport.outbox = Outbox(self.transport, self.turns, self.sender)

    def append(self, *frames: bytes) -> None:
        """
        Send frames.
        """
        for frame in frames:
            self.outbox.append(frame)

    def test_interface(self) -> None:
        """
        It is a producer for transports.
        """
        self.assertTrue(verifyObject(IPushProducer, self.outbox))

    def test_oneWritePerTurn(self) -> None:
        """
        What is sent in a turn is written once, at its end, in order, behind the wake-ups whose answers belong to it.
        """
        self.append(b"1")
        self.turns.wake(lambda: self.append(b"3"))
        self.append(b"2")
        self.assertEqual((self.transport.written, self.outbox.frames, self.outbox.sentCount), ([], [b"1", b"2"], 0))
        self.clock.advance(0)
        self.assertEqual((self.transport.written, self.outbox.frames, self.outbox.sentCount), ([b"123"], [], 3))
        self.append(b"44")
        self.clock.advance(0)
        self.assertEqual(self.transport.written, [b"123", b"44"])
        self.assertEqual((self.outbox.sentCount, self.outbox.sentBytes), (4, 5))

    def test_flush(self) -> None:
        """
        What waits can be written before the end of the turn, which then writes only what came after.
        """
        self.append(b"1")
        self.outbox.flush()
        self.append(b"2")
        self.assertEqual(self.transport.written, [b"1"])
        self.clock.advance(0)
        self.assertEqual(self.transport.written, [b"1", b"2"])
        self.outbox.flush()
        self.assertEqual(len(self.transport.written), 2)

    def boxes(self, count: int) -> list[Outbox]:
        """
        @return: outboxes of further connections.
        """
        made = []
        for _ in range(count):
            transport = Transport()
            transport.outbox = Outbox(transport, self.turns, self.sender)
            self.addCleanup(setattr, transport, "outbox", None)  # whoever is told is known by a weak reference only
            made.append(transport.outbox)
        return made

    def test_deliverToAll(self) -> None:
        """
        A publication to many goes out as if it had been appended to each: in order behind and before others of the turn,
        into what waits where the peer does not read, and before the end of the turn where somebody flushes.
        """
        idle, busy, late, early, paused, cleared = boxes = self.boxes(6)
        busy.append(b"1")
        paused.pauseProducing()
        outboxless = SimpleNamespace(directOutbox=None)
        self.assertEqual(idle.deliverToAll(b"22", [*owners(boxes), outboxless]), [outboxless])
        late.append(b"3")
        early.flush()
        cleared.clear()
        idle.deliverToAll(b"4", owners([early]))
        self.clock.advance(0)
        written = [box._transport.written for box in boxes]
        self.assertEqual(written, [[b"22"], [b"122"], [b"223"], [b"22", b"4"], [], []])
        self.assertEqual([(box.sentCount, box.sentBytes) for box in boxes], [(1, 2), (2, 3), (2, 3), (2, 3), (0, 0), (0, 0)])
        self.assertEqual((paused.frames, paused.waitingBytes, self.clock.getDelayedCalls()), ([b"22"], 2, []))

    def test_deliverDirectly(self) -> None:
        """
        What the kernel takes it gets at once; what it does not take, or not all of, the transport gets.
        """
        boxes = self.boxes(4)
        taken: list[bytes] = []

        def broken(frame: bytes) -> int:
            raise BrokenPipeError

        boxes[0].send = lambda frame: taken.append(frame) or len(frame)  # type: ignore[func-returns-value]
        boxes[1].send = lambda frame: 1
        boxes[2].send = broken
        boxes[0].deliverToAll(b"frame", owners(boxes))
        boxes[0].deliverToAll(b"more", owners(boxes[3:]))
        self.clock.advance(0)
        written = [box._transport.written for box in boxes]
        self.assertEqual((taken, written), ([b"frame"], [[], [b"rame"], [b"frame"], [b"framemore"]]))

    def test_oneFails(self) -> None:
        """
        Whatever goes wrong with one connection, the others send what they have, and it is logged.
        """

        def fail(data: bytes) -> None:
            raise ZeroDivisionError

        first, second = self.boxes(2)
        first._transport.write = fail
        first.deliverToAll(b"1", owners([first, second]))
        self.clock.advance(0)
        self.assertEqual((len(self.flushLoggedErrors(ZeroDivisionError)), second._transport.written), (1, [b"1"]))
        first._transport.write = first._transport.written.append
        first.append(b"2")
        self.clock.advance(0)
        self.assertEqual(first._transport.written, [b"2"])

    def test_deliver(self) -> None:
        """
        One publication goes the same way as those to many.
        """
        idle, busy, early, paused = boxes = self.boxes(4)
        busy.append(b"1")
        paused.pauseProducing()
        for box in boxes:
            box.deliver(b"22")
        early.flush()
        self.clock.advance(0)
        written = [box._transport.written for box in boxes]
        self.assertEqual((written, paused.frames, paused.waitingBytes), ([[b"22"], [b"122"], [b"22"], []], [b"22"], 2))

    def test_answersFirst(self) -> None:
        """
        Publications leave behind whatever else leaves in the turn. Where something else follows them to the same peer, they
        leave with it, and do so once.
        """
        boxes = self.boxes(4)
        order: list[bytes] = []
        for box in boxes:
            box.send = lambda data: order.append(data) or len(data)  # type: ignore[func-returns-value]
        boxes[0].deliverToAll(b"0", owners(boxes[:2]))
        boxes[2].deliver(b"2")
        boxes[3].append(b"answer")
        boxes[1].append(b" and answer")
        boxes[1].append(b" and another")
        self.assertEqual(self.turns.outboxes, [boxes[3], boxes[1]])
        self.clock.advance(0)
        self.assertEqual(order, [b"answer", b"0 and answer and another", b"0", b"2"])
        self.assertEqual([box.sentCount for box in boxes], [1, 3, 1, 1])

    def test_followsLater(self) -> None:
        """
        Something that follows publications of an earlier turn sees to its turn's end.
        """
        boxes = self.boxes(1)
        boxes[0].deliver(b"publication")
        self.turns.isPolled = True
        self.turns.deliveries[:0] = self.boxes(PORTION)
        self.turns.begin()
        self.turns.end()
        self.assertEqual((self.turns.deliveries, self.clock.getDelayedCalls()), (boxes, []))
        boxes[0].append(b" and ping")
        self.clock.advance(0)
        self.assertEqual(boxes[0]._transport.written, [b"publication and ping"])

    def test_longDirectly(self) -> None:
        """
        What is long together is offered to the kernel in portions too, for as long as it takes them.
        """
        (box,) = self.boxes(1)
        frames = [bytes([65 + number]) * 40000 for number in range(5)]
        box.send = len
        for frame in frames:
            box.deliver(frame)
        box._transport.room = 60000
        self.clock.advance(0)
        self.assertEqual((box._transport.written, box.frames), ([frames[0] + frames[1]], frames[2:]))
        self.assertEqual((box.sentCount, box.sentBytes, box.waitingBytes), (2, 80000, 120000))

    def test_refused(self) -> None:
        """
        A frame that may not wait is not kept.
        """
        self.sender.limit = 5
        self.outbox.pauseProducing()
        self.append(b"22", b"333", b"4")
        self.assertEqual((self.outbox.frames, self.outbox.waitingBytes, self.sender.largest), ([b"22", b"333"], 5, 6))

    def test_paused(self) -> None:
        """
        While the peer does not read frames wait here, counted; they go out in order when it reads again.
        """
        self.outbox.pauseProducing()
        self.outbox.pauseProducing()
        self.append(b"1", b"22", b"333")
        self.clock.advance(0)
        self.assertEqual((self.transport.written, self.outbox.waitingBytes, self.sender.largest), ([], 6, 6))
        self.assertEqual(self.sender.told, ["paused"])
        self.outbox.resumeProducing()
        self.outbox.resumeProducing()
        self.assertEqual((self.transport.written, self.outbox.waitingBytes), ([b"122333"], 0))
        self.assertEqual(self.sender.told, ["paused", "resumed"])

    def test_pausedInTheMiddle(self) -> None:
        """
        A transport that is full in the middle of much data gets no more than that portion; the rest waits, counted.
        """
        frames = [bytes([65 + number]) * 40000 for number in range(10)]
        self.transport.room = 100000
        self.append(*frames)
        self.clock.advance(0)
        self.assertEqual(b"".join(self.transport.written), b"".join(frames[:4]))
        self.assertEqual((self.outbox.waitingBytes, self.sender.largest, self.outbox.sentCount), (240000, 240000, 4))
        self.assertEqual(self.outbox.sentBytes, 160000)
        self.transport.makeRoom(1)
        self.assertEqual(self.outbox.sentCount, 6)
        self.assertNotIn("resumed", self.sender.told)
        self.transport.makeRoom(1 << 60)
        self.assertEqual(b"".join(self.transport.written), b"".join(frames))
        self.assertEqual((self.outbox.waitingBytes, self.sender.told[-1]), (0, "resumed"))
        self.assertEqual((self.outbox.sentCount, self.outbox.sentBytes), (10, 400000))

    def test_drain(self) -> None:
        """
        A connection that is closed gets what waits first, also if its peer does not read; how much that was is told.
        """
        self.outbox.pauseProducing()
        self.append(b"1", b"22")
        self.assertEqual(self.outbox.drain(), (2, 3))
        self.assertEqual(self.outbox.drain(), (0, 0))
        self.assertEqual((self.transport.written, self.outbox.waitingBytes), ([b"122"], 0))
        self.assertEqual((self.outbox.sentCount, self.outbox.sentBytes), (2, 3))

    def test_giveUp(self) -> None:
        """
        What waits can be given up, and is when the connection is gone.
        """
        for method in (self.outbox.clear, self.outbox.stopProducing):
            self.outbox.pauseProducing()
            self.append(b"1")
            method()
            self.assertEqual((self.outbox.frames, self.outbox.waitingBytes), ([], 0))
            self.outbox.resumeProducing()
        self.append(b"2")
        self.outbox.clear()
        self.clock.advance(0)
        self.assertEqual(self.transport.written, [])

    # How long it takes to make inputs says more about the machine than about them.
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.lists(
            st.one_of(
                st.integers(-70000, 70000),
                st.sampled_from(("turn", "pause", "resume", "flush", "room 1", "room 100000")),
            ),
            max_size=40,
        )
    )
    def test_orderAndCounts(self, operations: list[int | str]) -> None:
        """
        Whatever happens, frames go out in order, complete and once, nothing is written to a transport that has paused,
        and the bytes that wait are counted right. (Publications are the numbers below 0.)
        """
        self.setUp()
        sent = b""
        for number, operation in enumerate(operations):
            written = len(self.transport.written)
            wasPaused = self.outbox.isPaused
            if isinstance(operation, int):
                frame = bytes([number]) * abs(operation)
                sent += frame
                (self.outbox.deliver if operation < 0 else self.outbox.append)(frame)
            elif operation == "turn":
                self.clock.advance(0)
            elif operation == "flush":
                self.outbox.flush()
            elif operation == "pause":
                self.outbox.pauseProducing()
            elif operation == "resume":
                self.outbox.resumeProducing()
            else:
                self.transport.room = int(operation.split()[1])
            if wasPaused and operation != "resume":
                self.assertEqual(len(self.transport.written), written)
            if self.outbox.isPaused:
                self.assertEqual(self.outbox.waitingBytes, sum(map(len, self.outbox.frames)))
            self.assertEqual(b"".join(self.transport.written + self.outbox.frames), sent)
        self.transport.makeRoom(1 << 60)
        self.clock.advance(0)
        self.assertEqual(b"".join(self.transport.written), sent)
        self.assertEqual(self.outbox.sentCount, sum(isinstance(each, int) for each in operations))
