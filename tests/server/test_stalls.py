"""
Tests of L{agtwisted.server.stalls}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.server.stalls import PERIOD, StallWatch


class StallWatchTests(SynchronousTestCase):
    """
    L{StallWatch}.
    """

    def setUp(self) -> None:
        """
        Watch a reactor whose clock stands for the wall clock, beside a monotonic one.
        """
        self.clock = Clock()
        self.monotonic = 1000.0
        self.watch = StallWatch(self.clock, lambda: self.monotonic)

    def pass_(self, seconds: float) -> None:
        """
        Let time pass by both clocks, with a reactor that does nothing meanwhile but what is due at the end.
        """
        self.monotonic += seconds
        self.clock.advance(seconds)

    def live(self, seconds: float) -> None:
        """
        Let time pass for a reactor that is in time.
        """
        for _ in range(round(seconds / PERIOD)):
            self.pass_(PERIOD)

    def test_nobodyWatches(self) -> None:
        """
        As long as nobody has watched, nothing is known, and nothing waits.
        """
        self.assertIsNone(self.watch.longest)
        self.assertIsNone(self.watch.longestOfLastMinute())
        self.watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_quiet(self) -> None:
        """
        A reactor that is in time has no stalls.
        """
        self.watch.start()
        self.assertEqual((self.watch.longest, self.watch.longestOfLastMinute()), (0, 0))
        self.live(5)
        self.assertAlmostEqual(self.watch.longest or 0, 0)

    def test_stall(self) -> None:
        """
        A stall is seen, up to a period too short; the longest counts.
        """
        self.watch.start()
        self.live(1)
        for stall, longest in ((0.3, 0.3), (0.2, 0.3), (0.9, 0.9)):
            self.pass_(PERIOD + stall)
            self.live(1)
            self.assertAlmostEqual(self.watch.longest or 0, longest)
            self.assertAlmostEqual(self.watch.longestOfLastMinute() or 0, longest)

    def test_lastMinute(self) -> None:
        """
        After a minute only younger stalls count as the last minute's, one after the other.
        """
        self.watch.start()
        self.live(1)
        for stall in (0.5, 0.1, 0.3):
            self.pass_(PERIOD + stall)
            self.live(10)
        for seconds, longest in ((29, 0.5), (1.5, 0.5), (18, 0.3), (3, 0.3), (0, 0.0)):
            self.assertAlmostEqual(self.watch.longestOfLastMinute() or 0, longest)
            self.live(seconds)
        self.assertAlmostEqual(self.watch.longest or 0, 0.5)

    def test_ownTurn(self) -> None:
        """
        What takes long in the turn in which watching begins is still the start of something, and does not count.
        """
        self.watch.start()
        self.pass_(3)
        self.live(1)
        self.assertAlmostEqual(self.watch.longest or 0, 0)

    def test_wallClockJumps(self) -> None:
        """
        A jump of the reactor's clock, which lets delayed calls come early or late, is no stall.
        """
        self.watch.start()
        self.live(1)
        self.clock.advance(3600)  # forwards: the call comes at once, by the monotonic clock
        self.live(1)
        self.monotonic += 3600  # backwards: the reactor's clock has to catch up before the call comes
        self.live(1)
        self.assertAlmostEqual(self.watch.longest or 0, 0)

    def test_stopped(self) -> None:
        """
        What was seen stays when nobody watches any more; then nothing waits. Watching can go on later, and what was
        between does not count.
        """
        self.watch.start()
        self.watch.start()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.live(1)
        self.pass_(PERIOD + 0.5)
        self.watch.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.pass_(7)
        self.watch.start()
        self.live(1)
        self.assertAlmostEqual(self.watch.longest or 0, 0.5)
