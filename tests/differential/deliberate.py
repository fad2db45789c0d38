"""
Where agtwisted answers otherwise than the reference, on purpose.

Each difference names its script, the reason, and what agtwisted does instead, which is checked like everything else. An
entry whose difference has gone fails as well, so that this list stays true.

First come the ways to say what agtwisted answers, then the decisions: about handshakes, upgrades and tokens, about
order, about values and names, about what breaks the WebSocket protocol, and about what is sent when the connection has
gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Answers = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """
    One decision.

    @ivar reason: why agtwisted differs.
    @ivar expected: makes, of the reference's masked answers, those that agtwisted is to give.
    """

    reason: str
    expected: Callable[[Answers], Answers]


def replaced(old: Any, new: Any) -> Callable[[Answers], Answers]:
    """The reference's answers with one part replaced, wherever it stands; both parts as JSON without their braces."""
    before, after = (json.dumps(part, sort_keys=True)[1:-1] for part in (old, new))
    return lambda answers: json.loads(json.dumps(answers, sort_keys=True).replace(before, after))


def client(*records: Any) -> Callable[[Answers], Answers]:
    """Given records for the only client, the rest as in the reference."""
    return lambda answers: {**answers, "a": list(records)}


def after(keep: int, *records: Any) -> Callable[[Answers], Answers]:
    """The first records as in the reference, these behind them."""
    return lambda answers: {**answers, "a": [*answers["a"][:keep], *deepcopy(list(records))]}


def reordered(*indexes: int) -> Callable[[Answers], Answers]:
    """The first records in another order, the rest as in the reference."""
    return lambda answers: {
        **answers,
        "a": [*(answers["a"][index] for index in indexes), *answers["a"][len(indexes) :]],
    }


def inserted(index: int, record: Any) -> Callable[[Answers], Answers]:
    """One record more, the rest as in the reference."""
    return lambda answers: {**answers, "a": [*answers["a"][:index], record, *answers["a"][index:]]}


def both(*steps: Callable[[Answers], Answers]) -> Callable[[Answers], Answers]:
    """Several changes, one after the other."""

    def expected(answers: Answers) -> Answers:
        for step in steps:
            answers = step(answers)
        return answers

    return expected


def faulted(code: int) -> Callable[[Answers], Answers]:
    """
    The application is told the close code that the peer was told, and one error, after the events of the closing: where
    the reference has 1006 and the errors of the library C{ws}.
    """
    text = FAULTS[code]
    ending = {"code": code, "reason": text}
    error = {"name": "SocketProtocolError", "message": text}

    def expected(answers: Answers) -> Answers:
        changed = {
            stream: [record | ending if "code" in record else record for record in records]
            for stream, records in answers.items()
        }
        if "order" in changed:
            changed["socket error"] = [{"socket": "error", "error": error}]
            changed["server warning"] = [{"server": "warning", "warning": error}]
            changed["order"] = _movedBehind(changed["order"], "server closure", ["socket error", "server warning"])
        return changed

    return expected


def _movedBehind(order: list[dict[str, str]], anchor: str, streams: list[str]) -> list[dict[str, str]]:
    """The order in which streams began, with some of them moved."""
    names = [record["stream"] for record in order if record["stream"] not in streams]
    place = names.index(anchor) + 1
    return [{"stream": name} for name in [*names[:place], *streams, *names[place:]]]


def _isNotOpen(record: dict[str, Any]) -> bool:
    return bool(record.get("warning", {}).get("message", "").startswith("WebSocket is not open"))


def undelivered(answers: Answers) -> Answers:
    """What cannot be sent any more is told by one error of our own, on the socket as well as on the server."""
    error = {"name": "BadConnectionError", "message": "WebSocket is not open: what was to be sent is dropped"}
    warnings = [
        {"server": "warning", "warning": error} if _isNotOpen(record) else record
        for record in answers["server warning"]
    ]
    return {
        **answers,
        "server warning": warnings,
        "socket error": [*answers["socket error"], {"socket": "error", "error": error}],
    }


def unsaid(answers: Answers) -> Answers:
    """Nothing was left that could not be sent."""
    return {**answers, "server warning": [record for record in answers["server warning"] if not _isNotOpen(record)]}


def state(channels: list[str], rid: int) -> dict[str, Any]:
    """The answer of the procedure C{state} for an anonymous socket."""
    return answer(
        rid,
        data={
            "authState": "unauthenticated",
            "authToken": None,
            "count": len(channels),
            "signed": False,
            "state": "open",
            "subscriptions": channels,
            "url": "/socketcluster/",
        },
    )


