"""
Options that forbid or limit.
"""

from __future__ import annotations

from ..steps import Script, binary, drop, ended, frame, hello, invoke, raw, send, settle, transmit, wire
from ..wire import CONTINUATION, TEXT
from .channels import publish, subscribe
from .values import ECHO

NO_PUBLISH = {"allowClientPublish": False}
SMALL = {"maxPayload": 200}

SCRIPTS: list[Script] = []

for version in (1, 2):
    extra = {"protocolVersion": version}
    SCRIPTS += [
        Script(
            f"limit-no-publish-v{version}",
            [
                hello(),
                send(
                    subscribe("a"),
                    publish("a", 1),
                    transmit("#publish", {"channel": "a", "data": 1}),
                    invoke("#publish", None, 4),
                    invoke("publish", {"channel": "a", "data": "from server"}, 5),
                    ECHO,
                ),
            ],
            {**NO_PUBLISH, **extra},
            events=True,
        ),
        Script(
            f"limit-channels-v{version}",
            [
                hello(),
                send(
                    subscribe("a"),
                    subscribe("b", 3),
                    subscribe("c", 4),
                    invoke("#unsubscribe", "a", 5),
                    subscribe("c", 6),
                    subscribe("d", 7),
                    ECHO,
                ),
            ],
            {"socketChannelLimit": 2, **extra},
            events=True,
        ),
        Script(
            f"limit-payload-exceeded-v{version}",
            [hello(), send(invoke("echo", "x" * 300))],
            {**SMALL, **extra},
            events=True,
        ),
    ]

SCRIPTS += [
    Script(
        "limit-channels-same-again", [hello(), send(subscribe("a"), subscribe("a", 3), ECHO)], {"socketChannelLimit": 1}
    ),
    Script("limit-channels-zero", [hello(), send(subscribe("a"), ECHO)], {"socketChannelLimit": 0}),
    Script("limit-payload-exact", [hello(), raw("y" * 200), send(ECHO)], SMALL, events=True),
    Script("limit-payload-one-more", [hello(), settle(), raw("y" * 201), settle()], SMALL, events=True),
    Script("limit-payload-binary", [hello(), settle(), binary(b"y" * 300), settle()], SMALL),
    Script(
        "limit-payload-fragments",
        [hello(), settle(), wire(frame(TEXT, "y" * 150, fin=False), frame(CONTINUATION, "y" * 150)), settle()],
        SMALL,
    ),
    Script("limit-payload-claimed", [hello(), settle(), wire(frame(TEXT, "y" * 10, claimed=100000)), ended()], SMALL),
    Script("limit-payload-before-handshake", [raw("y" * 300), settle()], SMALL, events=True),
    Script(
        "limit-payload-incomplete",
        [hello(), settle(), wire(frame(TEXT, "y" * 10, claimed=100)), drop()],
        SMALL,
        events=True,
    ),
    Script("limit-payload-megabyte", [hello(), send(invoke("echo", "x" * 900000))]),
]
