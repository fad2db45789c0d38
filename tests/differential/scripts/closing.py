"""
How connections end, from either side.
"""

from __future__ import annotations

from ..steps import Script, close, drop, hello, invoke, release, send, settle, transmit, wait
from .channels import subscribe

CODES = [
    1000,
    1001,
    1002,
    1003,
    1007,
    1008,
    1009,
    1010,
    1011,
    1012,
    1013,
    1014,
    3000,
    3999,
    4000,
    4001,
    4008,
    4100,
    4444,
    4500,
    4999,
]

SCRIPTS: list[Script] = []

for code in CODES:
    SCRIPTS += [
        Script(f"close-client-{code}", [hello(), settle(), close(code)], events=True),
        Script(f"close-client-{code}-reason", [hello(), settle(), close(code, "because ☃")], events=True),
    ]
for code in (1000, 1001, 1008, 1011, 3000, 4008, 4100, 4500, 4999):
    SCRIPTS += [
        Script(f"close-server-{code}", [hello(), send(invoke("disconnect", {"code": code})), settle()], events=True),
        Script(
            f"close-server-{code}-reason",
            [hello(), send(invoke("disconnect", {"code": code, "reason": "enough"})), settle()],
            events=True,
        ),
    ]
for version in (1, 2):
    extra = {"protocolVersion": version}
    SCRIPTS += [
        Script(f"close-client-without-code-v{version}", [hello(), settle(), close()], extra, events=True),
        Script(f"close-client-drops-v{version}", [hello(), settle(), drop()], extra, events=True),
        Script(f"close-server-default-v{version}", [hello(), send(invoke("disconnect")), settle()], extra, events=True),
        Script(
            f"close-server-with-channels-v{version}",
            [
                hello(),
                send(subscribe("a"), subscribe("b", 3), invoke("disconnect", {"code": 4200, "reason": "off"}, 4)),
                settle(),
            ],
            extra,
            events=True,
        ),
        Script(
            f"close-server-then-late-answers-v{version}",
            [hello(), send(invoke("disconnectFirst")), settle()],
            extra,
            events=True,
        ),
        Script(
            f"close-server-terminates-v{version}", [hello(), send(invoke("terminate")), settle()], extra, events=True
        ),
    ]

SCRIPTS += [
    Script("close-client-right-after-handshake", [hello(), close(4444, "at once")], events=True),
    Script(
        "close-client-right-after-call", [hello(), send(invoke("echo", 1), transmit("echo", 2)), close(1000, "done")]
    ),
    Script("close-client-before-anything", [close(1000)], events=True),
    Script("close-client-drops-before-handshake", [settle(), drop()], events=True),
    Script("close-client-call-pending", [hello(), send(invoke("held")), settle(), close(4444, "x"), release()]),
    Script(
        "close-server-reason-long", [hello(), send(invoke("disconnect", {"code": 4100, "reason": "r" * 123})), settle()]
    ),
    Script(
        "close-server-reason-unicode",
        [hello(), send(invoke("disconnect", {"code": 4100, "reason": "schön ☃"})), settle()],
    ),
    Script(
        "close-server-login-pending",
        [hello(), send(invoke("call", {"event": "ask"}), invoke("disconnect", {"code": 4300}, 3)), settle()],
        events=True,
    ),
    Script("close-server-packets-behind", [hello(), send(invoke("disconnect", {"code": 4100}), invoke("echo", 1, 3))]),
    Script(
        "close-clean-up-close",
        [hello(), send(subscribe("a")), wait(2), close(4444, "x")],
        {"socketStreamCleanupMode": "close"},
        events=True,
    ),
    Script(
        "close-clean-up-none",
        [hello(), send(subscribe("a")), wait(2), close(4444, "x")],
        {"socketStreamCleanupMode": "none"},
        events=True,
    ),
]
