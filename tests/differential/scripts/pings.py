"""
Pings, pongs, and peers that fall silent.
"""

from __future__ import annotations

from typing import Any

from ..steps import Script, ended, hello, invoke, pause, raw, send, settle, wait
from .values import ECHO

# The times are such that a busy machine has answered the handshake long before the first ping is due.

PONGS = {1: "#2", 2: ""}

SCRIPTS: list[Script] = []


def often(step: Any, times: int, milliseconds: int) -> list[Any]:
    """Do something again and again."""
    return [each for _ in range(times) for each in (pause(milliseconds), step)]


for version, pong in PONGS.items():
    extra = {"protocolVersion": version}
    SCRIPTS += [
        Script(f"ping-sent-v{version}", [hello(), wait(2)], {"pingInterval": 3000, **extra}),
        Script(f"ping-before-handshake-v{version}", [wait(1), hello()], {"pingInterval": 80, **extra}),
        Script(
            f"ping-silent-peer-v{version}",
            [hello(), ended()],
            {"pingInterval": 20000, "pingTimeout": 4000, **extra},
            events=True,
        ),
        Script(f"ping-unanswered-v{version}", [hello(), ended()], {"pingInterval": 3000, "pingTimeout": 7000, **extra}),
        Script(
            f"ping-answered-v{version}",
            [hello(), *often(raw(pong), 8, 700), send(ECHO)],
            {"pingInterval": 2500, "pingTimeout": 5000, **extra},
            events=True,
        ),
        Script(
            f"ping-kept-alive-by-events-v{version}",
            [hello(), *often(send(invoke("empty")), 8, 700)],
            {"pingInterval": 60000, "pingTimeout": 5000, **extra},
        ),
        Script(f"ping-silent-before-handshake-v{version}", [ended()], {"pingTimeout": 300, **extra}, events=True),
        Script(
            f"ping-timeout-disabled-v{version}",
            [hello(), pause(900), send(ECHO)],
            {"pingInterval": 60, "pingTimeout": 150, "pingTimeoutDisabled": True, **extra},
        ),
        Script(f"ping-unasked-pongs-v{version}", [hello(), raw(pong, pong, pong), send(ECHO)], extra, events=True),
        Script(
            f"ping-other-versions-pong-v{version}",
            [hello(), raw(PONGS[3 - version]), settle(), send(ECHO)],
            extra,
            events=True,
        ),
    ]

SCRIPTS += [
    Script(
        "ping-websocket-pings-do-not-count",
        [hello(), settle(), settle(), ended()],
        {"pingInterval": 20000, "pingTimeout": 4000},
    ),
]
