"""
What the measured server does, in the style that the documentation teaches. C{node/server.js} does the same.

Every function here can be given to C{twistd agserver --app}; the name of each is a variant that scenarios ask for.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import ensureDeferred


def plain(server: Any) -> None:
    """
    Serve the procedure C{echo}.
    """
    ensureDeferred(_connections(server))


def handshakeMiddleware(server: Any) -> None:
    """
    The same, with middleware in the handshake line.
    """
    server.setMiddleware(server.MIDDLEWARE_HANDSHAKE, _allow)
    plain(server)


def rawMiddleware(server: Any) -> None:
    """
    The same, with middleware in the inbound raw line.
    """
    server.setMiddleware(server.MIDDLEWARE_INBOUND_RAW, _allow)
    plain(server)


def inboundMiddleware(server: Any) -> None:
    """
    The same, with middleware in the inbound line.
    """
    server.setMiddleware(server.MIDDLEWARE_INBOUND, _allow)
    plain(server)


def outboundMiddleware(server: Any) -> None:
    """
    The same, with middleware in the outbound line.
    """
    server.setMiddleware(server.MIDDLEWARE_OUTBOUND, _allow)
    plain(server)


def messageListener(server: Any) -> None:
    """
    The same, with a listener on the event that every message causes.
    """
    ensureDeferred(_connections(server, _hearMessages))


def deflate(server: Any) -> None:
    """
    The same; the server has been given the option C{perMessageDeflate}.
    """
    plain(server)


async def _connections(server: Any, *more: Any) -> None:
    async for event in server.listener("connection"):
        for serve in (_echo, *more):
            ensureDeferred(serve(event.socket))


async def _echo(socket: Any) -> None:
    async for request in socket.procedure("echo"):
        request.end(request.data)


async def _hearMessages(socket: Any) -> None:
    async for _ in socket.listener("message"):
        pass


async def _allow(stream: Any) -> None:
    async for action in stream:
        action.allow()
