"""
Names that mean something to JavaScript or Python are data like any other.
"""

from __future__ import annotations

from ..steps import Script, hello, invoke, raw, send, settle, transmit
from .channels import publish, subscribe
from .values import ECHO

NAMES = [
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "hasOwnProperty",
    "valueOf",
    "__class__",
    "__init__",
    "__dict__",
    "close",
    "stream",
    "length",
    "undefined",
    "null",
    "error",
    "connect",
    "message",
    "#handshake2",
    "0",
    "-1",
    "é☃",
    "a b",
    "x" * 300,
]

SCRIPTS: list[Script] = []

for number, name in enumerate(NAMES):
    title = name.strip("_#") if name.isascii() and len(name) < 20 and " " not in name else f"odd-{number}"
    SCRIPTS += [
        Script(
            f"name-procedure-{title}", [hello(), send(invoke(name, 1), transmit(name, 2), ECHO)], app={"names": [name]}
        ),
        Script(f"name-unserved-{title}", [hello(), send(invoke(name, 1), transmit(name, 2), ECHO)]),
        Script(
            f"name-channel-{title}",
            [
                hello(),
                send(
                    subscribe(name),
                    publish(name, 1),
                    invoke("state", cid=4),
                    invoke("#unsubscribe", name, 5),
                    publish(name, 2, 6),
                    invoke("state", cid=7),
                ),
            ],
            isolated=True,
        ),
        Script(f"name-unsubscribe-{title}", [hello(), send(invoke("#unsubscribe", name, 2), ECHO)], isolated=True),
        Script(
            f"name-member-{title}",
            [hello(), send(invoke("echo", {name: {"x": 1}, "a": 1}, 2)), send(ECHO)],
        ),
    ]

SCRIPTS += [
    Script(
        "name-member-of-packet",
        [hello(), raw('{"event":"echo","cid":2,"__proto__":{"data":5},"__class__":1}'), send(ECHO)],
    ),
    Script(
        "name-member-of-publish",
        [
            hello(),
            send(subscribe("a")),
            raw(
                '{"event":"#publish","cid":3,"data":{"channel":"a","data":{"__proto__":1,"constructor":2,"__class__":3}}}'
            ),
            settle(),
        ],
    ),
    Script(
        "name-member-of-subscribe",
        [
            hello(),
            raw('{"event":"#subscribe","cid":2,"data":{"channel":"a","__proto__":{"x":1},"socket":1,"code":2}}'),
            send(invoke("state", cid=3)),
        ],
    ),
    Script(
        "name-member-of-handshake",
        [raw('{"event":"#handshake","cid":1,"data":{"__proto__":{"authToken":"x"}}}'), send(ECHO)],
    ),
]
