"""
WebSocket frames that a server sends, as bytes made once (RFC 6455, section 5.2).
"""

from __future__ import annotations

TEXT = 0x1
BINARY = 0x2
PONG = 0xA
FIN = 0x80
RSV1 = 0x40

#: The two-byte headers of all short text frames.
TEXT_HEADERS = tuple(bytes((FIN | TEXT, length)) for length in range(126))


def textFrame(payload: bytes) -> bytes:
    """
    @param payload: UTF-8.
    @return: one final, unmasked text frame.
    """
    length = len(payload)
    if length < 126:
        return TEXT_HEADERS[length] + payload
    return _longHeader(FIN | TEXT, length) + payload


def frame(opcode: int, payload: bytes, *, compressed: bool = False) -> bytes:
    """
    @param opcode: L{TEXT}, L{BINARY} or L{PONG}.
    @param compressed: whether the payload was deflated (RFC 7692).
    @return: one final, unmasked frame.
    """
    first = FIN | opcode | (RSV1 if compressed else 0)
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    return _longHeader(first, length) + payload


def messageOf(whole: bytes) -> tuple[bytes, bool]:
    """
    @param whole: a frame that L{frame} or L{textFrame} has made, not compressed.
    @return: its payload, and whether that is binary.
    """
    length = whole[1]
    start = 2 if length < 126 else 4 if length == 126 else 10
    return whole[start:], whole[0] == FIN | BINARY


def _longHeader(first: int, length: int) -> bytes:
    if length < 65536:
        return bytes((first, 126)) + length.to_bytes(2, "big")
    return bytes((first, 127)) + length.to_bytes(8, "big")
