"""
The end of a reactor turn, as a place to put work.

Deferreds fire synchronously, JavaScript's promises do not. A server that woke a consumer in the middle of C{emit} would
let application code see a half-changed socket; so consumers are woken together, at the end of the turn in which
something was written for them. What was sent meanwhile leaves in one write per connection, after the wake-ups, so that
the answers of freshly woken consumers go with it.

Both need just one delayed call for each turn in which anything happened at all.

Publications leave last, and where there are many of them, a portion in each turn: whoever calls meanwhile is heard and
answered in between, and whatever is published meanwhile leaves in one write with what still waits for the same connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from agtwisted.sparinglog import SparingLogger
from agtwisted.streams.wakeup import Job, wakeAll

log = SparingLogger()

#: Rounds of wake-ups that wake further consumers in one turn, before everyone else gets a chance. Two consumers that
#: keep waking each other would otherwise stop the reactor.
MAXIMUM_ROUNDS = 1000

#: Outboxes with publications that are flushed at least before others are heard again.
PORTION = 48
#: Of a long queue it is one part in so many.
_PARTS = 32


class Flushable(Protocol):
    """
    What collects something until the end of a turn.
    """

    def flush(self) -> None:
        """
        The turn ends: let go of it.
        """


class Turns:
    """
    Runs jobs at the end of the reactor's turn: first all wake-ups (and those that they cause), then all flushes.

    @ivar wakeUps: the wake-ups that wait, and the jobs that run with them. Only L{wake}, and those who do the same with
        fewer steps, add to it.
    @ivar round: the number of the round of wake-ups that they will be: until it changes they have not run.
    @ivar outboxes: the outboxes that have something to send. What adds to it sees to L{isDue}, too.
    @ivar deliveries: the outboxes that have nothing but publications to send, or had when they joined; likewise.
    @ivar flushes: what is to be flushed behind those; likewise with L{flush}.
    @ivar isPolled: whether turns begin and end with the reactor's polls, and nobody looks at a connection again that has
        been read in one.
    @ivar readers: by descriptor, those that a turn which is a poll reads together, when it has dealt with everybody else;
        C{None} where turns are no polls.
    @ivar isDue: whether the end of the turn will come, without anything more being done for it.
    """

    __slots__ = (
        "wakeUps",
        "round",
        "flushes",
        "outboxes",
        "deliveries",
        "isDue",
        "isPolled",
        "readers",
        "_reactor",
        "_soon",
        "_settling",
        "_call",
        "_isWaking",
        "_stoppedAt",
        "_fewJobs",
    )

    def __init__(self, reactor: IReactorTime) -> None:
        """
        @param reactor: what the delayed call comes from; a L{twisted.internet.task.Clock} in tests.
        """
        self._reactor = reactor
        # Whoever stands in for a reactor may have a shorter way.
        self._soon: Callable[[Callable[[], object]], IDelayedCall] | None = getattr(reactor, "callSoon", None)
        self.wakeUps: list[Any] = []
        self.round = 0
        self._settling: list[Callable[[], object]] = []
        self.flushes: list[Flushable] = []
        self.outboxes: list[Any] = []
        self.deliveries: list[Any] = []
        #: When the last portion of deliveries had left, if there were more.
        self._stoppedAt: float | None = None
        self._fewJobs: list[tuple[int, Callable[[], object]]] = []
        self._call: IDelayedCall | None = None
        self.isDue = False
        self.isPolled = False
        self.readers: dict[int, Any] | None = None
        self._isWaking = False

    def getBackpressure(self) -> int:
        """
        @return: how many wake-ups wait for the end of this turn.
        """
        return len(self.wakeUps)

    @property
    def pending(self) -> bool:
        """
        Whether a wake-up waits for the end of this turn.
        """
        return bool(self.wakeUps)

    def wake(self, job: Callable[[], object]) -> None:
        """
        Run C{job} with the wake-ups of this turn.
        """
        self.wakeUps.append(Job(job))
        if not self.isDue:
            self.schedule()

    def flush(self, flushable: Flushable) -> None:
        """
        Flush something after the wake-ups of this turn.
        """
        self.flushes.append(flushable)
        if not self.isDue:
            self.schedule()

    def wakeNow(self) -> None:
        """
        Run the wake-ups that are waiting, and those that they cause, before the end of the turn. For whoever stands at
        the top of the turn, between two things that happen, and never for a writer.
        """
        if self.wakeUps and not self._isWaking:
            self._isWaking = True
            try:
                self._runWakeUps()
            finally:
                self._isWaking = False

    def settled(self) -> Deferred[None]:
        """
        @return: fires with C{None} once the wake-ups that are waiting now, and those that they cause, have run.
        """
        done: Deferred[None] = Deferred()
        self.settle(lambda: done.callback(None))
        return done

    def settle(self, job: Callable[[], object]) -> None:
        """
        Run C{job} once the wake-ups that are waiting now, and those that they cause, have run.
        """
        self._settling.append(job)
        if not self.isDue:
            self.schedule()

    def whenFewer(self, count: int, job: Callable[[], object]) -> None:
        """
        Run C{job} once, when a portion has left and fewer than so many deliveries are left. There must be as many now.
        """
        self._fewJobs.append((count, job))

    def nextTurn(self) -> Deferred[None]:
        """
        @return: fires in the next turn, when everyone else has had a chance.
        """
        done: Deferred[None] = Deferred()
        self._reactor.callLater(0, done.callback, None)
        return done

    def callLater(self, delay: float, function: Callable[..., Any], *arguments: Any) -> IDelayedCall:
        """
        @param delay: seconds.
        """
        return self._reactor.callLater(delay, function, *arguments)

    def seconds(self) -> float:
        """
        @return: the time, by the clock that delayed calls go by.
        """
        return self._reactor.seconds()

    def run(self) -> None:
        """
        Run everything that waits for the end of this turn now. For tests; a second call in one turn does no harm.
        """
        if self._call is not None:
            self._turnEnded()

    def begin(self) -> None:
        """
        A turn begins. For a reactor that knows itself when its turns begin and L{end}: none of them takes a delayed
        call.
        """
        if self.wakeUps:
            # Timers have run since the last turn: what they woke comes before what comes in.
            self.wakeNow()
        self.isDue = True

    def end(self) -> None:
        """
        The turn that was begun has ended.
        """
        if self.wakeUps or self.outboxes or self.deliveries or self.flushes or self._settling:
            self._turnEnded()
        else:
            self.isDue = self._call is not None

    def schedule(self) -> None:
        """
        See to it that this turn's end comes.
        """
        self.isDue = True
        end, soon = self._turnEnded, self._soon
        self._call = self._reactor.callLater(0, end) if soon is None else soon(end)

    def _turnEnded(self) -> None:
        if self._call is not None:
            if self._call.active():
                self._call.cancel()
            self._call = None
        self.isDue = True
        try:
            if self.wakeUps or self._settling:
                self._runWakeUps()
            self._runFlushes()
        finally:
            self.isDue = False
        isMore = self.wakeUps or self._settling or self.outboxes or self.flushes
        # (The reactor's next poll follows at once as long as there are deliveries.)
        if isMore or (self.deliveries and not self.isPolled):
            self.schedule()

    def _runWakeUps(self) -> None:
        for _ in range(MAXIMUM_ROUNDS):
            if self.wakeUps:
                wakeUps, self.wakeUps = self.wakeUps, []
                self.round += 1
                wakeAll(wakeUps)
            elif self._settling:
                jobs, self._settling = self._settling, []
                self._runAll(jobs)
            else:
                return

    def _runFlushes(self) -> None:
        outboxes, self.outboxes = self.outboxes, []
        if outboxes:
            # One call for all: they are the way of everything that is sent.
            outboxes[0].flushAll(outboxes)
        if self.deliveries:
            self._deliver()
        flushes, self.flushes = self.flushes, []
        for each in flushes:
            try:
                each.flush()
            except Exception:
                log.failure("A job at the end of a reactor turn failed.")

    def _deliver(self) -> None:
        """
        Let a portion of the deliveries leave; and more of them for as long as others have taken since the last.
        """
        seconds, deliveries = self._reactor.seconds, self.deliveries
        count = max(PORTION, len(deliveries) // _PARTS)
        began = seconds()
        deadline = began if self._stoppedAt is None else 2 * began - self._stoppedAt
        self._stoppedAt = None
        while deliveries:
            portion = deliveries[:count]
            del deliveries[:count]
            portion[0].flushAll(portion)
            if deliveries and (now := seconds()) >= deadline:
                self._stoppedAt = now
                break
        if self._fewJobs:
            self._runFewJobs()

    def _runFewJobs(self) -> None:
        left = len(self.deliveries)
        due = [job for count, job in self._fewJobs if left < count]
        self._fewJobs = [each for each in self._fewJobs if left >= each[0]]
        self._runAll(due)

    @staticmethod
    def _runAll(jobs: list[Callable[[], object]]) -> None:
        for job in jobs:
            try:
                job()
            except Exception:
                log.failure("A job at the end of a reactor turn failed.")


_default: Turns | None = None


def defaultTurns() -> Turns:
    """
    The turns of the reactor that this process has installed, for streams that belong to no server.
    """
    global _default
    if _default is None:
        from twisted.internet import reactor

        _default = Turns(reactor)
    return _default
