"""
How deep a message is nested.

Whoever walks through what a client has sent pays for each level, many with the stack. A message that is too deep is
therefore refused before anything is made of it where its text shows the depth, as JSON does; else at once after.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

#: What is left of a text to see its depth: brackets, as steps of one down and one up.
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))

#: Steps that are looked at before it is asked whether they have gone too deep.
_STRIDE = 4096


class TooDeep(Exception):
    """
    A message is nested deeper than messages may be.
    """


def isTextDeeper(payload: bytes, limit: int) -> bool:
    """
    @param payload: JSON in UTF-8. What is no JSON counts as far as it is.
    @return: whether an array or object in it has more than C{limit} levels.
    """
    if payload.count(b"[") + payload.count(b"{") <= limit or payload.lstrip()[:1] not in (b"[", b"{"):
        return False
    if b"\\" in payload:
        payload = payload.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Without escapes, what lies between two quotation marks is a string, where brackets mean nothing.
    steps = memoryview(b"".join(payload.split(b'"')[::2]).translate(_STEPS, _NO_BRACKETS)).cast("b")
    depth = 0
    for start in range(0, len(steps), _STRIDE):
        depths = list(accumulate(steps[start : start + _STRIDE], initial=depth))
        if max(depths) > limit:
            return True
        depth = depths[-1]
    return False


def isDeeper(value: object, limit: int) -> bool:
    """
    @param value: what came from a codec.
    @return: whether a list or dict in it has more than C{limit} levels.
    """
    level = [value] if value.__class__ in (list, dict) else []
    for _ in range(limit):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if inner.__class__ is dict or inner.__class__ is list
        ]
        if not level:
            return False
    return bool(level)


def checkingDepth(decode: Callable[[bytes], object], limit: int) -> Callable[[bytes], object]:
    """
    @param decode: decodes a message whose depth its bytes do not show.
    @return: the same, but for messages that are too deep: they raise L{TooDeep}.
    """

    def decodeChecked(payload: bytes) -> object:
        value = decode(payload)
        if isDeeper(value, limit):
            raise TooDeep
        return value

    return decodeChecked
