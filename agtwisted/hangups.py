"""
Connections whose peers are gone, told from those that have something to say.

When thousands of clients go at once, C{epoll} reports them one behind the other, and whoever says something now behind all
of them. To find out by reading that a peer is gone, and to do what there is to be done then, takes long; but C{epoll} can
tell it beforehand. So those who are gone come last, and as many of them in each turn as there is time for. The others are
taken from what C{epoll} watches, which is quickly done, and wait.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

#: Seconds of each turn for those who are gone.
SLICE = 0.0015
#: So many turns go by without them at most, while there may be more to hear than a turn has room for.
_PATIENCE = 8

_READABLE: int = getattr(select, "EPOLLIN", 0)
_WRITABLE: int = getattr(select, "EPOLLOUT", 0)
_PEER_GONE: int = getattr(select, "EPOLLRDHUP", 0)

#: What events of a connection have that its peer has closed or reset.
GONE: int = _PEER_GONE | getattr(select, "EPOLLHUP", 0) | getattr(select, "EPOLLERR", 0)


class TellingPoller:
    """
    In the place of a reactor's C{epoll} object: whoever wants to read hears that the peer is gone; and descriptors can be
    taken out without the reactor knowing.
    """

    def __init__(self, poller: Any) -> None:
        self._register = poller.register
        self._modify = poller.modify
        self._unregister = poller.unregister
        self._takenOut: set[int] = set()
        self.poll = poller.poll
        self.close = poller.close

    def register(self, descriptor: int, events: int) -> None:
        """
        Watch a descriptor.
        """
        self._register(descriptor, events | _PEER_GONE if events & _READABLE else events)

    def modify(self, descriptor: int, events: int) -> None:
        """
        Watch it for something else.
        """
        if descriptor in self._takenOut:
            self._takenOut.remove(descriptor)
            self.register(descriptor, events)
        else:
            self._modify(descriptor, events | _PEER_GONE if events & _READABLE else events)

    def unregister(self, descriptor: int) -> None:
        """
        Watch it no longer.
        """
        if descriptor in self._takenOut:
            self._takenOut.remove(descriptor)
        else:
            self._unregister(descriptor)

    def takeOut(self, descriptor: int) -> None:
        """
        Do not watch it, though the reactor believes so, until it wants something else of it.
        """
        if descriptor not in self._takenOut:
            self._takenOut.add(descriptor)
            self._unregister(descriptor)

    def isTakenOut(self, descriptor: int) -> bool:
        """
        @return: whether it is not watched though the reactor believes so.
        """
        return descriptor in self._takenOut


class HangUps:
    """
    Deals with those who are gone.

    @ivar waiting: those who wait for that: the selectable of each, its descriptor and its event.
    """

    __slots__ = ("waiting", "_reactor", "_dispatch", "_poller", "_seconds", "_passed")

    def __init__(
        self, reactor: Any, dispatch: Callable[[Any, int, int], object], seconds: Callable[[], float] = time.monotonic
    ) -> None:
        """
        @param reactor: an C{epoll} reactor, which gets a L{TellingPoller}.
        @param dispatch: deals with one of them.
        """
        self.waiting: deque[tuple[Any, int, int]] = deque()
        self._reactor = reactor
        self._dispatch = dispatch
        self._seconds = seconds
        self._passed = 0
        reactor._poller = self._poller = TellingPoller(reactor._poller)

    def deal(self, more: list[tuple[Any, int, int]], isHurried: bool) -> None:
        """
        Let the reactor deal with as many as there is time for.

        @param more: those that this turn has seen.
        @param isHurried: whether others may be waiting for the turn to end.
        """
        waiting = self.waiting
        known = len(waiting)
        waiting.extend(more)
        if isHurried and self._passed < _PATIENCE:
            self._passed += 1
        else:
            self._passed = 0
            known -= self._dealWithSome()
        selectables = self._reactor._selectables
        for selectable, descriptor, _ in islice(waiting, max(0, known), None):
            if selectables.get(descriptor) is selectable:
                self._poller.takeOut(descriptor)

    def _dealWithSome(self) -> int:
        """
        @return: with how many.
        """
        reactor, waiting = self._reactor, self.waiting
        selectables, deadline, count = reactor._selectables, self._seconds() + SLICE, 0
        while waiting:
            selectable, descriptor, event = waiting.popleft()
            count += 1
            # The descriptor may be somebody else's by now.
            if selectables.get(descriptor) is selectable:
                self._dispatch(selectable, descriptor, event)
                if self._poller.isTakenOut(descriptor):
                    self._watchAgain(selectable, descriptor)
            if self._seconds() >= deadline:
                break
        return count

    def _watchAgain(self, selectable: Any, descriptor: int) -> None:
        """
        There was something to read before the end.
        """
        reactor = self._reactor
        if reactor._selectables.get(descriptor) is selectable:
            wanted = _READABLE if descriptor in reactor._reads else 0
            self._poller.modify(descriptor, wanted | (_WRITABLE if descriptor in reactor._writes else 0))
