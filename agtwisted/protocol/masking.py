"""
Unmasking what clients send (RFC 6455, section 5.3).

One exclusive-or of big integers is fastest for short payloads; the mask, times a number whose every 32nd bit is set, is
the mask repeated. Longer ones go through the masker in C that comes with Autobahn; calling it costs as much as unmasking
a hundred bytes. Where Autobahn was installed without it, four passes through a translation table take its place.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

#: From this length on the big integers are slower; it is that of 32 masks.
_LONG = 128

#: For each mask byte, what every byte becomes.
_TABLES = tuple(bytes(byte ^ mask for byte in range(256)) for mask in range(256))

#: For each short length: every 32nd bit, and the bits of a payload that is so long.
REPEATED = tuple(sum(1 << 32 * place for place in range((length + 3) // 4)) for length in range(_LONG))
BITS = tuple((1 << 8 * length) - 1 for length in range(_LONG))

#: Bytes as a number; for those who unmask in place.
fromBytes = int.from_bytes


def unmask(mask: bytes, payload: bytes) -> bytes:
    """
    @param mask: four bytes.
    @return: the payload without its mask.
    """
    length = len(payload)
    if length < _LONG:
        repeated = fromBytes(mask, "little") * REPEATED[length] & BITS[length]
        return (fromBytes(payload, "little") ^ repeated).to_bytes(length, "little")
    return unmaskLong(mask, payload)


def unmaskByTables(mask: bytes, payload: bytes) -> bytes:
    """
    As L{unmask}, for payloads of some length.
    """
    plain = bytearray(payload)
    for offset in range(4):
        plain[offset::4] = plain[offset::4].translate(_TABLES[mask[offset]])
    return bytes(plain)


def _nativeUnmasker() -> Callable[[bytes, bytes], bytes] | None:
    """
    @return: as L{unmaskByTables}, in C; C{None} if Autobahn has come without it.
    """
    try:
        masker: Any = import_module("_nvx_xormasker")
        lib, fromBuffer = masker.lib, masker.ffi.from_buffer
        new, process, free = lib.nvx_xormask_new, lib.nvx_xormask_process, lib.nvx_xormask_free
    except (ImportError, AttributeError):
        return None

    def unmaskNatively(mask: bytes, payload: bytes) -> bytes:
        plain = bytearray(payload)
        state = new(mask)
        process(state, fromBuffer(plain), len(plain))
        free(state)
        return bytes(plain)

    return unmaskNatively


unmaskLong = _nativeUnmasker() or unmaskByTables
