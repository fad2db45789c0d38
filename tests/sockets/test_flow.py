"""
Tests of L{agtwisted.sockets.flow}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.sockets.flow import InboundFlow
from agtwisted.streams.stream import WritableConsumableStream
from agtwisted.streams.turns import Turns


class Transport:
    """
    A transport that is read or not.
    """

    def __init__(self) -> None:
        self.isReading = True
        self.changes = 0

    def pauseReading(self) -> None:
        """
        Read no more.
        """
        assert self.isReading
        self.isReading = False
        self.changes += 1

    def resumeReading(self) -> None:
        """
        Read again.
        """
        assert not self.isReading
        self.isReading = True
        self.changes += 1


class InboundFlowTests(SynchronousTestCase):
    """
    When a transport is read, for a high-water mark of 8 messages or 100 bytes.
    """

    def setUp(self) -> None:
        """
        Make the flow of a socket.
        """
        self.transport = Transport()
        self.flow = InboundFlow(self.transport, 8, 100)
        self.stream: WritableConsumableStream[Any] = WritableConsumableStream(Turns(Clock()))

    def write(self, count: int, size: int = 1) -> None:
        """
        Write values and tell the flow, as sockets do.
        """
        for value in range(count):
            self.flow.consumerBehind(self.stream, self.stream.write(value), size)

    def test_queue(self) -> None:
        """
        Reading stops when more messages, or more bytes, wait than may, and goes on when a quarter is left.
        """
        table = [(8, 100, True), (9, 10, False), (8, 10, False), (3, 10, False), (2, 26, False), (2, 25, True)]
        for messages, size, isReading in [*table, (1, 101, False), (1, 30, False), (0, 0, True)]:
            self.flow.queueChanged(messages, size)
            self.assertEqual(self.transport.isReading, isReading, (messages, size))
            self.assertEqual(self.flow.isPaused, not isReading)

    def test_outbound(self) -> None:
        """
        Nothing is read from a peer that does not read.
        """
        for isPaused in (True, True, False, False):
            self.flow.outboundChanged(isPaused)
            self.assertEqual(self.transport.isReading, not isPaused)
        self.assertEqual(self.transport.changes, 2)

    def test_reasons(self) -> None:
        """
        Reading goes on only when no reason is left not to.
        """
        self.flow.outboundChanged(True)
        self.flow.queueChanged(9, 9)
        self.flow.outboundChanged(False)
        self.assertFalse(self.transport.isReading)
        self.flow.queueChanged(0, 0)
        self.assertTrue(self.transport.isReading)
        self.assertEqual(self.transport.changes, 2)

    def test_consumer(self) -> None:
        """
        Reading stops while a consumer is too far behind; when it has taken all but a quarter, reading goes on.
        """
        consumer = self.stream.createConsumer()
        self.write(8)
        self.assertTrue(self.transport.isReading)
        self.write(1)
        self.assertFalse(self.transport.isReading)
        for waiting in range(8, 2, -1):
            self.successResultOf(consumer.next())
            self.assertEqual(consumer.getBackpressure(), waiting)
            self.assertFalse(self.transport.isReading)
        self.successResultOf(consumer.next())
        self.assertTrue(self.transport.isReading)

    def test_bytes(self) -> None:
        """
        Few values may be too much as well, when they are large.
        """
        consumer = self.stream.createConsumer()
        self.write(3, size=30)
        self.assertTrue(self.transport.isReading)
        self.write(1, size=30)
        self.assertFalse(self.transport.isReading)
        consumer.kill()
        self.assertTrue(self.transport.isReading)

    def test_fewLargeValues(self) -> None:
        """
        So may two that are very large, though fewer messages than ever make reading go on wait.
        """
        consumer = self.stream.createConsumer()
        self.write(2, size=60)
        self.assertFalse(self.transport.isReading)
        self.successResultOf(consumer.next())
        self.assertFalse(self.transport.isReading)
        self.successResultOf(consumer.next())
        self.assertTrue(self.transport.isReading)

    def test_slowestConsumer(self) -> None:
        """
        All consumers that are behind have to catch up.
        """
        first, second = self.stream.createConsumer(), self.stream.createConsumer()
        self.write(12)
        for consumer in (first, second):
            self.assertFalse(self.transport.isReading)
            while consumer.getBackpressure():
                self.successResultOf(consumer.next())
        self.assertTrue(self.transport.isReading)
        self.assertEqual(self.transport.changes, 2)

    def test_consumerLeaves(self) -> None:
        """
        A consumer that stops reading, in whatever way, holds up nobody.
        """
        endings: list[Any] = [
            lambda consumer: consumer.kill(),
            lambda consumer: consumer.return_(),
            lambda consumer: self.stream.kill(),
        ]
        for ending in endings:
            consumer = self.stream.createConsumer()
            self.write(9)
            self.assertFalse(self.transport.isReading)
            ending(consumer)
            self.assertTrue(self.transport.isReading)

    def test_loop(self) -> None:
        """
        A loop that catches up lets reading go on likewise.
        """

        async def loop() -> None:
            async for _ in consumer:
                pass

        consumer = self.stream.createConsumer()
        self.write(9)
        self.assertFalse(self.transport.isReading)
        coroutine = loop()
        try:
            coroutine.send(None)
        finally:
            coroutine.close()
        self.assertTrue(self.transport.isReading)

    def test_answers(self) -> None:
        """
        While the application awaits answers of the peer, which come the same way, consumers have more patience; but the
        queue and the peer's own reading count as ever.
        """
        consumer = self.stream.createConsumer()
        self.write(9)
        self.flow.awaitAnswers(True)
        self.assertTrue(self.transport.isReading)
        self.flow.awaitAnswers(False)
        self.assertFalse(self.transport.isReading)
        self.flow.awaitAnswers(True)
        self.flow.outboundChanged(True)
        self.assertFalse(self.transport.isReading)
        self.flow.outboundChanged(False)
        consumer.kill()
        self.flow.awaitAnswers(False)
        self.assertTrue(self.transport.isReading)
