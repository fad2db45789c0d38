"""
Tests of L{agtwisted.protocol.minbin} and L{agtwisted.protocol.engines}.
"""

from __future__ import annotations

import sys
import tracemalloc
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from math import inf, nan
from types import SimpleNamespace
from typing import Any

import msgpack
from hypothesis import given, settings
from hypothesis import strategies as st
from msgpack import ExtType, Timestamp, fallback, packb
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import AGServer
from agtwisted.errors import InvalidMessageError, InvalidOptionsError
from agtwisted.protocol import minbin
from agtwisted.protocol.codecs import JSONCodec
from agtwisted.protocol.depth import TooDeep, TooMany
from agtwisted.protocol.engines import codecFor
from agtwisted.protocol.minbin import MinBinCodec
from agtwisted.protocol.steps import finish
from agtwisted.protocol.wire import Wire
from agtwisted.tap import Options, makeService
from agtwisted.testing import connect

codec = MinBinCodec()

# The messages are what version 3.0.0 of the npm package makes of the same packets, written in JavaScript:
# Buffer.from(require('sc-codec-min-bin').encode(packet)).toString('hex'), with an ArrayBuffer for bytes.
BOTH_WAYS: list[tuple[object, str]] = [
    (
        {"event": "#handshake", "data": {"authToken": None}, "cid": 1},
        "81a16593aa2368616e647368616b6581a961757468546f6b656ec001",
    ),
    (
        {"event": "#publish", "data": {"channel": "news", "data": {"text": "hello", "n": 1}}},
        "81a17092a46e65777382a474657874a568656c6c6fa16e01",
    ),
    ({"event": "#publish", "data": {"channel": "news", "data": None}, "cid": 7}, "81a17093a46e657773c007"),
    ({"event": "note", "data": "é \U0001f600"}, "81a16592a46e6f7465a7c3a920f09f9880"),
    ({"event": "note", "data": None}, "81a16592a46e6f7465c0"),
    ({"event": "add", "data": [1, 2, 3], "cid": 300}, "81a16593a361646493010203cd012c"),
    (
        {"event": "picture", "data": {"bytes": b"\x00\x01\xff"}, "cid": 70000},
        "81a16593a77069637475726581a56279746573c4030001ffce00011170",
    ),
    ({"rid": 1, "error": None, "data": {"sum": 3.5}}, "81a1729301c081a373756dcb400c000000000000"),
    (
        {"rid": 2, "error": {"name": "Error", "message": "no"}, "data": None},
        "81a172930282a46e616d65a54572726f72a76d657373616765a26e6fc0",
    ),
    ({"event": "odd", "data": True, "cid": 1, "x": False}, "82a178c2a16593a36f6464c301"),
    (
        [
            {"event": "#publish", "data": {"channel": "a", "data": 0}, "cid": 2},
            {"event": "b", "data": -33},
            {"rid": 3, "error": None, "data": -129},
        ],
        "9381a17093a161000281a16592a162d0df81a1729303c0d1ff7f",
    ),
    ("#1", "a22331"),
    ("#2", "a22332"),
    (
        {
            "event": "n",
            "data": [
                *(0, 127, 128, 255, 256, 65535, 65536, 2147483647),
                *(-1, -32, -33, -128, -129, -32768, -32769, -2147483648, 1.5, -0.1),
            ],
        },
        "81a16592a16edc0012007fcc80ccffcd0100cdffffce00010000ce7fffffffffe0d0dfd080d1ff7fd18000d2ffff7fffd280000000"
        "cb3ff8000000000000cbbfb999999999999a",
    ),
]

