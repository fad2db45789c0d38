"""
Tests of L{agtwisted.server.stalls}.
"""

from __future__ import annotations

from agtwisted.server.stalls import PERIOD, StallWatch
from tests.sockets.test_punctual import PunctualTestCase


class StallWatchTests(PunctualTestCase):
    """
    L{StallWatch}.
    """

    def setUp(self) -> None:
        """
        Watch a reactor that goes by the wall clock. When time passes, it does nothing meanwhile but what is due at the
        end.
        """
        super().setUp()
        self.watch = StallWatch(self.timers, self.reactor)  # type: ignore[arg-type]

    def live(self, seconds: float) -> None:
        """
        Let time pass for a reactor that is in time.
        """
        for _ in range(round(seconds / PERIOD)):
            self.go(PERIOD)

    def test_nobodyWatches(self) -> None:
        """
        As long as nobody has watched, nothing is known, and nothing waits.
        """
        self.assertIsNone(self.watch.longest)
        self.assertIsNone(self.watch.longestOfLastMinute())
        self.watch.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

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
            self.go(PERIOD + stall)
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
            self.go(PERIOD + stall)
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
        self.go(3)
        self.live(1)
        self.assertAlmostEqual(self.watch.longest or 0, 0)

    def test_wallClockJumps(self) -> None:
        """
        A leap of the wall clock is no stall, and neither is the moment until somebody has noticed it; stalls after it are
        seen as ever.
        """
        self.watch.start()
        self.live(1)
        for hours, stall in ((1, 0.3), (-1, 0.5)):
            before = self.watch.longest or 0
            self.reactor.setClock(hours * 3600)
            if hours < 0:
                self.live(1)
                self.timers.clockSetBack()
            self.live(1)
            self.assertAlmostEqual(self.watch.longest or 0, before)
            self.go(PERIOD + stall)
            self.live(1)
            self.assertAlmostEqual(self.watch.longest or 0, stall)

    def test_stopped(self) -> None:
        """
        What was seen stays when nobody watches any more; then nothing waits. Watching can go on later, and what was
        between does not count.
        """
        self.watch.start()
        self.watch.start()
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
        self.live(1)
        self.go(PERIOD + 0.5)
        self.watch.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.go(7)
        self.watch.start()
        self.live(1)
        self.assertAlmostEqual(self.watch.longest or 0, 0.5)
