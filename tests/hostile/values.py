"""
Values of every wrong type, and the packets and texts that are made of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .support import NAMES

#: Stands for a member that is left out.
MISSING = object()

VALUES: dict[str, Any] = {
    "missing": MISSING,
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "one": 1,
    "negative": -1,
    "fraction": 1.5,
    "beyond double's integers": 2**53 + 1,
    "beyond 64 bits": 2**70,
    "beyond doubles": 10**400,
    "tiny": 5e-324,
    "empty text": "",
    "text": "x",
    "number in text": "1",
    "long text": "x" * 20000,
    "surrogate": "\ud800",
    "zero byte": "a\x00b",
    "empty list": [],
    "list": [1, None, {"a": "b"}],
    "list of names": ["a", "b"],
    "empty object": {},
    "object": {"a": 1},
    "error": {"name": "Error", "message": "m", "stack": "s"},
    "error of wrong types": {"name": {}, "message": [], "stack": 5, "isBadToken": "x", "statusCode": {}},
    "dangerous object": {name: {"x": 1} for name in NAMES},
    "buffer": {"type": "Buffer", "data": [1, 2, 3]},
    "base64": {"base64": True, "data": "%%%"},
    "nested": json.loads("[" * 60 + "]" * 60),
}
"""By what they are."""

EVENTS = (
    "#handshake",
    "#authenticate",
    "#removeAuthToken",
    "#subscribe",
    "#unsubscribe",
    "#publish",
    "#setAuthToken",
    "#kickOut",
    "#unknown",
    "echo",
    "nobody listens",
)

#: The members that the data of some event may have.
MEMBERS = ("channel", "data", "authToken", "waitForAuth")

IDS: tuple[Any, ...] = (1, 0, -1, 0.5, 2**53 + 1, 2**70, 10**400, -(10**400), 1e308, True, "1", None, [], {}, MISSING)
"""Call ids, right and wrong."""


def without(packet: dict[str, Any]) -> dict[str, Any]:
    """
    @return: the packet without the members that are to be left out.
    """
    return {name: value for name, value in packet.items() if value is not MISSING}


def events() -> Iterator[dict[str, Any]]:
    """
    Every event with data of every type, its inner members of every type, and every call id.
    """
    for event in EVENTS:
        for value in VALUES.values():
            for callId in (7, MISSING):
                yield without({"event": event, "data": value, "cid": callId})
            for member in MEMBERS:
                yield {"event": event, "data": without({"channel": "a", member: value}), "cid": 7}
        for callId in IDS:
            yield without({"event": event, "data": {"channel": "a"}, "cid": callId})
            yield without({"event": event, "data": "a", "cid": callId, "rid": callId})


def packets() -> Iterator[Any]:
    """
    Everything else: events whose name is none, answers to what nobody asked, packets that are none, batches of them.
    """
    for value in VALUES.values():
        if value is not MISSING:
            yield value
            yield [value]
            yield [[value], {"event": "echo", "data": value}]
        for callId in (7, MISSING):
            yield without({"event": value, "data": 1, "cid": callId})
        for answer in (1, 0.5, 10**400, value):
            yield without({"rid": answer, "data": value})
            yield without({"rid": answer, "error": value})
            yield without({"rid": answer, "error": value, "data": value})
        yield without({"rid": value, "cid": value, "event": value, "data": value, "error": value})
    for name in NAMES:
        yield {name: name}
        yield {"event": name, "data": name, "cid": 7}
        for event in ("#subscribe", "#publish"):
            yield {"event": event, "data": {"channel": name, "data": name}, "cid": 8}
        yield {"event": "#unsubscribe", "data": name, "cid": 9}


def _deep(depth: int) -> Iterator[str]:
    yield "[" * depth + "]" * depth
    yield '{"a":' * depth + "1" + "}" * depth
    yield "[" * depth
    yield '{"event":"echo","cid":5,"data":' + "[" * depth + "]" * depth + "}"
    yield '{"event":"#subscribe","cid":6,"data":{"channel":"a","data":' + '{"a":' * depth + "1" + "}" * depth + "}}"
    yield '{"event":"#publish","cid":6,"data":{"channel":"a","data":' + "[" * depth + "]" * depth + "}}"
    yield '{"rid":1,"error":' + '{"a":' * depth + "1" + "}" * depth + "}"
    yield '{"event":"#handshake","cid":1,"data":{"authToken":' + "[" * depth + "]" * depth + "}}"
    yield "[" * depth + '{"event":"echo","cid":5}' + "]" * depth


NUMBERS = (
    "9" * 400,
    "-" + "9" * 400,
    "9" * 5000,
    "9" * 100_000,
    "1e999",
    "-1e999",
    "1e-999",
    "0." + "0" * 5000 + "1",
    "1" + "0" * 4300,
    "NaN",
    "Infinity",
    "-Infinity",
    "-0",
    "01",
    "1.",
    ".5",
    "+1",
    "0x10",
    "1_000",
    "١",
)
"""Numbers that are too large, or none."""


def texts() -> Iterator[bytes]:
    """
    Messages that are no clean JSON.
    """
    for depth in (500, 1000, 1023, 1024, 1025, 2048, 10_000, 100_000):
        for text in _deep(depth):
            yield text.encode()
    for number in NUMBERS:
        yield number.encode()
        yield f'{{"event":"echo","data":{number},"cid":3}}'.encode()
        yield f'{{"event":"echo","data":1,"cid":{number}}}'.encode()
        yield f'{{"rid":{number},"data":{number}}}'.encode()
        yield f'{{"event":"#handshake","cid":{number}}}'.encode()
    for text in (r"\ud800", r"\udc00\ud800", r"\ud83d\ude00", r"\u0000", r"\x41", "\\", '"', "\t"):
        yield f'{{"event":"echo","data":"{text}","cid":3}}'.encode()
        yield f'{{"event":"{text}","cid":3}}'.encode()
        yield f'{{"event":"#subscribe","data":{{"channel":"{text}"}},"cid":3}}'.encode()
        yield f'{{"event":"#publish","data":{{"channel":"{text}","data":"{text}"}},"cid":3}}'.encode()
        yield f'{{"{text}":"{text}"}}'.encode()
    whole = b'{"event":"echo","data":{"a":[1,2.5,"x",null,true]},"cid":3}'
    for end in range(len(whole)):
        yield whole[:end]
        yield whole[end:]
    yield from (b"", b" ", b"\n", b"#1", b"#2", b"#3", b"\x00", b"\xef\xbb\xbf" + whole, whole + b"\x00", whole * 2)
    yield b'{"event":"echo","event":"#publish","cid":1,"cid":2}'
    yield b"[" + b",".join([b'{"event":"echo","cid":1}'] * 5000) + b"]"
    yield b"[" + b"{}," * 20_000 + b"{}]"
    yield b'{"event":"echo","cid":4,"data":{' + b",".join(b'"%d":1' % n for n in range(20_000)) + b"}}"


def rubbish() -> Iterator[bytes]:
    """
    Messages that are not even UTF-8.
    """
    yield from (
        b"\xff",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
        b"\xfe\xff\x00{",
        bytes(range(256)),
    )
    yield b'{"event":"echo","data":"\xff","cid":3}'
    yield b'{"event":"\xff","cid":3}'
    yield b'{"event":"#handshake","data":"\xed\xa0\x80","cid":3}'
    yield b'{"\xff":1}'
