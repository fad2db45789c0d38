"""
How many frames a client may send that cost more than they carry.

Small fragments and control frames are legal, and every one of them is work: a few make sense, thousands are an attack.
Large fragments are as good as messages.
"""

from __future__ import annotations

from math import inf

#: Fragments from this size on carry enough to be worth their while.
SMALL_FRAGMENT = 64


class FloodLimits:
    """
    What one connection may do; the same for all.

    @ivar smallFragments: small fragments in one message.
    @ivar controlFrames: pings, pongs and the like in one second.
    @ivar waitingPongs: pongs that may wait while the client does not read.
    """

    __slots__ = ("smallFragments", "controlFrames", "waitingPongs")

    def __init__(self, smallFragments: float | None, controlFrames: float | None, waitingPongs: float | None) -> None:
        """
        Each may be C{None} for no limit.
        """
        self.smallFragments = inf if smallFragments is None else smallFragments
        self.controlFrames = inf if controlFrames is None else controlFrames
        self.waitingPongs = inf if waitingPongs is None else waitingPongs


class FloodGuard:
    """
    Counts what one connection does. Each method tells whether that was too much.
    """

    __slots__ = ("_limits", "_smallFragments", "_controlFrames", "_secondEnds", "_waitingPongs")

    def __init__(self, limits: FloodLimits) -> None:
        self._limits = limits
        self._smallFragments = 0
        self._controlFrames = 0
        self._secondEnds = -inf
        self._waitingPongs = 0

    def fragment(self, length: int, isFirst: bool) -> bool:
        """
        A fragment of a message begins.

        @param isFirst: whether it is the first of its message.
        """
        if isFirst:
            self._smallFragments = 0
        if length >= SMALL_FRAGMENT:
            return False
        self._smallFragments += 1
        return self._smallFragments > self._limits.smallFragments

    def controlFrame(self, now: float) -> bool:
        """
        A control frame begins.

        @param now: seconds.
        """
        if now >= self._secondEnds:
            self._secondEnds = now + 1
            self._controlFrames = 0
        self._controlFrames += 1
        return self._controlFrames > self._limits.controlFrames

    def pong(self, isRead: bool) -> bool:
        """
        A ping is to be answered.

        @param isRead: whether the client reads what is sent to it.
        """
        self._waitingPongs = 0 if isRead else self._waitingPongs + 1
        return self._waitingPongs > self._limits.waitingPongs
