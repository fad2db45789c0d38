"""
Messages of which one is enough for a while, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable


class Sparing:
    """
    Lets the first message of each kind pass, then one in every interval at most.
    """

    __slots__ = ("_seconds", "_interval", "_quietUntil", "_omitted")

    def __init__(self, seconds: Callable[[], float], interval: float) -> None:
        """
        @param seconds: tells the time.
        @param interval: seconds.
        """
        self._seconds = seconds
        self._interval = interval
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
            self._omitted[kind] = self._omitted.get(kind, 0) + 1
            return None
        self._quietUntil[kind] = now + self._interval
        return self._omitted.pop(kind, 0)
