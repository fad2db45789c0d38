"""
All four lines of middleware, every type of action, every outcome.
"""

from __future__ import annotations

from typing import Any

from ..steps import Script, close, connect, hello, invoke, release, send, settle, transmit, wait
from .channels import publish, subscribe
from .tokens import GOOD, token
from .values import ECHO, VALUES

NAMED = {"name": "NotAllowedError", "message": "not allowed"}

BLOCKS: dict[str, Any] = {
    "named": NAMED,
    "nothing": None,
    "silent": {**NAMED, "silent": True},
    "status": {**NAMED, "statusCode": 4501},
    "bad-token": {**NAMED, "isBadToken": True},
    "extra": {**NAMED, "extra": {"a": [1]}, "code": 7},
}
"""Errors to block with."""

ACTIONS: dict[str, tuple[str, list[Any]]] = {
    "message": ("inboundRaw", [send(invoke("echo", 1), ECHO)]),
    "transmit": ("inbound", [send(transmit("echo", 1), ECHO)]),
    "invoke": ("inbound", [send(invoke("echo", 1), transmit("echo", 2))]),
    "subscribe": ("inbound", [send(subscribe("a"), invoke("state", cid=3), publish("a", 1, 4))]),
    "publishIn": (
        "inbound",
        [send(subscribe("a"), publish("a", 1), transmit("#publish", {"channel": "a", "data": 2}), ECHO)],
    ),
    "publishOut": ("outbound", [send(subscribe("a"), publish("a", 1), publish("a", 2, 4), ECHO)]),
    "authenticate": ("inbound", [send(invoke("#authenticate", GOOD, 2), invoke("state", cid=3))]),
}
"""For every action after the handshake: its line, and what brings it about."""

ANSWERS = {"message": 3, "transmit": 3, "invoke": 3, "subscribe": 5, "publishIn": 6, "publishOut": 6, "authenticate": 3}
"""How many messages come back for that, the handshake's answer included."""


def rules(kind: str, **rule: Any) -> list[dict[str, Any]]:
    """One rule for one type of action."""
    return [{"type": kind, **rule}]


SCRIPTS: list[Script] = []

for kind, (line, steps) in ACTIONS.items():
    for version in (1, 2):
        options = {"protocolVersion": version}
        SCRIPTS += [
            Script(
                f"middleware-{kind}-allow-v{version}",
                [hello(), *steps],
                options,
                {"middleware": {line: []}},
                events=True,
            ),
            Script(
                f"middleware-{kind}-delay-v{version}",
                [hello(), *steps, settle(), release(), wait(ANSWERS[kind])],
                options,
                {"middleware": {line: rules(kind, hold=True)}},
            ),
        ]
    for name, block in BLOCKS.items():
        SCRIPTS.append(
            Script(
                f"middleware-{kind}-block-{name}",
                [hello(), *steps],
                {},
                {"middleware": {line: rules(kind, block=block)}},
                events=True,
            )
        )
    SCRIPTS += [
        Script(
            f"middleware-{kind}-twice",
            [hello(), *steps],
            {},
            {"middleware": {line: rules(kind, twice=True)}},
            events=True,
        ),
        Script(
            f"middleware-{kind}-block-unannounced",
            [hello(), *steps],
            {"middlewareEmitFailures": False},
            {"middleware": {line: rules(kind, block=NAMED)}},
            events=True,
        ),
    ]
    if kind not in ("message", "authenticate"):
        for name in ("null", "0", "false", "text", "nested"):
            SCRIPTS.append(
                Script(
                    f"middleware-{kind}-replace-{name}",
                    [hello(), *steps],
                    {},
                    {"middleware": {line: rules(kind, replace=VALUES[name])}},
                )
            )

for version in (1, 2):
    for name, block in BLOCKS.items():
        SCRIPTS += [
            Script(
                f"middleware-handshakeWS-block-{name}-v{version}",
                [hello(), settle()],
                {"protocolVersion": version},
                {"middleware": {"handshake": rules("handshakeWS", block=block)}},
                events=True,
            ),
            Script(
                f"middleware-handshakeSC-block-{name}-v{version}",
                [hello(), settle()],
                {"protocolVersion": version},
                {"middleware": {"handshake": rules("handshakeSC", block=block)}},
                events=True,
            ),
        ]