# Made in the same way, of what has no counterpart in Python or would be written differently by it.
FROM_JAVASCRIPT: list[tuple[str, str, object]] = [
    ("{event:'x'}", "81a16592a178c0", {"event": "x", "data": None}),
    ("{rid:1}", "81a1729301c0c0", {"rid": 1, "error": None, "data": None}),
    ("{event:'x',data:undefined,cid:2}", "81a16593a178c002", {"event": "x", "data": None, "cid": 2}),
    ("{event:'x',data:new Date(0)}", "81a16592a17880", {"event": "x", "data": {}}),
    ("{event:'x',data:Buffer.from([7,8])}", "81a16592a17882a13007a13108", {"event": "x", "data": {"0": 7, "1": 8}}),
    ("{event:'x',data:new Uint8Array([7,8])}", "81a16592a17882a13007a13108", {"event": "x", "data": {"0": 7, "1": 8}}),
    ("{event:'x',data:4294967296}", "81a16592a178cb41f0000000000000", {"event": "x", "data": 2**32}),
    ("{event:'x',data:Number.MAX_SAFE_INTEGER}", "81a16592a178cb433fffffffffffff", {"event": "x", "data": 2**53 - 1}),
    ("{event:'x',data:Infinity}", "81a16592a178cb7ff0000000000000", {"event": "x", "data": inf}),
    ("{event:'x',data:'a\\ud800'}", "81a16592a178a461efbfbd", {"event": "x", "data": "a\ufffd"}),
    (
        "{event:'x',data:{f(){},u:undefined}}",
        "81a16592a17882a166c0a175c0",
        {"event": "x", "data": {"f": None, "u": None}},
    ),
    (
        "{event:'#publish',data:null,cid:3}",
        "81a16593a8237075626c697368c003",
        {"event": "#publish", "data": None, "cid": 3},
    ),
    ("{a:1}", "81a16101", {"a": 1}),
    # The same batch as version 2.0.0 of the package writes it.
    (
        "[{event:'#publish',data:{channel:'c',data:1},cid:2},{event:'e',data:1},{rid:1}]",
        "9383a56576656e74a8237075626c697368a46461746182a76368616e6e656ca163a46461746101a363696402"
        "82a56576656e74a165a4646174610181a372696401",
        [{"event": "#publish", "data": {"channel": "c", "data": 1}, "cid": 2}, {"event": "e", "data": 1}, {"rid": 1}],
    ),
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\ud800\udfff"))
    | st.binary()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner, max_size=20), max_leaves=40
)
callIds = st.integers(1, 2**53)
packets = (
    st.fixed_dictionaries({"event": st.text(), "data": values}, optional={"cid": callIds})
    | st.fixed_dictionaries(
        {"event": st.just("#publish"), "data": st.fixed_dictionaries({"channel": st.text(), "data": values})},
        optional={"cid": callIds},
    )
    | st.fixed_dictionaries({"rid": callIds, "error": values, "data": values})
)


class Colour(Enum):
    """A text that is a member of an enumeration."""

    RED = "red"


@dataclass
class Point:
    """A record."""

    x: int


class VectorTests(SynchronousTestCase):
    """
    Messages are those of the npm package.
    """

    def test_bothWays(self) -> None:
        """
        A packet becomes the very bytes that the package makes of it, and those become the packet.
        """
        for packet, message in BOTH_WAYS:
            self.assertEqual(codec.encode(packet).hex(), message)
            self.assertEqual(codec.decode(bytes.fromhex(message)), packet)

    def test_fromJavaScript(self) -> None:
        """
        What only JavaScript writes is read as what it stands for.
        """
        for source, message, packet in FROM_JAVASCRIPT:
            self.assertEqual(codec.decode(bytes.fromhex(message)), packet, source)

    def test_noData(self) -> None:
        """
        A packet without data, or a response without an error, is written with C{nil} in their place.
        """
        self.assertEqual(codec.encode({"event": "x"}).hex(), "81a16592a178c0")
        self.assertEqual(codec.encode({"event": "x", "cid": 2}).hex(), "81a16593a178c002")
        self.assertEqual(codec.encode({"rid": 1}).hex(), "81a1729301c0c0")

    def test_publicationWithoutChannel(self) -> None:
        """
        What is published like this is not one, so it is written as any other event and nothing of it is lost.
        """
        packet = {"event": "#publish", "data": "text", "cid": 3}
        self.assertEqual(codec.encode(packet).hex(), "81a16593a8237075626c697368a47465787403")
        self.assertEqual(codec.decode(codec.encode(packet)), packet)

    def test_fullBatches(self) -> None:
        """
        For version 2 of the package, packets in batches are written in full, others in short.
        """
        batch = [{"event": "e", "data": 1}, {"rid": 1}]
        full = MinBinCodec(shortenBatches=False)
        self.assertEqual(full.encode(batch).hex(), "9282a56576656e74a165a4646174610181a372696401")
        self.assertEqual(full.encode({"rid": 1}).hex(), "81a1729301c0c0")
        self.assertEqual(full.decode(full.encode(batch)), batch)

    def test_inputIsKept(self) -> None:
        """
        Encoding changes neither a packet nor a batch, which may be sent again.
        """
        batch = [{"event": "e", "data": [1], "cid": 4}]
        codec.encode(batch)
        codec.encode(batch[0])
        self.assertEqual(batch, [{"event": "e", "data": [1], "cid": 4}])


