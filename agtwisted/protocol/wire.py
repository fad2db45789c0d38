"""
Packets to messages and back, with any codec.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agtwisted.protocol.frames import BINARY, frame, textFrame


class Wire:
    """
    A codec as the sockets use it: a message is its payload and whether it is binary, never a text in between.

    @ivar codec: the codec, as the application gave it.
    """

    __slots__ = ("codec", "_encodeUTF8", "_decodeUTF8")

    def __init__(self, codec: Any) -> None:
        """
        @param codec: an L{agtwisted.interfaces.ICodec}; an L{agtwisted.interfaces.ITextCodec} is faster.
        """
        self.codec = codec
        self._encodeUTF8: Callable[[object], bytes] | None = getattr(codec, "encodeUTF8", None)
        self._decodeUTF8: Callable[[bytes], object] | None = getattr(codec, "decodeUTF8", None)

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

    def frame(self, value: object) -> bytes:
        """
        @return: the finished frame, for a connection that has agreed on nothing that changes frames.
        @raise Exception: whatever the codec raises.
        """
        if self._encodeUTF8 is not None:
            return textFrame(self._encodeUTF8(value))
        payload, isBinary = self.encode(value)
        return frame(BINARY, payload) if isBinary else textFrame(payload)

    def decode(self, payload: bytes, isBinary: bool) -> object:
        """
        @raise UnicodeDecodeError: a text message is not UTF-8.
        @raise Exception: whatever else the codec raises.
        """
        if not isBinary and self._decodeUTF8 is not None:
            return self._decodeUTF8(payload)
        return self.codec.decode(self.text(payload, isBinary))

    @staticmethod
    def text(payload: bytes, isBinary: bool) -> str | bytes:
        """
        @return: the message as applications see it: text, or the bytes of a binary one.
        @raise UnicodeDecodeError: a text message is not UTF-8.
        """
        return payload if isBinary else payload.decode("utf-8")
