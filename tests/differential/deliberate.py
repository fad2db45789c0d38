"""
Where agtwisted answers otherwise than the reference, on purpose.

Each difference names its script, the reason, and what agtwisted does instead, which is checked like everything else. An
entry whose difference has gone fails as well, so that this list stays true.
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
    """The reference's records in another order."""
    return lambda answers: {**answers, "a": [answers["a"][index] for index in indexes]}


def state(channels: list[str], rid: int) -> dict[str, Any]:
    """The answer of the procedure C{state} for an anonymous socket."""
    return answer(rid, data={
        "authState": "unauthenticated", "authToken": None, "count": len(channels), "signed": False, "state": "open",
        "subscriptions": channels, "url": "/socketcluster/"})


def answer(rid: int, **members: Any) -> dict[str, Any]:
    """A response."""
    return {"json": {"rid": rid, **members}}


def event(name: str, **members: Any) -> dict[str, Any]:
    """A transmitted event."""
    return {"json": {"event": name, **members}}


DELIBERATE: dict[str, Difference] = {}
"""By the script's name."""


def _decide(names: list[str], reason: str, expected: Callable[[Answers], Answers]) -> None:
    DELIBERATE.update((name, Difference(reason, expected)) for name in names)


_decide(
    ["handshake-twice-v1", "handshake-twice-v2"],
    "A second handshake on an open socket does not count the client again; the reference counts it twice.",
    replaced({"clients": 2}, {"clients": 1}))

_decide(
    ["upgrade-origin-suffix", "upgrade-origin-port-prefix"],
    "Origins are compared exactly; the reference looks for the origin anywhere in the text of the option, so that "
    "http://ample.com passes for example.com.",
    client({"http": 403}))

_decide(
    [f"middleware-authenticate-block-{kind}" for kind in ("named", "nothing", "silent", "status", "extra", "unannounced")]
    + ["middleware-authenticate-in-handshake-blocked"],
    "The signed token is cleared when middleware blocks an authentication; the reference keeps it.",
    replaced({"signed": True}, {"signed": False}))

_decide(
    ["call-buffer-like"],
    "Data is never taken for a buffer because of how it looks; the reference rewrites every {type: 'Buffer', data: […]}.",
    after(2, answer(2, data={"type": "Buffer", "data": [1, 2, 255]})))

_decide(
    ["text-integer-enormous-v1", "text-integer-enormous-v2"],
    "Integers are Python's and survive; JavaScript makes Infinity of this one and answers null.",
    lambda answers: {**answers, "a": [*answers["a"][:2], answer(2, data=int("9" * 400)), *answers["a"][3:]]})

_decide(
    ["pipelined-server-transmits-then-answers-v1", "pipelined-server-transmits-then-answers-v2",
     "pipelined-server-logs-in-then-answers-v1", "pipelined-server-logs-in-then-answers-v2"],
    "What the application sends first arrives first; the reference lets an answer overtake an event or a token that was "
    "sent before it.",
    reordered(0, 1, 3, 2))

for _name in ("__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"):
    _title = _name.strip("_")
    _reason = "Names are data; this one stops the reference's socket or confuses its counts."
    _after = answer(9, data="after")
    _decide([f"name-procedure-{_title}"], _reason,
            after(2, answer(2, data={"called": _name, "data": 1}), event(_name, data=2), _after))
    _decide([f"name-unserved-{_title}"], _reason, after(2, _after))
    _decide([f"name-unsubscribe-{_title}"], _reason, after(
        2, answer(2, error={"name": "BrokerError", "message": (
            f"Failed to unsubscribe socket from the {_name} channel - InvalidActionError: Socket <id> tried to unsubscribe "
            "from a channel which it is not subscribed to")}), _after))
    _decide([f"name-channel-{_title}"], _reason, after(
        2, answer(2), event("#publish", data={"channel": _name, "data": 1}), answer(3), state([_name], 4), answer(5),
        answer(6), state([], 7)))

_INVALID = {"isBadToken": True, "message": "invalid token", "name": "AuthTokenInvalidError"}
_STATUS = {"id": "<id>", "isAuthenticated": False, "pingTimeout": 30000}

for _kind in ("text", "list", "null", "number", "rubbish"):
    _reason = "A token whose payload is not an object is not a token; the reference takes some for one and fails on others."
    _decide([f"token-handshake-claims-{_kind}"], _reason, client(
        {"http": 101}, answer(1, data={**_STATUS, "authError": _INVALID}), event("#removeAuthToken"), state([], 2),
        answer(9, data="after")))
    _decide([f"token-authenticate-claims-{_kind}"], _reason, after(
        2, answer(2, error=_INVALID), event("#removeAuthToken"), state([], 3)))
