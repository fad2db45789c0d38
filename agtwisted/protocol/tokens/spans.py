"""
Spans of time as applications write them: seconds, or a text such as C{"2 days"} (the package C{ms}).
"""

from __future__ import annotations

import re
from math import floor, isfinite
from typing import TypeGuard

__all__ = ["SPAN_TEXT", "isNumber", "momentAfter"]

SPAN_TEXT = "a number of seconds or string representing a timespan"
"""What errors say that a span is."""

_SPAN = re.compile(
    r"(-?(?:[0-9]+)?\.?[0-9]+) *(milliseconds?|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d"
    r"|weeks?|w|years?|yrs?|y)?",
    re.IGNORECASE | re.ASCII,
)

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31557600.0}
"""The length of each unit, by its first letter; milliseconds, which share one with minutes, apart."""


def momentAfter(start: float, span: object) -> float | None:
    """
    @return: The moment C{span} after C{start}, in seconds; C{None} if C{span} is no span of time.
    """
    if isNumber(span):
        # JavaScript knows one kind of number: 60.0 seconds are written as 60.
        return start + (int(span) if isfinite(span) and span == floor(span) else span)
    if not isinstance(span, str):
        return None
    match = _SPAN.fullmatch(span) if len(span) <= 100 else None
    if match is None:
        return None
    unit = (match[2] or "ms").lower()
    seconds = 0.001 if unit.startswith(("ms", "mil")) else _SECONDS[unit[0]]
    return floor(start + float(match[1]) * seconds)


def isNumber(value: object) -> TypeGuard[int | float]:
    """
    @return: Whether JavaScript would call it a number.
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool)
