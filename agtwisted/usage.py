"""
What the process that a server runs in uses of its machine.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

_PROC = Path("/proc/self")


def processUsage() -> dict[str, float]:
    """
    @return: C{pid}; C{cpuSeconds}, which all threads have used so far; and, where the system tells them, C{residentBytes} of
        memory, C{openDescriptors}, and C{descriptorLimit}, at which there can be no more.
    """
    usage: dict[str, float] = {"pid": os.getpid(), "cpuSeconds": time.process_time()}
    with suppress(OSError):
        pages = int((_PROC / "statm").read_text(encoding="ascii").split()[1])
        usage["residentBytes"] = pages * os.sysconf("SC_PAGE_SIZE")
        usage["openDescriptors"] = _openDescriptors()
    if resource is not None:
        usage["descriptorLimit"] = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return usage


def _openDescriptors() -> int:
    # Newer kernels tell at once; with many descriptors, listing them takes milliseconds.
    folder = _PROC / "fd"
    return os.stat(folder).st_size or len(os.listdir(folder))
