"""
Tests of L{agtwisted.protocol.floods}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from agtwisted.protocol.floods import SMALL_FRAGMENT, FloodGuard, FloodLimits


class FloodGuardTests(SynchronousTestCase):
    """
    L{FloodGuard}.
    """

    def test_fragments(self) -> None:
        """
        A message may come in as many small fragments as the limit says; the next message begins anew.
        """
        guard = FloodGuard(FloodLimits(3, None, None))
        for _ in range(2):
            found = [guard.fragment(1, True), *(guard.fragment(length, False) for length in (0, SMALL_FRAGMENT - 1, 1))]
            self.assertEqual(found, [False, False, False, True])

    def test_largeFragments(self) -> None:
        """
        Fragments that are not small do not count.
        """
        guard = FloodGuard(FloodLimits(1, None, None))
        self.assertFalse(any(guard.fragment(SMALL_FRAGMENT, number == 0) for number in range(100)))
        self.assertEqual([guard.fragment(1, False), guard.fragment(1, False)], [False, True])

    def test_controlFrames(self) -> None:
        """
        Control frames are counted by the second, which begins with the first of them.
        """
        guard = FloodGuard(FloodLimits(None, 2, None))
        self.assertEqual([guard.controlFrame(now) for now in (10.5, 11.0, 11.4)], [False, False, True])
        self.assertEqual([guard.controlFrame(now) for now in (11.5, 12.4, 12.49, 13.0)], [False, False, True, False])

    def test_pongs(self) -> None:
        """
        Pongs count while the client does not read; when it reads again, none waits any more.
        """
        guard = FloodGuard(FloodLimits(None, None, 2))
        self.assertEqual([guard.pong(isRead) for isRead in (True,) * 5], [False] * 5)
        self.assertEqual([guard.pong(isRead) for isRead in (False, False, True, False, False, False)], [False] * 5 + [True])

    def test_noLimits(self) -> None:
        """
        C{None} is no limit.
        """
        guard = FloodGuard(FloodLimits(None, None, None))
        for _ in range(5000):
            self.assertFalse(guard.fragment(0, False) or guard.controlFrame(0) or guard.pong(False))
