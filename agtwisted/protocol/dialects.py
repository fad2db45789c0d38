"""
What differs on the wire between the versions of SocketCluster's protocol, as a value.
"""

from __future__ import annotations

from dataclasses import dataclass

from agtwisted.protocol.frames import textFrame


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    One version of the protocol on the wire.

    @ivar version: 1 or 2, the option C{protocolVersion}.
    @ivar ping: the payload that the server sends to ask whether the client is there.
    @ivar pong: the payload that answers it.
    @ivar pingFrame: C{ping} as a finished WebSocket frame.
    """

    version: int
    ping: bytes
    pong: bytes
    pingFrame: bytes


V1 = Dialect(version=1, ping=b"#1", pong=b"#2", pingFrame=textFrame(b"#1"))
V2 = Dialect(version=2, ping=b"", pong=b"", pingFrame=textFrame(b""))

#: The dialects by protocol version.
DIALECTS = {dialect.version: dialect for dialect in (V1, V2)}
