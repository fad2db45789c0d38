"""
Messages of which a few are enough for a while, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable


class Sparing:
    """
    Lets the first messages of each kind pass, then as many in every interval at most.
    """

    __slots__ = ("_seconds", "_interval", "_most", "_passed", "_quietUntil", "_omitted")

    def __init__(self, seconds: Callable[[], float], interval: float, most: int = 1) -> None:
        """
        @param seconds: tells the time.
        @param interval: seconds.
        @param most: how many of a kind pass in an interval.
        """
        self._seconds = seconds
        self._interval = interval
        self._most = most
        self._passed: dict[str, int] = {}
        self._quietUntil: dict[str, float] = {}
        self._omitted: dict[str, int] = {}

    def omitted(self, kind: str) -> int | None:
        """
        There is a message.

        @param kind: one of not too many.
        @return: how many of its kind were omitted since the last that has passed; C{None} if this one is to be omitted.
        """
        now = self._seconds()
        if now < self._quietUntil.get(kind, now):
            if self._passed[kind] >= self._most:
                self._omitted[kind] = self._omitted.get(kind, 0) + 1
                return None
            self._passed[kind] += 1
            return 0
        self._quietUntil[kind] = now + self._interval
        self._passed[kind] = 1
        return self._omitted.pop(kind, 0)

    def forget(self) -> None:
        """
        Begin anew.
        """
        self._passed.clear()
        self._quietUntil.clear()
        self._omitted.clear()
