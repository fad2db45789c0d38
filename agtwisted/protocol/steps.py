"""
Work in steps: a generator stops wherever others may have their turn, and returns what has come of it.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias

#: Does a step with each C{next}.
Steps: TypeAlias = Generator[None, None, Any]


def finish(steps: Steps) -> Any:
    """
    Do all of them now.

    @return: what has come of it.
    """
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
