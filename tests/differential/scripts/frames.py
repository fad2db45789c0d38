"""
Frames and texts that official clients would never send.
"""

from __future__ import annotations

from ..steps import Script, binary, ended, frame, hello, pause, raw, send, settle, wire
from ..wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from .values import ECHO

CALL = '{"event":"echo","data":"split ☃","cid":2}'.encode()

TEXTS = {
    "words": "hello",
    "ping-v1": "#1",
    "pong-v1": "#2",
    "hash": "#",
    "number": "5",
    "quoted": '"x"',
    "null": "null",
    "true": "true",
    "empty-list": "[]",
    "empty-object": "{}",
    "list-of-list": "[[]]",
    "broken": '{"event":',
    "trailing": '{"event":"echo","cid":2}x',
    "trailing-comma": '{"event":"echo","cid":2,}',
    "comment": "{}//x",
    "single-quotes": "{'event':'echo'}",
    "space-before": ' \n\t\r{"event":"echo","data":1,"cid":2}',
    "space-after": '{"event":"echo","data":1,"cid":2} \n',
    "bom": '\ufeff{"event":"echo","data":1,"cid":2}',
    "nbsp-before": '\u00a0{"event":"echo","data":1,"cid":2}',
    "form-feed-before": '\f{"event":"echo","data":1,"cid":2}',
    "nul-text": "\u0000",
    "long": "y" * 3000,
    "nan": '{"event":"echo","data":NaN,"cid":2}',
    "infinity": '{"event":"echo","data":Infinity,"cid":2}',
    "huge-number": '{"event":"echo","data":1e999,"cid":2}',
    "minus-zero": '{"event":"echo","data":-0,"cid":2}',
    "minus-zero-float": '{"event":"echo","data":-0.0,"cid":2}',
    "leading-zero": '{"event":"echo","data":01,"cid":2}',
    "plus": '{"event":"echo","data":+1,"cid":2}',
    "hex": '{"event":"echo","data":0x1,"cid":2}',
    "float-whole": '{"event":"echo","data":1.0,"cid":2}',
    "float-exponent": '{"event":"echo","data":[1e3,1E+2,1e-7,123456789012345680000,1e21,1.5e300,5e-324],"cid":2}',
    "float-digits": (
        '{"event":"echo","data":[0.1,0.30000000000000004,1.7976931348623157e308,100000000000000000000],"cid":2}'
    ),
    "integer-2-53": '{"event":"echo","data":[9007199254740991,9007199254740992,-9007199254740991],"cid":2}',
    "integer-beyond-2-53": '{"event":"echo","data":9007199254740993,"cid":2}',
    "integer-enormous": '{"event":"echo","data":' + "9" * 400 + ',"cid":2}',
    "duplicate-keys": '{"event":"nobody","event":"echo","data":1,"data":2,"cid":5,"cid":2}',
    "duplicate-keys-in-data": '{"event":"echo","data":{"a":1,"b":2,"a":3},"cid":2}',
    "surrogate": '{"event":"echo","data":"\\ud800","cid":2}',
    "surrogate-low": '{"event":"echo","data":"\\udc00x","cid":2}',
    "surrogate-key": '{"event":"echo","data":{"\\ud800":1},"cid":2}',
    "surrogate-pair": '{"event":"echo","data":"\\ud83d\\ude00","cid":2}',
    "surrogate-event": '{"event":"\\ud800","data":1,"cid":2}',
    "surrogate-channel": '{"event":"#subscribe","data":{"channel":"\\ud800"},"cid":2}',
    "escapes": '{"event":"echo","data":"\\u0000\\u001f\\u007f\\u2028\\/\\"\\\\\\b\\f\\n\\r\\t","cid":2}',
    "escape-bad": '{"event":"echo","data":"\\x","cid":2}',
    "control-in-text": '{"event":"echo","data":"a\tb","cid":2}',
    "escaped-event": '{"\\u0065vent":"ech\\u006f","data":1,"cid":2}',
    "cid-exponent": '{"event":"echo","data":1,"cid":2e0}',
    "cid-float-whole": '{"event":"echo","data":1,"cid":2.0}',
    "cid-negative-zero": '{"event":"echo","data":1,"cid":-0}',
    "upper-case-members": '{"Event":"echo","CID":2}',
}

BINARIES = {
    "call": CALL,
    "empty": b"",
    "pong-v1": b"#2",
    "rubbish": b"\x00\x01\xfe\xff",
    "invalid-utf8": b"\xff\xfe{",
    "json-with-invalid-utf8": b'{"event":"echo","data":"\xff","cid":2}',
    "raw-text": b"hello",
    "broken": b'{"event":',
    "number": b"5",
}

SCRIPTS: list[Script] = []

