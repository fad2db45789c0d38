"""
What both ends of a connection do alike: they take messages in order, send packets in order, and await answers.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail, succeed

from agtwisted.errors import BadConnectionError, InvalidMessageError
from agtwisted.protocol.copying import ownCopy
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.protocol.wire import Wire
from agtwisted.sockets.batching import Batching
from agtwisted.sockets.calls import Calls
from agtwisted.sockets.flow import InboundFlow
from agtwisted.sockets.outbox import Outbox
from agtwisted.sockets.socketstreams import SocketStreams
from agtwisted.sockets.waiting import InOrder, Waiting
from agtwisted.sockets.wheel import Wheel
from agtwisted.streams.stream import WritableConsumableStream
from agtwisted.streams.turns import Turns

CONNECTING = "connecting"
OPEN = "open"
CLOSED = "closed"


class Surroundings(Protocol):
    """
    What a socket needs of the server or client that it belongs to.
    """

    turns: Turns
    wheel: Wheel
    wire: Wire

    @property
    def ackTimeoutSeconds(self) -> float:
        """
        How long a call may take to be answered.
        """

    @property
    def inboundHighWater(self) -> tuple[int, int]:
        """
        How many messages, and how many bytes of them, may wait before a transport is not read any more.
        """


class AGSocket(SocketStreams):
    """
    One end of a connection.

    @ivar id: what tells this connection from all others.
    @ivar state: C{"connecting"}, C{"open"} or C{"closed"}.
    @ivar inboundReceivedMessageCount: how many messages have come.
    @ivar unansweredCount: how many calls of the other side the application has and has not answered.
    @ivar answersAwaited: when the unanswered calls have become so few, L{enoughAnswered} is called; -1 for never.
    """

    __slots__ = (
        "id",
        "state",
        "inboundReceivedMessageCount",
        "lastHeard",
        "unansweredCount",
        "_unprocessedCount",
        "answersAwaited",
        "_surroundings",
        "_seconds",
        "_transport",
        "_outbox",
        "_flow",
        "_queuedBytes",
        "_inbound",
        "_outbound",
        "_isInputClosed",
        "_isOutputClosed",
        "_isOutputKilled",
        "_calls",
        "_batching",
        "_inboundMessageStream",
        "_outboundPacketStream",
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
        super().__init__(surroundings.turns)
        self.id = id
        self.state = CONNECTING
        self.inboundReceivedMessageCount = 0
        self._unprocessedCount = 0
        self.unansweredCount = 0
        self.answersAwaited = -1
        self._surroundings = surroundings
        self._seconds = surroundings.wheel.seconds
        self.lastHeard = self._seconds()
        self._transport = transport
        self._outbox = Outbox(transport, surroundings.turns, self)
        transport.registerOutbox(self._outbox)
        self._flow: InboundFlow | None = None
        self._queuedBytes = 0
        self._inbound = InOrder()
        self._outbound = InOrder()
        self._isInputClosed = False
        self._isOutputClosed = False
        self._isOutputKilled = False
        self._calls: Calls | None = None
        self._batching: Batching | None = None
        self._inboundMessageStream: WritableConsumableStream[Any] | None = None
        self._outboundPacketStream: WritableConsumableStream[Any] | None = None

    # ---- for subclasses to say

    def emitError(self, error: object) -> None:
        """
        Something went wrong that concerns this socket.
        """
        self.emitEvent("error", error=error)

    def enoughAnswered(self) -> None:
        """
        As many calls have been answered as were awaited.
        """

    def _processMessage(self, payload: bytes, isBinary: bool) -> Waiting:
        raise NotImplementedError

    def _batchingOptions(self) -> float:
        raise NotImplementedError

    @property
    def cloneData(self) -> bool:
        """
        Whether data is copied when it is to be sent, so that it may be changed at once. Only what waits for middleware or
        for a batch could show such a change.
        """
        return False

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

    def messageReceived(self, payload: bytes, isBinary: bool) -> None:
        """
        Take a message: process it now, or behind those that have to wait.
        """
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
        return self._processMessage(payload, isBinary)

    def inboundFlow(self) -> InboundFlow:
        """
        @return: what decides whether the connection is read.
        """
        if self._flow is None:
            self._flow = InboundFlow(self._transport, *self._surroundings.inboundHighWater)
        return self._flow

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
            self._inboundMessageStream = WritableConsumableStream(self.turns)
        return self._inboundMessageStream

    @property
    def outboundPacketStream(self) -> WritableConsumableStream[Any]:
        """
        The packets that C{transmit} and C{invoke} send. Sending does not depend on anybody consuming it.
        """
        if self._outboundPacketStream is None:
            self._outboundPacketStream = WritableConsumableStream(self.turns)
        return self._outboundPacketStream

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
        if self._inboundMessageStream is not None:
            self._inboundMessageStream.close()

    def killInput(self) -> None:
        """
        Take no more messages, and drop those that wait.
        """
        self._isInputClosed = True
        self._unprocessedCount -= len(self._inbound.abandon())
        self._queuedBytes = 0
        if self._inboundMessageStream is not None:
            self._inboundMessageStream.kill()

    # ---- sending

    def encode(self, value: object) -> str | bytes:
        """
        @return: C{value} as the codec writes it.
        """
        return self._surroundings.wire.codec.encode(value)  # type: ignore[no-any-return]

    def decode(self, message: str | bytes) -> object:
        """
        @return: C{message} as the codec reads it.
        """
        return self._surroundings.wire.codec.decode(message)

    def send(self, data: str | bytes, options: object = None) -> None:
        """
        Send a raw message: text in a text frame, bytes in a binary one.

        @param options: accepted as in the reference, and without a meaning here.
        """
        isBinary = not isinstance(data, str)
        payload = data.encode("utf-8", "replace") if isinstance(data, str) else bytes(data)
        if self._isSendable():
            self._outbox.append(self._transport.frame(payload, isBinary))

    def sendObject(self, packet: object, options: object = None) -> bool:
        """
        Send a packet, or collect it for the batch.

        @param options: accepted as in the reference, and without a meaning in it.
        @return: whether it could be encoded; if not, the socket has emitted the codec's error.
        """
        batching = self._batching
        if batching is not None and batching.isBuffering:
            batching.append(packet)
            return True
        if self.state == CLOSED and not self._isSendable():
            return True
        transport = self._transport
        try:
            if transport.isPlain:
                frame = self._surroundings.wire.frame(packet)
            else:
                frame = transport.frame(*self._surroundings.wire.encode(packet))
        except Exception as error:
            self.emitError(error)
            return False
        self._outbox.append(frame)
        return True

    def serializeObject(self, value: object) -> str | bytes | None:
        """
        @return: C{value} as the codec writes it, C{None} if it cannot; the socket has then emitted the codec's error.
        """
        try:
            return self.encode(value)
        except Exception as error:
            self.emitError(error)
            return None

    def _isSendable(self) -> bool:
        if self.state != CLOSED and self._transport.isOpen:
            return True
        self.emitError(BadConnectionError("WebSocket is not open: what was to be sent is dropped", "disconnect"))
        return False

    def flush(self) -> None:
        """
        Write what waits for the end of the turn now, so that something else can go behind it.
        """
        self._outbox.flush()

    def getOutboundBackpressure(self) -> int:
        """
        @return: how many messages have been prepared and not been handed to the transport yet.
        """
        batched = 0 if self._batching is None else len(self._batching)
        return len(self._outbox) + len(self._outbound) + self._outbound.isWaiting + batched

    @property
    def outboundSentMessageCount(self) -> int:
        """
        How many messages have been handed to the transport.
        """
        return self._outbox.sentCount

    @property
    def outboundSentByteCount(self) -> int:
        """
        How many bytes, as frames, those were.
        """
        return self._outbox.sentBytes

    @property
    def outboundPreparedMessageCount(self) -> int:
        """
        How many messages there were to be sent.
        """
        return self._outbox.sentCount + self.getOutboundBackpressure()

    def closeOutput(self) -> None:
        """
        Let C{transmit} and C{invoke} send no more; what waits is still sent.
        """
        self._isOutputClosed = True
        if self._outboundPacketStream is not None:
            self._outboundPacketStream.close()

    def killOutput(self) -> None:
        """
        Let C{transmit} and C{invoke} send no more, and drop what waits.
        """
        self._isOutputClosed = self._isOutputKilled = True
        for step in self._outbound.abandon():
            step()
        if self._outboundPacketStream is not None:
            self._outboundPacketStream.kill()

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

    def outboxPaused(self) -> None:
        """
        The peer does not read. Until it does, nothing is read from it either.
        """
        self.inboundFlow().outboundChanged(True)

    def outboxResumed(self) -> None:
        """
        The peer reads again.
        """
        self.inboundFlow().outboundChanged(False)

    def outboxGrown(self, waitingBytes: int) -> None:
        """
        More waits for the peer to read.
        """

    # ---- transmit and invoke

    def transmit(
        self, event: str, data: object = NO_DATA, *, useCache: bool = False, stringifiedData: str | bytes | None = None
    ) -> Deferred[None]:
        """
        Send an event that expects no answer.

        @param data: what goes with it; left out, nothing does.
        @param useCache: whether C{stringifiedData}, if given, is sent as it is.
        @param stringifiedData: the whole packet, already encoded.
        @return: has fired. If the socket is not open it emits a L{BadConnectionError}; the Deferred does not fail.
        """
        if self.state != OPEN:
            self.emitError(self._notOpen("transmit", event))
        else:
            data = ownCopy(data) if self.cloneData else data
            self._transmit(event, data, stringifiedData if useCache else None)
        return succeed(None)

    def invoke(
        self,
        event: str,
        data: object = NO_DATA,
        ackTimeout: float | None = None,
        *,
        useCache: bool = False,
        stringifiedData: str | bytes | None = None,
    ) -> Deferred[Any]:
        """
        Call a procedure of the other side.

        @param data: what it is called with; left out, with nothing.
        @param ackTimeout: milliseconds the answer may take; the option C{ackTimeout} if not given.
        @param useCache: whether C{stringifiedData}, if given, is sent as it is.
        @param stringifiedData: the whole packet, already encoded.
        @return: fires with the data of the answer; fails with the error of the answer, with L{TimeoutError}, or with
            L{BadConnectionError} when the socket is not open or closes meanwhile.
        """
        if self.state != OPEN or self._isOutputClosed:
            error = self._notOpen("invoke", event)
            self.emitError(error)
            return fail(error)
        data = ownCopy(data) if self.cloneData else data
        seconds = self._surroundings.ackTimeoutSeconds if ackTimeout is None else ackTimeout / 1000
        cached = stringifiedData if useCache else None
        if not self._outbound.isWaiting:
            return self._invoke(event, data, seconds, cached)
        answered: Deferred[Any] = Deferred()
        self._outbound.run(partial(self._invokeLater, answered, event, data, seconds, cached))
        return answered

    def _transmit(self, event: str, data: object, cached: str | bytes | None = None) -> None:
        if self._isOutputClosed:
            return
        if self._outbound.isWaiting:
            self._outbound.run(partial(self._processTransmit, event, data, cached))
            return
        waiting = self._processTransmit(event, data, cached)
        if waiting is not None:
            self._outbound.waitFor(waiting)

    def _processTransmit(self, event: str, data: object, cached: str | bytes | None) -> Waiting:
        if self._isOutputKilled:
            return None
        if cached is not None:
            self.send(cached)
            return None
        packet = {"event": event} if data is NO_DATA else {"event": event, "data": data}
        if self._outboundPacketStream is not None:
            self._outboundPacketStream.write(packet)
        self.sendObject(packet)
        return None

    def _invoke(self, event: str, data: object, seconds: float, cached: str | bytes | None) -> Deferred[Any]:
        if self._isOutputKilled:
            return fail(self._notOpen("invoke", event))
        if self._calls is None:
            self._calls = Calls(self._surroundings.wheel, self.turns)
        callId, answered = self._calls.open(event, seconds)
        if self._flow is not None:
            self._flow.awaitAnswers(True)
            answered.addBoth(self._answered)
        if cached is not None:
            self.send(cached)
            return answered
        packet: dict[str, object] = {"event": event, "cid": callId}
        if data is not NO_DATA:
            packet["data"] = data
        if self._outboundPacketStream is not None:
            self._outboundPacketStream.write(packet)
        if not self.sendObject(packet):
            self._calls.settle(callId, InvalidMessageError(f"The data of the {event} call could not be encoded"), None)
        return answered

    def _answered(self, result: Any) -> Any:
        if self._flow is not None and not self._calls:
            self._flow.awaitAnswers(False)
        return result

    def _invokeLater(self, answered: Deferred[Any], *arguments: Any) -> Waiting:
        self._invoke(*arguments).chainDeferred(answered)
        return None

    @staticmethod
    def _notOpen(what: str, event: str) -> BadConnectionError:
        return BadConnectionError(
            f"Socket {what} {event} event was aborted due to a bad connection", "connectAbort"
        )

    # ---- batching

    @property
    def isBatching(self) -> bool:
        """
        Whether the application has asked for batches.
        """
        return self._batching is not None and self._batching.isBatching

    @property
    def isBufferingBatch(self) -> bool:
        """
        Whether packets are being collected now.
        """
        return self._batching is not None and self._batching.isBuffering

    def startBatch(self) -> None:
        """
        Collect packets until L{flushBatch}.
        """
        self._batch().begin()

    def flushBatch(self) -> None:
        """
        Send the packets collected as one message.
        """
        self._batch().flush()

    def cancelBatch(self) -> None:
        """
        Drop the packets collected.
        """
        self._batch().cancel()

    def startBatching(self) -> None:
        """
        Collect packets and send them as one message after each C{batchInterval}.
        """
        self._batch().isBatching = True
        self._batch().start()

    def stopBatching(self) -> None:
        """
        Send what was collected and stop batching.
        """
        self._batch().isBatching = False
        self._batch().stop()

    def cancelBatching(self) -> None:
        """
        Drop what was collected and stop batching.
        """
        self._batch().isBatching = False
        self._batch().abandon()

    def _batch(self) -> Batching:
        if self._batching is None:
            self._batching = Batching(self.sendObject, self.turns, self._batchingOptions())
        return self._batching
