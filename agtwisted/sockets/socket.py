"""
What both ends of a connection do alike: they take messages in order, send packets in order, and await answers.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from agtwisted.sockets.calling import CallingSocket
from agtwisted.sockets.outbound import CLOSED, CONNECTING, OPEN, Surroundings
from agtwisted.sockets.waiting import InOrder, Waiting
from agtwisted.streams.stream import WritableConsumableStream

__all__ = ["CLOSED", "CONNECTING", "OPEN", "AGSocket", "Surroundings"]


class AGSocket(CallingSocket):
    """
    One end of a connection: what it receives, on top of what it sends.

    @ivar inboundReceivedMessageCount: how many messages have come.
    @ivar unansweredCount: how many calls of the other side the application has and has not answered.
    @ivar answersAwaited: when the unanswered calls have become so few, L{enoughAnswered} is called; -1 for never.
    """

    __slots__ = (
        "inboundReceivedMessageCount",
        "lastHeard",
        "unansweredCount",
        "answersAwaited",
        "_unprocessedCount",
        "_seconds",
        "_queuedBytes",
        "_inbound",
        "_isInputClosed",
        "_directLength",
        "_mayTakeDirectly",
        "_inboundMessageStream",
        "__dict__",
        "__weakref__",
    )

    CONNECTING = CONNECTING
    OPEN = OPEN
    CLOSED = CLOSED

    def __init__(self, id: str, transport: Any, surroundings: Surroundings) -> None:
        """
        @param transport: an L{agtwisted.interfaces.ITransport}.
        """
        super().__init__(id, transport, surroundings)
        self.inboundReceivedMessageCount = 0
        self._unprocessedCount = 0
        self.unansweredCount = 0
        self.answersAwaited = -1
        self._seconds = surroundings.wheel.seconds
        self.lastHeard = self._seconds()
        self._queuedBytes = 0
        self._inbound = InOrder()
        self._isInputClosed = False
        #: Whether nothing has ever come between a message and its packet. What does sets it to C{False} for good.
        self._mayTakeDirectly = True
        #: How long a message may be that is JSON past no limit, if, besides, the connection is open and nothing of the
        #: server's comes between; else 0.
        self._directLength = 0
        self._inboundMessageStream: WritableConsumableStream[Any] | None = None

    def takesNotDirectly(self) -> None:
        """
        Something comes between a message and its packet, from now on and for good.
        """
        self._directLength = 0
        self._mayTakeDirectly = False

    # ---- for subclasses to say

    def enoughAnswered(self) -> None:
        """
        As many calls have been answered as were awaited.
        """

    def callSettled(self) -> None:
        """
        A call of the other side is not unanswered any more.
        """
        self.unansweredCount -= 1
        if self.unansweredCount == self.answersAwaited:
            self.enoughAnswered()

    def _processMessage(self, payload: bytes, isBinary: bool) -> Waiting:
        raise NotImplementedError

    # ---- state

    def getState(self) -> str:
        """
        @return: C{"connecting"}, C{"open"} or C{"closed"}.
        """
        return self.state

    def getBytesReceived(self) -> int:
        """
        @return: how many bytes have come through the connection.
        """
        return int(self._transport.bytesReceived)

    @property
    def socket(self) -> Any:
        """
        The WebSocket connection, an L{agtwisted.interfaces.ITransport}.
        """
        return self._transport

    # ---- receiving

    def messageReceived(self, payload: bytes, isBinary: bool, heardAt: float | None = None) -> None:
        """
        Take a message: process it now, or behind those that have to wait.
        """
        self._receive(payload, isBinary)

    def messagesReceived(self, payloads: list[bytes]) -> None:
        """
        Take text messages that have come together.
        """
        for payload in payloads:
            self.messageReceived(payload, False)

    def _receive(self, payload: bytes, isBinary: bool) -> None:
        self.lastHeard = self._seconds()
        if self._isInputClosed:
            return
        self.inboundReceivedMessageCount += 1
        if self._inbound.queue is not None:
            self._queueMessage(payload, isBinary)
            return
        waiting = self._processMessage(payload, isBinary)
        if waiting is not None:
            self._inbound.waitFor(waiting)

    def _queueMessage(self, payload: bytes, isBinary: bool) -> None:
        """
        Process a message behind those that have to wait.
        """
        self._unprocessedCount += 1
        self._queuedBytes += len(payload)
        self._inbound.run(partial(self._processQueued, payload, isBinary))
        self.inboundFlow().queueChanged(len(self._inbound), self._queuedBytes)

    def _processQueued(self, payload: bytes, isBinary: bool) -> Waiting:
        self._unprocessedCount -= 1
        self._queuedBytes -= len(payload)
        self.inboundFlow().queueChanged(len(self._inbound), self._queuedBytes)
        return self._processWaited(payload, isBinary)

    def _processWaited(self, payload: bytes, isBinary: bool) -> Waiting:
        """
        Process a message that had to wait.
        """
        return self._processMessage(payload, isBinary)

    def written(self, stream: WritableConsumableStream[Any], backlog: int, size: int = 0) -> None:
        """
        Something that has come was written to a stream.

        @param backlog: how many values now wait for the consumer that is furthest behind.
        @param size: the bytes of what was written, 0 if not known.
        """
        if backlog <= 1:
            return
        flow = self._flow or self.inboundFlow()
        if backlog > flow.lowWater or backlog * size > flow.highWaterBytes:
            flow.consumerBehind(stream, backlog, size)

    @property
    def inboundMessageStream(self) -> WritableConsumableStream[Any]:
        """
        The messages as they come out of raw middleware. Processing does not depend on anybody consuming it.
        """
        if self._inboundMessageStream is None:
            self.takesNotDirectly()
            self._inboundMessageStream = WritableConsumableStream(self.turns)
        return self._inboundMessageStream

    def getInboundBackpressure(self) -> int:
        """
        @return: how many messages have come and not been taken in hand yet.
        """
        return self._unprocessedCount

    @property
    def inboundProcessedMessageCount(self) -> int:
        """
        How many of the messages that have come have been taken in hand.
        """
        return self.inboundReceivedMessageCount - self._unprocessedCount

    def closeInput(self) -> None:
        """
        Take no more messages; those that have come are still processed.
        """
        self._isInputClosed = True
        self.takesNotDirectly()
        if self._inboundMessageStream is not None:
            self._inboundMessageStream.close()

    def killInput(self) -> None:
        """
        Take no more messages, and drop those that wait.
        """
        self._isInputClosed = True
        self.takesNotDirectly()
        self._unprocessedCount -= len(self._inbound.abandon())
        self._queuedBytes = 0
        if self._inboundMessageStream is not None:
            self._inboundMessageStream.kill()

    # ---- both ways

    def closeIO(self) -> None:
        """
        L{closeInput} and L{closeOutput}.
        """
        self.closeInput()
        self.closeOutput()

    def killIO(self) -> None:
        """
        L{killInput} and L{killOutput}.
        """
        self.killInput()
        self.killOutput()
