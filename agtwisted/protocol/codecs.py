"""
Codecs: values to messages and back.

SocketCluster's own format is JSON as JavaScript reads and writes it. The library C{orjson} does nearly all of the
work; what it refuses, but JavaScript accepts, takes a slower path here:

  - writing: lone surrogates, integers beyond 64 bits, keys that are no strings, deep nesting;
  - reading: lone surrogates, numbers beyond a double.

A text that is no object or array is I{raw}: it stays text.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from math import isfinite, isinf, isnan
from typing import NoReturn
from uuid import UUID

from orjson import OPT_PASSTHROUGH_DATETIME, JSONDecodeError, dumps, loads

from agtwisted.errors import toISOString

__all__ = ["JSONCodec", "memberName", "plainForm"]

_MAX_DEPTH = 2048
"""How deep a value may be nested to be written; twice as deep as what is read."""

_WHITESPACE = " \n\r\t"
"""What JSON takes for white space."""


class JSONCodec:
    """
    SocketCluster's default codec, C{sc-formatter}.

    C{encode} and C{decode} are the interface that any codec has; the connection itself uses C{encodeUTF8} and
    C{decodeUTF8}, which save it the way through text.
    """

    __slots__ = ()

    def encode(self, value: object) -> str:
        """
        Write a value as JSON.

        @param value: What to write. Binary values become C{{"base64": true, "data": …}}, moments what JavaScript's
            C{Date} makes of them, tuples arrays. The texts C{#1} and C{#2}, the first protocol's ping and pong, stay
            as they are.
        @return: The message.
        @raise TypeError: if something in C{value} has no form in JSON.
        @raise ValueError: if C{value} contains itself, or is nested too deeply.
        """
        return self.encodeUTF8(value).decode("utf-8")

    def decode(self, message: str | bytes | bytearray | memoryview | None) -> object:
        """
        Read a message.

        @param message: The message; bytes are UTF-8, with what is invalid replaced.
        @return: The value; C{message} as text if it is no JSON object or array; C{None} for C{None}.
        """
        if message is None:
            return None
        if not isinstance(message, str):
            message = str(message, "utf-8", "replace")
        try:
            value = loads(message)
        except JSONDecodeError:
            return _decodeRefused(message)
        return value if isinstance(value, (dict, list)) else message

    def encodeUTF8(self, value: object) -> bytes:
        """
        Write a value as JSON in UTF-8, as L{encode} does.

        @param value: What to write.
        @return: The message.
        @raise TypeError: if something in C{value} has no form in JSON.
        @raise ValueError: if C{value} contains itself, or is nested too deeply.
        """
        if value.__class__ is str and (value == "#1" or value == "#2"):
            return value.encode("ascii")
        try:
            return dumps(value, plainForm, OPT_PASSTHROUGH_DATETIME)
        except TypeError:
            return _Encoding().encode(value)

    def decodeUTF8(self, payload: bytes | bytearray | memoryview) -> object:
        """
        Read a message from its UTF-8 bytes.

        @param payload: The bytes.
        @return: The value; the text of C{payload} if it is no JSON object or array.
        @raise UnicodeDecodeError: if C{payload} is not UTF-8.
        """
        # No look at the first byte: parsing costs less than looking, and scalars are rare.
        try:
            value = loads(payload)
        except JSONDecodeError:
            return _decodeRefused(str(payload, "utf-8"))
        if value.__class__ is dict or value.__class__ is list:
            return value
        return str(payload, "utf-8")


def _decodeRefused(text: str) -> object:
    """
    Read what C{orjson} refused: JavaScript may know better.

    @return: The value, or C{text} if it is no JSON object or array, or one of absurd depth.
    """
    if text.lstrip(_WHITESPACE)[:1] not in ("{", "["):
        return text
    try:
        return _decodeText(text)
    except (json.JSONDecodeError, RecursionError):
        return text
    except ValueError:
        # Python reads no integers of more than 4300 digits; for JavaScript they are infinite.
        return _decodeHugeNumbers(text)


def _refuseConstant(name: str) -> NoReturn:
    # NaN and Infinity are Python's extension.
    raise json.JSONDecodeError("No such literal", name, 0)


def _integer(digits: str) -> int | float:
    # Beyond the range of a double there is only infinity.
    return int(digits) if len(digits) < 310 else float(digits)


_decodeText = json.JSONDecoder(parse_constant=_refuseConstant).decode
_decodeHugeNumbers = json.JSONDecoder(parse_constant=_refuseConstant, parse_int=_integer).decode
_quote = json.JSONEncoder(ensure_ascii=False).encode


def plainForm(value: object) -> object:
    """
    @return: A value as one of the types that JSON knows; what C{orjson} does itself is here for the slower path.
    @raise TypeError: if there is none.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"base64": True, "data": b64encode(bytes(value)).decode("ascii")}
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, datetime):
        return toISOString(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value) if not field.name.startswith("_")}
    raise TypeError(f"A value of type {type(value).__qualname__} has no form in JSON")


