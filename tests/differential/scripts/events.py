"""
What the application sees, in which order, over longer stories.
"""

from __future__ import annotations

from ..steps import Script, close, connect, hello, invoke, raw, send, settle, transmit, wait
from .channels import publish, subscribe
from .tokens import BOB, GOOD, TOKENS
from .values import ECHO

SCRIPTS: list[Script] = [
    Script(f"events-{name}-v{version}", steps, {"protocolVersion": version}, events=True)
    for version in (1, 2)
    for name, steps in {
        "whole-life": [
            hello(),
            send(subscribe("a"), publish("a", 1)),
            wait(4),
            send(invoke("login", {"token": {"u": 1}}, 4)),
            wait(6),
            send(invoke("#unsubscribe", "a", 5)),
            wait(7),
            send(invoke("logout", cid=6)),
            wait(9),
            close(1000, "end"),
        ],
        "authenticated-life": [hello(token=GOOD), send(subscribe("a")), wait(2), close(4100, "end")],
        "bad-token-life": [hello(token=TOKENS["other-key"]), settle(), close(1001)],
        "two-users": [
            hello(token=GOOD),
            wait(1),
            connect("b"),
            hello(token=BOB, client="b"),
            wait(1, "b"),
            send(subscribe("a"), client="b"),
            wait(2, "b"),
            send(publish("a", "hi")),
            wait(2),
            wait(3, "b"),
            close(1000),
            close(1000, client="b"),
        ],
        "raw-and-unknown": [hello(), raw("text"), send(transmit("x"), invoke("y"), {"rid": 4}), settle(), close(1000)],
        "errors": [
            hello(),
            send(
                invoke("#subscribe"),
                invoke("#publish", None, 3),
                invoke("#unsubscribe", None, 4),
                invoke("#unsubscribe", "zz", 5),
                invoke("#authenticate", "zz", 6),
                ECHO,
            ),
            settle(),
            close(4000),
        ],
        "handshake-again": [hello(), send(ECHO), wait(2), send({"event": "#handshake"})],
    }.items()
]
