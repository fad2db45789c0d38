"""
Unmasking what clients send (RFC 6455, section 5.3).

The library websockets has a masker in C that is called with bytes and answers with bytes, as is needed here: for a short
message it takes a third of the time of anything that can be done in Python, for one of a kilobyte a quarter of that of
Autobahn's masker, which works in place and through four calls. Where it was installed without its C, one exclusive-or of
big integers unmasks short payloads, and four passes through a translation table long ones.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

#: Takes a payload and four bytes of mask.
Unmasker = Callable[[bytes, bytes], bytes]

#: From this length on the big integers are slower; it is that of 32 masks.
_LONG = 128

#: For each mask byte, what every byte becomes.
_TABLES = tuple(bytes(byte ^ mask for byte in range(256)) for mask in range(256))

#: For each short length: every 32nd bit, and the bits of a payload that is so long.
_REPEATED = tuple(sum(1 << 32 * place for place in range((length + 3) // 4)) for length in range(_LONG))
_BITS = tuple((1 << 8 * length) - 1 for length in range(_LONG))


def unmaskByNumbers(payload: bytes, mask: bytes) -> bytes:
    """
    As L{unmask}, for payloads that are short: the mask, times a number whose every 32nd bit is set, is the mask repeated.
    """
    length = len(payload)
    repeated = int.from_bytes(mask, "little") * _REPEATED[length] & _BITS[length]
    return (int.from_bytes(payload, "little") ^ repeated).to_bytes(length, "little")


def unmaskByTables(payload: bytes, mask: bytes) -> bytes:
    """
    As L{unmask}, for payloads of some length.
    """
    plain = bytearray(payload)
    for offset in range(4):
        plain[offset::4] = plain[offset::4].translate(_TABLES[mask[offset]])
    return bytes(plain)


def unmaskInPython(payload: bytes, mask: bytes) -> bytes:
    """
    As L{unmask}, without C.
    """
    return unmaskByNumbers(payload, mask) if len(payload) < _LONG else unmaskByTables(payload, mask)


def _unmasker() -> Unmasker:
    try:
        module: Any = import_module("websockets.speedups")
        inC: Unmasker = module.apply_mask
    except (ImportError, AttributeError):
        return unmaskInPython
    return inC


#: C{unmask(payload, mask)} is the payload without its mask of four bytes.
unmask = _unmasker()
