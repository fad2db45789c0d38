"""
Tests of L{agtwisted.protocol.frames}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from agtwisted.protocol.frames import BINARY, TEXT, frame, messageOf, textFrame

#: Payload lengths around the three forms of a frame's length, and the bytes that say so (RFC 6455, section 5.2).
LENGTHS = {
    0: b"\x00",
    1: b"\x01",
    125: b"\x7d",
    126: b"\x7e\x00\x7e",
    127: b"\x7e\x00\x7f",
    65535: b"\x7e\xff\xff",
    65536: b"\x7f\x00\x00\x00\x00\x00\x01\x00\x00",
    1048577: b"\x7f\x00\x00\x00\x00\x00\x10\x00\x01",
}


class FrameTests(SynchronousTestCase):
    """
    Frames, byte for byte.
    """

    def test_lengths(self) -> None:
        """
        The length takes one, three or nine bytes, as short as possible.
        """
        for length, written in LENGTHS.items():
            payload = b"x" * length
            self.assertEqual(textFrame(payload), b"\x81" + written + payload, length)
            self.assertEqual(frame(TEXT, payload), b"\x81" + written + payload, length)
            self.assertEqual(frame(BINARY, payload), b"\x82" + written + payload, length)

    def test_messageOf(self) -> None:
        """
        A frame gives back what it was made of.
        """
        for length in (0, 1, 125, 126, 65535, 65536):
            payload = b"x" * length
            self.assertEqual(messageOf(textFrame(payload)), (payload, False))
            self.assertEqual(messageOf(frame(BINARY, payload)), (payload, True))

    def test_compressed(self) -> None:
        """
        A deflated message is marked by the first reserved bit.
        """
        for length, written in LENGTHS.items():
            payload = b"x" * length
            self.assertEqual(frame(TEXT, payload, compressed=True), b"\xc1" + written + payload, length)
        self.assertEqual(frame(BINARY, b"", compressed=True), b"\xc2\x00")
