"""
How deep a message is nested, and how many lists and dicts it holds.

Whoever walks through what a client has sent pays for each level, many with the stack; and each list or dict costs so much
to make that a message of nothing else holds everybody up. A message that has too many of either is therefore refused
before anything is made of it where its text shows them, as JSON does; one of another codec that is too deep, at once after.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, chain, count, islice
from operator import sub
from typing import Any

from agtwisted.protocol.steps import Steps

#: What is left of a text to see its depth: brackets of one kind.
_ALIKE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))

#: Values that are looked at in one step.
_PORTION = 65536

#: With so many arrays and objects it costs less to look at the text than at each of them.
_MANY = 32768


class TooComplex(Exception):
    """
    A message is past a limit of what can be made of it.

    @ivar limit: the name of the option that sets it.
    @ivar complaint: what is too much, with a place for the limit.
    """

    limit: str
    complaint: str


class TooDeep(TooComplex):
    """
    A message is nested deeper than messages may be.
    """

    limit = "maxDepth"
    complaint = "A message has more levels than the {} that it may have"


class TooMany(TooComplex):
    """
    A message holds more lists and dicts than messages may.
    """

    limit = "maxContainers"
    complaint = "A message holds more arrays and objects than the {} that it may hold"


def _brackets(payload: bytes) -> bytes:
    """
    @return: the brackets of JSON, of one kind, without those in strings.
    """
    if b"\\" in payload:
        payload = payload.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Without escapes, what lies between two quotation marks is a string, where brackets mean nothing.
    return b"".join(payload.split(b'"')[::2]).translate(_ALIKE, _NO_BRACKETS)


def isTextFuller(payload: bytes, limit: int) -> bool:
    """
    @param payload: JSON in UTF-8.
    @return: whether it has more than C{limit} arrays and objects. What is no JSON counts as far as it is.
    """
    if payload.count(b"[") + payload.count(b"{") <= limit or payload.lstrip()[:1] not in (b"[", b"{"):
        return False
    return _brackets(payload).count(b"[") > limit


def isTextDeeper(payload: bytes, limit: int) -> bool:
    """
    @param payload: JSON in UTF-8. What is no JSON counts as far as it is.
    @return: whether an array or object in it has more than C{limit} levels.
    """
    if payload.count(b"[") + payload.count(b"{") <= limit or payload.lstrip()[:1] not in (b"[", b"{"):
        return False
    # How many have been opened before each that is closed, less those that were closed before it. A client's message may
    # be nothing but brackets; so this leaves no step of it to Python.
    opened = accumulate(map(len, _brackets(payload).split(b"]")))
    return any(map(limit.__lt__, map(sub, opened, count())))


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


def isDeeperInSteps(value: object, limit: int) -> Steps:
    """
    L{isDeeper} of a value that may be long.

    @return: returns it, in steps of a few milliseconds.
    """
    level: list[Any] = [value] if value.__class__ in (list, dict) else []
    for _ in range(limit):
        inside = chain.from_iterable(outer.values() if outer.__class__ is dict else outer for outer in level)
        level = []
        while portion := list(islice(inside, _PORTION)):
            level += [inner for inner in portion if inner.__class__ is dict or inner.__class__ is list]
            yield
        if not level:
            return False
    return bool(level)


def isDecodedDeeper(payload: bytes, value: object, limit: int) -> bool:
    """
    @param payload: JSON.
    @param value: what it says.
    @return: whether an array or object in it has more than C{limit} levels.
    """
    containers = payload.count(b"[") + payload.count(b"{")
    if containers <= limit:
        return False
    return isDeeper(value, limit) if containers < _MANY else isTextDeeper(payload, limit)


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
