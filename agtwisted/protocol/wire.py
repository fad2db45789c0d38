"""
Packets to messages and back, with any codec.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from orjson import OPT_PASSTHROUGH_DATETIME, JSONDecodeError, dumps, loads

from agtwisted.protocol.codecs import JSONCodec, plainForm
from agtwisted.protocol.depth import (
    TooDeep,
    TooMany,
    checkingDepth,
    isDecodedDeeper,
    isDeeper,
    isTextDeeper,
    isTextFuller,
)
from agtwisted.protocol.frames import BINARY, TEXT_HEADERS, frame, textFrame
from agtwisted.protocol.steps import Steps

_encodeJSON, _decodeJSON = JSONCodec().encodeUTF8, JSONCodec().decodeUTF8


class Wire:
    """
    A codec as the sockets use it: a message is its payload and whether it is binary, never a text in between.

    @ivar codec: the codec, as the application gave it.
    @ivar decodeText: decodes the payload of a text message; raises C{UnicodeDecodeError} for what is not UTF-8, and
        L{TooComplex<agtwisted.protocol.depth.TooComplex>} and whatever the codec raises.
    @ivar shortLength: a message of up to so many bytes is past no limit: if orjson reads a dict from it, then that is what
        C{decodeText} would give. (What else it reads, or cannot read, is C{decodeText}'s to judge.) -1 if the codec is not
        SocketCluster's own.
    @ivar isJSON: whether the codec is SocketCluster's own: what it cannot read is text, and no error.
    @ivar frame: encodes a value as a finished frame, for a connection that has agreed on nothing that changes frames;
        raises whatever the codec raises.
    """

    __slots__ = (
        "codec",
        "decodeText",
        "shortLength",
        "isJSON",
        "frame",
        "_decodeWithin",
        "_decodeGradually",
        "_encodeUTF8",
        "_maxDepth",
        "_maxContainers",
    )

    def __init__(self, codec: Any, maxDepth: int | None = None, maxContainers: int | None = None) -> None:
        """
        @param codec: an L{agtwisted.interfaces.ICodec}; an L{agtwisted.interfaces.ITextCodec} is faster.
        @param maxDepth: how many levels of lists and dicts a message that is decoded may have; any if C{None}.
        @param maxContainers: how many lists and dicts a message may hold; any number if C{None}. Only JSON and codecs
            with C{decodeWithin} count.
        """
        self.codec = codec
        self.isJSON = codec.__class__ is JSONCodec
        self._encodeUTF8: Callable[[object], bytes] | None = getattr(codec, "encodeUTF8", None)
        self.decodeText: Callable[[bytes], object] = getattr(codec, "decodeUTF8", None) or self._decodeText
        self._decodeWithin: Callable[[bytes, int, int], object] | None = getattr(codec, "decodeWithin", None)
        self._decodeGradually: Callable[[bytes, int, int], Steps] | None = getattr(codec, "decodeGradually", None)
        self.frame: Callable[[object], bytes] = self._frame
        if self._encodeUTF8 is not None:
            self.frame = _frameJSON if self.isJSON else _framer(self._encodeUTF8)
        self._maxDepth = maxDepth or 0
        self._maxContainers = maxContainers or 0
        self.shortLength = -1
        if self.isJSON:
            # A list or dict takes two brackets: a message that is no longer is past neither limit.
            self.shortLength = 2 * min(self._maxDepth or sys.maxsize, self._maxContainers or sys.maxsize)
            self.decodeText = _jsonDecoder(self._maxDepth, self._maxContainers)
        elif maxDepth:
            self.decodeText = checkingDepth(self.decodeText, maxDepth)

    def encode(self, value: object) -> tuple[bytes, bool]:
        """
        @return: the payload and whether it is binary.
        @raise Exception: whatever the codec raises.
        """
        if self._encodeUTF8 is not None:
            return self._encodeUTF8(value), False
        encoded = self.codec.encode(value)
        if isinstance(encoded, str):
            return encoded.encode("utf-8", "replace"), False
        return bytes(encoded), True

    def _frame(self, value: object) -> bytes:
        payload, isBinary = self.encode(value)
        return frame(BINARY, payload) if isBinary else textFrame(payload)

    def decode(self, payload: bytes, isBinary: bool) -> object:
        """
        @raise UnicodeDecodeError: a text message is not UTF-8.
        @raise TooDeep: it is nested too deeply.
        @raise TooMany: it holds too many lists and dicts.
        @raise Exception: whatever else the codec raises.
        """
        if not isBinary:
            return self.decodeText(payload)
        if self._decodeWithin is not None:
            return self._decodeWithin(payload, self._maxDepth, self._maxContainers)
        limit = self._maxDepth
        if self.isJSON and limit and isTextDeeper(payload, limit):
            raise TooDeep
        if self.isJSON and self._maxContainers and isTextFuller(payload, self._maxContainers):
            raise TooMany
        value = self.codec.decode(payload)
        if not self.isJSON and limit and isDeeper(value, limit):
            raise TooDeep
        return value

    def decodeGradually(self, payload: bytes) -> Steps | None:
        """
        L{decode} a binary message that may take long.

        @return: does a step with each C{next} and returns the message at last; C{None} if the codec has no steps.
        """
        if self._decodeGradually is None:
            return None
        return self._decodeGradually(payload, self._maxDepth, self._maxContainers)

    def _decodeText(self, payload: bytes) -> object:
        return self.codec.decode(payload.decode("utf-8"))

    def signal(self, payload: bytes) -> tuple[bytes, bool]:
        """
        Write a ping. Version 2's is empty and goes round the codec; version 1's is a text, which the clients of that
        version take out of their codec.

        @param payload: the ping of the dialect.
        @return: the payload to send and whether it is binary.
        @raise Exception: whatever the codec raises.
        """
        if not payload or self._encodeUTF8 is not None:
            return payload, False
        return self.encode(payload.decode("ascii"))

    @staticmethod
    def text(payload: bytes, isBinary: bool) -> str | bytes:
        """
        @return: the message as applications see it: text, or the bytes of a binary one.
        @raise UnicodeDecodeError: a text message is not UTF-8.
        """
        return payload if isBinary else payload.decode("utf-8")


def _jsonDecoder(maxDepth: int, maxContainers: int) -> Callable[[bytes], object]:
    """
    @param maxDepth: 0 for any depth.
    @param maxContainers: 0 for any number.
    """
    # A list or dict takes two brackets: messages that are no longer are not past the limit.
    flatLength = 2 * (maxDepth or sys.maxsize)
    fewLength = 2 * (maxContainers or sys.maxsize)

    def decodeText(payload: bytes) -> object:
        length = len(payload)
        if length > fewLength and isTextFuller(payload, maxContainers):
            raise TooMany
        # As JSONCodec.decodeUTF8, without a call in between.
        try:
            value = loads(payload)
        except JSONDecodeError:
            if length > flatLength and isTextDeeper(payload, maxDepth):
                raise TooDeep from None
            return _decodeJSON(payload)
        # Most long messages are packets with a long text: to look for a second bracket costs less than to count them.
        if length > flatLength and (payload.find(b"{", 1) > 0 or payload.find(b"[") >= 0):
            if isDecodedDeeper(payload, value, maxDepth):
                raise TooDeep
        return value if value.__class__ is dict or value.__class__ is list else str(payload, "utf-8")

    return decodeText


def _frameJSON(value: object) -> bytes:
    # Nearly every frame is a packet, and nearly every packet one that orjson writes: without a call in between.
    try:
        payload = dumps(value, plainForm, OPT_PASSTHROUGH_DATETIME) if value.__class__ is dict else _encodeJSON(value)
    except TypeError:
        payload = _encodeJSON(value)
    length = len(payload)
    return TEXT_HEADERS[length] + payload if length < 126 else textFrame(payload)


def _framer(encodeUTF8: Callable[[object], bytes]) -> Callable[[object], bytes]:
    def frameText(value: object) -> bytes:
        payload = encodeUTF8(value)
        length = len(payload)
        return TEXT_HEADERS[length] + payload if length < 126 else textFrame(payload)

    return frameText
