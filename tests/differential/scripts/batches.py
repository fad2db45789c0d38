"""
Several packets in one message, both ways.
"""

from __future__ import annotations

from ..steps import Script, binary, handshake, hello, invoke, pause, raw, send, settle, transmit, wait
from .channels import publish, subscribe
from .values import ECHO

SCRIPTS: list[Script] = []

for version in (1, 2):
    options = {"protocolVersion": version}
    SCRIPTS += [
        Script(f"batch-empty-v{version}", [hello(), raw("[]"), send(ECHO)], options, events=True),
        Script(
            f"batch-mixed-v{version}",
            [
                hello(),
                send([subscribe("a"), publish("a", 1), transmit("echo", 2), invoke("echo", 3, 4), {"rid": 9}, ECHO]),
            ],
            options,
            events=True,
        ),
        Script(
            f"batch-nested-v{version}", [hello(), send([[invoke("echo", 1)], [[ECHO]], ECHO])], options, events=True
        ),
        Script(
            f"batch-garbage-v{version}",
            [hello(), send([None, 5, "x", True, {}, [], {"event": 5}, ECHO, 1.5])],
            options,
            events=True,
        ),
        Script(f"batch-hundred-v{version}", [hello(), send([invoke("echo", n, n + 2) for n in range(100)])], options),
        Script(
            f"batch-with-handshake-v{version}", [send([handshake(), subscribe("a"), publish("a", 1), ECHO])], options
        ),
        Script(f"batch-garbage-before-handshake-v{version}", [send([None, handshake()])], options),
        Script(
            f"batch-unauthorised-middle-v{version}",
            [hello(), send([subscribe("a"), invoke("#authenticate", "x", 5), publish("a", 1), ECHO])],
            options,
        ),
        Script(f"batch-pong-inside-v{version}", [hello(), send(["", "#1", "#2", ECHO])], options, events=True),
    ]

ON_HANDSHAKE = {"batchOnHandshake": True, "batchOnHandshakeDuration": 1200, "batchInterval": 400}

SCRIPTS += [
    Script("batch-two-in-one-write", [hello(), send([invoke("echo", 1, 2)], [invoke("echo", 2, 3)])]),
    Script("batch-binary", [hello(), binary('[{"event":"echo","data":1,"cid":2},{"event":"echo","data":2,"cid":3}]')]),
    Script(
        "batch-closing-in-the-middle",
        [hello(), send([invoke("echo", 1, 2), {"event": "#authenticate", "data": "x"}, invoke("echo", 2, 3)])],
        events=True,
    ),
    Script(
        "batch-disconnecting-in-the-middle",
        [
            hello(),
            send([invoke("echo", 1, 2), invoke("disconnect", {"code": 4100, "reason": "r"}, 3), invoke("echo", 2, 4)]),
        ],
    ),
    Script("batch-handshake-twice", [send([handshake(1), handshake(2), ECHO])]),
    Script("batch-handshake-malformed", [send([{"event": "#handshake"}, ECHO])], events=True),
    Script(
        "batch-on-handshake",
        [hello(), send(subscribe("a"), publish("a", 1), transmit("echo", 1), invoke("echo", 2, 5)), wait(2)],
        ON_HANDSHAKE,
        pipelined=True,
    ),
    Script(
        "batch-on-handshake-in-batch",
        [send([handshake(), subscribe("a"), publish("a", 1)]), wait(2)],
        ON_HANDSHAKE,
        pipelined=True,
    ),
    Script(
        "batch-on-handshake-ends",
        [hello(), wait(1), pause(2500), send(invoke("echo", 1, 2), invoke("echo", 2, 3)), wait(3)],
        ON_HANDSHAKE,
        pipelined=True,
    ),
    Script(
        "batch-on-handshake-nothing-to-send",
        [hello(), wait(1), pause(2500), settle(), send(ECHO), wait(2)],
        ON_HANDSHAKE,
        pipelined=True,
    ),
    Script(
        "batch-on-handshake-closed-meanwhile",
        [hello(), send(invoke("echo", 1, 2), invoke("disconnect", None, 3)), settle()],
        ON_HANDSHAKE,
        pipelined=True,
    ),
    Script(
        "batch-on-handshake-publications",
        [hello(), send(subscribe("a"), invoke("burst", {"channel": "a", "count": 5}, 3)), wait(2)],
        ON_HANDSHAKE,
        pipelined=True,
    ),
]
