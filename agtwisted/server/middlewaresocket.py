"""
The part of a server's socket that its middleware sees: one stream of actions for each line, made when somebody asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agtwisted.server.middleware import HANDSHAKE, INBOUND, INBOUND_RAW, OUTBOUND, MiddlewareStream
from agtwisted.sockets.socket import AGSocket

if TYPE_CHECKING:
    from agtwisted.server.server import AGServer


class MiddlewareSocket(AGSocket):
    """
    A socket of a server, with its middleware streams.

    @ivar server: the server that it belongs to.
    """

    __slots__ = ("server", "_middlewareStreams")

    server: AGServer
    _middlewareStreams: dict[str, MiddlewareStream] | None

    def emitError(self, error: object) -> None:
        """
        Emit C{error} on the socket and C{warning} on the server.
        """
        self.emitEvent("error", error=error)
        self.server.emitWarning(error)

    def _middlewareStream(self, line: str) -> MiddlewareStream:
        if self._middlewareStreams is None:
            self._middlewareStreams = {}
        stream = self._middlewareStreams.get(line)
        if stream is None:
            stream = self._middlewareStreams[line] = MiddlewareStream(line, self.turns)
        return stream

    @property
    def middlewareHandshakeStream(self) -> MiddlewareStream:
        """
        The handshake line's actions of this connection.
        """
        return self._middlewareStream(HANDSHAKE)

    @property
    def middlewareInboundRawStream(self) -> MiddlewareStream:
        """
        The raw inbound line's actions of this socket.
        """
        return self._middlewareStream(INBOUND_RAW)

    @property
    def middlewareInboundStream(self) -> MiddlewareStream:
        """
        The inbound line's actions of this socket.
        """
        return self._middlewareStream(INBOUND)

    @property
    def middlewareOutboundStream(self) -> MiddlewareStream:
        """
        The outbound line's actions of this socket.
        """
        return self._middlewareStream(OUTBOUND)

    def closeAllMiddlewares(self) -> None:
        """
        End the loops of middleware for this socket, each once it has taken what is buffered for it.
        """
        for stream in (self._middlewareStreams or {}).values():
            stream.close()

    def killAllMiddlewares(self) -> None:
        """
        End the loops of middleware for this socket at once.
        """
        for stream in (self._middlewareStreams or {}).values():
            stream.kill()

    def closeAllStreams(self) -> None:
        """
        End all loops over this socket's streams, each once it has taken what is buffered for it.
        """
        self.closeAllMiddlewares()
        self.closeIO()
        self.closeAllReceivers()
        self.closeAllProcedures()
        self.closeAllListeners()

    def killAllStreams(self) -> None:
        """
        End all loops over this socket's streams at once.
        """
        self.killAllMiddlewares()
        self.killIO()
        self.killAllReceivers()
        self.killAllProcedures()
        self.killAllListeners()

    def getBackpressure(self) -> int:
        """
        @return: the greatest of the inbound, the outbound and the streams' back-pressure.
        """
        return max(
            self.getInboundBackpressure(),
            self.getOutboundBackpressure(),
            self.getAllListenersBackpressure(),
            self.getAllReceiversBackpressure(),
            self.getAllProceduresBackpressure(),
        )
