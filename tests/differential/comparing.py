"""
Decides whether two servers gave the same answers to a script, or differ as was decided.
"""

from __future__ import annotations

import difflib
import json
from typing import Any

from .deliberate import DELIBERATE, Difference
from .masking import canonical, mask
from .player import Trouble
from .steps import Script


def verdict(script: Script, reference: Any, ours: Any, *, equal: bool = False) -> str | None:
    """
    Compare the answers of both sides.

    @param equal: whether deliberate differences are left out of account.
    @return: None if all is as it should be, otherwise what is not, for people to read.
    """
    for name, answers in (("The reference", reference), ("agtwisted", ours)):
        if isinstance(answers, Trouble):
            return f"{name} could not be asked: {answers.text}"
    theirs, mine = mask(reference), mask(ours)
    difference = None if equal else DELIBERATE.get(script.name)
    if difference is None:
        return None if canonical(theirs) == canonical(mine) else explain("reference", theirs, "agtwisted", mine)
    return _deliberateVerdict(difference, theirs, mine)


def _deliberateVerdict(difference: Difference, theirs: dict[str, Any], mine: dict[str, Any]) -> str | None:
    expected = difference.expected(theirs)
    if canonical(expected) == canonical(theirs):
        return "The list of deliberate differences has this script, but expects of agtwisted what the reference does"
    if canonical(expected) != canonical(mine):
        return explain("decided (" + difference.reason + ")", expected, "agtwisted", mine)
    return None


def explain(oneName: str, one: dict[str, Any], otherName: str, other: dict[str, Any]) -> str:
    """Show two masked answers as a diff, one record a line."""
    return "\n".join(difflib.unified_diff(lines(one), lines(other), oneName, otherName, lineterm="", n=100))


def lines(masked: dict[str, Any]) -> list[str]:
    """One line for each record of each client, and for each event."""
    return [f"{name}: {json.dumps(record, sort_keys=True)}" for name, records in masked.items() for record in records]


def describe(answers: Any) -> list[str]:
    """The same for what one side gave back."""
    return answers.text.splitlines() if isinstance(answers, Trouble) else lines(mask(answers))
