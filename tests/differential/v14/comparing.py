"""
Decides whether two servers of version 14 gave the same answers to a script, or differ as was decided.

Callbacks are called at once, so that the order of all that an application sees is the protocol's and is compared as well.
"""

from __future__ import annotations

from typing import Any

from ..comparing import explain, lines
from ..masking import canonical, mask
from ..player import Answers, Trouble
from ..steps import Script
from .deliberate import DELIBERATE


def verdict(script: Script, reference: Any, ours: Any, *, equal: bool = False) -> str | None:
    """
    Compare the answers of both sides.

    @param equal: whether deliberate differences are left out of account.
    @return: None if all is as it should be, otherwise what is not, for people to read.
    """
    for name, answers in (("The reference", reference), ("agtwisted", ours)):
        if isinstance(answers, Trouble):
            return f"{name} could not be asked: {answers.text}"
    theirs, mine = maskAll(reference), maskAll(ours)
    difference = None if equal else DELIBERATE.get(script.name)
    if difference is None:
        return None if canonical(theirs) == canonical(mine) else explain("reference", theirs, "agtwisted", mine)
    expected = difference.expected(theirs)
    if canonical(expected) == canonical(theirs):
        return "The list of deliberate differences has this script, but expects of agtwisted what the reference does"
    if canonical(expected) != canonical(mine):
        return explain(f"decided ({difference.reason})", expected, "agtwisted", mine)
    return None


def maskAll(answers: Answers) -> dict[str, Any]:
    """Make of answers a plain value that can be compared, the application's log among them, in its order."""
    if not answers.events:
        return mask(Answers(answers.clients))
    return mask(Answers({**answers.clients, "log": [_withoutId(event) for event in answers.events]}))


def _withoutId(event: dict[str, Any]) -> dict[str, Any]:
    # A client that has not asked for an answer to its handshake does not know its id.
    return {name: [_withoutIdIn(each) for each in value] if name == "values" else value for name, value in event.items()}


def _withoutIdIn(value: Any) -> Any:
    return {**value, "id": "<id>"} if isinstance(value, dict) and "isAuthenticated" in value else value


def describe(answers: Any) -> list[str]:
    """What one side gave back, for people to read."""
    return answers.text.splitlines() if isinstance(answers, Trouble) else lines(maskAll(answers))
