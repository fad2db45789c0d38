"""
What the measured C{SCServer} does, with the API of SocketCluster 14. C{node14/server.js} does the same.

The functions are called as those of L{benchmarks.application}; there is none for the raw line, which is younger.
"""

from __future__ import annotations

from typing import Any


def plain(server: Any) -> None:
    """
    Answer calls of C{echo}.
    """
    server.on("connection", _connected)


def handshakeMiddleware(server: Any) -> None:
    """
    The same, with middleware in the lines of the handshake.
    """
    _allow(server, server.MIDDLEWARE_HANDSHAKE_WS, server.MIDDLEWARE_HANDSHAKE_SC)


def inboundMiddleware(server: Any) -> None:
    """
    The same, with middleware in the lines of what clients do.
    """
    _allow(server, server.MIDDLEWARE_EMIT, server.MIDDLEWARE_SUBSCRIBE, server.MIDDLEWARE_PUBLISH_IN)


def outboundMiddleware(server: Any) -> None:
    """
    The same, with middleware in the line of deliveries.
    """
    _allow(server, server.MIDDLEWARE_PUBLISH_OUT)


def messageListener(server: Any) -> None:
    """
    The same, with a listener on the event that every message causes.
    """
    plain(server)
    server.on("connection", lambda socket, status: socket.on("message", lambda message: None))


def deflate(server: Any) -> None:
    """
    The same; the server has been given the option C{perMessageDeflate}.
    """
    plain(server)


def _connected(socket: Any, status: Any) -> None:
    socket.on("echo", lambda data, respond: respond(None, data))


def _allow(server: Any, *lines: str) -> None:
    for line in lines:
        server.addMiddleware(line, lambda request, next: next())
    plain(server)
