"""
The outbound half of a connection's end: it sends packets in order, or in batches.
"""

from __future__ import annotations

from typing import Any, Protocol

from orjson import OPT_PASSTHROUGH_DATETIME, dumps

from agtwisted.errors import BadConnectionError
from agtwisted.protocol.codecs import plainForm
from agtwisted.protocol.frames import TEXT_HEADERS, textFrame
from agtwisted.protocol.wire import Wire
from agtwisted.sockets.batching import Batching
from agtwisted.sockets.flow import InboundFlow
from agtwisted.sockets.outbox import Outbox
from agtwisted.sockets.socketstreams import SocketStreams
from agtwisted.sockets.waiting import InOrder
from agtwisted.sockets.wheel import Wheel
from agtwisted.speedups import inC
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


class OutboundSocket(SocketStreams):
    """
    One end of a connection, as far as it sends.

    @ivar id: what tells this connection from all others.
    @ivar state: C{"connecting"}, C{"open"} or C{"closed"}.
    @ivar directOutbox: what takes the frames of publications as they are; C{None} if something comes between.
    """

    __slots__ = (
        "id",
        "state",
        "_surroundings",
        "_transport",
        "_outbox",
        "_flow",
        "_outbound",
        "directOutbox",
        "_sendsJSON",
        "_maySendDirectly",
        "_isOutputClosed",
        "_isOutputKilled",
        "_batching",
        "_outboundPacketStream",
    )

    def __init__(self, id: str, transport: Any, surroundings: Surroundings) -> None:
        """
        @param transport: an L{agtwisted.interfaces.ITransport}.
        """
        super().__init__(surroundings.turns)
        self.id = id
        self.state = CONNECTING
        self._surroundings = surroundings
        self._transport = transport
        self._outbox = Outbox(transport, surroundings.turns, self)
        transport.registerOutbox(self._outbox)
        self._flow: InboundFlow | None = None
        self._outbound = InOrder()
        #: Whether nothing has ever come between what is sent and the outbox. What does sets it to C{False} for good.
        self._maySendDirectly: bool = transport.isPlain
        #: Whether, besides, the connection is open, and packets are JSON.
        self._sendsJSON = False
        self.directOutbox: Outbox | None = None
        self._isOutputClosed = False
        self._isOutputKilled = False
        self._batching: Batching | None = None
        self._outboundPacketStream: WritableConsumableStream[Any] | None = None

    def sendsNotDirectly(self) -> None:
        """
        Something comes between what is sent and the outbox, from now on and for good.
        """
        self._sendsJSON = self._maySendDirectly = False
        self.directOutbox = None

    # ---- for subclasses to say

    def emitError(self, error: object) -> None:
        """
        Something went wrong that concerns this socket.
        """
        self.emitEvent("error", error=error)

    def _batchingOptions(self) -> float:
        raise NotImplementedError

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

    @inC(dumps, plainForm, OPT_PASSTHROUGH_DATETIME)
    def sendObject(self, packet: object, options: object = None) -> bool:
        """
        Send a packet, or collect it for the batch.

        @param options: accepted as in the reference, and without a meaning in it.
        @return: whether it could be encoded; if not, the socket has emitted the codec's error.
        """
        if not self._sendsJSON or packet.__class__ is not dict:
            return self._sendThrough(packet)
        try:
            # As the wire's frame, without the call: nearly every packet is a short one that orjson writes.
            payload = dumps(packet, plainForm, OPT_PASSTHROUGH_DATETIME)
        except Exception:
            # The codec writes more than orjson does; what it cannot write either, is an error there.
            return self._sendThrough(packet)
        length = len(payload)
        frame = TEXT_HEADERS[length] + payload if length < 126 else textFrame(payload)
        # As append, without the call: this is the way of nearly every answer.
        outbox = self._outbox
        if outbox._first is not None:
            outbox._more.append(frame)
            if outbox._isBehind:
                outbox.comeForward()
        elif outbox.isPaused:
            outbox.append(frame)
        else:
            outbox._first = frame
            turns = outbox._turns
            turns.outboxes.append(outbox)
            if not turns.isDue:
                turns.schedule()
        return True

    def _sendThrough(self, packet: object) -> bool:
        """
        Send a packet through whatever comes between.
        """
        batching = self._batching
        if batching is not None and batching.isBuffering:
            batching.append(packet)
            return True
        if self.state == CLOSED and not self._isSendable():
            return True
        try:
            if self._transport.isPlain:
                frame = self._surroundings.wire.frame(packet)
            else:
                frame = self._transport.frame(*self._surroundings.wire.encode(packet))
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

    @property
    def outboundPacketStream(self) -> WritableConsumableStream[Any]:
        """
        The packets that C{transmit} and C{invoke} send. Sending does not depend on anybody consuming it.
        """
        if self._outboundPacketStream is None:
            self.sendsNotDirectly()
            self._outboundPacketStream = WritableConsumableStream(self.turns)
        return self._outboundPacketStream

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
        self.sendsNotDirectly()
        if self._outboundPacketStream is not None:
            self._outboundPacketStream.close()

    def killOutput(self) -> None:
        """
        Let C{transmit} and C{invoke} send no more, and drop what waits.
        """
        self._isOutputClosed = self._isOutputKilled = True
        self.sendsNotDirectly()
        for step in self._outbound.abandon():
            step()
        if self._outboundPacketStream is not None:
            self._outboundPacketStream.kill()

    # ---- a peer that does not read

    def inboundFlow(self) -> InboundFlow:
        """
        @return: what decides whether the connection is read.
        """
        if self._flow is None:
            self._flow = InboundFlow(self._transport, *self._surroundings.inboundHighWater)
        return self._flow

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

    def mayWait(self, waitingBytes: int) -> bool:
        """
        More is about to wait for the peer to read.
        """
        return True

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
            self.sendsNotDirectly()
            self._batching = Batching(self.sendObject, self.turns, self._batchingOptions())
        return self._batching