class ValueTests(SynchronousTestCase):
    """
    Python's values have a form that JavaScript can read, and the other way round.
    """

    def roundTrip(self, data: object) -> Any:
        """
        @return: C{data} after it has been sent.
        """
        packet: Any = codec.decode(codec.encode({"event": "x", "data": data}))
        self.assertEqual(packet["event"], "x")
        return packet["data"]

    @settings(max_examples=200, deadline=None)
    @given(packets)
    def test_packets(self, packet: dict[str, object]) -> None:
        """
        Packets survive, alone and in a batch, whatever their data.
        """
        self.assertEqual(codec.decode(codec.encode(packet)), packet)
        self.assertEqual(codec.decode(codec.encode([packet, packet])), [packet, packet])

    def test_binary(self) -> None:
        """
        All kinds of binary values arrive as bytes.
        """
        for binary in (b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00\xff")):
            self.assertEqual(self.roundTrip(binary), b"\x00\xff")
            self.assertIs(type(self.roundTrip(binary)), bytes)

    def test_otherTypes(self) -> None:
        """
        What MessagePack has no type for is written as it is in JSON.
        """
        moment = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
        data = [moment, Colour.RED, Point(1), (1, 2)]
        self.assertEqual(self.roundTrip(data), ["2026-01-02T03:04:05.678Z", "red", {"x": 1}, [1, 2]])

    def test_hugeIntegers(self) -> None:
        """
        Whole numbers beyond 64 bits become what JavaScript takes them for.
        """
        self.assertEqual(self.roundTrip([2**64 - 1, -(2**63)]), [2**64 - 1, -(2**63)])
        self.assertEqual(self.roundTrip([2**70, -(2**70), 10**400, -(10**400)]), [2.0**70, -(2.0**70), inf, -inf])

    def test_notANumber(self) -> None:
        """
        C{NaN} is a number here.
        """
        self.assertNotEqual(self.roundTrip(nan), self.roundTrip(nan))

    def test_loneSurrogates(self) -> None:
        """
        Lone surrogates survive; the npm package reads C{ed a0 80} as one as well.
        """
        self.assertEqual(self.roundTrip("a\ud800"), "a\ud800")
        self.assertEqual(codec.encode("\ud800").hex(), "a3eda080")

    def test_extensions(self) -> None:
        """
        Extension types survive as what the library has for them.
        """
        for data in (ExtType(5, b"abc"), ExtType(127, b""), Timestamp(1, 2)):
            self.assertEqual(self.roundTrip(data), data)

    def test_formless(self) -> None:
        """
        A value without a form is refused, and the codec works on.
        """
        loop: list[object] = []
        loop.append(loop)
        self.assertRaises(TypeError, codec.encode, {"event": "x", "data": object()})
        self.assertRaises(TypeError, codec.encode, {"event": "x", "data": {1, 2}})
        self.assertRaises(ValueError, codec.encode, {"event": "x", "data": loop})
        self.assertEqual(self.roundTrip(1), 1)

    def test_otherKeys(self) -> None:
        """
        Keys that are no texts arrive as the names that they have in JavaScript, at any depth.
        """
        message = packb({"e": ["x", {1: "a", 1.5: {None: True, False: 0}, 2**60: 1}]})
        expected = {"1": "a", "1.5": {"null": True, "false": 0}, str(2**60): 1}
        self.assertEqual(codec.decode(message), {"event": "x", "data": expected})


class HostileTests(SynchronousTestCase):
    """
    Rubbish is refused in one way, quickly, and without much memory.
    """

    def assertRefused(self, message: bytes | str) -> None:
        """
        A message is refused.
        """
        self.assertRaises(InvalidMessageError, codec.decode, message)

    def test_rubbish(self) -> None:
        """
        Messages that are no MessagePack, or that make the npm package fail, are refused.
        """
        unreadable = "c1 92 9201 81 81a1 a5aa c4 c403aa cb00 d7ff d5ff0000 c7ff d7ffffffffffffffffff"
        for message in ["", *unreadable.split(), "c0", "91c0", "92c081a16101"]:
            self.assertRefused(bytes.fromhex(message))

    def test_text(self) -> None:
        """
        Text is no message.
        """
        for text in ("", "#1", "hello", '{"event":"x"}'):
            self.assertRefused(text)

    def test_rawValues(self) -> None:
        """
        Other values than packets are what they are; what follows a value is ignored.
        """
        for message, value in [("0102", 1), ("c2", False), ("d405aa", ExtType(5, b"\xaa")), ("9101", [1]), ("90", [])]:
            self.assertEqual(codec.decode(bytes.fromhex(message)), value)

    def test_oddShortForms(self) -> None:
        """
        Short forms with too little in them are filled up; what is no list is no short form.
        """
        for message, packet in [
            ({"e": []}, {"event": None, "data": None}),
            ({"e": ["x"]}, {"event": "x", "data": None}),
            ({"e": ["x", 1, None]}, {"event": "x", "data": 1}),
            ({"e": ["x", 1, 2, 3, 4]}, {"event": "x", "data": 1, "cid": 2}),
            ({"p": []}, {"event": "#publish", "data": {"channel": None, "data": None}}),
            ({"p": ["c", 1, 2, 3]}, {"event": "#publish", "data": {"channel": "c", "data": 1}, "cid": 2}),
            ({"r": [1]}, {"rid": 1, "error": None, "data": None}),
            ({"e": 5}, {"e": 5}),
            ({"e": "abc", "p": {}, "r": True}, {"e": "abc", "p": {}, "r": True}),
            ({"e": None}, {"e": None}),
        ]:
            self.assertEqual(codec.decode(packb(message)), packet)
            self.assertEqual(codec.decode(packb([message])), [packet])

    def test_invalidUTF8(self) -> None:
        """
        Text that is not UTF-8 is read as far as it goes, as the npm package does; so is what follows the message.
        """
        self.assertEqual(codec.decode(bytes.fromhex("a3fffe61")), "\ufffd\ufffda")
        self.assertEqual(codec.decode(bytes.fromhex("81a16592a178a2fffe")), {"event": "x", "data": "\ufffd\ufffd"})
        self.assertEqual(codec.decode(bytes.fromhex("a1ff00")), "\ufffd")

    def test_strangeKeys(self) -> None:
        """
        Keys that no JavaScript program would send are refused.
        """
        for message in ("819101c0", "818001", "8101819101c0"):
            self.assertRefused(bytes.fromhex(message))

    def test_nesting(self) -> None:
        """
        What is nested deeper than the library's stack is refused, short of it read.
        """
        for opening in (b"\x91", b"\x81\xa1a", b"\xdc\x00\x01", b"\xdd\x00\x00\x00\x01"):
            self.assertRefused(opening * 100_000 + b"\xc0")
        self.assertIsInstance(codec.decode(b"\x91" * 500 + b"\x01"), list)

    def test_hugeLengths(self) -> None:
        """
        Lengths are not believed: neither those of one value nor those of a thousand in each other, which add up.
        """
        declared = (b"\xdd" + (1_000_000).to_bytes(4, "big")) * 1000
        messages = [
            *(bytes([first]) + b"\xff" * 4 for first in (0xC6, 0xC9, 0xDB, 0xDD, 0xDF)),
            declared + b"\xc0" * 1_000_000,
            b"\xdd\x00\x00\x13\x00" * 1000 + b"\xc0" * 300,
            b"\xdc\xff\xff" * 1000 + b"\xc0" * 70_000,
        ]
        for message in messages:
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            self.assertRefused(message)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertLess(peak, 4 * len(message) + 1_000_000)

    def test_largeMessages(self) -> None:
        """
        Large messages that are honest are read, whatever bytes there are in them.
        """
        for data in (b"\xdc\xdd" * 100_000, list(range(100_000)), [[0] * 20] * 10_000, "\u0700\u0740" * 50_000):
            packet = {"event": "x", "data": data}
            self.assertEqual(codec.decode(codec.encode(packet)), packet)

    def test_limits(self) -> None:
        """
        A message that holds as much as it may is read, one with one more thing in it is not. What is in texts and binary
        values does not count, nor do numbers; names that are no texts do.
        """
        moment, extension = Timestamp(1), ExtType(5, b"a")
        look = b"\x90\x80\xd6\xff\xd4\xdc" * 100
        surrogate = packb(["\udc00", *[[]] * 11], unicode_errors="surrogatepass")
        for holds, data in [
            (12, [[] for _ in range(11)]),
            (12, [{"a": 5} for _ in range(11)]),
            (23, [extension] * 11),
            (23, [moment] * 11),
            (23, [Timestamp(2**33, 5)] * 11),
            (23, [Timestamp(2**40, 5)] * 11),
            (12, dict.fromkeys(range(11), 0)),
            (8, [[extension, [moment, {}]]]),
            (1, [look, 5, "\u0700\u0740" * 50]),
        ]:
            message = packb(data)
            self.assertEqual(codec.decodeWithin(message, None, holds), codec.decode(message))
            self.assertEqual(codec.decodeWithin(message + look[:6], 4, holds), codec.decode(message))
            self.assertRaises(TooMany, codec.decodeWithin, message + b"\xc0" * 50, None, holds - 1 or -1)
        self.assertRaises(TooMany, codec.decodeWithin, surrogate, None, 11)
        self.assertRaises(InvalidMessageError, codec.decodeWithin, packb([moment] * 11)[:-1], None, 22)
        for odd in (packb({5: b"a" * 35}), b"\x92\xa1\xff" + packb(b"a" * 35)):
            self.assertEqual(codec.decodeWithin(odd, None, 5), codec.decode(odd))
            self.assertRaises(TooMany, codec.decodeWithin, odd, None, 4)
        self.assertEqual(codec.decodeWithin(packb([[[look]]]), 3, 3), [[[look]]])
        self.assertRaises(TooDeep, codec.decodeWithin, packb([[[look]]]), 2, 3)

    @settings(max_examples=500, deadline=None)
    @given(st.binary(max_size=200) | packets.map(lambda packet: codec.encode(packet)[:-1]))
    def test_anything(self, message: bytes) -> None:
        """
        Any bytes are read or refused, and nothing else happens.
        """
        try:
            codec.decode(message)
        except InvalidMessageError as error:
            self.assertNotEqual(error.message, "")


class StepTests(SynchronousTestCase):
    """
    Long messages are read step by step.
    """

    def inSteps(self, message: bytes, portion: int, *limits: int | None) -> tuple[object, int]:
        """
        @param portion: bytes for each step.
        @return: what is read or raised, and how many steps it took.
        """
        reader = MinBinCodec()
        reader._reader._portion = portion
        steps = 0
        try:
            reading = reader.decodeGradually(message, *(limits or (None, None)))
            while True:
                next(reading)
                steps += 1
        except StopIteration as end:
            return end.value, steps
        except (InvalidMessageError, TooDeep, TooMany) as error:
            return type(error), steps

    def atOnce(self, message: bytes, *limits: int | None) -> object:
        """
        @return: what is read or raised.
        """
        try:
            return codec.decodeWithin(message, *(limits or (None, None)))
        except (InvalidMessageError, TooDeep, TooMany) as error:
            return type(error)

    @settings(max_examples=300, deadline=None)
    @given(
        packets.map(codec.encode) | st.lists(packets).map(codec.encode) | st.binary(max_size=200),
        st.integers(1, 40),
        st.sampled_from([None, 2, 5]),
        st.sampled_from([None, 3, 10]),
    )
    def test_same(self, message: bytes, portion: int, maxDepth: int | None, maxContainers: int | None) -> None:
        """
        Wherever a message is cut, the same is read or refused.
        """
        expected = self.atOnce(message, maxDepth, maxContainers)
        found, _ = self.inSteps(message, portion, maxDepth, maxContainers)
        # What is no number is not equal to itself.
        self.assertEqual(repr(found), repr(expected))

    def test_short(self) -> None:
        """
        No step has much to do, whatever a long message is made of.
        """
        count = 1 << 18
        head = count.to_bytes(4, "big")
        names = b"".join(b"\xa6%06d\xc2" % number for number in range(count // 8))
        for message in (
            b"\xdd" + head + b"\xe0" * count,
            b"\xdd" + head + b"\xa0" * count,
            b"\xdd" + head + b"\x90" * 300 + b"\xe0" * (count - 300),
            b"\xdf" + (count // 8).to_bytes(4, "big") + names,
            b"\xc6" + head + b"\x00" * count,
        ):
            value, steps = self.inSteps(message, 1 << 14, 256, 32768)
            self.assertEqual(value, codec.decodeWithin(message, 256, 32768))
            self.assertGreaterEqual(steps, 16)

    def test_hostile(self) -> None:
        """
        What is refused is refused as soon as it shows.
        """
        for message, error, most in (
            (b"\xdd\x00\x04\x00\x00" + b"\x90" * 2**18, TooMany, 3),
            (b"\xdd\x00\x04\x00\x00" + b"\xc1" * 2**18, InvalidMessageError, 1),
            (b"\xdd\x00\x04\x00\x00" + b"\xe0" * (2**18 - 1), InvalidMessageError, 40),
        ):
            found, steps = self.inSteps(message, 1 << 14, 256, 40_000)
            self.assertEqual(found, error)
            self.assertLessEqual(steps, most)

    def test_pure(self) -> None:
        """
        Where the library is pure Python, which would begin again for each part, a message is read at once.
        """
        library = SimpleNamespace(**{**vars(msgpack), "Unpacker": fallback.Unpacker, "unpackb": unpackbInPython})
        self.patch(minbin, "import_module", lambda name: library)
        message = codec.encode({"event": "x", "data": [{"a": [number]} for number in range(12_000)]})
        self.assertGreater(len(message), 65536)
        reading = MinBinCodec().decodeGradually(message, None, 24_003)
        self.assertEqual(finish(reading), codec.decode(message))


def unpackbInPython(message: bytes, **options: Any) -> object:
    """
    As C{msgpack.unpackb}, in pure Python.
    """
    unpacker = fallback.Unpacker(None, max_buffer_size=len(message), **options)
    unpacker.feed(message)
    return unpacker._unpack()


class EngineTests(SynchronousTestCase):
    """
    The option C{codecEngine}.
    """

    def test_names(self) -> None:
        """
        A codec is known by its name, none is JSON, and an object is what it is.
        """
        self.assertIsInstance(codecFor("minBin"), MinBinCodec)
        self.assertIsInstance(codecFor("json"), JSONCodec)
        self.assertIsInstance(codecFor(None), JSONCodec)
        self.assertIs(codecFor(codec), codec)

    def test_unknownName(self) -> None:
        """
        Another name is refused when the server is made, with the names that there are.
        """
        error = self.assertRaises(InvalidOptionsError, AGServer, codecEngine="minbin")
        self.assertIn("json, minBin", str(error))

    def test_missingPackage(self) -> None:
        """
        Without the package it needs, the codec says which extra brings it.
        """
        self.addCleanup(sys.modules.__setitem__, "msgpack", sys.modules["msgpack"])
        sys.modules["msgpack"] = None  # type: ignore[assignment]
        error = self.assertRaises(InvalidOptionsError, AGServer, codecEngine="minBin")
        self.assertIn("agtwisted[msgpack]", str(error))
        self.assertRaises(ImportError, MinBinCodec)

    def test_server(self) -> None:
        """
        The option and C{setCodecEngine} take names, and tell the broker.
        """
        server = AGServer(codecEngine="minBin")
        self.assertIsInstance(server.codec, MinBinCodec)
        server.setCodecEngine("json")
        self.assertIsInstance(server.codec, JSONCodec)
        server.setCodecEngine(codec)
        self.assertIs(server.codec, codec)

    def test_commandLine(self) -> None:
        """
        The command line takes the names, and refuses others before anything is started.
        """
        options = Options()
        options.parseOptions(["--codec-engine", "minBin"])
        self.assertEqual(options["serverOptions"], {"codecEngine": "minBin"})
        self.assertRaises(UsageError, Options().parseOptions, ["--codec-engine", "xml"])

    def test_consolePage(self) -> None:
        """
        The page to try a server out with speaks JSON, and is not served where the codec is another.
        """
        for codecEngine, isServed in (("json", True), ("minBin", False)):
            options = Options()
            options.parseOptions(["--codec-engine", codecEngine])
            site: Any = makeService(options).server.httpServer  # type: ignore[attr-defined]
            self.assertEqual(b"console" in site.resource._behind.listStaticNames(), isServed)

    def test_pings(self) -> None:
        """
        The ping of version 2 is an empty text with any codec; that of version 1 is a text that goes through it.
        """
        self.assertEqual(Wire(codec).signal(b""), (b"", False))
        self.assertEqual(Wire(codec).signal(b"#1"), (b"\xa2#1", True))
        self.assertEqual(Wire(JSONCodec()).signal(b"#1"), (b"#1", False))


class ServerTests(SynchronousTestCase):
    """
    A server with the codec.
    """

    def serve(self, **options: Any) -> tuple[Any, list[Any], list[Any]]:
        """
        @return: a client of a server, and what the server's socket emits as errors and as raw messages.
        """
        self.clock = Clock()
        server = AGServer(self.clock, codecEngine="minBin", **options)
        client = connect(server)
        errors: list[Any] = []
        raw: list[Any] = []

        async def listen(stream: Any, seen: list[Any]) -> None:
            async for event in stream:
                seen.append(event)

        Deferred.fromCoroutine(listen(client.socket.listener("error"), errors))
        Deferred.fromCoroutine(listen(client.socket.listener("raw"), raw))
        return client, errors, raw

    def test_publishing(self) -> None:
        """
        A binary publication passes the server.
        """
        client, errors, raw = self.serve()
        client.subscribe("news")
        self.assertIsNone(self.successResultOf(client.publish("news", {"bytes": b"\x00\xff"})))
        self.assertEqual(client.publications("news"), [{"bytes": b"\x00\xff"}])
        self.assertEqual((errors, raw), ([], []))

    def test_rubbish(self) -> None:
        """
        Rubbish is an error of the socket, whether text or binary, and leaves the connection as it is.
        """
        client, errors, raw = self.serve()
        client.send(b"\xc1", "text", b"")
        client.settle()
        self.assertEqual([event.error.name for event in errors], ["InvalidMessageError"] * 3)
        self.assertEqual((raw, client.socket.state), ([], "open"))

    def test_raw(self) -> None:
        """
        What is no packet is a raw message, as it came.
        """
        client, errors, raw = self.serve()
        client.send(b"\x05", b"\xa2#2", b"\x81\xa1a\x01")
        client.settle()
        self.assertEqual([event.message for event in raw], [b"\x05", b"\xa2#2", b"\x81\xa1a\x01"])
        self.assertEqual(errors, [])

    def test_rubbishBeforeHandshake(self) -> None:
        """
        Rubbish before the handshake ends the connection, as anything else does.
        """
        for message in (b"\xc1", b"\x05", "text"):
            client = connect(AGServer(Clock(), codecEngine="minBin"), handshake=False)
            client.send(message)
            client.settle()
            self.assertEqual(client.closeCode, 4009)

    def test_pongOfVersion1(self) -> None:
        """
        A pong of version 1 that came through the codec is no raw message; nor is one that went round it, as clients
        from 15 on send it in version 1.
        """
        client, errors, raw = self.serve(protocolVersion=1)
        client.send(b"\xa2#2", "#2")
        client.settle()
        self.assertEqual((errors, raw), ([], []))

    def test_pings(self) -> None:
        """
        Clients of both versions answer the pings of their version, and nothing of it reaches the application.
        """
        for version in (1, 2):
            client, errors, raw = self.serve(protocolVersion=version)
            self.clock.pump([8.1, 8.1])
            self.assertEqual((client.pingCount, errors, raw), (2, [], []))
            self.assertEqual(client.socket.state, "open")

    def test_pongShowsVersion(self) -> None:
        """
        A server of both versions takes such a pong for a sign of version 1, and the empty text for one of version 2.
        """
        for pong, version in ((b"\xa2#2", 1), ("", 2)):
            client, errors, raw = self.serve(protocolVersion="auto")
            client.send(pong)
            client.settle()
            self.assertEqual((client.socket.protocolVersion, errors, raw), (version, [], []))