def answer(rid: int, **members: Any) -> dict[str, Any]:
    """A response."""
    return {"json": {"rid": rid, **members}}


def event(name: str, **members: Any) -> dict[str, Any]:
    """A transmitted event."""
    return {"json": {"event": name, **members}}


FAULTS = {
    1002: "A WebSocket protocol error was encountered",
    1007: "Message format was incorrect",
    1009: "Message was too big to process",
}
"""What applications are told of faults that end a connection."""

DELIBERATE: dict[str, Difference] = {}
"""By the script's name."""


def bothVersions(*names: str) -> list[str]:
    """The names of scripts that are played in both versions of the protocol."""
    return [f"{name}-v{version}" for name in names for version in (1, 2)]


def _decide(names: list[str], reason: str, expected: Callable[[Answers], Answers]) -> None:
    DELIBERATE.update((name, Difference(reason, expected)) for name in names)


_decide(
    ["handshake-twice-v1", "handshake-twice-v2"],
    "A second handshake on an open socket does not count the client again; the reference counts it twice.",
    replaced({"clients": 2}, {"clients": 1}),
)

_decide(
    ["token-second-handshake-without"],
    "A second handshake on an open socket changes nothing and is answered with the current status; the "
    "reference takes the "
    "socket's token away.",
    after(
        2,
        answer(2, data={"id": "<id>", "isAuthenticated": True, "pingTimeout": 30000}),
        answer(
            3,
            data={
                "authState": "authenticated",
                "authToken": {"exp": 4102444800, "username": "alice"},
                "count": 0,
                "signed": True,
                "state": "open",
                "subscriptions": [],
                "url": "/socketcluster/",
            },
        ),
    ),
)

_decide(
    ["upgrade-header-upgrade-other"],
    "A request to upgrade to something else than WebSocket is an ordinary request of HTTP, for the web site "
    "to answer: 501 "
    "where there is none.",
    client({"http": 501}),
)

_decide(
    ["upgrade-origin-suffix", "upgrade-origin-port-prefix"],
    "Origins are compared exactly; the reference looks for the origin anywhere in the text of the option, so that "
    "http://ample.com passes for example.com.",
    client({"http": 403}),
)

_decide(
    [
        f"middleware-authenticate-block-{kind}"
        for kind in ("named", "nothing", "silent", "status", "extra", "unannounced")
    ]
    + ["middleware-authenticate-in-handshake-blocked"],
    "The signed token is cleared when middleware blocks an authentication; the reference keeps it.",
    replaced({"signed": True}, {"signed": False}),
)

_SENT_FIRST = (
    "What the application sends first arrives first; the reference lets an answer overtake an event or a "
    "token that was "
    "sent before it."
)
_decide(
    bothVersions("pipelined-server-transmits-then-answers", "pipelined-server-logs-in-then-answers"),
    _SENT_FIRST,
    reordered(0, 1, 3, 2),
)
_decide(bothVersions("pipelined-login-call"), _SENT_FIRST, reordered(0, 1, 4, 2, 3))
_decide(bothVersions("batch-mixed"), _SENT_FIRST, reordered(0, 1, 2, 3, 4, 6, 5))

_decide(
    bothVersions("pipelined-call-and-close"),
    "An answer that was given before the connection had to be closed arrives before the close frame; the "
    "reference loses it.",
    inserted(2, answer(2, data=1)),
)

_decide(
    ["call-buffer-like"],
    "Data is never taken for a buffer because of how it looks; the reference rewrites every {type: 'Buffer', "
    "data: […]}.",
    after(2, answer(2, data={"type": "Buffer", "data": [1, 2, 255]})),
)

_decide(
    ["text-integer-enormous-v1", "text-integer-enormous-v2"],
    "Integers are Python's and survive; JavaScript makes Infinity of this one and answers null.",
    lambda answers: {**answers, "a": [*answers["a"][:2], answer(2, data=int("9" * 400)), *answers["a"][3:]]},
)


