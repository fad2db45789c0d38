"""
What a socket sends, collected until the end of the reactor's turn (publications perhaps until that of a later one) and
then written at once.

The outbox is a push producer for its transport: while the peer does not read, frames wait here, where they are counted
and can be given up, and not in the transport.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar
from weakref import proxy

from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from agtwisted.sparinglog import SparingLogger
from agtwisted.speedups import inC
from agtwisted.streams.turns import Turns

log = SparingLogger()

#: Bytes that are handed to the transport at once, about; more only for a single frame that is longer.
_PORTION = 65536


class HasOutbox(Protocol):
    """
    Who may have an outbox that takes finished frames.
    """

    directOutbox: Any


Recipient = TypeVar("Recipient", bound=HasOutbox)


class Sender(Protocol):
    """
    Whose outbox it is.
    """

    def outboxPaused(self) -> None:
        """
        The peer does not read: frames begin to wait.
        """

    def outboxResumed(self) -> None:
        """
        Nothing waits any more.
        """

    def mayWait(self, waitingBytes: int) -> bool:
        """
        More is about to wait than before.

        @return: whether it may. If not, the sender has given its peer up.
        """


@implementer(IPushProducer)
class Outbox:
    """
    The finished frames that wait for the end of the turn, or for the peer to read.

    @ivar waitingBytes: how many bytes wait for the peer to read.
    @ivar sentCount: how many frames have been handed to the transport.
    @ivar sentBytes: how many bytes those were.
    @ivar isPaused: whether the peer does not read.
    @ivar send: offers data to the kernel, which says how much of it it has taken. The transport sets it for as long as
        nothing waits there before what comes from here; C{None} else.
    """

    __slots__ = (
        "waitingBytes",
        "sentCount",
        "sentBytes",
        "isPaused",
        "send",
        "_first",
        "_more",
        "_isBehind",
        "_transport",
        "_turns",
        "_sender",
    )

    def __init__(self, transport: Any, turns: Turns, sender: Sender) -> None:
        """
        @param transport: an L{agtwisted.interfaces.ITransport}.
        """
        # Most turns have one frame for a socket: it needs no list. While the peer does not read there is only the list.
        self._first: bytes | None = None
        self._more: list[bytes] = []
        #: Whether it waits, or has waited, among those that have nothing but publications to send.
        self._isBehind = False
        self.waitingBytes = 0
        self.sentCount = 0
        self.sentBytes = 0
        self.isPaused = False
        self.send: Callable[[bytes], int] | None = None
        self._transport = transport
        self._turns = turns
        # Not the sender itself: a closed connection is to be freed at once, without the garbage collector.
        self._sender = proxy(sender)

    @property
    def frames(self) -> list[bytes]:
        """
        The frames that wait.
        """
        return [*self._more] if self._first is None else [self._first, *self._more]

    def __len__(self) -> int:
        return len(self._more) + (self._first is not None)

    def append(self, frame: bytes) -> None:
        """
        Send a frame with this turn's others.
        """
        if self._first is not None:
            self._more.append(frame)
            if self._isBehind:
                self.comeForward()
        elif self.isPaused:
            waitingBytes = self.waitingBytes + len(frame)
            if self._sender.mayWait(waitingBytes):
                self._more.append(frame)
                self.waitingBytes = waitingBytes
        else:
            self._first = frame
            self._join(self._turns.outboxes)

    def _join(self, waiting: list[Any]) -> None:
        """
        @param waiting: those of the turns that this outbox is to be flushed with.
        """
        waiting.append(self)
        if not self._turns.isDue:
            self._turns.schedule()

    def comeForward(self) -> None:
        """
        What was appended to the publications that wait here is to leave with this turn's others, and they with it.
        """
        self._isBehind = False
        self._join(self._turns.outboxes)

    def deliver(self, frame: bytes) -> None:
        """
        Send a publication: behind what others have to send, and with other publications.
        """
        if self._first is not None:
            self._more.append(frame)
        elif self.isPaused:
            self.append(frame)
        else:
            self._first = frame
            self._isBehind = True
            self._join(self._turns.deliveries)

    def deliverToAll(self, frame: bytes, recipients: Sequence[Recipient]) -> list[Recipient]:
        """
        Send one publication through the outboxes of many: as L{deliver} for each.

        @return: those that have none.
        """
        turns, others = self._turns, []
        waiting = turns.deliveries
        for recipient in recipients:
            outbox = recipient.directOutbox
            if outbox is None:
                others.append(recipient)
            elif outbox._first is not None:
                outbox._more.append(frame)
            elif outbox.isPaused:
                outbox.append(frame)
            else:
                outbox._first = frame
                outbox._isBehind = True
                waiting.append(outbox)
        if not turns.isDue:
            turns.schedule()
        return others

    @inC(Turns, socket.SocketType, _PORTION)
    @staticmethod
    def flushAll(outboxes: list[Outbox]) -> None:
        """
        Write what waits in many outboxes: as L{flush} for each, without the calls where the kernel gets it.
        """
        for outbox in outboxes:
            try:
                data, send, more = outbox._first, outbox.send, outbox._more
                if data is None or send is None:
                    outbox.flush()
                    continue
                if more:
                    data = b"".join((data, *more))
                    if len(data) > _PORTION:
                        outbox.flush()
                        continue
                    outbox._more = []
                    outbox.sentCount += len(more)
                outbox._first = None
                outbox.sentCount += 1
                outbox.sentBytes += (length := len(data))
                try:
                    sent = send(data)
                except OSError:
                    # Full, or broken: the transport finds out which, and deals with it.
                    sent = 0
                if sent != length:
                    outbox._transport.write(data[sent:])
            except Exception as error:
                # Its own affair: the others are to send theirs.
                outbox._notSent(error)

    def _notSent(self, error: Exception) -> None:
        log.failure("What a connection had to send could not be sent.", Failure(error))

    def flush(self) -> None:
        """
        Write what waits, as far as the peer reads.
        """
        first = self._first
        if first is None or self._more:
            self._flushMany()
        else:
            self._first = None
            self._write(first, 1)

    def _flushMany(self) -> None:
        first, frames = self._first, self._more
        if first is not None:
            frames = [first, *frames]
        elif self.isPaused or not frames:
            return
        self._first, self._more = None, []
        data = b"".join(frames)
        if len(data) <= _PORTION:
            self._write(data, len(frames))
        else:
            self._writePortions(frames)

    def _take(self) -> list[bytes]:
        frames = self.frames
        self._first = None
        self._more = []
        return frames

    def _write(self, data: bytes, count: int) -> None:
        self.sentCount += count
        self.sentBytes += len(data)
        self._transport.write(data)

    def drain(self) -> tuple[int, int]:
        """
        Write all that waits, whether the peer reads or not: the connection is being closed behind it.

        @return: how many frames that was, and how many bytes.
        """
        frames = self._take()
        data = b"".join(frames)
        if frames:
            self.waitingBytes = 0
            self._write(data, len(frames))
        return len(frames), len(data)

    def clear(self) -> None:
        """
        Give up what waits.
        """
        self._take()
        self.waitingBytes = 0

    def _writePortions(self, frames: list[bytes]) -> None:
        first = 0
        while first < len(frames) and not self.isPaused:
            last, size = first, 0
            while last < len(frames) and size < _PORTION:
                size += len(frames[last])
                last += 1
            self._write(b"".join(frames[first:last]), last - first)
            first = last
        if first < len(frames):
            self._more = frames[first:] + self._take()
            self.waitingBytes = sum(map(len, self._more))
            self._sender.mayWait(self.waitingBytes)

    # ---- IPushProducer

    def pauseProducing(self) -> None:
        """
        The transport is full: the peer does not read.
        """
        if not self.isPaused:
            self.isPaused = True
            self._more = self._take()
            self.waitingBytes = sum(map(len, self._more))
            self._sender.outboxPaused()

    def resumeProducing(self) -> None:
        """
        The transport has room again.
        """
        if self.isPaused:
            self.isPaused = False
            self.waitingBytes = 0
            self.flush()
            if not self.isPaused:
                self._sender.outboxResumed()

    def stopProducing(self) -> None:
        """
        The connection is gone.
        """
        self.clear()
