"""
Back-pressure to the peer: while a socket has too much to do, its transport is not read.

TCP then makes the peer wait. Reading stops while the peer itself does not read, while too many messages wait for
middleware or a broker, while a consumer of a receiver or procedure is too far behind, and while too many calls are
unanswered, and while more messages have come than may in that time.
"""

from __future__ import annotations

from typing import Any

from agtwisted.streams.stream import WritableConsumableStream

#: Why a transport is not being read: bits of a number.
_OUTBOUND = 1
_QUEUE = 2
_CONSUMERS = 4
_CALLS = 8
_RATE = 16

#: Those that may be what keeps the application from getting an answer of the peer that it waits for.
_YIELDING = _CONSUMERS | _CALLS

#: While the application waits for answers of the peer, which come through the same connection, this many times more may
#: wait.
_PATIENCE = 16


def lowWaterOf(highWater: int) -> int:
    """
    @return: how few messages may wait when reading goes on that stopped above C{highWater} of them.
    """
    return highWater // 4


class InboundFlow:
    """
    Decides whether a socket's transport is read.

    @ivar isPaused: whether it is not.
    @ivar highWater: so many messages may wait before reading stops.
    @ivar lowWater: so many messages may wait when reading goes on.
    @ivar highWaterBytes: so many bytes may wait before reading stops.
    """

    __slots__ = (
        "isPaused",
        "highWater",
        "lowWater",
        "highWaterBytes",
        "_transport",
        "_reasons",
        "_behind",
        "_awaitsAnswers",
    )

    def __init__(self, transport: Any, highWater: int, highWaterBytes: int) -> None:
        """
        @param transport: an L{agtwisted.interfaces.ITransport}.
        @param highWater: messages that may wait.
        @param highWaterBytes: bytes that may wait.
        """
        self.isPaused = False
        self.highWater = highWater
        self.lowWater = lowWaterOf(highWater)
        self.highWaterBytes = highWaterBytes
        self._transport = transport
        self._reasons = 0
        self._behind = 0
        self._awaitsAnswers = False

    def outboundChanged(self, isPaused: bool) -> None:
        """
        The peer has stopped or begun to read.
        """
        self._set(_OUTBOUND, isPaused)

    def queueChanged(self, messages: int, size: int) -> None:
        """
        Messages wait for a step that takes long.

        @param size: their bytes.
        """
        if messages > self.highWater or size > self.highWaterBytes:
            self._set(_QUEUE, True)
        elif messages <= self.lowWater and size <= self.highWaterBytes // 4:
            self._set(_QUEUE, False)

    def consumerBehind(self, stream: WritableConsumableStream[Any], backlog: int, size: int) -> None:
        """
        A consumer has not taken what was written before.

        @param backlog: how many values wait for the one that is furthest behind.
        @param size: the bytes of the last of them; the others are taken to be like it.
        """
        if backlog <= self.highWater and backlog * size <= self.highWaterBytes:
            return
        if self._awaitsAnswers and backlog <= self.highWater * _PATIENCE:
            return
        # Of large messages a few are too many already.
        low = min(self.lowWater, self.highWaterBytes // 4 // size) if size else self.lowWater
        for consumer in stream.getConsumerList():
            if consumer.getBackpressure() > low and consumer.whenBelow(low, self._caughtUp):
                self._behind += 1
        if self._behind:
            self._set(_CONSUMERS, True)

    def callsChanged(self, areTooMany: bool) -> None:
        """
        The application has begun or ceased to have too many calls of the peer to answer.
        """
        self._set(_CALLS, areTooMany)

    def rateChanged(self, isTooHigh: bool) -> None:
        """
        The peer has sent too much in too short a time, or it may send again.
        """
        self._set(_RATE, isTooHigh)

    def awaitAnswers(self, isAwaiting: bool) -> None:
        """
        The application has begun or ceased to wait for answers of the peer. They come through the same connection, so
        that a consumer which waits for one must not keep it from being read.
        """
        self._awaitsAnswers = isAwaiting
        self._update()

    def _caughtUp(self) -> None:
        self._behind -= 1
        if not self._behind:
            self._set(_CONSUMERS, False)

    def _set(self, reason: int, isGiven: bool) -> None:
        reasons = self._reasons | reason if isGiven else self._reasons & ~reason
        if reasons != self._reasons:
            self._reasons = reasons
            self._update()

    def _update(self) -> None:
        isPaused = bool(self._reasons & ~_YIELDING) or (bool(self._reasons) and not self._awaitsAnswers)
        if isPaused != self.isPaused:
            self.isPaused = isPaused
            if isPaused:
                self._transport.pauseReading()
            else:
                self._transport.resumeReading()
