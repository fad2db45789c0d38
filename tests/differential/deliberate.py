"""
Where agtwisted answers otherwise than the reference, on purpose.

Each difference names its script, the reason, and what agtwisted does instead, which is checked like everything else. An
entry whose difference has gone fails as well, so that this list stays true.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping


@dataclass(frozen=True)
class Difference:
    """
    One decision.

    @ivar reason: why agtwisted differs.
    @ivar expected: makes, of the reference's masked answers, those that agtwisted is to give.
    """

    reason: str
    expected: Callable[[dict[str, Any]], dict[str, Any]]


DELIBERATE: Mapping[str, Difference] = {}
