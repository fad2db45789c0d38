"""
What the suite talks to: agtwisted's WebSocket layer, socket and options, with nothing but an echo behind them.
"""

from __future__ import annotations

from typing import Any

from agtwisted import AGServer, AGServerSocket
from agtwisted.protocol.dialects import V2
from agtwisted.sockets.waiting import Waiting

#: The suite echoes messages of up to 16 MiB. It sends nothing of SocketCluster, and so must not be pinged.
OPTIONS: dict[str, Any] = {
    "perMessageDeflate": True,
    "maxPayload": 64 * 1024 * 1024,
    "outboundBufferLimit": None,
    "pingTimeoutDisabled": True,
}


class EchoSocket(AGServerSocket):
    """
    Receives and sends like any socket, and returns every message as it came.
    """

    def messageReceived(self, payload: bytes, isBinary: bool, heardAt: float | None = None) -> None:
        """
        Take every message as it is: nothing here is a packet.
        """
        self._receive(payload, isBinary)

    def _takeMessage(self, payload: bytes, isBinary: bool) -> Waiting:
        self.send(payload if isBinary else payload.decode("utf-8"))
        return None


class EchoServer(AGServer):
    """
    A server whose sockets echo.
    """

    def __init__(self, reactor: Any, **options: Any) -> None:
        super().__init__(reactor=reactor, **{**OPTIONS, **options})

    def socketOpened(self, transport: Any) -> AGServerSocket:
        """
        @return: a socket that is ready at once.
        """
        socket = EchoSocket(self.generateId(), self, transport, V2)
        socket.handshakeStarted()
        self.pendingClients[socket.id] = socket
        socket.opened()
        return socket