for version in (1, 2):
    options = {"protocolVersion": version}
    for name, text in TEXTS.items():
        SCRIPTS.append(
            Script(f"text-{name}-v{version}", [hello(), raw(text), settle(), send(ECHO)], options, events=version == 2)
        )
    for name, payload in BINARIES.items():
        SCRIPTS.append(
            Script(
                f"binary-{name}-v{version}",
                [hello(), binary(payload), settle(), send(ECHO)],
                options,
                events=version == 2,
            )
        )

FRAMES = {
    "fragmented": [frame(TEXT, CALL[:10], fin=False), frame(CONTINUATION, CALL[10:])],
    "fragmented-in-character": [frame(TEXT, CALL[:31], fin=False), frame(CONTINUATION, CALL[31:])],
    "fragmented-many": [
        frame(TEXT, b"", fin=False),
        *(frame(CONTINUATION, CALL[n : n + 1], fin=False) for n in range(len(CALL))),
        frame(CONTINUATION, b""),
    ],
    "fragmented-with-ping": [frame(TEXT, CALL[:10], fin=False), frame(PING, "p"), frame(CONTINUATION, CALL[10:])],
    "fragmented-binary": [frame(BINARY, CALL[:10], fin=False), frame(CONTINUATION, CALL[10:])],
    "ping": [frame(PING, "hi")],
    "ping-empty": [frame(PING, "")],
    "ping-long": [frame(PING, "x" * 125)],
    "ping-too-long": [frame(PING, "x" * 126)],
    "ping-fragmented": [frame(PING, "x", fin=False)],
    "pong": [frame(PONG, "hi")],
    "unmasked": [frame(TEXT, CALL, masked=False)],
    "continuation-first": [frame(CONTINUATION, CALL)],
    "text-inside-fragments": [frame(TEXT, CALL[:10], fin=False), frame(TEXT, CALL)],
    "rsv1": [frame(TEXT, CALL, rsv=4)],
    "rsv2": [frame(TEXT, CALL, rsv=2)],
    "rsv3": [frame(TEXT, CALL, rsv=1)],
    "opcode-3": [frame(3, "x")],
    "opcode-11": [frame(11, "x")],
    "invalid-utf8": [frame(TEXT, b"\xff\xfe")],
    "invalid-utf8-in-json": [frame(TEXT, b'{"event":"echo","data":"\xff","cid":2}')],
    "invalid-utf8-surrogate": [frame(TEXT, b'{"event":"echo","data":"\xed\xa0\x80","cid":2}')],
    "invalid-utf8-overlong": [frame(TEXT, b"\xc0\xaf")],
    "invalid-utf8-cut": [frame(TEXT, b"\xe2\x98")],
    "length-not-minimal": [b"\x81\xfe\x00\x05" + b"\x00\x00\x00\x00" + b"hello"],
    "length-over-2-63": [b"\x81\xff" + b"\xff" * 8 + b"\x00\x00\x00\x00"],
    "close-one-byte": [frame(CLOSE, b"\x03")],
    "close-code-0": [frame(CLOSE, b"\x00\x00")],
    "close-code-999": [frame(CLOSE, b"\x03\xe7")],
    "close-code-1004": [frame(CLOSE, b"\x03\xec")],
    "close-code-1005": [frame(CLOSE, b"\x03\xed")],
    "close-code-1006": [frame(CLOSE, b"\x03\xee")],
    "close-code-2999": [frame(CLOSE, b"\x0b\xb7")],
    "close-code-5000": [frame(CLOSE, b"\x13\x88")],
    "close-reason-invalid-utf8": [frame(CLOSE, b"\x03\xe8\xff")],
    "close-too-long": [frame(CLOSE, b"\x03\xe8" + b"x" * 124)],
    "rubbish": [b"GET / HTTP/1.1\r\n\r\n"],
}

ENDLESS = {"length-over-2-63", "rubbish"}
"""After these the server may still wait for bytes that do not come."""

for name, chunks in FRAMES.items():
    rest = [] if name in ENDLESS else [settle(), send(ECHO), settle()]
    last = [pause(200), ended()] if name in ENDLESS else []
    SCRIPTS.append(
        Script(f"frame-{name}", [hello(), settle(), wire(*chunks), *rest, *last], events=name not in ENDLESS)
    )

_DRIPPED = frame(TEXT, CALL)

SCRIPTS += [
    Script("frame-many-in-one-write", [hello(), wire(*(frame(TEXT, CALL) for _ in range(30)))]),
    Script(
        "frame-in-small-pieces",
        [hello(), *(step for n in range(0, len(_DRIPPED), 9) for step in (wire(_DRIPPED[n : n + 9]), pause(5)))],
    ),
]
