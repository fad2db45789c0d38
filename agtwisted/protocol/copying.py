"""
Copies of data as it travels.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any


def ownCopy(value: Any) -> Any:
    """
    Copy a value however deep it is: what a client sends may be deeper than Python's own way of copying can go.

    @param value: what came from a codec, or what the application sends.
    @return: the same with lists and dicts of its own. Texts, numbers and the like are shared, since nobody can change
        them; anything else is copied by its own rules.
    """
    if value.__class__ in _SHARED:
        return value
    copies: list[Any] = [None]
    todo: list[tuple[Any, Any, Any]] = [(copies, 0, value)]
    while todo:
        holder, key, original = todo.pop()
        kind = original.__class__
        if kind is dict:
            holder[key] = copied = dict(original)
            todo.extend((copied, each, inner) for each, inner in original.items() if inner.__class__ not in _SHARED)
        elif kind is list:
            holder[key] = listed = list(original)
            todo.extend((listed, each, inner) for each, inner in enumerate(original) if inner.__class__ not in _SHARED)
        else:
            holder[key] = original if kind in _SHARED else deepcopy(original)
    return copies[0]


#: The types of values that cannot be changed.
_SHARED = frozenset((str, int, float, bool, type(None), bytes))
