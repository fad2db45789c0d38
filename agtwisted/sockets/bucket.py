"""
A token bucket: how often something may happen on average, and how often at once.
"""

from __future__ import annotations

from collections.abc import Callable

#: What sums of fractions may lack.
_ALMOST = 1e-6


class TokenBucket:
    """
    Fills at a steady rate up to its size; whatever happens takes a token out.
    """

    __slots__ = ("_seconds", "_rate", "_size", "_tokens", "_since")

    def __init__(self, seconds: Callable[[], float], rate: float, size: float) -> None:
        """
        @param seconds: tells the time.
        @param rate: tokens that come in a second.
        @param size: how many there can be. It begins full.
        """
        self._seconds = seconds
        self._rate = rate
        self._size = size
        self._tokens = size
        self._since = seconds()

    def take(self) -> bool:
        """
        Take a token, if there is one.

        @return: whether there was.
        """
        self._fill()
        if self._tokens < 1 - _ALMOST:
            return False
        self._tokens -= 1
        return True

    def charge(self, count: int) -> None:
        """
        Take tokens whether they are there or not; those that are not have to come before others can be taken.
        """
        self._tokens -= count

    def secondsUntil(self, count: float) -> float:
        """
        @return: how long it takes until so many are there; never longer than until the bucket is full.
        """
        self._fill()
        return max(0.0, (min(count, self._size) - self._tokens) / self._rate)

    def _fill(self) -> None:
        now = self._seconds()
        self._tokens = min(self._size, self._tokens + (now - self._since) * self._rate)
        self._since = now
