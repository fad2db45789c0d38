"""
Tests of L{agtwisted.protocol.masking}.
"""

from __future__ import annotations

from random import Random
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from websockets import speedups

from agtwisted.protocol import masking
from agtwisted.protocol.masking import unmask, unmaskByNumbers, unmaskByTables, unmaskInPython


def plainly(payload: bytes, mask: bytes) -> bytes:
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
        Every length up to well beyond the threshold between the two ways in Python, and some long ones, with every
        alignment.
        """
        random = Random(6455)
        for length in [*range(300), 1023, 1024, 1025, 65535, 65536, 65537]:
            mask, payload = random.randbytes(4), random.randbytes(length)
            for way in (unmask, unmaskInPython, unmaskByTables):
                self.assertEqual(way(payload, mask), plainly(payload, mask), (way, length))

    def test_numbers(self) -> None:
        """
        What numbers unmask does not depend on the tables.
        """
        self.patch(masking, "_TABLES", ())
        self.assertEqual(unmaskInPython(bytes(127), b"abcd"), (b"abcd" * 32)[:127])
        self.assertEqual(unmaskByNumbers(b"", b"abcd"), b"")

    def test_inputIsLeftAlone(self) -> None:
        """
        The bytes that were received are not changed.
        """
        payload = bytes(range(256)) * 4
        received = payload[:200] + payload[200:]
        unmask(received, b"abcd")
        self.assertEqual(received, payload)

    def test_inC(self) -> None:
        """
        The library's masker in C is what unmasks, wherever these tests run.
        """
        self.assertIs(unmask, speedups.apply_mask)

    def test_withoutC(self) -> None:
        """
        Where the library has come without its C, or with another one, Python takes its place.
        """

        def absent(name: str) -> None:
            raise ImportError(name)

        for found in (absent, lambda name: SimpleNamespace()):
            self.patch(masking, "import_module", found)
            self.assertIs(masking._unmasker(), unmaskInPython)

    def test_specialMasks(self) -> None:
        """
        Masks and payloads of zeros and ones lose no bytes at either end.
        """
        for mask in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\xff", b"\xff\0\0\0"):
            for length in (0, 1, 3, 4, 5, 127, 128, 129, 130, 131):
                for payload in (bytes(length), b"\xff" * length):
                    for way in (unmask, unmaskInPython):
                        self.assertEqual(way(payload, mask), plainly(payload, mask), (mask, length))

    def test_type(self) -> None:
        """
        The result is bytes on all ways: it can be a key and be decoded.
        """
        for way in (unmask, unmaskInPython):
            for length in (5, 500):
                self.assertIs(type(way(bytes(length), b"abcd")), bytes)

    @given(st.binary(max_size=600), st.binary(min_size=4, max_size=4))
    def test_twice(self, payload: bytes, mask: bytes) -> None:
        """
        Masking twice gives back anything.
        """
        self.assertEqual(unmask(unmask(payload, mask), mask), payload)
        self.assertEqual(unmaskInPython(unmask(payload, mask), mask), payload)
