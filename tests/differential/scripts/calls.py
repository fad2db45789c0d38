"""
Calls both ways, transmitted events, responses.
"""

from __future__ import annotations

from typing import Any

from ..steps import Script, close, drop, hello, invoke, raw, release, send, settle, transmit, wait
from .values import ECHO, VALUES, packet

SCRIPTS: list[Script] = []

ERRORS: dict[str, dict[str, Any]] = {
    "named": {"name": "CustomError", "message": "it went wrong"},
    "extra": {"name": "CustomError", "message": "m", "code": 5, "list": [1], "nested": {"a": None}},
    "no-text": {"name": "CustomError", "message": ""},
    "unicode": {"name": "CustomError", "message": 'schöne ☃ "quoted"\n'},
}

RESPONSES: dict[str, Any] = {
    "data": {"rid": 1, "data": {"a": 1}},
    "null": {"rid": 1, "data": None},
    "nothing": {"rid": 1},
    "error": {"rid": 1, "error": {"name": "ClientError", "message": "no"}},
    "error-without-name": {"rid": 1, "error": {"message": "no"}},
    "error-text": {"rid": 1, "error": {"name": "Error", "message": 5}},
    "error-false": {"rid": 1, "error": False, "data": 1},
    "error-null": {"rid": 1, "error": None, "data": 1},
    "rid-text": {"rid": "1", "data": 1},
    "rid-float": {"rid": 1.0, "data": 1},
    "rid-unknown": {"rid": 77, "data": 1},
    "rid-null": {"rid": None, "data": 1},
    "rid-negative": {"rid": -1},
    "cid-instead": {"cid": 1, "data": 1},
    "event-too": {"rid": 1, "event": "echo", "data": 1},
}

for version in (1, 2):
    options = {"protocolVersion": version}
    for name, value in VALUES.items():
        SCRIPTS += [
            Script(f"call-data-{name}-v{version}", [hello(), send(packet(event="echo", data=value, cid=2))], options),
            Script(
                f"call-from-server-data-{name}-v{version}",
                [
                    hello(),
                    send(invoke("call", packet(event="ask", data=value))),
                    wait(2),
                    send(packet(rid=1, data=value)),
                    wait(3),
                ],
                options,
            ),
            Script(
                f"transmit-data-{name}-v{version}", [hello(), send(packet(event="echo", data=value), ECHO)], options
            ),
            Script(
                f"transmit-from-server-data-{name}-v{version}",
                [hello(), send(invoke("tell", packet(event="news", data=value)))],
                options,
            ),
        ]
    for name, response in RESPONSES.items():
        SCRIPTS.append(
            Script(
                f"call-from-server-response-{name}-v{version}",
                [
                    hello(),
                    send(invoke("call", {"event": "ask", "data": 1, "ackTimeout": 3000})),
                    wait(2),
                    send(response, ECHO),
                    wait(4),
                ],
                options,
            )
        )
    SCRIPTS += [
        Script(f"call-order-v{version}", [hello(), send(*(invoke("echo", n, n) for n in range(2, 40)))], options),
        Script(f"call-empty-answer-v{version}", [hello(), send(invoke("empty"), invoke("nothing", cid=3))], options),
        Script(f"call-unknown-v{version}", [hello(), send(invoke("nobody", 1), ECHO)], options),
        Script(f"call-answered-twice-v{version}", [hello(), send(invoke("twice"), ECHO)], options, events=True),
        Script(
            f"call-later-answers-do-not-wait-v{version}",
            [hello(), send(invoke("held", cid=2), invoke("echo", 1, 3)), wait(2), release(), wait(3)],
            options,
        ),
        Script(f"call-same-cid-twice-v{version}", [hello(), send(invoke("echo", 1, 2), invoke("echo", 2, 2))], options),
        Script(
            f"call-and-receiver-of-one-name-v{version}",
            [hello(), send(invoke("echo", 1), transmit("echo", 2))],
            options,
        ),
    ]
    for name, error in ERRORS.items():
        SCRIPTS.append(Script(f"call-error-{name}-v{version}", [hello(), send(invoke("fail", error), ECHO)], options))

