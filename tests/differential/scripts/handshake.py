"""
The handshake: every form of C{#handshake}, and what may not come before it.
"""

from __future__ import annotations

from typing import Any

from ..steps import (
    Script,
    binary,
    close,
    connect,
    ended,
    frame,
    handshake,
    hello,
    invoke,
    raw,
    send,
    settle,
    transmit,
    wait,
    wire,
)
from ..wire import PONG
from .values import CIDS, ECHO, VALUES, packet

SCRIPTS: list[Script] = [
    Script("handshake-right", [hello(), send(ECHO)]),
]

for version in (1, 2):
    options = {"protocolVersion": version}
    for name, value in VALUES.items():
        SCRIPTS.append(
            Script(
                f"handshake-data-{name}-v{version}",
                [send(packet(event="#handshake", data=value, cid=1)), send(ECHO)],
                options,
            )
        )
    for name, cid in CIDS.items():
        SCRIPTS.append(
            Script(
                f"handshake-cid-{name}-v{version}",
                [send(packet(event="#handshake", data=None, cid=cid), ECHO)],
                options,
                events=version == 2,
            )
        )
    SCRIPTS += [
        Script(f"handshake-twice-v{version}", [hello(1), hello(2), send(invoke("counts", cid=3)), send(ECHO)], options),
        Script(f"handshake-thrice-pipelined-v{version}", [send(*(handshake(n, {}) for n in (1, 2, 3)), ECHO)], options),
        Script(f"handshake-in-batch-v{version}", [send([handshake(), ECHO])], options),
        Script(f"handshake-second-in-batch-v{version}", [send([ECHO, handshake()])], options),
        Script(f"handshake-pipelined-v{version}", [send(handshake(), ECHO, transmit("echo", 1))], options),
        Script(
            f"handshake-in-binary-v{version}",
            [binary('{"event":"#handshake","data":null,"cid":1}'), send(ECHO)],
            options,
        ),
        Script(
            f"handshake-extra-members-v{version}",
            [send({"event": "#handshake", "cid": 1, "rid": 4, "x": 1, "data": {"authToken": None, "y": []}})],
            options,
        ),
        Script(f"handshake-as-text-of-wrong-case-v{version}", [send({"event": "#Handshake", "cid": 1})], options),
    ]

BEFORE: dict[str, list[Any]] = {
    "event": [send(transmit("echo", 1))],
    "call": [send(invoke("echo", 1))],
    "subscribe": [send(invoke("#subscribe", {"channel": "a"}))],
    "publish": [send(invoke("#publish", {"channel": "a", "data": 1}))],
    "unsubscribe": [send(invoke("#unsubscribe", "a"))],
    "authenticate": [send(invoke("#authenticate", "x"))],
    "remove-token": [send(transmit("#removeAuthToken"))],
    "response": [send({"rid": 1, "data": 1})],
    "raw": [raw("hello")],
    "pong-v2": [raw("")],
    "pong-v1": [raw("#2")],
    "ping-v1": [raw("#1")],
    "empty-list": [raw("[]")],
    "empty-object": [raw("{}")],
    "number": [raw("5")],
    "null": [raw("null")],
    "text": [raw('"x"')],
    "broken-json": [raw('{"event":')],
    "empty-binary": [binary("")],
    "binary": [binary(b"\x00\x01")],
    "websocket-pong": [wire(frame(PONG, "unasked"))],
}

for version in (1, 2):
    for name, steps in BEFORE.items():
        SCRIPTS += [
            Script(
                f"before-handshake-{name}-v{version}",
                [*steps, hello()],
                {"protocolVersion": version},
                events=version == 2,
            ),
            Script(
                f"before-handshake-tolerated-{name}-v{version}",
                [*steps, settle(), hello(), send(ECHO)],
                {"protocolVersion": version, "strictHandshake": False},
            ),
        ]

SCRIPTS += [
    Script("handshake-late", [settle(), settle(), hello(), send(ECHO)]),
    Script("handshake-never", [ended()], {"handshakeTimeout": 2500}, events=True),
    Script("handshake-never-v1", [ended()], {"handshakeTimeout": 2500, "protocolVersion": 1}),
    Script("handshake-never-but-websocket-pings", [settle(), settle(), settle(), ended()], {"handshakeTimeout": 2500}),
    Script(
        "handshake-never-but-tolerated-frames",
        [raw("x"), settle(), raw(""), ended()],
        {"handshakeTimeout": 2500, "strictHandshake": False},
    ),
    Script("handshake-abandoned", [close(4444, "changed my mind")], events=True),
    Script("handshake-abandoned-without-code", [close()], events=True),
    Script("handshake-events", [hello(), settle(), close(1000, "done")], events=True),
    Script(
        "handshake-two-clients",
        [
            hello(),
            wait(1),
            connect("b"),
            hello(client="b"),
            wait(1, "b"),
            settle("b"),
            send(invoke("counts"), client="b"),
        ],
    ),
    Script(
        "handshake-served-from-connection",
        [send(handshake(), ECHO, transmit("echo", 1))],
        app={"serveFrom": "connection"},
    ),
    Script("handshake-ping-timeout-told", [hello()], {"pingTimeout": 12345}),
]
