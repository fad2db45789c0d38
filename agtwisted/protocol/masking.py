"""
Unmasking what clients send (RFC 6455, section 5.3), without an extension module.

One exclusive-or of big integers is fastest for short payloads; from about a hundred bytes on, four passes through a
translation table are.
"""

from __future__ import annotations

#: From this length on the tables are faster; it is that of 32 masks.
_TABLES_FROM = 128

_fromBytes = int.from_bytes

#: For each mask byte, what every byte becomes.
_TABLES = tuple(bytes(byte ^ mask for byte in range(256)) for mask in range(256))


def unmask(mask: bytes, payload: bytes) -> bytes:
    """
    @param mask: four bytes.
    @return: the payload without its mask.
    """
    length = len(payload)
    if length < _TABLES_FROM:
        repeated = _fromBytes((mask * 32)[:length], "little")
        return (_fromBytes(payload, "little") ^ repeated).to_bytes(length, "little")
    plain = bytearray(payload)
    for offset in range(4):
        plain[offset::4] = plain[offset::4].translate(_TABLES[mask[offset]])
    return bytes(plain)
