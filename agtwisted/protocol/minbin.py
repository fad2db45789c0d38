"""
A codec for binary messages: MessagePack, with short forms of the frequent packets.

It speaks what the npm package C{sc-codec-min-bin} speaks: a publication is C{{"p": [channel, data, cid]}}, any other
event C{{"e": [event, data, cid]}}, a response C{{"r": [rid, error, data]}}. C{cid} is left out where no answer is
expected, and what is not there is C{nil}, so that "no data" and C{null} are the same here. All other messages travel as
they are.

What the reader of the npm package accepts is accepted: keys that are no texts, text that is not UTF-8, bytes behind the
message. Extension types arrive as C{msgpack.ExtType} or C{msgpack.Timestamp}.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from math import inf
from sys import maxsize
from typing import Any

from agtwisted.errors import InvalidMessageError
from agtwisted.protocol.codecs import memberName, plainForm
from agtwisted.protocol.depth import TooDeep, TooMany, isDeeper

__all__ = ["MinBinCodec"]

_SHORT = 512
"""Messages of up to so many bytes cannot be nested deeply enough to declare much."""

_SLOTS = 2**18
"""How many elements, beyond those that it has room for, the arrays of a message may declare without a closer look."""

_LONGEST_ODDITY = 8
"""Names that are no texts, and texts that are not UTF-8, are read in messages of so many bytes for each container."""


class MinBinCodec:
    """
    The codec of C{codecEngine="minBin"}, an L{agtwisted.interfaces.ILimitingCodec}.
    """

    __slots__ = ("_library", "_pack", "_shortensBatches")

    def __init__(self, shortenBatches: bool = True) -> None:
        """
        @param shortenBatches: Whether packets in a batch are written in their short forms as well. Version 2 of the npm
            package reads them only in full, version 3 both ways; in either case both are read here.
        @raise ImportError: The package C{msgpack} is not installed.
        """
        try:
            self._library: Any = import_module("msgpack")
        except ImportError as error:
            raise ImportError(
                "The minBin codec needs the package msgpack, which the extra agtwisted[msgpack] installs"
            ) from error
        self._shortensBatches = shortenBatches
        self._pack = self._library.Packer(default=_writable).pack

    def encode(self, value: object) -> bytes:
        """
        Write a value as MessagePack.

        @param value: What to write. Binary values stay binary; moments, enumerations, dataclasses and tuples become
            what they become in JSON; whole numbers beyond 64 bits become floats.
        @return: The message.
        @raise TypeError: Something in C{value} has no form in MessagePack.
        @raise ValueError: C{value} contains itself, or is nested deeper than about 500 levels.
        """
        if isinstance(value, dict):
            value = _shortened(value)
        elif isinstance(value, list) and self._shortensBatches:
            value = [_shortened(packet) if isinstance(packet, dict) else packet for packet in value]
        try:
            return self._pack(value)  # type: ignore[no-any-return]
        except UnicodeEncodeError:
            # Lone surrogates: a JavaScript program reads them back.
            return self._library.packb(value, default=_writable, unicode_errors="surrogatepass")  # type: ignore[no-any-return]
        except RecursionError:
            # The library's own limit comes later where it is pure Python.
            raise ValueError("A value nested so deeply is not written as MessagePack") from None

    def decode(self, message: str | bytes | bytearray | memoryview) -> object:
        """
        Read a message.

        @return: The packet or packets; for anything else the value itself.
        @raise InvalidMessageError: C{message} is text, is no MessagePack or is C{nil}.
        """
        return self.decodeWithin(message, None, None)

    def decodeWithin(
        self, message: str | bytes | bytearray | memoryview, maxDepth: int | None, maxContainers: int | None
    ) -> object:
        """
        Read a message that may hold so much and no more.

        @param maxDepth: How many levels of arrays and maps it may have; any number if C{None}.
        @param maxContainers: How many arrays, maps and values of extension types it may hold, of which the last count
            twice; any number if C{None}.
        @return: As L{decode}.
        @raise InvalidMessageError: As L{decode}.
        @raise TooDeep: It has more levels.
        @raise TooMany: It holds more. The rest of it is not read.
        """
        if isinstance(message, str):
            raise InvalidMessageError("A text is no message of the minBin codec")
        payload = bytes(message)
        value = self._unpack(payload, maxContainers)
        if value.__class__ is dict:
            _lengthen(value)
        elif value.__class__ is list and _hasPackets(payload):
            _lengthenAll(value)
        elif value is None:
            raise InvalidMessageError("nil is no message of the minBin codec")
        if maxDepth and _mayHoldMore(payload, maxDepth) and isDeeper(value, maxDepth):
            raise TooDeep
        return value

    def _unpack(self, payload: bytes, maxContainers: int | None) -> Any:
        if len(payload) > _SHORT and _mayDeclareTooMuch(payload):
            self._checkCompleteness(payload)
        library = self._library
        hooks = {}
        if maxContainers and _mayHoldMore(payload, maxContainers // 2):
            hooks = _Counter(maxContainers, library.ExtType).hooks
            self._checkTimes(payload, maxContainers)
        try:
            return library.unpackb(payload, **hooks)
        except library.ExtraData as error:
            return error.unpacked
        except ValueError as error:
            return self._unpackOddities(payload, error, maxContainers)

    def _checkCompleteness(self, payload: bytes) -> None:
        """
        Go through a message without making anything of it.

        @raise InvalidMessageError: It declares more than it has.
        """
        unpacker = self._library.Unpacker(read_size=len(payload), max_buffer_size=len(payload))
        unpacker.feed(payload)
        try:
            unpacker.skip()
        except (ValueError, self._library.UnpackException) as error:
            raise InvalidMessageError(f"The message is no MessagePack: {_text(error)}") from None

    def _checkTimes(self, payload: bytes, limit: int) -> None:
        """
        Count what a message with timestamps holds. The library makes those without asking anybody.

        @raise TooMany: It is more than C{limit}.
        """
        if not any(header in payload for header in _TIMES):
            return
        # As values of another extension type they can be counted. What this does to other bytes is of no matter.
        for header in _TIMES:
            payload = payload.replace(header, header[:-1] + _NO_TIME)
        counter = _Counter(limit, lambda code, data: None)
        try:
            self._library.unpackb(payload, raw=True, strict_map_key=False, **counter.hooks)
        except (ValueError, TypeError, self._library.UnpackException):
            # Whether it can be read shows when it is.
            return

    def _unpackOddities(self, payload: bytes, error: ValueError, maxContainers: int | None) -> Any:
        """
        Read what has been refused, accepting what JavaScript accepts.

        @param error: Why it has been refused.
        @raise TooMany: It is so long that this would take too much time.
        """
        if maxContainers and len(payload) > _LONGEST_ODDITY * maxContainers:
            raise TooMany
        library = self._library
        for unicodeErrors in ("surrogatepass", "replace"):
            counter = _Counter(maxContainers or maxsize, library.ExtType)
            try:
                return library.unpackb(
                    payload, strict_map_key=False, unicode_errors=unicodeErrors, **counter.hooksForOddNames
                )
            except library.ExtraData as extra:
                return extra.unpacked
            except UnicodeDecodeError:
                continue
            except (ValueError, TypeError) as refused:
                error = refused if isinstance(refused, ValueError) else error
                break
        raise InvalidMessageError(f"The message is no MessagePack: {_text(error)}") from None


class _Counter:
    """
    Counts what a message holds while it is read, and ends that when it is too much.
    """

    __slots__ = ("_extension", "_left")

    def __init__(self, limit: int, extension: Callable[[int, bytes], Any]) -> None:
        """
        @param extension: Makes a value of an extension type.
        """
        self._left = limit
        self._extension = extension

    @property
    def hooks(self) -> dict[str, Callable[..., Any]]:
        """
        What the library is to call with what it has read.
        """
        return {"list_hook": self._counted, "object_hook": self._counted, "ext_hook": self._countedExtension}

    @property
    def hooksForOddNames(self) -> dict[str, Callable[..., Any]]:
        """
        The same where members of maps may have names that are no texts.
        """
        return {"list_hook": self._counted, "object_pairs_hook": self._asObject, "ext_hook": self._countedExtension}

    def _count(self, number: int) -> None:
        self._left -= number
        if self._left < 0:
            raise TooMany

    def _counted(self, value: Any) -> Any:
        self._count(1)
        return value

    def _countedExtension(self, code: int, data: bytes) -> Any:
        # They take twice as long to make.
        self._count(2)
        return self._extension(code, data)

    def _asObject(self, pairs: list[tuple[object, object]]) -> dict[str, object]:
        """
        @return: The members by their names in JavaScript. Each name that is none costs as much as a container.
        """
        self._count(1 + sum(key.__class__ is not str for key, _ in pairs))
        return {key if isinstance(key, str) else memberName(key): value for key, value in pairs}


def _writable(value: object) -> object:
    """
    @return: A value that MessagePack has no type for, as one that it has.
    @raise TypeError: There is none.
    """
    if isinstance(value, int):
        try:
            return float(value)
        except OverflowError:
            return inf if value > 0 else -inf
    try:
        return plainForm(value)
    except TypeError:
        raise TypeError(f"A value of type {type(value).__qualname__} has no form in MessagePack") from None


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__


# ---- short forms


def _shortened(packet: dict[Any, Any]) -> dict[Any, Any]:
    """
    @return: A packet in its short form, if it has one.
    """
    event, responseId = packet.get("event"), packet.get("rid")
    if event is None and responseId is None:
        return packet
    short = dict(packet)
    if event is not None:
        _shortenEvent(short)
    if responseId is not None:
        short["r"] = [short.pop("rid"), short.pop("error", None), short.pop("data", None)]
    return short


def _shortenEvent(short: dict[Any, Any]) -> None:
    event, data, callId = short.pop("event"), short.pop("data", None), short.pop("cid", None)
    if event == "#publish" and isinstance(data, dict):
        name, values = "p", [data.get("channel"), data.get("data")]
    else:
        name, values = "e", [event, data]
    if callId is not None:
        values.append(callId)
    short[name] = values


def _lengthenAll(batch: list[Any]) -> None:
    for packet in batch:
        if packet.__class__ is dict:
            _lengthen(packet)
        elif packet is None:
            raise InvalidMessageError("A batch with nil is no message of the minBin codec")


def _lengthen(packet: dict[Any, Any]) -> None:
    """
    Turn short forms into full ones; what looks like one but is no list stays, and makes no packet.
    """
    short = packet.get("e")
    if short.__class__ is list:
        del packet["e"]
        packet["event"], packet["data"], *more = _filled(short, 2)
        if more and more[0] is not None:
            packet["cid"] = more[0]
    short = packet.get("p")
    if short.__class__ is list:
        del packet["p"]
        channel, data, *more = _filled(short, 2)
        packet["event"], packet["data"] = "#publish", {"channel": channel, "data": data}
        if more and more[0] is not None:
            packet["cid"] = more[0]
    short = packet.get("r")
    if short.__class__ is list:
        del packet["r"]
        packet["rid"], packet["error"], packet["data"], *_ = _filled(short, 3)


def _filled(values: list[Any], length: int) -> list[Any]:
    missing = length - len(values)
    return values + [None] * missing if missing > 0 else values


# ---- hostile messages


def _mayDeclareTooMuch(payload: bytes) -> bool:
    """
    For an array's header, which takes five bytes, the library reserves memory for all elements that it declares. With a
    thousand such headers in each other, a small message takes as much memory as a very large one.

    @return: Whether as many headers may be here; bytes that only look like headers count as well.
    """
    size = len(payload)
    headers = payload.count(b"\xdc") + payload.count(b"\xdd")
    return headers * size > _SLOTS + 2 * size


#: The headers of arrays, maps and values of extension types; and those of timestamps.
_HEADERS = bytes((*range(0x80, 0xA0), *range(0xC7, 0xCA), *range(0xD4, 0xD9), *range(0xDC, 0xE0)))
_TIMES = (b"\xd6\xff", b"\xd7\xff", b"\xc7\x0c\xff")
_NO_TIME = b"\x7f"
_NO_HEADERS = bytes(set(range(256)) - set(_HEADERS))

#: What begins a map or is C{nil}: without it no packet is in a batch, and nothing that a batch may not have.
_hasPackets = re.compile(rb"[\x80-\x8f\xc0\xde\xdf]").search


def _mayHoldMore(payload: bytes, limit: int) -> bool:
    """
    @return: Whether there may be more than C{limit} containers here; bytes that only look like headers count as well.
    """
    return len(payload) > limit and len(payload.translate(None, _NO_HEADERS)) > limit
