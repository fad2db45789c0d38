"""
The scripts of version 14: those of version 1 that are about the protocol alone, and its own.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ..scripts import batches, calls, channels, closing, frames, handshake, limits, names, pings, reserved, tokens, upgrade
from ..scripts.channels import publish, subscribe
from ..scripts.tokens import GOOD, PAST
from ..scripts.values import CIDS, ECHO, VALUES, packet
from ..steps import Script, Step, binary, close, connect, ended, hello, invoke, raw, release, send, settle, transmit, wait

#: Scripts that call what version 14 has events of its own for, or does in another way.
_TAKEN = re.compile(
    "disconnect|send-raw|batch|pressure|subscribe-options|kick-out-(empty-)?list|name-procedure-(connect|message|close|error|raw)$"
)

#: What the WebSocket layer finds wrong, the reference tells the application in words of its own; only what is sent counts.
_WEBSOCKET = re.compile("frame-|limit-payload")

#: Options that only version 15 and later have.
_LATER = {"batchOnHandshake", "batchInterval", "middlewareEmitFailures", "requestCreator", "socketStreamCleanupMode"}


#: Where the core's application waits for the client before it answers, this one answers at once.
_AT_ONCE = {"token-login-acknowledged", "token-login-refused-by-client", "token-logout-acknowledged"}


def _shared() -> list[Script]:
    """The core's scripts that mean the same here; those about streams and batches have no counterpart."""
    subjects = (handshake, upgrade, reserved, tokens, calls, channels, batches, frames, names, limits, pings, closing)
    chosen: dict[str, Script] = {}
    for script in (script for subject in subjects for script in subject.SCRIPTS):
        options = {name: value for name, value in script.options.items() if name != "protocolVersion"}
        if _TAKEN.search(script.name):
            continue
        if (
            script.options.get("protocolVersion", 1) == 1
            and not script.app.get("middleware")
            and not _LATER & options.keys()
        ):
            name = script.name.removesuffix("-v1")
            events = script.events and not _WEBSOCKET.match(name)
            steps = [settle() if script.name in _AT_ONCE and step.kind == "wait" else step for step in script.steps]
            # Some are there for version 1 and for no version in particular, which is the same here.
            chosen[name] = replace(script, name=name, steps=steps, options=options, events=events)
    return list(chosen.values())


NAMED = {"name": "NotAllowedError", "message": "not allowed"}
SILENT = {**NAMED, "silent": True}

BLOCKS: dict[str, dict[str, Any]] = {
    "named": {"block": NAMED},
    "text": {"block": "no"},
    "true": {"block": True},
    "silent": {"block": SILENT},
    "extra": {"block": {**NAMED, "extra": {"a": [1]}, "code": 7}},
    "value": {"block": NAMED, "value": 4501},
    "status": {"block": {**NAMED, "statusCode": 4502}, "value": 4501},
    "value-true": {"block": NAMED, "value": True},
    "silent-value": {"block": True, "value": 4501},
}
"""Ways to block."""

LINES: dict[str, list[Step]] = {
    "handshakeWS": [hello(), settle()],
    "handshakeSC": [hello(), settle()],
    "authenticate": [hello(token=GOOD), send(invoke("state"), invoke("#authenticate", GOOD, 3), invoke("state", cid=4))],
    "subscribe": [hello(), send(subscribe("a"), invoke("#subscribe", "b", 3), invoke("state", cid=4), publish("a", 1, 5))],
    "publishIn": [hello(), send(subscribe("a"), publish("a", 1), transmit("#publish", {"channel": "a", "data": 2}), ECHO)],
    "publishOut": [hello(), send(subscribe("a"), publish("a", 1), publish("a", 2, 4), ECHO)],
    "emit": [hello(), send(invoke("echo", 1), transmit("echo", 2), invoke("nobody", 1, 3), invoke("#other", 1, 4))],
}
"""For every line, what brings it about."""


