"""
How long the reactor was kept from its work: by a function that takes long, by the garbage collector, by a machine that
is busy with something else.

A delayed call comes round all the time, and how late it comes tells. A stall is seen up to one period too short, so
that those below a period may be missed; in return nothing is measured where messages pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds between two looks.
PERIOD = 0.1
#: Seconds that count as the last minute.
MINUTE = 60.0


class StallWatch:
    """
    Watches a reactor, while it is told to.

    @ivar longest: the longest stall since it was first told to, in seconds; C{None} if it never was.
    """

    __slots__ = ("longest", "_reactor", "_seconds", "_recent", "_call", "_due", "_dueByReactor")

    def __init__(self, reactor: IReactorTime, seconds: Callable[[], float]) -> None:
        """
        @param seconds: the monotonic clock.
        """
        self.longest: float | None = None
        self._reactor = reactor
        self._seconds = seconds
        #: When stalls have ended, and how long they were: each is longer than all that came after it.
        self._recent: deque[tuple[float, float]] = deque()
        self._call: IDelayedCall | None = None
        self._due = self._dueByReactor = 0.0

    def start(self) -> None:
        """
        Watch. What happens in this turn does not count yet: that is still the start of something.
        """
        if self._call is None:
            self.longest = self.longest or 0.0
            self._call = self._reactor.callLater(0, self._wait)

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
        self._due = self._seconds() + PERIOD
        self._dueByReactor = self._reactor.seconds() + PERIOD
        self._call = self._reactor.callLater(PERIOD, self._look)

    def _look(self) -> None:
        # The clock of a reactor may be the wall clock. When that jumps, delayed calls come at the wrong time, but the
        # reactor has not stood still: only by both clocks has it.
        self._stalled(max(0.0, min(self._seconds() - self._due, self._reactor.seconds() - self._dueByReactor)))
        self._wait()

    def _stalled(self, stall: float) -> None:
        self.longest = max(self.longest or 0.0, stall)
        recent = self._recent
        while recent and recent[-1][1] <= stall:
            recent.pop()
        recent.append((self._seconds(), stall))
        self._forget()

    def _forget(self) -> None:
        since = self._seconds() - MINUTE
        while self._recent and self._recent[0][0] < since:
            self._recent.popleft()
