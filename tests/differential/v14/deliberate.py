"""
Where agtwisted's version 14 answers otherwise than the reference, on purpose.

As for the core, each difference names its script and the reason, and what agtwisted does instead is checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..deliberate import DELIBERATE as CORE
from ..deliberate import Answers, Difference, after, answer, client, event, replaced

DELIBERATE: dict[str, Difference] = {}
"""By the script's name."""


def _decide(names: list[str], reason: str, expected: Callable[[Answers], Answers]) -> None:
    DELIBERATE.update((name, Difference(reason, expected)) for name in names)


def state(channels: list[str], rid: int) -> dict[str, Any]:
    """The answer of C{state} for an anonymous socket."""
    return answer(
        rid,
        data={
            "active": True,
            "authState": "unauthenticated",
            "authToken": None,
            "count": len(channels),
            "state": "open",
            "subscriptions": channels,
            "url": "/socketcluster/",
        },
    )


def without(*texts: str) -> Callable[[Answers], Answers]:
    """The reference's log without the entries in which one of these texts stands."""
    return lambda answers: {
        **answers,
        "log": [entry for entry in answers["log"] if not any(text in json.dumps(entry) for text in texts)],
    }


for _name, _core in {
    "upgrade-origin-suffix": "upgrade-origin-suffix",
    "upgrade-origin-port-prefix": "upgrade-origin-port-prefix",
    "text-integer-enormous": "text-integer-enormous-v1",
    "call-buffer-like": "call-buffer-like",
}.items():
    DELIBERATE[_name] = CORE[_core]

_decide(
    ["upgrade-header-upgrade-other"],
    "Who does not ask for WebSocket is no WebSocket client but asks for a page; there is none.",
    client({"http": 501}),
)
_decide(["upgrade-method-post"], "405 says what is wrong with the request.", client({"http": 405}))
_decide(
    ["frame-length-not-minimal"],
    "RFC 6455 asks for the shortest form of a length.",
    lambda answers: {**answers, "a": [*answers["a"][:2], {"close": [1002, ""]}]},
)
_decide(
    ["frame-length-over-2-63"],
    "Such a length is against RFC 6455, not only too great.",
    replaced({"close": [1009, ""]}, {"close": [1002, ""]}),
)
_decide(
    ["reserved-event-of-wrong-type"],
    "Only text is the name of an event; JavaScript reads a list of one text as that text.",
    lambda answers: {**answers, "a": [answers["a"][0], answers["a"][1], answers["a"][3]]},
)
_decide(
    ["token-login-cannot-sign", "token-login-acknowledged", "token-login-refused-by-client"],
    "Nobody is announced as authenticated whose token could not be signed.",
    without('"authenticationStateChange"', '"authentication"'),
)

_BAD = {"message": "invalid token", "name": "AuthTokenInvalidError"}
_STATUS = {"id": "<id>", "isAuthenticated": False, "pingTimeout": 20000}
_REMOVE = event("#removeAuthToken", data=None)
for _kind in ("text", "null", "number", "rubbish", "list"):
    _reason = "A token whose payload is not an object is not a token; the reference takes some for one and fails on others."
    _decide(
        [f"token-handshake-claims-{_kind}"],
        _reason,
        client(
            {"http": 101}, _REMOVE, answer(1, data={**_STATUS, "authError": _BAD}), state([], 2), answer(9, data="after")
        ),
    )
    _decide(
        [f"token-authenticate-claims-{_kind}"],
        _reason,
        after(2, _REMOVE, answer(2, error=_BAD, data={"isAuthenticated": False, "authError": _BAD}), state([], 3)),
    )

for _name in ("__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"):
    _title = _name.strip("_")
    _reason = "Names are data; the reference ignores this one, or loses count of it."
    _after = answer(9, data="after")
    _decide([f"name-procedure-{_title}"], _reason, after(2, answer(2, data={"called": _name, "data": 1}), _after))
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
                        f"Failed to unsubscribe socket from the {_name} channel - Socket <id> tried to unsubscribe "
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

_decide(
    ["chain-handshakeSC-block-value-true"],
    "A close code that is none is an error, and 1000 is sent in its place.",
    lambda answers: {
        **answers,
        "a": [
            {"http": 101},
            answer(1, error={"name": "NotAllowedError", "message": "not allowed"}, data={"code": True}),
            event("#disconnect", data={"code": 1000}),
            {"close": [1000, ""]},
        ],
        "log": [
            *answers["log"][:-6],
            *[
                {**entry, "values": [1000 if value is True else value for value in entry["values"]]}
                for entry in answers["log"][-6:-2]
            ],
        ],
    },
)

_decide(
    [
        f"chain-subscribe-{name}"
        for name in (
            "allow two unannounced block-named block-text block-true block-silent block-extra block-value block-status "
            "block-value-true block-silent-value replace-null replace-0 replace-false replace-text replace-nested"
        ).split()
    ],
    "Middleware is told the channel also where the client has sent nothing but its name; in the reference such a "
    "subscription passes unseen any rule about channels.",
    lambda answers: {
        **answers,
        "log": [{**entry, "channel": "b"} if entry == {"middleware": "subscribe"} else entry for entry in answers["log"]],
    },
)
