"""
Delayed calls that come in time though the reactor's clock is the wall clock.

Twisted's reactors measure time with the wall clock. When that is set forward, all delayed calls come at once; when it is
set back, they come as much later. C{twistd agserver} changes the clock of its reactor, but the reactor of somebody's
script is not a library's to change. So a server's own calls know when they are due by the monotonic clock: one that comes
early waits on, and one thread for all servers of the process, which does nothing else, notices when the wall clock has been
set back and lets them be scheduled anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from twisted.internet.interfaces import IDelayedCall, IReactorCore
from twisted.internet.task import Clock
from twisted.logger import Logger

log = Logger()

#: Seconds between two looks at the wall clock.
PERIOD = 1.0
#: Seconds that it may be set back without anybody caring.
_TOLERANCE = 0.05
#: Seconds that a call may come early: what rounding makes of one that does not.
_EARLY = 0.001


class PunctualCall:
    """
    What is to be called at some time of the monotonic clock.
    """

    __slots__ = ("_timers", "_due", "_function", "_arguments", "_call")

    def __init__(self, timers: Timers, delay: float, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._timers = timers
        self._due = timers.seconds() + delay
        self._function = function
        self._arguments = arguments
        self._call: IDelayedCall = timers.reactor.callLater(delay, self._fire)

    def active(self) -> bool:
        """
        @return: whether it is still to come.
        """
        return bool(self._call.active())

    def cancel(self) -> None:
        """
        Do not call it.
        """
        self._call.cancel()
        self._timers.calls.discard(self)

    def reschedule(self) -> None:
        """
        The reactor's clock has been set: count what is left anew.
        """
        self._call.reset(max(0.0, self._due - self._timers.seconds()))

    def _fire(self) -> None:
        left = self._due - self._timers.seconds()
        if left > _EARLY:
            self._call = self._timers.reactor.callLater(left, self._fire)
            return
        self._timers.calls.discard(self)
        self._function(*self._arguments)


class Timers:
    """
    The delayed calls of a server. In the place of a reactor for all that needs only time.

    @ivar reactor: the reactor.
    @ivar calls: what is still to come.
    """

    seconds = staticmethod(time.monotonic)

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.calls: set[PunctualCall] = set()
        self._soonest: IDelayedCall | None = None

    def callLater(self, delay: float, function: Callable[..., object], *arguments: Any) -> PunctualCall:
        """
        @param delay: seconds.
        """
        call = PunctualCall(self, delay, function, arguments)
        self.calls.add(call)
        return call

    def callSoon(self, function: Callable[[], object]) -> IDelayedCall:
        """
        Call at the end of the reactor's turn. For one caller that has one such call at a time, as each turn does: it costs
        no more than the reactor's own.
        """
        call: IDelayedCall = self.reactor.callLater(0, function)
        self._soonest = call
        return call

    @property
    def isByWallClock(self) -> bool:
        """
        Whether the reactor goes by the wall clock.
        """
        return bool(abs(self.reactor.seconds() - time.monotonic()) > PERIOD)

    def start(self) -> None:
        """
        Watch the wall clock, if it is the reactor's.
        """
        if self.isByWallClock:
            watch.add(self)

    def stop(self) -> None:
        """
        Watch no longer.
        """
        watch.remove(self)

    def clockSetBack(self) -> None:
        """
        The reactor's clock has been set back: what is to come would come late.
        """
        log.info("The wall clock has been set back; {count} deadlines are counted anew.", count=len(self.calls))
        for call in list(self.calls):
            call.reschedule()
        if self._soonest is not None and self._soonest.active():
            self._soonest.reset(0)


def timersOf(reactor: Any) -> Any:
    """
    @return: what the delayed calls of a server come from: punctual ones for a real reactor, a test's clock itself.
    """
    isReal = IReactorCore.providedBy(reactor) and not isinstance(reactor, Clock)
    return Timers(reactor) if isReal else reactor


class Watch:
    """
    A thread that looks at the wall clock once in a while, as long as there is somebody to tell.
    """

    def __init__(self) -> None:
        self._watched: WeakSet[Timers] = WeakSet()
        self._lock = threading.Lock()
        self._stopped: threading.Event | None = None

    def add(self, timers: Timers) -> None:
        """
        Tell C{timers} when the wall clock is set back.
        """
        with self._lock:
            self._watched.add(timers)
            if self._stopped is None:
                self._stopped = threading.Event()
                arguments = (self._stopped,)
                threading.Thread(target=self._run, args=arguments, name="agtwisted wall clock", daemon=True).start()

    def remove(self, timers: Timers) -> None:
        """
        Tell C{timers} no more.
        """
        with self._lock:
            self._watched.discard(timers)
            self._stopIfDone()

    def _stopIfDone(self) -> None:
        if not self._watched and self._stopped is not None:
            self._stopped.set()
            self._stopped = None

    def _run(self, stopped: threading.Event) -> None:
        offset = time.time() - time.monotonic()
        while not stopped.wait(PERIOD):
            offset = self.look(offset)

    def look(self, offset: float) -> float:
        """
        Look at the wall clock.

        @param offset: how far it was ahead of the monotonic clock before.
        @return: how far it is ahead now.
        """
        latest = time.time() - time.monotonic()
        with self._lock:
            for timers in list(self._watched):
                if timers.reactor.seconds is time.monotonic:
                    self._watched.discard(timers)  # the process has taken care of the clock
                elif latest < offset - _TOLERANCE:
                    timers.reactor.callFromThread(timers.clockSetBack)
            self._stopIfDone()
        return latest


#: That of this process.
watch = Watch()