def _number(value: int | float) -> str:
    if isinstance(value, int):
        return int.__repr__(value)
    return float.__repr__(value) if isfinite(value) else "null"


def memberName(key: object) -> str:
    """
    @return: The name that JavaScript gives to a member with this key.
    """
    if isinstance(key, str):
        return str.__str__(key)
    if key is None:
        return "null"
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int):
        return int.__repr__(key)
    if isinstance(key, float):
        return _floatKey(key)
    raise TypeError(f"A key of type {type(key).__qualname__} has no form in JSON")


def _floatKey(key: float) -> str:
    if isnan(key):
        return "NaN"
    if isinf(key):
        return "Infinity" if key > 0 else "-Infinity"
    if key == 0:
        return "0"
    digits = float.__repr__(key)
    if 1e-6 <= abs(key) < 1e21:
        # Python goes over to exponents at other magnitudes than JavaScript, and writes ".0".
        digits = f"{Decimal(digits):f}"
        return digits.removesuffix(".0")
    return digits.replace("e-0", "e-")


class _Level:
    """
    One array or object that is being written.

    @ivar items: What is still to be written: the text before each item, and the item.
    @ivar end: The bracket that closes it.
    @ivar identity: Which array or object it is.
    """

    __slots__ = ("end", "identity", "items")

    def __init__(self, items: Iterator[tuple[str, object]], end: str, identity: int) -> None:
        self.items = items
        self.end = end
        self.identity = identity


class _Encoding:
    """
    The slower way to write a value: without recursion, so that depth cannot exhaust the stack.

    @ivar parts: What has been written.
    @ivar levels: The open arrays and objects, outermost first.
    @ivar identities: The same, to notice one that contains itself.
    """

    __slots__ = ("identities", "levels", "parts")

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.levels: list[_Level] = []
        self.identities: set[int] = set()

    def encode(self, value: object) -> bytes:
        """
        @return: C{value} as JSON, lone surrogates as escapes.
        """
        self._put(value)
        levels = self.levels
        while levels:
            level = levels[-1]
            for prefix, item in level.items:
                self.parts.append(prefix)
                if self._put(item):
                    break
            else:
                levels.pop()
                self.identities.remove(level.identity)
                self.parts.append(level.end)
        return "".join(self.parts).encode("utf-8", "backslashreplace")

    def _put(self, value: object) -> bool:
        """
        @return: C{True} if C{value} has been opened, and its items come next.
        """
        text = _scalar(value)
        if text is not None:
            self.parts.append(text)
            return False
        if isinstance(value, dict):
            self._open(value, _members(value), "{", "}")
            return True
        if isinstance(value, (list, tuple)):
            self._open(value, _elements(value), "[", "]")
            return True
        return self._put(plainForm(value))

    def _open(self, value: object, items: Iterator[tuple[str, object]], start: str, end: str) -> None:
        if id(value) in self.identities:
            raise ValueError("A value that contains itself has no form in JSON")
        if len(self.levels) >= _MAX_DEPTH:
            raise ValueError(f"A value nested deeper than {_MAX_DEPTH} levels is not written as JSON")
        self.identities.add(id(value))
        self.levels.append(_Level(items, end, id(value)))
        self.parts.append(start)


def _scalar(value: object) -> str | None:
    """
    @return: The JSON of a scalar; C{None} for anything else.
    """
    if value is None:
        return "null"
    if isinstance(value, Enum):
        return None
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _number(value)
    return None


def _members(value: dict[object, object]) -> Iterator[tuple[str, object]]:
    separator = ""
    for key, member in value.items():
        yield f"{separator}{_quote(memberName(key))}:", member
        separator = ","


def _elements(value: list[object] | tuple[object, ...]) -> Iterator[tuple[str, object]]:
    separator = ""
    for element in value:
        yield separator, element
        separator = ","
