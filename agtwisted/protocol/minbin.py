"""
A codec for binary messages: MessagePack, with short forms of the frequent packets.

It speaks what the npm package C{sc-codec-min-bin} speaks: a publication is C{{"p": [channel, data, cid]}}, any other
event C{{"e": [event, data, cid]}}, a response C{{"r": [rid, error, data]}}. C{cid} is left out where no answer is
expected, and what is not there is C{nil}, so that "no data" and C{null} are the same here. All other messages travel as
they are.

Extension types arrive as C{msgpack.ExtType} or C{msgpack.Timestamp}.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from math import inf
from typing import Any

from agtwisted.errors import InvalidMessageError
from agtwisted.protocol.codecs import plainForm
from agtwisted.protocol.depth import TooDeep, isDeeper, isDeeperInSteps
from agtwisted.protocol.messagepack import MessagePackReader, mayHoldMore
from agtwisted.protocol.steps import Steps, finish

__all__ = ["MinBinCodec"]

_PORTION = 65536
"""Packets of a batch that are put in their full forms in one step."""


class MinBinCodec:
    """
    The codec of C{codecEngine="minBin"}, an L{agtwisted.interfaces.IGradualCodec}.
    """

    __slots__ = ("_library", "_reader", "_pack", "_shortensBatches")

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
        self._reader = MessagePackReader(self._library)
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
        if not self._reader.isSimple(payload, maxContainers):
            return finish(self.decodeGradually(payload, maxDepth, maxContainers))
        value = self._reader.readSimple(payload, maxContainers)
        _lengthenAll(value if value.__class__ is list else (value,))
        if maxDepth and mayHoldMore(payload, maxDepth) and isDeeper(value, maxDepth):
            raise TooDeep
        return value

    def decodeGradually(self, message: bytes, maxDepth: int | None, maxContainers: int | None) -> Steps:
        """
        Read a message that may take long, as L{decodeWithin} does.

        @return: Takes some milliseconds for each C{next}, raises what C{decodeWithin} raises, and returns what that
            returns.
        """
        value = yield from self._reader.read(message, maxContainers)
        if value.__class__ is not list:
            _lengthenAll((value,))
        elif _mayHoldPackets(message):
            for start in range(0, len(value), _PORTION):
                _lengthenAll(value[start : start + _PORTION])
                yield
        if maxDepth and mayHoldMore(message, maxDepth) and (yield from isDeeperInSteps(value, maxDepth)):
            raise TooDeep
        return value


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


def _lengthenAll(packets: Iterable[Any]) -> None:
    for packet in packets:
        if packet.__class__ is dict:
            _lengthen(packet)
        elif packet is None:
            raise InvalidMessageError("nil is no packet of the minBin codec")


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


#: What begins a map or is C{nil}: without it no packet is in a batch, and nothing that a batch may not have.
_mayHoldPackets = re.compile(rb"[\x80-\x8f\xc0\xde\xdf]").search
