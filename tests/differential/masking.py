"""
Takes out of answers what may differ between two servers that behave alike: socket ids, times, signatures.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import Any

from .player import AUTH_KEY, Answers

PINGS = ({"text": ""}, {"text": "#1"})
KINDS = ("server", "socket", "middleware", "exchange", "refused")
_TOKEN = re.compile(r"^[\w-]+\.([\w-]+)\.[\w-]*$")
_SOCKET = re.compile(r"Socket [\w-]{16,40} tried")


def mask(answers: Answers) -> dict[str, Any]:
    """
    Make of answers a plain value that can be compared.

    Text frames that hold JSON become C{{"json": value}}; of pings only the first is kept, since their number depends on
    time.
    """
    ids = _socketIds(answers)
    masked: dict[str, Any] = {
        name: [_maskValue(_parse(record), ids) for record in _withoutPings(records)]
        for name, records in answers.clients.items()
    }
    if answers.events:
        masked.update(_byStream([_maskValue(event, ids) for event in answers.events]))
    return masked


def _byStream(events: list[dict[str, Any]]) -> dict[str, Any]:
    """
    Keep the order within each stream of events, and the order in which the streams began.

    Events of different streams reach their consumers in an order that neither server promises, except that what was
    emitted first arrives first. C{message} events are left out of the second: how soon they come depends on how TCP
    cuts what is sent.
    """
    streams: dict[str, Any] = {}
    for event in events:
        name = next(_streamName(kind, event[kind]) for kind in KINDS if kind in event)
        streams.setdefault(name, []).append(event)
    order = [{"stream": name} for name in streams if name != "socket message"]
    return {"order": order, **dict(sorted(streams.items()))}


def _streamName(kind: str, value: Any) -> str:
    return f"{kind} {value}" if isinstance(value, str) else kind


def canonical(value: Any) -> str:
    """
    Write a value so that values which JavaScript clients cannot tell apart give equal text: order of keys aside,
    numbers as doubles, but 1 and true being different.
    """
    return json.dumps(_asDoubles(value), sort_keys=True)


def _asDoubles(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _asDoubles(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_asDoubles(member) for member in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value) + 0.0
        except OverflowError:
            return "beyond all numbers"
    return value


def _withoutPings(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    for record in records:
        if record not in PINGS or record not in seen:
            seen.append(record)
    return seen


def _parse(record: dict[str, Any]) -> dict[str, Any]:
    text = record.get("text", "")
    if not text.startswith(("{", "[")):
        return record
    try:
        return {"json": json.loads(text)}
    except ValueError:
        return record


def _socketIds(answers: Answers) -> set[str]:
    """The ids that handshake replies and events have told."""
    values: list[Any] = [_parse(record).get("json") for records in answers.clients.values() for record in records]
    packets = [packet for value in values for packet in (value if isinstance(value, list) else [value])]
    statuses = [packet.get("data") for packet in packets if isinstance(packet, dict)] + list(answers.events)
    return {
        status["id"]
        for status in statuses
        if isinstance(status, dict) and "isAuthenticated" in status and isinstance(status.get("id"), str)
    }


def _maskValue(value: Any, ids: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _maskTime(name, _maskValue(member, ids)) for name, member in value.items()}
    if isinstance(value, list):
        return [_maskValue(member, ids) for member in value]
    if isinstance(value, str):
        return _maskText(value, ids)
    return value


def _maskTime(name: str, value: Any) -> Any:
    """Hide times that are near now; scripts themselves use times that are far away."""
    if name in ("iat", "exp") and isinstance(value, (int, float)) and 1_600_000_000 < value < 4_000_000_000:
        return "<soon>"
    return value


def _maskText(text: str, ids: set[str]) -> Any:
    for known in ids:
        text = text.replace(known, "<id>")
    text = _SOCKET.sub("Socket <id> tried", text)
    return _maskToken(text) if _TOKEN.match(text) else text


def _maskToken(token: str) -> Any:
    """Read a token: its header, what it claims, how long it lives, and whether it is signed with the usual key."""
    header, payload, signature = token.split(".")
    try:
        claims = json.loads(_unbase64(payload))
        algorithm = json.loads(_unbase64(header))
    except ValueError:
        return token
    if not isinstance(claims, dict):
        return token
    expected = hmac.new(AUTH_KEY.encode(), f"{header}.{payload}".encode(), hashlib.sha256).digest()
    issued, expires = claims.get("iat"), claims.get("exp")
    isNear = _maskTime("iat", issued) == _maskTime("exp", expires) == "<soon>"
    return {
        "header": algorithm,
        "claims": {name: _maskTime(name, value) for name, value in claims.items()},
        "life": claims["exp"] - claims["iat"] if isNear else None,
        "ourKey": _unbase64(signature) == expected,
    }


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
