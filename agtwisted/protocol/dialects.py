"""
What differs on the wire between the versions of SocketCluster's protocol, as values.

Which version a client speaks does not show in its handshake. Where a server takes both (L{AUTO}, L{AUTO14}), a socket
finds out and keeps to it from then on: it sends a ping of version 1 behind its answer to the handshake, and pings of
version 2 as usual. A client answers the ping of its own version and takes the other one for a raw message of no
concern, and the first pong tells. Version 1 goes first because its clients are many, and some of them stumble over an
empty message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from agtwisted.protocol.frames import textFrame


def isNumber(callId: object) -> bool:
    """
    @return: whether C{callId} is a number, as the call ids of version 2 are.
    """
    return callId.__class__ is int or callId.__class__ is float


def isGiven(callId: object) -> bool:
    """
    @return: whether C{callId} is any value that JavaScript takes for true, as SocketCluster 14 asks.
    """
    return bool(callId) or isinstance(callId, (list, dict))


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    One version of the protocol on the wire.

    @ivar version: 1 or 2, as the option C{protocolVersion}; C{"auto"} as long as it is not known.
    @ivar ping: the payload that the server sends to ask whether the client is there.
    @ivar pong: the payload that answers it; C{None} as long as the version is not known.
    @ivar pingFrame: C{ping} as a finished WebSocket frame.
    @ivar isCallId: whether a packet with this C{cid} wants an answer.
    @ivar speaksDisconnect: whether each side announces with C{#disconnect} that it closes the connection, and why.
    @ivar probe: the payload that is sent once to find out the version; empty if it is known.
    @ivar signs: the payloads by which a client gives its version away.
    """

    version: int | str
    ping: bytes
    pong: bytes | None
    pingFrame: bytes
    isCallId: Callable[[object], bool] = isNumber
    speaksDisconnect: bool = False
    probe: bytes = b""
    signs: Mapping[bytes, Dialect] = field(default_factory=dict, compare=False)


#: Version 1 as C{AGServer} speaks it: nothing but its pings differs from version 2.
V1 = Dialect(version=1, ping=b"#1", pong=b"#2", pingFrame=textFrame(b"#1"))
V2 = Dialect(version=2, ping=b"", pong=b"", pingFrame=textFrame(b""))
#: Version 1 as SocketCluster 14 speaks it.
V14 = replace(V1, isCallId=isGiven, speaksDisconnect=True)


def _either(first: Dialect, second: Dialect) -> Dialect:
    return Dialect(
        version="auto",
        ping=second.ping,
        pong=None,
        pingFrame=second.pingFrame,
        isCallId=first.isCallId,
        probe=first.ping,
        signs={pong: each for each in (first, second) if (pong := each.pong) is not None},
    )


#: Version 1 or 2, to be found out.
AUTO = _either(V1, V2)
#: SocketCluster 14 or version 2, to be found out.
AUTO14 = _either(V14, V2)

#: The dialects of C{AGServer} by the option C{protocolVersion}.
DIALECTS: dict[int | str, Dialect] = {dialect.version: dialect for dialect in (V1, V2, AUTO)}
#: The dialects of C{SCServer} by the option C{protocolVersion}.
DIALECTS14: dict[int | str, Dialect] = {dialect.version: dialect for dialect in (V14, V2, AUTO14)}