SCRIPTS += [
    Script(
        "middleware-handshake-allow",
        [connect(path="/socketcluster/?q=1"), hello(token=GOOD), send(ECHO)],
        app={"middleware": {"handshake": []}},
        events=True,
    ),
    Script(
        "middleware-handshake-bad-token",
        [hello(token="x"), send(ECHO)],
        app={"middleware": {"handshake": []}},
        events=True,
    ),
    Script(
        "middleware-handshake-delay",
        [hello(), send(ECHO), settle(), release(), wait(2)],
        app={"middleware": {"handshake": rules("handshakeSC", hold=True) + rules("handshakeWS", delay=80)}},
        events=True,
    ),
    Script(
        "middleware-handshake-closed-meanwhile",
        [hello(), close(4444, "impatient"), connect("b"), hello(client="b"), settle("b"), release(), wait(1, "b")],
        app={"middleware": {"handshake": rules("handshakeSC", hold=True)}},
    ),
    Script(
        "middleware-handshake-token-too-early",
        [hello(), send(invoke("state"))],
        app={"middleware": {"handshake": rules("handshakeSC", setAuthToken={"username": "x"})}},
        events=True,
    ),
    Script(
        "middleware-handshake-blocked-with-1000",
        [hello(), settle()],
        app={"middleware": {"handshake": rules("handshakeSC", block={**NAMED, "statusCode": 1000})}},
    ),
    Script(
        "middleware-authenticate-in-handshake-blocked",
        [hello(token=GOOD), send(invoke("state"))],
        app={"middleware": {"inbound": rules("authenticate", block=NAMED)}},
        events=True,
    ),
    Script(
        "middleware-authenticate-in-handshake-bad-token",
        [hello(token=GOOD), send(invoke("state"))],
        app={"middleware": {"inbound": rules("authenticate", block={**NAMED, "isBadToken": True})}},
        events=True,
    ),
    Script(
        "middleware-authenticate-not-without-token",
        [hello(), send(invoke("#authenticate", None, 2))],
        app={"middleware": {"inbound": []}},
        events=True,
    ),
    Script(
        "middleware-authenticate-not-for-bad-token",
        [hello(token="x"), send(invoke("#authenticate", "y", 2))],
        app={"middleware": {"inbound": []}},
        events=True,
    ),
    Script(
        "middleware-order-kept",
        [
            hello(),
            send(subscribe("a"), publish("a", 1), invoke("echo", 1, 4), transmit("echo", 2)),
            settle(),
            release(),
            wait(5),
        ],
        app={"middleware": {"inbound": rules("subscribe", hold=True)}},
        events=True,
    ),
    Script(
        "middleware-others-do-not-wait",
        [
            hello(),
            wait(1),
            connect("b"),
            hello(client="b"),
            wait(1, "b"),
            send(invoke("slow", 1)),
            send(invoke("echo", 1), client="b"),
            wait(2, "b"),
            release(),
            wait(2),
        ],
        app={"middleware": {"inbound": [{"type": "invoke", "name": "slow", "hold": True}]}},
    ),
    Script(
        "middleware-batch-blocked-inside",
        [hello(), send([invoke("echo", 1), subscribe("no", 3), subscribe("yes", 4), ECHO])],
        app={"middleware": {"inbound": [{"type": "subscribe", "name": "no", "block": NAMED}]}},
        events=True,
    ),
    Script(
        "middleware-subscribe-data",
        [hello(), send(subscribe("a", data={"secret": 1}))],
        app={"middleware": {"inbound": []}},
        events=True,
    ),
    Script(
        "middleware-subscribe-replace-options",
        [hello(), send(subscribe("a", data={"secret": 1}))],
        app={"middleware": {"inbound": rules("subscribe", replace={"secret": 2})}},
        events=True,
    ),
    Script(
        "middleware-malformed-not-seen",
        [
            hello(),
            send(
                invoke("#subscribe", {"channel": 5}), invoke("#publish", None, 3), invoke("#unsubscribe", None, 4), ECHO
            ),
        ],
        app={"middleware": {"inbound": []}},
        events=True,
    ),
    Script(
        "middleware-unsubscribe-not-seen",
        [hello(), send(subscribe("a"), invoke("#unsubscribe", "a", 3))],
        app={"middleware": {"inbound": []}},
        events=True,
    ),
    Script("middleware-raw-handshake-seen", [hello(), send(ECHO)], app={"middleware": {"inboundRaw": []}}, events=True),
    Script(
        "middleware-raw-handshake-blocked",
        [hello(), send(ECHO)],
        app={"middleware": {"inboundRaw": rules("message", block=NAMED)}},
        events=True,
    ),
    Script(
        "middleware-raw-replaced",
        [hello(), send(invoke("nobody", 1))],
        app={"middleware": {"inboundRaw": rules("message", replace='{"event":"#handshake","data":{},"cid":5}')}},
    ),
    Script(
        "middleware-outbound-only-publications",
        [hello(), send(invoke("tell", {"event": "x", "data": 1})), wait(3), send(ECHO)],
        app={"middleware": {"outbound": []}},
        events=True,
    ),
    Script(
        "middleware-outbound-per-socket",
        [
            hello(),
            send(subscribe("a")),
            wait(2),
            connect("b"),
            hello(client="b"),
            send(subscribe("a"), client="b"),
            wait(2, "b"),
            send(publish("a", 1)),
            wait(4),
            wait(3, "b"),
        ],
        app={"middleware": {"outbound": []}},
        events=True,
    ),
    Script(
        "middleware-outbound-delay-order",
        [
            hello(),
            send(subscribe("a")),
            wait(2),
            send(publish("a", 1), invoke("tell", {"event": "x"}, 4)),
            settle(),
            send(ECHO),
            settle(),
            release(),
            wait(7),
        ],
        app={"middleware": {"outbound": rules("publishOut", hold=True)}},
    ),
    Script(
        "middleware-token-expired",
        [
            hello(),
            send(invoke("login", {"token": {"u": 1, "exp": 1000000000}})),
            settle(),
            send(invoke("echo", 1, 3), subscribe("a", 4), publish("a", 1, 5)),
        ],
        app={"middleware": {"inbound": []}},
        events=True,
    ),
    Script(
        "middleware-all-lines",
        [hello(token=token({"username": "eve"})), send(subscribe("a"), publish("a", {"x": 1}), ECHO)],
        app={"middleware": {"handshake": [], "inboundRaw": [], "inbound": [], "outbound": []}},
        events=True,
    ),
    Script(
        "middleware-publish-null-data",
        [hello(), send(subscribe("a"), publish("a", None))],
        app={"middleware": {"inbound": [], "outbound": []}},
        events=True,
    ),
]