def _later(line: str) -> tuple[dict[str, Any], list[Step]]:
    """The rule of slow middleware, and what a script does about it; nothing comes before the upgrade that could be sent."""
    return ({"delay": 100}, []) if line == "handshakeWS" else ({"hold": True}, [settle(), release(), settle()])


def _middleware() -> list[Script]:
    scripts = []
    for line, steps in LINES.items():
        chain: dict[str, Any] = {line: [{}]}
        slow, goOn = _later(line)
        scripts += [
            Script(f"chain-{line}-allow", steps, {}, {"middleware": chain}, events=True),
            Script(f"chain-{line}-two", steps, {}, {"middleware": {line: [{}, {"block": NAMED}, {}]}}, events=True),
            Script(f"chain-{line}-delay", [*steps, *goOn], {}, {"middleware": {line: [slow]}}),
            Script(
                f"chain-{line}-delayed-block",
                [*steps, *goOn],
                {},
                {"middleware": {line: [{**slow, "block": NAMED}]}},
            ),
            Script(
                f"chain-{line}-unannounced",
                steps,
                {"middlewareEmitWarnings": False},
                {"middleware": {line: [{"block": NAMED}]}},
                events=True,
            ),
        ]
        scripts += [
            Script(f"chain-{line}-block-{name}", steps, {}, {"middleware": {line: [rule]}}, events=True)
            for name, rule in BLOCKS.items()
        ]
    for line in ("subscribe", "publishIn", "publishOut", "emit"):
        scripts += [
            Script(
                f"chain-{line}-replace-{name}",
                LINES[line],
                {},
                {"middleware": {line: [{"replace": VALUES[name]}]}},
                events=True,
            )
            for name in ("null", "0", "false", "text", "nested")
        ]
    return scripts


_TWO = [hello(), wait(1), connect("b"), hello(client="b"), wait(1, "b"), send(subscribe("a"), client="b"), wait(2, "b")]
_EXPIRED = [hello(), send(invoke("login", {"token": {"u": 1, "exp": PAST}})), settle()]