SCRIPTS += [
    Script(
        "call-from-server-response-twice",
        [
            hello(),
            send(invoke("call", {"event": "ask", "data": 1})),
            wait(2),
            send({"rid": 1, "data": 1}, {"rid": 1, "data": 2}),
            settle(),
            send(ECHO),
        ],
        events=True,
    ),
    Script(
        "call-from-server-times-out",
        [hello(), send(invoke("call", {"event": "ask", "data": 1, "ackTimeout": 100})), wait(3)],
    ),
    Script(
        "call-from-server-times-out-by-option",
        [hello(), send(invoke("call", {"event": "ask", "data": 1})), wait(3)],
        {"ackTimeout": 100},
    ),
    Script(
        "call-from-server-late-response",
        [
            hello(),
            send(invoke("call", {"event": "ask", "data": 1, "ackTimeout": 100})),
            wait(3),
            send({"rid": 1, "data": 1}, ECHO),
        ],
        events=True,
    ),
    Script(
        "call-from-server-two-at-once",
        [
            hello(),
            send(invoke("call", {"event": "ask", "data": 1}, 2), invoke("call", {"event": "ask", "data": 2}, 3)),
            wait(3),
            send({"rid": 2, "data": "second"}, {"rid": 1, "data": "first"}),
            wait(5),
        ],
    ),
    Script(
        "call-from-server-in-batch",
        [
            hello(),
            send(invoke("call", {"event": "ask", "data": 1})),
            wait(2),
            send([{"rid": 1, "data": 1}, ECHO]),
            wait(4),
        ],
    ),
    Script(
        "call-from-server-lost",
        [hello(), send(invoke("call", {"event": "ask", "data": 1})), wait(2), close(4321, "bye")],
        events=True,
    ),
    Script("call-pending-while-connection-drops", [hello(), send(invoke("held")), settle(), drop(), release()]),
    Script(
        "response-unasked",
        [hello(), send({"rid": 1}, {"rid": 99, "data": 1}, {"rid": 5, "error": {"message": "x"}}, ECHO)],
        events=True,
    ),
    Script("transmit-order", [hello(), send(*(transmit("echo", n) for n in range(40)))]),
    Script("transmit-unknown", [hello(), send(transmit("nobody", 1), ECHO)], events=True),
    Script("call-bytes", [hello(), send(invoke("bytes"))]),
    Script("call-buffer-like", [hello(), send(invoke("echo", {"type": "Buffer", "data": [1, 2, 255]}))]),
    Script("call-base64-like", [hello(), send(invoke("echo", {"base64": True, "data": "AAE="}))]),
    Script("send-raw", [hello(), send(invoke("raw", "any text"), invoke("raw", "", 3), invoke("raw", "#1", 4), ECHO)]),
    Script("call-procedure-state", [hello(), send(invoke("state"))]),
    Script("call-counts", [hello(), send(invoke("counts"))]),
    Script("call-batched-by-hand", [hello(), send(invoke("batch")), wait(2)]),
    Script("call-batch-cancelled", [hello(), send(invoke("cancelBatch")), wait(2)]),
    Script(
        "call-batching-by-interval",
        [
            hello(),
            wait(1),
            send(invoke("startBatching"), invoke("echo", 1, 3), invoke("echo", 2, 4)),
            wait(2),
            send(invoke("echo", 3, 5), invoke("stopBatching", cid=6)),
            wait(3),
            send(ECHO),
        ],
        {"batchInterval": 500},
        pipelined=True,
    ),
    Script("call-data-large", [hello(), send(invoke("echo", "x" * 200000))]),
    Script("call-data-many-members", [hello(), send(invoke("echo", {f"k{n}": n for n in range(2000)}))]),
    Script(
        "call-data-deep", [hello(), raw('{"event":"echo","cid":2,"data":' + "[" * 200 + "]" * 200 + "}"), send(ECHO)]
    ),
]
