"""
Several packets in one message: what a socket sends is collected and sent as an array.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall

from agtwisted.streams.turns import Turns


class Batching:
    """
    The batch of one socket, flushed by hand or at an interval.

    @ivar isBatching: whether the application has asked for batches at an interval.
    @ivar isBuffering: whether packets are collected now.
    @ivar interval: seconds between batches.
    """

    __slots__ = ("isBatching", "isBuffering", "interval", "_packets", "_send", "_turns", "_call", "_end")

    def __init__(self, send: Callable[[list[object]], object], turns: Turns, interval: float) -> None:
        """
        @param send: sends a whole batch.
        """
        self.isBatching = False
        self.isBuffering = False
        self.interval = interval
        self._packets: list[object] = []
        self._send = send
        self._turns = turns
        self._call: IDelayedCall | None = None
        self._end: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._packets)

    def append(self, packet: object) -> None:
        """
        Collect a packet.
        """
        self._packets.append(packet)

    def begin(self) -> None:
        """
        Collect from now on, until L{flush}. What was collected before and not flushed is dropped.
        """
        self.isBuffering = True
        self._packets = []

    def flush(self) -> None:
        """
        Send what was collected, and collect no more.
        """
        self.isBuffering = False
        packets, self._packets = self._packets, []
        if packets:
            self._send(packets)

    def cancel(self) -> None:
        """
        Drop what was collected, and collect no more.
        """
        self.isBuffering = False
        self._packets = []

    def start(self) -> None:
        """
        Collect, and send a batch after each interval.
        """
        if self._call is None:
            self.begin()
            self._call = self._turns.callLater(self.interval, self._intervalPassed)

    def startFor(self, duration: float) -> None:
        """
        The same for a while, and for as long as the application wants it that has asked for batches meanwhile.

        @param duration: seconds.
        """
        self.start()
        self._end = self._turns.callLater(duration, self._durationPassed)

    def stop(self) -> None:
        """
        Send what was collected, and collect no more.
        """
        self._stopTimer()
        self.flush()

    def abandon(self) -> None:
        """
        Drop what was collected, and collect no more.
        """
        self._stopTimer()
        self.cancel()

    def close(self) -> None:
        """
        The same for good: no timer is left.
        """
        self.isBatching = False
        self.abandon()
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def _durationPassed(self) -> None:
        self._end = None
        if not self.isBatching:
            self.stop()

    def _intervalPassed(self) -> None:
        self._call = self._turns.callLater(self.interval, self._intervalPassed)
        self.flush()
        self.begin()

    def _stopTimer(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None