def _own() -> list[Script]:
    scripts = [
        # ---- calls and their answers
        *(
            Script(f"cid-{name}", [hello(), send(packet(event="echo", data=1, cid=value), ECHO)], events=True)
            for name, value in CIDS.items()
        ),
        *(
            Script(
                f"answer-rid-{name}",
                [hello(), send(invoke("call", {"event": "ask", "data": 1})), wait(2), send({"rid": value, "data": 1}, ECHO)],
            )
            for name, value in {"text": "1", "float": 1.0, "text-zero": "01", "list": [1], "true": True}.items()
        ),
        Script("answer-with-error-and-data", [hello(), send(invoke("failWithData", {"error": NAMED, "data": {"a": 1}}))]),
        Script(
            "answer-with-text-error",
            [hello(), send(invoke("fail", "just text"), invoke("fail", 7, 3), invoke("fail", True, 4))],
        ),
        Script(
            "answer-with-false-error", [hello(), send(invoke("fail", 0), invoke("fail", "", 3), invoke("fail", False, 4))]
        ),
        Script("answer-twice", [hello(), send(invoke("twice"), ECHO)], events=True),
        Script("answer-in-batch", [hello(), send(invoke("answerInBatch", 1)), wait(2), send(ECHO)]),
        Script(
            "answer-in-batch-later",
            [
                hello(),
                wait(1),
                send(invoke("answerInBatch", 1), invoke("answerInBatch", 2, 3), invoke("echo", 3, 4)),
                wait(3),
            ],
            {"pubSubBatchDuration": 200},
            pipelined=True,
        ),
        Script("call-times-out", [hello(), send(invoke("call", {"event": "ask", "data": 1})), wait(3)], {"ackTimeout": 100}),
        Script(
            "emit-reserved",
            [hello(), send(invoke("tell", {"event": "message", "data": 1}), invoke("tell", {"event": "connect"}, 3), ECHO)],
            events=True,
        ),
        Script("emit-private", [hello(), send(invoke("tell", {"event": "#hello", "data": 1}), ECHO)]),
        Script("emit-in-connect", [hello(), settle()], app={"greet": "hi"}, events=True),
        Script(
            "local-events-from-client",
            [
                hello(),
                send(
                    invoke("message", 1), invoke("connect", 1, 3), invoke("error", 1, 4), invoke("_disconnect", 1, 5), ECHO
                ),
            ],
            events=True,
        ),
        Script("private-events-unserved", [hello(), send(invoke("#foo", 1), invoke("#", 2, 3), ECHO)], events=True),
        Script("private-events-served", [hello(), send(invoke("#foo", 1), ECHO)], app={"names": ["#foo"]}, events=True),
        Script(
            "event-names-that-are-none",
            [
                hello(),
                send(
                    {"event": 5, "cid": 2},
                    {"event": None, "cid": 3},
                    {"event": False, "cid": 4},
                    {"event": {}, "cid": 5},
                    ECHO,
                ),
            ],
        ),
        Script(
            "event-names-in-middleware",
            [hello(), send({"event": 5, "cid": 2, "data": 1}, ECHO)],
            app={"middleware": {"emit": [{"block": NAMED}]}},
        ),
        Script("exchange-states", [hello(), send(invoke("exchange"))]),
        # ---- the end
        *(
            Script(f"disconnect-packet-{name}", [hello(), send(transmit("#disconnect", data)), ended()], events=True)
            for name, data in {
                "normal": {"code": 1000},
                "reason": {"code": 4444, "data": "bye"},
                "object": {"code": 4444, "data": {"why": 1}},
                "application": {"code": 4501, "data": "never"},
            }.items()
        ),
        Script("disconnect-packet-before-handshake", [send(transmit("#disconnect", {"code": 1000})), ended()], events=True),
        Script(
            "disconnect-packet-then-close",
            [hello(), send(subscribe("a"), transmit("#disconnect", {"code": 4445, "data": "why"})), ended()],
            events=True,
        ),
        *(
            Script(
                f"server-disconnect-{name}", [hello(), send(subscribe("a"), invoke("hangUp", data, 3)), ended()], events=True
            )
            for name, data in {
                "default": None,
                "code": {"code": 4100},
                "reason": {"code": 4100, "reason": "why"},
                "object": {"code": 4100, "reason": {"a": 1}},
                "zero": {"code": 0, "reason": "none"},
            }.items()
        ),
        Script("server-disconnect-first", [hello(), send(invoke("disconnectFirst")), ended()], events=True),
        Script("server-destroy", [hello(), send(invoke("destroy", {"code": 4500, "reason": "gone"})), ended()], events=True),
        Script("server-terminate", [hello(), send(subscribe("a"), invoke("terminate")), ended()], events=True),
        Script("closed-by-client", [hello(), send(subscribe("a"), subscribe("b", 3)), close(4445, "mine")], events=True),
        Script("closed-by-client-without-code", [hello(), close()], events=True),
        Script("closed-before-handshake", [connect(), close(4444, "early")], events=True),
        Script("handshake-timeout", [connect(), ended()], {"handshakeTimeout": 2500}, events=True),
        Script("pong-timeout", [hello(), ended()], {"pingTimeout": 3000, "pingInterval": 1200}, events=True),
        Script(
            "pong-expired",
            [hello(), send(invoke("login", {"token": {"u": 1, "exp": PAST}})), settle(), raw("#2"), settle()],
            events=True,
        ),
        Script("pong-binary", [hello(), binary("#2"), send(ECHO)], events=True),
        Script("pong-empty", [hello(), raw(""), send(ECHO)], events=True),
        Script(
            "slow-unsubscribe",
            [hello(), send(subscribe("a")), wait(2), close(1000), release()],
            app={"holdUnsubscribe": True},
            events=True,
        ),
        # ---- channels
        Script(
            "subscribe-text",
            [hello(), send(invoke("#subscribe", "a"), publish("a", 1), invoke("state", cid=4))],
            events=True,
        ),
        *(
            Script(
                f"subscribe-malformed-{name}",
                [hello(), send(invoke("#subscribe", value), invoke("#unsubscribe", value, 3), ECHO)],
                events=True,
            )
            for name, value in {
                "null": None,
                "empty": "",
                "number": 5,
                "list": ["a"],
                "object": {},
                "channel-null": {"channel": None},
                "channel-object": {"channel": {"a": 1}},
                "channel-number": {"channel": 5},
                "false": False,
                "nested": {"channel": [1, None, "x"]},
            }.items()
        ),
        *(
            Script(f"publish-malformed-{name}", [hello(), send(invoke("#publish", value), ECHO)], events=True)
            for name, value in {
                "null": None,
                "text": "a",
                "number": 5,
                "list": [1],
                "channel-null": {"channel": None, "data": 1},
                "channel-object": {"channel": {}, "data": 1},
                "channel-number": {"channel": 1.5},
            }.items()
        ),
        Script(
            "subscribe-batch",
            [
                hello(),
                wait(1),
                send([subscribe("a", 2, batch=True), subscribe("b", 3, batch=True), subscribe("c", 4)]),
                wait(3),
            ],
        ),
        Script(
            "subscribe-batch-duration",
            [hello(), wait(1), send(subscribe("a", 2, batch=True), subscribe("b", 3, batch=True)), wait(2)],
            {"pubSubBatchDuration": 200},
            pipelined=True,
        ),
        Script(
            "subscribe-broker-fails",
            [hello(), send(subscribe("a"), invoke("state", cid=3))],
            app={"failSubscribe": {"name": "StoreError", "message": "no room"}},
            events=True,
        ),
        Script(
            "subscribe-limit",
            [hello(), send(subscribe("a"), subscribe("b", 3), subscribe("a", 4), invoke("state", cid=5))],
            {"socketChannelLimit": 1},
            events=True,
        ),
        Script(
            "subscribe-before-handshake",
            [send(subscribe("a"), {"event": "#handshake", "data": {}, "cid": 1}), settle()],
            {"strictHandshake": False},
            events=True,
        ),
        Script(
            "publish-disabled",
            [hello(), send(subscribe("a"), publish("a", 1), transmit("#publish", {"channel": "a"}))],
            {"allowClientPublish": False},
            events=True,
        ),
        Script(
            "kick-out-silently",
            [
                *_TWO,
                send(subscribe("a"), invoke("kickOut", {"channel": "a", "message": "m"}, 3), publish("a", 1, 4)),
                settle("b"),
            ],
        ),
        Script("send-raw", [hello(), send(invoke("sendRaw", "any text"), invoke("sendRaw", "", 3), ECHO)]),
        Script(
            "publish-ack-data",
            [hello(), send(publish("a", 1), transmit("#publish", {"channel": "a", "data": 1}), ECHO)],
            app={"middleware": {"publishIn": [{"ackData": {"id": 7}}]}},
            events=True,
        ),
        Script(
            "publish-ack-data-null", [hello(), send(publish("a", 1))], app={"middleware": {"publishIn": [{"ackData": None}]}}
        ),
        Script(
            "publish-ack-data-blocked",
            [hello(), send(publish("a", 1))],
            app={"middleware": {"publishIn": [{"ackData": {"id": 7}, "block": NAMED}]}},
        ),
        Script(
            "publish-redirected",
            [hello(), send(subscribe("b"), publish("a", 1))],
            app={"middleware": {"publishIn": [{"channel": "b"}]}},
            events=True,
        ),
        Script(
            "publish-redirected-nowhere",
            [hello(), send(publish("a", 1))],
            app={"middleware": {"publishIn": [{"channel": 5}]}},
            events=True,
        ),
        Script(
            "publish-out-one-recipient",
            [*_TWO, send(subscribe("a"), publish("a", {"x": 1})), wait(3, "b"), settle()],
            app={"middleware": {"publishOut": [{"useCache": True}]}},
        ),
        # ---- tokens
        Script(
            "authenticate-then-state", [hello(), send(invoke("#authenticate", GOOD), invoke("state", cid=3))], events=True
        ),
        Script(
            "authenticate-not-called", [hello(), send(transmit("#authenticate", GOOD), invoke("state", cid=3))], events=True
        ),
        Script("handshake-without-cid", [send({"event": "#handshake", "data": {}}), settle(), send(ECHO)], events=True),
        Script(
            "handshake-again",
            [hello(), send(invoke("#handshake", {"authToken": GOOD}), invoke("counts", cid=3), ECHO)],
            events=True,
        ),
        Script(
            "handshake-token-and-login",
            [hello(token=GOOD), send(invoke("login", {"token": {"n": 2}}), invoke("logout", cid=3))],
            events=True,
        ),
        Script(
            "token-set-in-handshake",
            [hello(), send(invoke("state"))],
            app={"middleware": {"handshakeSC": [{"setAuthToken": {"username": "x"}}]}},
            events=True,
        ),
        Script(
            "token-set-in-handshake-over-another",
            [hello(token=GOOD), send(invoke("state"))],
            app={"middleware": {"handshakeSC": [{"setAuthToken": {"username": "x"}}]}},
            events=True,
        ),
        Script(
            "token-confirmed",
            [
                hello(),
                send(invoke("loginConfirmed", {"n": 1})),
                wait(2),
                send({"rid": 1}),
                wait(3),
                send(invoke("logoutConfirmed", cid=3)),
                wait(4),
                send({"rid": 2, "error": NAMED}),
                wait(5),
            ],
        ),
        Script("token-expired-use", [*_EXPIRED, send(ECHO, invoke("state", cid=10))], events=True),
        Script(
            "token-expired-subscribe",
            [*_EXPIRED, send(subscribe("a"), invoke("state", cid=10))],
            app={"middleware": {"subscribe": [{"expired": True}]}},
            events=True,
        ),
        Script(
            "token-expired-waiting-for-auth",
            [*_EXPIRED, send(subscribe("a", waitForAuth=True), invoke("state", cid=10))],
            app={"middleware": {"subscribe": [{}]}},
            events=True,
        ),
        Script(
            "token-expired-publish",
            [*_EXPIRED, send(publish("a", 1))],
            app={"middleware": {"publishIn": [{"expired": True}]}},
            events=True,
        ),
        Script(
            "token-expired-emit", [*_EXPIRED, send(ECHO)], app={"middleware": {"emit": [{"expired": True}]}}, events=True
        ),
        Script(
            "wait-for-auth",
            [hello(), send(subscribe("a", waitForAuth=True, data={"d": 1}))],
            app={"middleware": {"subscribe": [{}]}},
            events=True,
        ),
        Script(
            "all-lines",
            [hello(token=GOOD), send(subscribe("a"), publish("a", {"x": 1}), ECHO)],
            app={"middleware": {line: [{}] for line in LINES}},
            events=True,
        ),
        Script(
            "order-not-kept",
            [hello(), send(subscribe("a"), publish("a", 1), ECHO), settle(), release(), settle()],
            app={"middleware": {"subscribe": [{"hold": True}]}},
            events=True,
        ),
    ]
    return [replace(script, name=f"own-{script.name}") for script in scripts]


def _everySecondDeaf(scripts: list[Script]) -> list[Script]:
    """Where nobody listens to C{message}, messages go another way: so it is in every second script."""
    deaf = [replace(script, app={**script.app, "isDeaf": True}) for script in scripts]
    return [pair[number % 2] for number, pair in enumerate(zip(scripts, deaf, strict=True))]


SCRIPTS: list[Script] = _everySecondDeaf(_shared() + _middleware() + _own())
"""Every script; the names are unique."""
