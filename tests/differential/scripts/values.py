"""
Values that many scripts try: one of every JSON type, and call ids right and wrong.
"""

from __future__ import annotations

from typing import Any

from ..steps import invoke

MISSING = object()
"""Stands for a member that is not there."""

VALUES: dict[str, Any] = {
    "missing": MISSING,
    "null": None,
    "true": True,
    "false": False,
    "0": 0,
    "1.5": 1.5,
    "empty-text": "",
    "text": "x",
    "empty-list": [],
    "list": [1],
    "empty-object": {},
    "nested": {"a": {"b": [None, {"c": 1}]}},
}
"""One value of every JSON type, by name."""

CIDS: dict[str, Any] = {
    "missing": MISSING,
    "text": "1",
    "null": None,
    "negative": -7,
    "zero": 0,
    "float": 1.5,
    "huge": 1e300,
    "beyond-2-53": 9007199254740993,
    "true": True,
    "list": [1],
    "object": {},
}
"""Call ids, right and wrong."""

ECHO = invoke("echo", "after", 9)
"""A call that shows whether the socket still works."""


def packet(**members: Any) -> dict[str, Any]:
    """Make a packet of those members that are not missing."""
    return {name: value for name, value in members.items() if value is not MISSING}
