"""
What is left behind by work that is to leave nothing.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable


def grown(work: Callable[[], object], *known: object) -> tuple[int, int, list[int]]:
    """
    @return: how many objects, and how many bytes, are left by doing something 200 times more; and how many references
        to certain objects.
    """
    for _ in range(50):
        work()
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(10):
            work()
        gc.collect()
        before = len(gc.get_objects()), tracemalloc.get_traced_memory()[0]
        counts = [sys.getrefcount(each) for each in known]
        for _ in range(200):
            work()
        gc.collect()
        after = len(gc.get_objects()), tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    more = [sys.getrefcount(each) - count for each, count in zip(known, counts, strict=True)]
    return after[0] - before[0], after[1] - before[1], more
