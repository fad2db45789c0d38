"""
Tests of L{agtwisted.usage}.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from agtwisted import usage
from agtwisted.usage import processUsage


class UsageTests(SynchronousTestCase):
    """
    L{processUsage}.
    """

    def test_process(self) -> None:
        """
        It tells of this very process: more descriptors and more CPU time when there are.
        """
        before = processUsage()
        self.assertEqual(before["pid"], os.getpid())
        descriptors = os.pipe()
        while processUsage()["cpuSeconds"] == before["cpuSeconds"]:
            sum(range(1000))
        during = processUsage()
        for descriptor in descriptors:
            os.close(descriptor)
        self.assertGreater(during["cpuSeconds"], before["cpuSeconds"])
        if sys.platform == "linux":
            self.assertEqual(during["openDescriptors"], before["openDescriptors"] + 2)
            self.assertGreater(during["residentBytes"], 1 << 20)
            self.assertGreater(during["descriptorLimit"], during["openDescriptors"])

    def test_elsewhere(self) -> None:
        """
        Where the system does not tell, the rest is told.
        """
        self.patch(usage, "_PROC", Path("/nowhere"))
        self.patch(usage, "resource", None)
        self.assertEqual(set(processUsage()), {"pid", "cpuSeconds"})

    def test_olderKernels(self) -> None:
        """
        Where the folder of descriptors does not tell how many there are, they are counted.
        """
        folder = Path(self.mktemp())
        (folder / "fd").mkdir(parents=True)
        (folder / "statm").write_text("900 12 3 4 0 5 0\n", encoding="ascii")
        for number in range(3):
            (folder / "fd" / str(number)).touch()

        class Stat:
            st_size = 0

        self.patch(usage, "_PROC", folder)
        self.patch(usage.os, "stat", lambda path: Stat)
        found = processUsage()
        self.assertEqual((found["openDescriptors"], found["residentBytes"]), (3, 12 * os.sysconf("SC_PAGE_SIZE")))
