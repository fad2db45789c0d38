"""
How long the reactor was kept from its work: by a function that takes long, by the garbage collector, by a machine that
is busy with something else.

A delayed call comes round all the time, and how late it comes tells. A stall is seen up to one period too short, so
that those below a period may be missed; in return nothing is measured where messages pass. It is one of the server's
own delayed calls, which go on when the wall clock is set back: the reactor's own would not come for an hour.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.interfaces import IReactorTime

#: Seconds between two looks.
PERIOD = 0.1
#: Seconds that count as the last minute.
MINUTE = 60.0


class StallWatch:
    """
    Watches a reactor, while it is told to.

    @ivar longest: the longest stall since it was first told to, in seconds; C{None} if it never was.
    """

    __slots__ = ("longest", "_timers", "_reactor", "_recent", "_call", "_due", "_dueByWall")

    def __init__(self, timers: Any, reactor: IReactorTime) -> None:
        """
        @param timers: what delayed calls come from, with a monotonic clock.
        @param reactor: the reactor, whose own clock may be the wall clock.
        """
        self.longest: float | None = None
        self._timers = timers
        self._reactor = reactor
        #: When stalls have ended, and how long they were: each is longer than all that came after it.
        self._recent: deque[tuple[float, float]] = deque()
        self._call: Any = None
        self._due = self._dueByWall = 0.0

    def start(self) -> None:
        """
        Watch. What happens in this turn does not count yet: that is still the start of something.
        """
        if self._call is None:
            self.longest = self.longest or 0.0
            self._call = self._timers.callLater(0, self._wait)

    def stop(self) -> None:
        """
        Watch no longer. What was seen stays.
        """
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def longestOfLastMinute(self) -> float | None:
        """
        @return: the longest stall that has ended in the last sixty seconds, in seconds; C{None} if nobody has watched.
        """
        if self.longest is None:
            return None
        self._forget()
        return self._recent[0][1] if self._recent else 0.0

    def _wait(self) -> None:
        self._due = self._timers.seconds() + PERIOD
        self._dueByWall = self._reactor.seconds() + PERIOD
        self._call = self._timers.callLater(PERIOD, self._look)

    def _look(self) -> None:
        # When the wall clock is set back, it takes a moment until that is noticed and this call comes, but the reactor has
        # not stood still: only by both clocks has it.
        self._stalled(max(0.0, min(self._timers.seconds() - self._due, self._reactor.seconds() - self._dueByWall)))
        self._wait()

    def _stalled(self, stall: float) -> None:
        self.longest = max(self.longest or 0.0, stall)
        recent = self._recent
        while recent and recent[-1][1] <= stall:
            recent.pop()
        recent.append((self._timers.seconds(), stall))
        self._forget()

    def _forget(self) -> None:
        since = self._timers.seconds() - MINUTE
        while self._recent and self._recent[0][0] < since:
            self._recent.popleft()
