"""
What a process that does nothing but serve may change in itself. C{twistd agserver} does; the library never.

  - The reactor's clock becomes monotonic, so that a jump of the wall clock neither fires nor stops all timers.
  - It may have as many descriptors as its hard limit allows.
  - The garbage collector leaves alone what exists when the service is up, and looks at the rest less often.
  - On Linux's C{epoll} reactor, polling is leaner: Twisted keeps a logging context for every event, for the sake of log
    messages in its old style, and everything that is to happen at the end of a turn takes a delayed call. Here events
    are dispatched without the context, the end of the turn comes when the events of one poll have been dispatched, and
    the next poll follows at once if nothing else is due. Connections whose peers are gone come last (L{agtwisted.hangups}),
    and when there is too much to hear, those who have just been heard come first (L{agtwisted.crowds}).
    What has come for the server is read from all connections first and taken then, which costs less than doing both for one
    after the other. When something has been published to many, a turn polls more than once before it is sent: publications
    that come together leave together.
"""

from __future__ import annotations

import gc
import signal
import time
from typing import Any

from twisted.internet.interfaces import IReactorTime

from agtwisted import crowds, shortcuts
from agtwisted.hangups import GONE, HangUps
from agtwisted.sparinglog import SparingLogger
from agtwisted.streams.turns import Turns

log = SparingLogger()

#: Descriptors that are enough for anybody.
_MOST_DESCRIPTORS = 1 << 20


def useMonotonicClock(reactor: Any) -> None:
    """
    Let a reactor measure time with the monotonic clock; what is scheduled already keeps its distance.
    """
    calls = reactor.getDelayedCalls()
    shift = time.monotonic() - reactor.seconds()
    reactor.seconds = time.monotonic
    for call in calls:
        call.time += shift
        call.seconds = time.monotonic


def raiseDescriptorLimit(reactor: object) -> None:
    """
    Let the process have as many files and sockets as it may (the soft limit becomes the hard one), but for reactors that
    cannot use them.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    from twisted.internet.selectreactor import SelectReactor

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted or isinstance(reactor, SelectReactor):
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        log.warn("The process stays with {soft} descriptors: {error}", soft=soft, error=error)


def heedSignals() -> None:
    """
    The process has begun to stop in good order: a second signal ends it at once.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def endWell(reactor: Any) -> None:
    """
    The process has stopped in good order: its exit status is to say so. (Twisted would raise the signal again that it
    was asked to stop with.)
    """
    reactor._exitSignal = None


def tuneGarbageCollector() -> None:
    """
    To be called when the service is up: what exists now lives as long as the process.
    """
    gc.collect()
    gc.freeze()
    # The first two are low because they say how long others wait when thousands of clients have come: the second
    # generation has three times as many new objects as the first, and looking at a hundred thousand takes 50 ms.
    gc.set_threshold(5_000, 2, 400)


def useLeanPolling(reactor: IReactorTime, turns: Turns) -> bool:
    """
    Let an C{epoll} reactor poll leaner.

    @param turns: whose end comes with the end of each poll.
    @return: whether it is such a reactor, with the internals that this leans on, and L{agtwisted.shortcuts} allows it.
    """
    if not shortcuts.mayBeTaken():
        return False
    try:
        from twisted.internet.epollreactor import EPollReactor
    except ImportError:
        return False
    needed = (
        "_poller",
        "_selectables",
        "_doReadOrWrite",
        "_disconnectSelectable",
        "_POLL_IN",
        "_POLL_OUT",
        "_newTimedCalls",
        "_pendingTimedCalls",
        "_justStopped",
        "_reads",
        "_writes",
        "threadCallQueue",
    )
    if type(reactor) is not EPollReactor or not all(hasattr(reactor, name) for name in needed):
        return False
    lean = _LeanPolling(reactor, turns)
    turns.isPolled = True
    reactor.doIteration = lean.poll  # type: ignore[method-assign]
    return True


#: Events that are dispatched in one turn, so that the turn ends soon and with it what it has to send goes out.
_EVENTS_A_TURN = 256
#: When so many connections have got something to send, a poll costs little beside that.
_MUCH_TO_SEND = 32
#: How often a turn looks whether more has come.
_LOOKS_A_TURN = 4


