"""
The letters of tokens: base64 without padding, in the alphabet for addresses.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

__all__ = ["fromBase64", "toBase64"]


def toBase64(data: bytes) -> str:
    """
    @return: bytes as they stand in a token.
    """
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def fromBase64(text: str) -> bytes:
    """
    @return: the bytes of a part of a token; characters that do not belong there are left out, as Node does.
    """
    # As Node: a single last character, which says nothing whole, is dropped.
    length = len(text)
    if length % 4 == 1:
        length -= 1
    return urlsafe_b64decode(text[:length] + "=" * (-length % 4))