for _name in ("__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"):
    _title = _name.strip("_")
    _reason = "Names are data; this one stops the reference's socket or confuses its counts."
    _after = answer(9, data="after")
    _decide(
        [f"name-procedure-{_title}"],
        _reason,
        after(2, answer(2, data={"called": _name, "data": 1}), event(_name, data=2), _after),
    )
    _decide([f"name-unserved-{_title}"], _reason, after(2, _after))
    _decide(
        [f"name-unsubscribe-{_title}"],
        _reason,
        after(
            2,
            answer(
                2,
                error={
                    "name": "BrokerError",
                    "message": (
                        f"Failed to unsubscribe socket from the {_name} channel - InvalidActionError: Socket "
                        "<id> tried to unsubscribe "
                        "from a channel which it is not subscribed to"
                    ),
                },
            ),
            _after,
        ),
    )
    _decide(
        [f"name-channel-{_title}"],
        _reason,
        after(
            2,
            answer(2),
            event("#publish", data={"channel": _name, "data": 1}),
            answer(3),
            state([_name], 4),
            answer(5),
            answer(6),
            state([], 7),
        ),
    )

_INVALID = {"isBadToken": True, "message": "invalid token", "name": "AuthTokenInvalidError"}
_STATUS = {"id": "<id>", "isAuthenticated": False, "pingTimeout": 30000}

for _kind in ("text", "list", "null", "number", "rubbish"):
    _reason = (
        "A token whose payload is not an object is not a token; the reference takes some for one and fails on others."
    )
    _decide(
        [f"token-handshake-claims-{_kind}"],
        _reason,
        client(
            {"http": 101},
            answer(1, data={**_STATUS, "authError": _INVALID}),
            event("#removeAuthToken"),
            state([], 2),
            answer(9, data="after"),
        ),
    )
    _decide(
        [f"token-authenticate-claims-{_kind}"],
        _reason,
        after(2, answer(2, error=_INVALID), event("#removeAuthToken"), state([], 3)),
    )

_FAULT = (
    "The peer gets the same close code. The application gets to know it too, and the standard text for it, where the "
    "reference says 1006 and shows the words of its WebSocket library."
)
_decide(
    [
        f"frame-{name}"
        for name in (
            "ping-too-long",
            "ping-fragmented",
            "unmasked",
            "continuation-first",
            "text-inside-fragments",
            "rsv1",
            "rsv2",
            "rsv3",
            "opcode-3",
            "opcode-11",
            "close-one-byte",
            "close-code-0",
            "close-code-999",
            "close-code-1004",
            "close-code-1005",
            "close-code-1006",
            "close-code-2999",
            "close-code-5000",
            "close-too-long",
        )
    ],
    _FAULT,
    faulted(1002),
)
_decide(
    [
        f"frame-{name}"
        for name in (
            "invalid-utf8",
            "invalid-utf8-in-json",
            "invalid-utf8-surrogate",
            "invalid-utf8-overlong",
            "invalid-utf8-cut",
            "close-reason-invalid-utf8",
        )
    ],
    _FAULT,
    faulted(1007),
)
_decide(
    [f"limit-payload-{name}" for name in ("exceeded-v1", "exceeded-v2", "one-more", "before-handshake")],
    _FAULT,
    faulted(1009),
)


def _refused(answers: Answers) -> Answers:
    """The frame that the reference takes has not come."""
    taken = {
        "order": [record for record in answers["order"] if record["stream"] != "socket raw"],
        "socket message": answers["socket message"][:1],
    }
    return {name: records for name, records in {**answers, **taken}.items() if name != "socket raw"}


_decide(
    ["frame-length-not-minimal"],
    "A length that is not written in the shortest way breaks the WebSocket protocol (RFC 6455, 5.2); the "
    "reference takes it.",
    both(_refused, after(2, {"close": [1002, ""]}), faulted(1002)),
)

_decide(
    ["frame-length-over-2-63"],
    "A length with its highest bit set breaks the WebSocket protocol (RFC 6455, 5.2); to the reference it is "
    "just too large.",
    after(2, {"close": [1002, ""]}),
)

_decide(
    [
        "call-from-server-lost",
        *bothVersions("close-server-then-late-answers"),
        "close-server-login-pending",
        "token-login-cannot-sign",
    ],
    "What the application sends when the connection has gone is dropped, and told by a BadConnectionError on "
    "the socket and "
    "the server; the reference tells the server alone, in the words of its WebSocket library.",
    undelivered,
)

_CLOSED = (
    "What comes behind a packet that ends the connection is dropped; the reference goes on with the batch "
    "and cannot send "
    "what it answers."
)
_decide(["batch-handshake-malformed"], _CLOSED, unsaid)
_decide(["batch-closing-in-the-middle"], _CLOSED, both(unsaid, inserted(2, answer(2, data=1))))