class _LeanPolling:
    """
    The turns of an C{epoll} reactor.
    """

    def __init__(self, reactor: Any, turns: Turns) -> None:
        self._reactor = reactor
        self._turns = turns
        self._poll = reactor._poller.poll
        self._selectables: dict[int, Any] = reactor._selectables
        self._readable: int = reactor._POLL_IN
        self._writable: int = reactor._POLL_OUT
        self._hangUps = HangUps(reactor, self._dispatch)
        self._readers: dict[int, Any] = {}
        turns.readers = self._readers
        #: For so many full turns it need not be looked who comes first.
        self._calm = 0

    def poll(self, timeout: float | None) -> None:
        """
        Wait for events and dispatch them; then the turn ends. Go on with the next turn as long as there is nothing but
        events in it: what a reactor does between two polls is to look for what else is due.

        @param timeout: seconds to wait for the first events; C{None} for ever.
        """
        wait: float | None = 0 if self._isBusy() else -1 if timeout is None else timeout
        while wait is not None:
            events = self._poll(wait, _EVENTS_A_TURN)
            self._turn(events)
            wait = self._timeToWait() if events or self._turns.deliveries else None

    def _turn(self, events: list[tuple[int, int]]) -> None:
        turns = self._turns
        gone: list[tuple[Any, int, int]] = []
        turns.begin()
        before = len(turns.deliveries)
        isFull = len(events) == _EVENTS_A_TURN
        if isFull and not self._calm:
            self._dispatchCrowd(gone)
        else:
            self._dispatchAll(events, gone)
        self._calm = max(0, self._calm - isFull)
        looks = 0
        while not isFull and len(turns.deliveries) - before > _MUCH_TO_SEND and looks < _LOOKS_A_TURN:
            more = self._poll(0, _EVENTS_A_TURN)
            self._dispatchAll(more, gone)
            looks = looks + 1 if more else _LOOKS_A_TURN
        if gone or self._hangUps.waiting:
            self._hangUps.deal(gone, isFull)
        turns.end()

    def _dispatchCrowd(self, gone: list[tuple[Any, int, int]]) -> None:
        """
        Perhaps more have something to say than there is time for: dispatch what comes first, and as much of the rest as
        there is time for. What is left is found by the next poll.
        """
        seconds = self._reactor.seconds
        events = self._poll(0, crowds.CROWD)
        first, others = crowds.apart(events, self._selectables, self._readable, seconds())
        if len(others) < crowds.FEW:
            self._calm = crowds.CALM
        self._dispatchAll(first[: crowds.FIRST], gone)
        # They get their answers before the others are heard.
        self._turns.end()
        self._turns.begin()
        deadline = seconds() + crowds.TIME
        for start in range(0, len(others), crowds.PORTION):
            self._dispatchAll(others[start : start + crowds.PORTION], gone)
            if seconds() >= deadline:
                break

    def _dispatchAll(self, events: list[tuple[int, int]], gone: list[tuple[Any, int, int]]) -> None:
        """
        @param gone: gets those whose peers are gone.
        """
        selectables, readable, readerOf = self._selectables, self._readable, self._readers.get
        readers: list[Any] = []
        for descriptor, event in events:
            if event == readable and (reader := readerOf(descriptor)) is not None:
                readers.append(reader)
                continue
            selectable = selectables.get(descriptor)
            if selectable is None:
                continue
            if event == readable:
                self._read(selectable)
            elif event & GONE:
                gone.append((selectable, descriptor, event))
            else:
                self._dispatch(selectable, descriptor, event)
        if readers:
            # One call for all: they are the way of everything that comes.
            readers[0].readAll(readers)

    def _read(self, selectable: Any) -> None:
        try:
            why = selectable.doRead()
        except Exception as error:
            log.failure("Reading from a connection has failed.")
            why = error
        if why:
            self._reactor._disconnectSelectable(selectable, why, True)

    def _dispatch(self, selectable: Any, descriptor: int, event: int) -> None:
        """
        Deal with an event that is not simply that there is something to read.
        """
        if event & self._readable and not event & self._writable:
            self._dispatchAll([(descriptor, self._readable)], [])
            return
        # The reactor looks at a connection again after it was read.
        self._turns.isPolled = False
        try:
            self._reactor._doReadOrWrite(selectable, descriptor, event)
        finally:
            self._turns.isPolled = True

    def _timeToWait(self) -> float | None:
        """
        @return: for how many seconds there is nothing to do for the reactor but to poll, -1 for ever; C{None} if there is
            something now.
        """
        reactor = self._reactor
        if reactor._newTimedCalls or reactor.threadCallQueue or reactor._justStopped or not reactor.running:
            return None
        pending = reactor._pendingTimedCalls
        left: float = pending[0].time - reactor.seconds() if pending else -1
        if pending and left <= 0:
            return None
        return 0 if self._isBusy() else left

    def _isBusy(self) -> bool:
        """
        @return: whether something is left for the next turn.
        """
        return bool(self._hangUps.waiting or self._turns.deliveries)
