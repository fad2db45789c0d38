"""
One timer for all deadlines of a server: pings, pong timeouts, handshake and ack timeouts.

Thousands of sockets each need a deadline or two that nearly never comes. The wheel sorts them into buckets of
L{GRANULARITY} seconds and keeps one delayed call, for the first bucket that is not empty. Nothing runs early; it runs
up to one bucket late. Time is monotonic, whatever the wall clock does.

When the whole process stood still for a while (a busy or sleeping machine), deadlines have come that nobody may be
blamed for: what arrived meanwhile has not been read. So after a standstill the reactor gets one bucket's time to read,
and then they fire.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from heapq import heappop, heappush
from math import inf

from twisted.internet.interfaces import IDelayedCall, IReactorCore, IReactorTime

from agtwisted.sparinglog import SparingLogger

log = SparingLogger()

#: Seconds that one bucket spans.
GRANULARITY = 0.05
#: Seconds that a bucket may fire late before the reactor gets to read first.
_LATE = 2 * GRANULARITY
#: Seconds that a bucket has to fire late to be called a standstill.
_STANDSTILL = 0.25


class Timer:
    """
    One deadline. Cancelling it costs nothing.
    """

    __slots__ = ("_function", "_wheel")

    def __init__(self, function: Callable[[], object], wheel: Wheel) -> None:
        self._function: Callable[[], object] | None = function
        self._wheel = wheel

    @property
    def active(self) -> bool:
        """
        Whether the deadline is still to come.
        """
        return self._function is not None

    def cancel(self) -> None:
        """
        Let the deadline pass; also when it has.
        """
        if self._function is not None:
            self._function = None
            self._wheel.timerSpent()

    def fire(self) -> None:
        """
        The deadline has come.
        """
        function, self._function = self._function, None
        if function is not None:
            self._wheel.timerSpent()
            function()


def monotonicClock(reactor: IReactorTime) -> Callable[[], float]:
    """
    @return: what tells the seconds that deadlines are measured in: the monotonic clock beside a real reactor, whose own
        clock is the wall clock; the fake clock itself in tests.
    """
    return time.monotonic if IReactorCore.providedBy(reactor) else reactor.seconds


class Wheel:
    """
    Deadlines in buckets, behind one delayed call.

    @ivar seconds: tells the time.
    @ivar mayStandStill: whether what fires late does so because the process stood still. A fake clock of a test jumps
        because the test wants it to.
    @ivar standstillEnded: when the process last stood still, the time at which that was over.
    """

    __slots__ = (
        "seconds",
        "mayStandStill",
        "standstillEnded",
        "_reactor",
        "_buckets",
        "_keys",
        "_call",
        "_callKey",
        "_active",
        "_hasRead",
    )

    def __init__(self, reactor: IReactorTime) -> None:
        """
        @param reactor: what the delayed call comes from.
        """
        self.seconds = monotonicClock(reactor)
        self.mayStandStill = self.seconds is time.monotonic
        self.standstillEnded = -inf
        self._hasRead = False
        self._reactor = reactor
        self._buckets: dict[int, list[Timer]] = {}
        self._keys: list[int] = []
        self._call: IDelayedCall | None = None
        self._callKey = 0
        self._active = 0

    def schedule(self, delay: float, function: Callable[[], object]) -> Timer:
        """
        Call C{function} in C{delay} seconds, or up to one bucket later.

        @return: what cancels it.
        """
        timer = Timer(function, self)
        self._active += 1
        key = int((self.seconds() + delay) / GRANULARITY) + 1
        try:
            self._buckets[key].append(timer)
            return timer
        except KeyError:
            self._buckets[key] = [timer]
        heappush(self._keys, key)
        if self._call is None or key < self._callKey:
            self._callAt(key)
        return timer

    def timerSpent(self) -> None:
        """
        A deadline has come or was cancelled. When none is left there is nothing to wait for.
        """
        self._active -= 1
        if not self._active and self._call is not None:
            self._call.cancel()
            self._call = None
            self._buckets.clear()
            self._keys.clear()

    def _callAt(self, key: int) -> None:
        if self._call is not None:
            self._call.cancel()
        self._callKey, self._hasRead = key, False
        self._call = self._reactor.callLater(max(0.0, key * GRANULARITY - self.seconds()), self._turn)

    def _readsFirst(self) -> bool:
        """
        @return: whether the process stood still, and what is due waits until the reactor has read.
        """
        if self._hasRead or not self.mayStandStill:
            return False
        late = self.seconds() - self._callKey * GRANULARITY
        if late > _STANDSTILL:
            self.standstillEnded = self.seconds()
        self._hasRead = late > _LATE
        return self._hasRead

    def _turn(self) -> None:
        if self._readsFirst():
            self._call = self._reactor.callLater(GRANULARITY, self._turn)
            return
        self._call = None
        now = int(self.seconds() / GRANULARITY + 1e-6)
        while self._keys and self._keys[0] <= now:
            for timer in self._buckets.pop(heappop(self._keys)):
                try:
                    timer.fire()
                except Exception:
                    log.failure("What was due at a deadline failed.")
        # What was due may have scheduled something itself, which need not be what comes next.
        if self._active and (self._call is None or self._keys[0] < self._callKey):
            self._callAt(self._keys[0])
