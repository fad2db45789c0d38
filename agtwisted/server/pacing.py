"""
Letting clients in and out at a pace that leaves time for those who are in.

To let a client in costs as much as a dozen messages, and so does cleaning up after one. When thousands come or go at once,
that is cut into slices of some milliseconds, one in each turn of the reactor, and in the order in which they have come;
between two slices, everybody else is served. While that takes longer than a slice, cleaning up lets most turns go by: a poll
reports no more than so many at once, and others may be waiting behind those.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred

from agtwisted.sparinglog import SparingLogger
from agtwisted.streams.turns import Turns

log = SparingLogger()

#: Seconds of each turn that new clients may have.
SLICE = 0.01
#: Seconds of each turn for cleaning up after those who are gone. They wait for nothing; but as many others may have to be
#: looked at before it is seen who has something to say, so that this has to be short.
CLEANING = 0.002
#: So many turns in which there is much else to do go by without it at most.
PATIENCE = 8


class Pacer:
    """
    Does at once what there is time for in this turn of the reactor, and the rest in later ones: as much as its length.
    """

    __slots__ = ("_turns", "_seconds", "_slice", "_patience", "_waiting", "_isInTurn", "_deadline", "_ended", "_passed")

    def __init__(self, turns: Turns, seconds: Callable[[], float], slice: float = SLICE, patience: int = 0) -> None:
        """
        @param seconds: tells the time.
        @param slice: seconds of each turn that there are for it.
        @param patience: so many turns may go by without it if others take longer than that.
        """
        self._turns = turns
        self._seconds = seconds
        self._slice = slice
        self._patience = patience
        self._waiting: deque[Callable[[], object]] = deque()
        self._isInTurn = False
        self._deadline = 0.0
        #: When the last slice ended or went by, and how many have gone by since the last.
        self._ended = 0.0
        self._passed = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def mayGoOn(self) -> bool:
        """
        @return: whether there is time for something now.
        """
        if not self._isInTurn:
            self._isInTurn = True
            self._deadline = self._seconds() + self._slice
            self._turns.flush(self)
            return True
        return not self._waiting and self._seconds() < self._deadline

    def wait(self, job: Callable[[], object]) -> None:
        """
        There is no time for C{job} now: do it when there is, in a later turn.
        """
        self._waiting.append(job)

    def turn(self) -> Deferred[None]:
        """
        @return: fires when there is time, in a later turn.
        """
        done: Deferred[None] = Deferred()
        self.wait(lambda: done.callback(None))
        return done

    def flush(self) -> None:
        """
        The turn ends: what waits goes on in the next.
        """
        if self._waiting:
            self._ended = self._seconds()
            self._turns.callLater(0, self._goOn)
        else:
            self._isInTurn = False

    def _goOn(self) -> None:
        now = self._seconds()
        if now - self._ended > self._slice and self._passed < self._patience:
            self._passed += 1
            self.flush()
            return
        self._passed = 0
        deadline = now + self._slice
        while self._waiting:
            try:
                self._waiting.popleft()()
            except Exception:
                log.failure("Letting a client in or out has failed.")
            if self._seconds() >= deadline:
                break
        self.flush()
