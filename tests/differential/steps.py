"""
What a script consists of: plain values that say what a raw client does, one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .wire import BINARY, TEXT, encodeFrame


@dataclass(frozen=True)
class Step:
    """
    One thing that a client does.

    @ivar kind: the name of a method of L{tests.differential.player.Stage}.
    @ivar client: which of the script's clients does it.
    """

    kind: str
    arguments: tuple[Any, ...] = ()
    client: str = "a"


def dump(value: Any) -> str:
    """Write a value as clients do, without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def connect(
    client: str = "a", path: str = "/socketcluster/", headers: dict[str, str | None] | None = None, method: str = "GET"
) -> Step:
    """Open a connection. Client C{a} does so by itself if the first step is another one."""
    return Step("connect", (path, headers or {}, method), client)


def send(*packets: Any, client: str = "a") -> Step:
    """Send each packet as JSON in a text frame of its own."""
    return raw(*(dump(packet) for packet in packets), client=client)


def raw(*texts: str | bytes, client: str = "a") -> Step:
    """Send each text as it is in a text frame of its own."""
    return frames(*(frame(TEXT, text) for text in texts), client=client)


def binary(*payloads: str | bytes, client: str = "a") -> Step:
    """Send each payload in a binary frame of its own."""
    return frames(*(frame(BINARY, payload) for payload in payloads), client=client)


def frame(opcode: int, payload: str | bytes, **options: Any) -> bytes:
    """Make one frame, with the oddities of L{encodeFrame}."""
    return encodeFrame(opcode, payload.encode() if isinstance(payload, str) else payload, **options)


def frames(*whole: bytes, client: str = "a") -> Step:
    """Send frames, each once the server has read the one before; all at once in a pipelined script."""
    return Step("frames", (whole,), client)


def wire(*chunks: bytes, client: str = "a") -> Step:
    """Write bytes to the connection, all at once."""
    return Step("wire", (b"".join(chunks),), client)


def settle(client: str = "a") -> Step:
    """Go on once the server has read everything and says nothing more."""
    return Step("settle", (), client)


def wait(count: int, client: str = "a") -> Step:
    """Go on once the client has got C{count} messages in all."""
    return Step("wait", (count,), client)


def pause(milliseconds: int, client: str = "a") -> Step:
    """Do nothing for a while; only for what depends on the server's timers."""
    return Step("pause", (milliseconds,), client)


def release() -> Step:
    """Let the server go on with what it holds back, once it does; what comes there later is not held back any more."""
    return Step("release")


def close(code: int | None = None, reason: str | bytes = "", client: str = "a") -> Step:
    """Send a close frame and wait for the end of the connection."""
    return Step("close", (code, reason.encode() if isinstance(reason, str) else reason), client)


def ended(client: str = "a") -> Step:
    """Wait for the server to end the connection."""
    return Step("ended", (), client)


def drop(client: str = "a") -> Step:
    """Break the TCP connection."""
    return Step("drop", (), client)


def hello(cid: Any = 1, token: Any = None, client: str = "a") -> Step:
    """Shake hands as official clients do."""
    return send(handshake(cid, {"authToken": token}), client=client)


def handshake(cid: Any = 1, data: Any = None) -> dict[str, Any]:
    """The packet of a handshake."""
    return {"event": "#handshake", "data": data, "cid": cid}


def invoke(event: str, data: Any = None, cid: Any = 2) -> dict[str, Any]:
    """The packet of a call."""
    return {"event": event, "data": data, "cid": cid}


def transmit(event: str, data: Any = None) -> dict[str, Any]:
    """The packet of an event that wants no answer."""
    return {"event": event, "data": data}


@dataclass(frozen=True)
class Script:
    """
    Steps to play to both servers, and what the servers are set up with.

    @ivar options: options of C{AGServer}.
    @ivar app: what the application on the server does besides the usual (see README.md).
    @ivar events: whether the events that the application saw are compared as well.
    @ivar pipelined: whether frames are sent without waiting for the server to read the one before.
    @ivar isolated: whether the Node server gets a process of its own, because the script harms its process.
    """

    name: str
    steps: Sequence[Step]
    options: dict[str, Any] = field(default_factory=dict)
    app: dict[str, Any] = field(default_factory=dict)
    events: bool = False
    pipelined: bool = False
    isolated: bool = False
