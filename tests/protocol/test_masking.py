"""
Tests of L{agtwisted.protocol.masking}.
"""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.protocol import masking
from agtwisted.protocol.masking import unmask, unmaskByTables, unmaskLong


def plainly(mask: bytes, payload: bytes) -> bytes:
    """
    @return: what RFC 6455, section 5.3, says, word for word.
    """
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


class MaskingTests(SynchronousTestCase):
    """
    Unmasking, beside a plain implementation of it.
    """

    def test_allLengths(self) -> None:
        """
        Every length up to well beyond the threshold between the two ways, and some long ones, with every alignment.
        """
        random = Random(6455)
        for length in [*range(300), 1023, 1024, 1025, 65535, 65536, 65537]:
            mask, payload = random.randbytes(4), random.randbytes(length)
            for way in (unmask, unmaskLong, unmaskByTables):
                self.assertEqual(way(mask, payload), plainly(mask, payload), (way, length))

    def test_inputIsLeftAlone(self) -> None:
        """
        The bytes that were received are not changed, though the masker in C works in place.
        """
        payload = bytes(range(256)) * 4
        received = payload[:200] + payload[200:]
        unmaskLong(b"abcd", received)
        self.assertEqual(received, payload)

    def test_withoutNative(self) -> None:
        """
        Where Autobahn has come without its masker, or with another one, the tables take its place.
        """

        def absent(name: str) -> None:
            raise ImportError(name)

        for found in (absent, lambda name: object()):
            self.patch(masking, "import_module", found)
            self.assertIsNone(masking._nativeUnmasker())

    def test_specialMasks(self) -> None:
        """
        Masks and payloads of zeros and ones lose no bytes at either end.
        """
        for mask in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\xff", b"\xff\0\0\0"):
            for length in (0, 1, 3, 4, 5, 127, 128, 129, 130, 131):
                for payload in (bytes(length), b"\xff" * length):
                    self.assertEqual(unmask(mask, payload), plainly(mask, payload), (mask, length))

    def test_type(self) -> None:
        """
        The result is bytes on both ways: it can be a key and be decoded.
        """
        for length in (5, 500):
            self.assertIs(type(unmask(b"abcd", bytes(length))), bytes)

    @given(st.binary(min_size=4, max_size=4), st.binary(max_size=600))
    def test_twice(self, mask: bytes, payload: bytes) -> None:
        """
        Masking twice gives back anything.
        """
        self.assertEqual(unmask(mask, unmask(mask, payload)), payload)
