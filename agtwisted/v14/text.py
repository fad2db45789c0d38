"""
Values in texts, as JavaScript writes them.
"""

from __future__ import annotations

from typing import Any

from agtwisted.errors import describe
from agtwisted.protocol.nodata import NO_DATA


def inText(value: object) -> str:
    """
    @return: C{value} as JavaScript writes it into a text.
    """
    if isinstance(value, str):
        return value
    if value is NO_DATA:
        return "undefined"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    if isinstance(value, list):
        return ",".join("" if each is None else inText(each) for each in value)
    if isinstance(value, BaseException):
        return describe(value)
    return "[object Object]" if isinstance(value, dict) else str(value)


def member(value: object, name: str) -> Any:
    """
    @return: a member of a value that a client has sent, L{NO_DATA} if it has none.
    """
    return value.get(name, NO_DATA) if isinstance(value, dict) else NO_DATA


def isTrue(value: object) -> bool:
    """
    @return: whether JavaScript takes C{value} for true: all lists and objects are, empty or not.
    """
    return value is not None and value is not NO_DATA and (bool(value) or isinstance(value, (list, dict, BaseException)))
