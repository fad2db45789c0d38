"""
Many frames in one write: the same answers, in the same order, as if they came one by one.
"""

from __future__ import annotations

from ..steps import Script, handshake, hello, invoke, raw, send, settle, transmit, wait
from .channels import publish, subscribe
from .tokens import GOOD
from .values import ECHO

SCRIPTS: list[Script] = [
    Script(f"pipelined-{name}-v{version}", steps, {"protocolVersion": version}, pipelined=True)
    for version in (1, 2)
    for name, steps in {
        "handshake-call": [send(handshake(), ECHO)],
        "handshake-receiver": [send(handshake(), transmit("echo", 1), transmit("echo", 2))],
        "handshake-twice": [send(handshake(1), handshake(2))],
        "handshake-behind-a-closing-frame": [raw("x", '{"event":"#handshake","cid":1}', '{"event":"echo","cid":2}')],
        "handshake-refused-and-call": [send({"event": "#handshake"}, handshake(), ECHO)],
        "calls": [hello(), send(*(invoke("echo", n, n) for n in range(2, 60)))],
        "events": [hello(), send(*(transmit("echo", n) for n in range(60)))],
        "calls-and-events": [
            hello(),
            send(*(packet for n in range(2, 20) for packet in (transmit("echo", n), invoke("echo", n, n)))),
        ],
        "subscribe-publish": [
            hello(),
            send(
                subscribe("a"),
                publish("a", 1),
                transmit("#publish", {"channel": "a", "data": 2}),
                invoke("#unsubscribe", "a", 4),
                publish("a", 3, 5),
            ),
        ],
        "publishes": [hello(), send(subscribe("a"), *(publish("a", n, n + 10) for n in range(50)))],
        "reserved-only": [
            hello(),
            send(
                subscribe("a"),
                invoke("#subscribe", None, 3),
                invoke("#publish", None, 4),
                invoke("#unsubscribe", "zz", 5),
                invoke("#unsubscribe", "a", 6),
            ),
        ],
        "call-before-reserved": [
            hello(),
            send(invoke("echo", 1, 2), subscribe("a", 3), invoke("echo", 2, 4), invoke("#unsubscribe", "a", 5)),
        ],
        "authenticate": [
            hello(),
            send(
                invoke("#authenticate", GOOD, 2),
                transmit("#removeAuthToken"),
                invoke("#authenticate", GOOD, 3),
                invoke("#authenticate", "x", 4),
            ),
        ],
        "authenticate-call": [hello(), send(invoke("#authenticate", GOOD, 2), invoke("state", cid=3))],
        "login-call": [hello(), send(invoke("login", {"token": {"a": 1}}), invoke("echo", 1, 3), subscribe("a", 4))],
        "two-batches": [hello(), send([invoke("echo", 1, 2), subscribe("a", 3)], [publish("a", 1, 4), ECHO])],
        "call-and-close": [hello(), send(invoke("echo", 1, 2), {"event": "#authenticate"}, invoke("echo", 2, 3))],
        "disconnect-and-call": [hello(), send(invoke("disconnect", {"code": 4100}), invoke("echo", 1, 3))],
        "pongs": [hello(), raw("", "", "#2", "#1"), settle(), send(ECHO)],
        "server-transmits-then-answers": [hello(), wait(1), send(invoke("tellAtOnce", {"event": "x", "data": 1}))],
        "server-logs-in-then-answers": [hello(), wait(1), send(invoke("loginAtOnce", {"u": 1}))],
        "kick-out-then-publish": [
            hello(),
            send(subscribe("a"), invoke("kickOut", {"channel": "a"}, 3), publish("a", 1, 4)),
        ],
        "publication-and-answer": [
            hello(),
            send(subscribe("a")),
            wait(2),
            send(invoke("publish", {"channel": "a", "data": 1}, 3)),
        ],
        "pressure": [hello(), wait(1), send(invoke("pressure"))],
    }.items()
]
