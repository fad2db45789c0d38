"""
Tests of L{agtwisted.protocol.wire}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agtwisted.protocol.codecs import JSONCodec
from agtwisted.protocol.wire import Wire


class BinaryCodec:
    """
    A codec that writes bytes for lists and text for everything else.
    """

    def encode(self, value: object) -> str | bytearray:
        """
        @return: what tells what it was.
        """
        return bytearray(value) if isinstance(value, list) else f"<{value}>"

    def decode(self, message: str | bytes) -> object:
        """
        @return: what tells what it came as.
        """
        return (type(message), message)


class WireTests(SynchronousTestCase):
    """
    A codec as the sockets use it.
    """

    def test_textCodec(self) -> None:
        """
        A codec that works on UTF-8 is used so, both ways.
        """
        wire = Wire(JSONCodec())
        self.assertEqual(wire.encode({"a": "é"}), ('{"a":"é"}'.encode(), False))
        self.assertEqual(wire.frame([1]), b"\x81\x03[1]")
        self.assertEqual(wire.decode(b'{"a":1}', False), {"a": 1})
        self.assertEqual(wire.decode(b"[1]", True), wire.codec.decode(b"[1]"))

    def test_anyCodec(self) -> None:
        """
        Any codec with C{encode} and C{decode} will do: text travels in text frames, bytes in binary ones.
        """
        wire = Wire(BinaryCodec())
        self.assertEqual(wire.encode("é"), ("<é>".encode(), False))
        self.assertEqual(wire.encode([1, 2]), (b"\x01\x02", True))
        self.assertIs(type(wire.encode([1])[0]), bytes)
        self.assertEqual(wire.frame(7), b"\x81\x03<7>")
        self.assertEqual(wire.frame([7]), b"\x82\x01\x07")
        self.assertEqual(wire.decode("é".encode(), False), (str, "é"))
        self.assertEqual(wire.decode(b"\xff", True), (bytes, b"\xff"))

    def test_surrogates(self) -> None:
        """
        Text that UTF-8 cannot express is replaced, not refused: the connection goes on.
        """
        self.assertEqual(Wire(BinaryCodec()).encode("\ud800"), (b"<?>", False))

    def test_notUTF8(self) -> None:
        """
        A text message has to be UTF-8, with any codec; a binary one need not.
        """
        codecs: list[Any] = [JSONCodec(), BinaryCodec()]
        for codec in codecs:
            wire = Wire(codec)
            self.assertRaises(UnicodeDecodeError, wire.decode, b'{"a":"\xff"}', False)
            self.assertRaises(UnicodeDecodeError, wire.text, b"\xff", False)
        self.assertEqual(Wire.text(b"\xff", True), b"\xff")
        self.assertEqual(Wire.text("é".encode(), False), "é")

    def test_signal(self) -> None:
        """
        A ping of version 2 is empty with any codec; one of version 1 is a text, which other codecs write their way.
        """
        self.assertEqual(Wire(BinaryCodec()).signal(b""), (b"", False))
        self.assertEqual(Wire(BinaryCodec()).signal(b"#1"), (b"<#1>", False))
        self.assertEqual(Wire(JSONCodec()).signal(b"#1"), (b"#1", False))

    def test_failures(self) -> None:
        """
        What the codec raises comes out as it is.
        """

        class Failing:
            def encode(self, value: object) -> str:
                raise KeyError(value)

            decode = encode

        wire = Wire(Failing())
        self.assertRaises(KeyError, wire.encode, 1)
        self.assertRaises(KeyError, wire.frame, 1)
        self.assertRaises(KeyError, wire.decode, b"1", False)
