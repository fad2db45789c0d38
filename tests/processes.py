"""
What tests ask of processes that they have started.
"""

from __future__ import annotations

import re
from pathlib import Path


class Figures:
    """
    What the kernel says of a process.
    """

    @property
    def pid(self) -> int:
        """
        The process.
        """
        raise NotImplementedError

    @property
    def descriptors(self) -> int:
        """
        How many files and sockets it has open.
        """
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    @property
    def memory(self) -> float:
        """
        How much memory it has, in MiB.
        """
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        (kibibytes,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
        return int(kibibytes) / 1024
