"""
Tests of L{agtwisted.protocol.codecs}.
"""

from __future__ import annotations

import json
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.protocol.codecs import JSONCodec

codec = JSONCodec()

# A reason to leave the fast path: no C library writes it.
SURROGATE = "\ud800"

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.text(st.characters(categories=["Cs"]) | st.sampled_from('a"\\\u2028\U0001f600'))
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


class Kind(StrEnum):
    """A text that is a member of an enumeration."""

    ONE = "one"


class Share(float):
    """A number of a kind of its own."""


class Label(str):
    """A text of a kind of its own."""


Pair = namedtuple("Pair", "left right")


@dataclass
class Point:
    """A record; its private field stays here."""

    x: int
    _cache: int = 0


def nested(depth: int) -> list[object]:
    """
    @return: Lists in each other.
    """
    value: list[object] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def joinSurrogates(text: str) -> str:
    """
    @return: A text in which surrogates that make a pair are the character they stand for, as JavaScript sees them.
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


class EncodeTests(SynchronousTestCase):
    """
    Values become the text that JavaScript would make.
    """

    def assertForm(self, value: object, text: str) -> None:
        """
        A value has this form on the fast path and, next to something that only the slower one can write, there.
        """
        self.assertEqual(codec.encode(value), text)
        self.assertEqual(codec.encodeUTF8(value), text.encode("utf-8"))
        self.assertEqual(codec.encode([SURROGATE, value]), f'["\\ud800",{text}]')

    def test_scalars(self) -> None:
        """
        Scalars are written compactly; numbers that are none become C{null}.
        """
        cases = [
            (None, "null"),
            (True, "true"),
            (False, "false"),
            (0, "0"),
            (-5, "-5"),
            (2**53 + 1, "9007199254740993"),
            (2**64, "18446744073709551616"),
            (-(2**70), "-1180591620717411303424"),
            (1.5, "1.5"),
            (float("nan"), "null"),
            (float("inf"), "null"),
            (float("-inf"), "null"),
            ("", '""'),
            ('"\\/\b\f\n\r\t\x00\x1f\x7f', '"\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f"'),
            ("é\u2028\u2029\U0001f600", '"é\u2028\u2029\U0001f600"'),
        ]
        for value, text in cases:
            self.assertForm(value, text)

    def test_containers(self) -> None:
        """
        There are no spaces; tuples are arrays; the order of members is kept.
        """
        cases: list[tuple[object, str]] = [
            ({}, "{}"),
            ([], "[]"),
            ({"b": 1, "a": [1, {"c": None}, []]}, '{"b":1,"a":[1,{"c":null},[]]}'),
            ((1, (2,), ()), "[1,[2],[]]"),
            (Pair(1, [2]), "[1,[2]]"),
            (OrderedDict(a=1), '{"a":1}'),
        ]
        for value, text in cases:
            self.assertForm(value, text)

    def test_binary(self) -> None:
        """
        Binary values are wrapped as the reference wraps them, wherever they stand.
        """
        form = '{"base64":true,"data":"AP8="}'
        for value in (b"\x00\xff", bytearray(b"\x00\xff"), memoryview(b"\x00\xff")):
            self.assertForm(value, form)
            self.assertForm({"data": [value]}, f'{{"data":[{form}]}}')

    def test_objects(self) -> None:
        """
        Values of some common kinds have a sensible form.
        """
        cases = [
            (datetime(2020, 1, 2, 3, 4, 5, 678999, UTC), '"2020-01-02T03:04:05.678Z"'),
            (date(2020, 1, 2), '"2020-01-02"'),
            (time(3, 4), '"03:04:00"'),
            (Kind.ONE, '"one"'),
            (Share(0.5), "0.5"),
            (Label("l"), '"l"'),
            (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
            (Point(3), '{"x":3}'),
        ]
        for value, text in cases:
            self.assertForm(value, text)

    def test_keys(self) -> None:
        """
        Keys that are no texts are written as JavaScript names members.
        """
        keys: list[tuple[object, str]] = [
            (1, "1"),
            (-(2**70), "-1180591620717411303424"),
            (True, "true"),
            (False, "false"),
            (None, "null"),
            (1.0, "1"),
            (-0.0, "0"),
            (0.5, "0.5"),
            (1e-5, "0.00001"),
            (1e-7, "1e-7"),
            (1.5e-10, "1.5e-10"),
            (1e16, "10000000000000000"),
            (1.5e300, "1.5e+300"),
            (1e21, "1e+21"),
            (float("nan"), "NaN"),
            (float("inf"), "Infinity"),
            (float("-inf"), "-Infinity"),
            (Kind.ONE, "one"),
            (Label("l"), "l"),
        ]
        for key, name in keys:
            self.assertEqual(codec.encode({key: 0}), f'{{"{name}":0}}')

    def test_surrogates(self) -> None:
        """
        Lone surrogates are escaped in texts and keys; a pair of them stands for its character.
        """
        self.assertEqual(codec.encodeUTF8({SURROGATE: ["é\udfff"]}), '{"\\ud800":["é\\udfff"]}'.encode())
        self.assertEqual(json.loads(codec.encode(["\ud83d\ude00"])), ["\U0001f600"])

    def test_heartbeat(self) -> None:
        """
        The ping and pong of the first protocol stay as they are; other texts are JSON.
        """
        self.assertEqual([codec.encode(text) for text in ("#1", "#2", "#3")], ["#1", "#2", '"#3"'])
        self.assertEqual([codec.encodeUTF8(text) for text in ("#1", "#2", "#3")], [b"#1", b"#2", b'"#3"'])

    def test_unknown(self) -> None:
        """
        What has no form is refused by the name of its type, on both paths.
        """
        cases: list[tuple[object, str]] = [
            ({1, 2}, "A value of type set has no form in JSON"),
            (object(), "A value of type object has no form in JSON"),
            (Point, "A value of type type has no form in JSON"),
            ({(1, 2): 3}, "A key of type tuple has no form in JSON"),
        ]
        for value, text in cases:
            for whole in (value, {"deep": [value]}, [SURROGATE, value]):
                error = self.assertRaises(TypeError, codec.encode, whole)
                self.assertEqual(str(error), text)

    def test_depth(self) -> None:
        """
        Values as deep as can be read, and somewhat deeper, are written; absurd ones are refused.
        """
        self.assertEqual(codec.encode(nested(2048)), "[" * 2048 + "]" * 2048)
        error = self.assertRaises(ValueError, codec.encode, nested(2049))
        self.assertIn("deeper than 2048", str(error))
        self.assertRaises(ValueError, codec.encodeUTF8, nested(10_000))

    def test_circular(self) -> None:
        """
        A value that contains itself is refused; one that is merely there twice is not.
        """
        loop: dict[str, object] = {}
        loop["list"] = [1, loop]
        error = self.assertRaises(ValueError, codec.encode, loop)
        self.assertIn("contains itself", str(error))
        twice = [SURROGATE]
        self.assertEqual(codec.encode([twice, twice]), '[["\\ud800"],["\\ud800"]]')


class DecodeTests(SynchronousTestCase):
    """
    Messages become the values that JavaScript would read.
    """

    def assertValue(self, text: str, value: object) -> None:
        """
        A message reads like this from text and from bytes.
        """
        results = [codec.decode(text), codec.decode(text.encode()), codec.decodeUTF8(text.encode())]
        # As text, because NaN and the kinds of number compare oddly.
        self.assertEqual([repr(result) for result in results], [repr(value)] * 3)

    def test_json(self) -> None:
        """
        Objects and arrays are read, with JSON's white space around them.
        """
        cases: list[tuple[str, object]] = [
            ("{}", {}),
            (' \n\r\t{"a": [1, 2.5, true, false, null, "x"]}\n', {"a": [1, 2.5, True, False, None, "x"]}),
            ('{"a":1,"a":2}', {"a": 2}),
            ('{"__proto__":{"x":1}}', {"__proto__": {"x": 1}}),
            ('["\\u2028\\/\\ud83d\\ude00\\u0000"]', ["\u2028/\U0001f600\x00"]),
            ('["\x7f\u2028"]', ["\x7f\u2028"]),
        ]
        for text, value in cases:
            self.assertValue(text, value)

    def test_surrogates(self) -> None:
        """
        Escapes of lone surrogates are read, in texts and keys.
        """
        self.assertValue('{"\\uD800":["\\udfff\\ud83d"]}', {"\ud800": ["\udfff\ud83d"]})

    def test_numbers(self) -> None:
        """
        Large numbers are read as well as can be; what no double holds is infinite.
        """
        self.assertValue("[9007199254740993,18446744073709551615]", [9007199254740993, 18446744073709551615])
        self.assertValue("[1e400,-1e400,1e-400]", [float("inf"), float("-inf"), 0.0])
        self.assertEqual(codec.decode("[18446744073709551616]"), [2**64])
        self.assertValue(f"[7,1.5,{'1' * 5000},-{'1' * 5000}]", [7, 1.5, float("inf"), float("-inf")])

    def test_raw(self) -> None:
        """
        What is no object or array stays text: scalars, pings, what is not JSON.
        """
        cases = ["", "#1", "#2", "text", "1", "true", "null", '"text"', " 5", "\ufeff[]", "\x0b[]", "\xa0{}"]
        cases += ["{", "[1,]", "[NaN]", "[Infinity]", "[-Infinity]", '["\n"]', "{'a':1}", "[01]", "[1.]", "[] []"]
        cases += ['["\\ud800",]', '["\\ud800",NaN]', '["\\x41"]', '["\\u00g0"]', "[+1]", "[.5]", "[0x10]"]
        for text in cases:
            self.assertValue(text, text)

    def test_nothing(self) -> None:
        """
        No message has no value.
        """
        self.assertIsNone(codec.decode(None))

    def test_depth(self) -> None:
        """
        A message as deep as anyone needs is read. An absurd one does no harm: it is either read or stays text.
        """
        readable = b"[" * 1000 + b"]" * 1000
        self.assertEqual(codec.encodeUTF8(codec.decodeUTF8(readable)), readable)
        for text in ("[" * 10_000 + "]" * 10_000, "[" * 1_000_000, '{"a":' * 10_000 + "1" + "}" * 10_000):
            for result in (codec.decode(text), codec.decodeUTF8(text.encode())):
                self.assertIn(type(result), (str, list, dict))

    def test_invalidUTF8(self) -> None:
        """
        Bytes that are not UTF-8 are an error for the connection, and replaced by C{decode}.
        """
        for payload in (b'{"a":"\xff"}', b"\xff", b'["\xed\xa0\x80"]', b"text\xc3"):
            self.assertRaises(UnicodeDecodeError, codec.decodeUTF8, payload)
        self.assertEqual(codec.decode(b'{"a":"\xff"}'), {"a": "\ufffd"})
        self.assertEqual(codec.decode(bytearray(b"\xff")), "\ufffd")
        self.assertEqual(codec.decode(memoryview(b"[1]")), [1])

    def test_buffers(self) -> None:
        """
        The connection may hand over any kind of bytes.
        """
        for payload in (bytearray(b"[1]"), memoryview(b"[1]")):
            self.assertEqual(codec.decodeUTF8(payload), [1])
        for payload in (bytearray(b"raw"), memoryview(b"raw")):
            self.assertEqual(codec.decodeUTF8(payload), "raw")


class RoundTripTests(SynchronousTestCase):
    """
    What is written is read again.
    """

    @settings(deadline=None)
    @given(values)
    def test_values(self, value: object) -> None:
        """
        Any value comes back, on either path, and another JSON library reads the same.
        """
        for whole in ([value], {"v": value, "s": SURROGATE}):
            expected = normal(whole)
            self.assertEqual(codec.decode(codec.encode(whole)), expected)
            self.assertEqual(codec.decodeUTF8(codec.encodeUTF8(whole)), expected)
            self.assertEqual(json.loads(codec.encode(whole)), expected)

    @settings(deadline=None)
    @given(st.text())
    def test_texts(self, text: str) -> None:
        """
        Any text can be read: as JSON where the standard library reads an object or array, else as itself.
        """
        result = codec.decode(text)
        self.assertEqual(codec.decodeUTF8(text.encode()), result)
        if not isinstance(result, (dict, list)):
            self.assertEqual(result, text)

    @settings(deadline=None)
    @given(st.binary())
    def test_bytes(self, payload: bytes) -> None:
        """
        Any bytes can be read, or are said not to be UTF-8.
        """
        try:
            expected: object = payload.decode("utf-8")
        except UnicodeDecodeError:
            self.assertRaises(UnicodeDecodeError, codec.decodeUTF8, payload)
        else:
            self.assertEqual(codec.decodeUTF8(payload), codec.decode(expected))  # type: ignore[arg-type]


def normal(value: object) -> object:
    """
    @return: A value as it is after its way through JSON, where pairs of surrogates are one character.
    """
    if isinstance(value, str):
        return joinSurrogates(value)
    if isinstance(value, list):
        return [normal(item) for item in value]
    if isinstance(value, dict):
        return {joinSurrogates(key): normal(item) for key, item in value.items()}
    return value
