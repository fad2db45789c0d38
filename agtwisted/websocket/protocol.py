"""
One WebSocket connection, from its beginning to its end.
"""

from __future__ import annotations

from autobahn.websocket.protocol import WebSocketProtocol
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from agtwisted import websocket
from agtwisted.accepting import sendsWithoutDelay
from agtwisted.interfaces import ITransport
from agtwisted.protocol.statuses import HUNG_UP
from agtwisted.websocket.directtls import directTLS
from agtwisted.websocket.reading import READ_SHORT, READ_SIZE
from agtwisted.websocket.upgrading import UpgradingProtocol


@implementer(ITransport)
class AGServerProtocol(UpgradingProtocol):
    """
    One WebSocket connection: the transport of an L{agtwisted.AGServerSocket}.
    """

    def connectionMade(self) -> None:
        """
        A client has connected; it has some time to ask for an upgrade.
        """
        self.factory.countConnections += 1
        transport = self.transport
        transport.bufferSize = READ_SIZE
        if isinstance(transport, Connection):
            self._peer = self._builtFor
            self._sendWithoutDelay(transport)
            if websocket.fastPaths and not transport.TLS:
                self._readDirectly(transport)
        elif isinstance(transport, ProtocolWrapper):
            self._sendWithoutDelay(transport.transport)
            direct = directTLS(transport, self) if websocket.fastPaths else None
            if direct is not None:
                self._goDirectly(direct.transport, direct.read, direct.send)
        self._visit = visit = self.factory.agServer.admission.enterThrough(transport, self._peerAddress())
        if visit.denied is None:
            self._timer = self.factory.startTimer(self._upgradeTimedOut)
        else:
            self._turnAway()

    def _sendWithoutDelay(self, connection: object) -> None:
        if not isinstance(connection, Connection) or sendsWithoutDelay(connection):
            return
        # A UNIX socket has no delay to switch off.
        if isinstance(self._builtFor, (IPv4Address, IPv6Address)):
            connection.setTcpNoDelay(True)

    def _onOpen(self) -> None:
        self.onOpen()

    def onOpen(self) -> None:
        """
        The WebSocket connection is open.
        """
        self._cancelTimer()
        self.isPlain = self._perMessageCompress is None
        self._isNew = True
        self._readSize = READ_SHORT
        self._receiver = self.factory.agServer.socketOpened(self)
        self._setUsualLength()

    def handshakeCompleted(self) -> None:
        """
        The client has completed C{#handshake}.
        """
        self._visit.completed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        self.factory.countConnections -= 1
        self._visit.left()
        self._cancelTimer()
        if self.closeHandshakeTimeoutCall is not None:
            self.closeHandshakeTimeoutCall.cancel()
        self.state = WebSocketProtocol.STATE_CLOSED
        self._isLost = True
        self._readNoMore()
        cleaning = self.factory.agServer.cleaning
        if self._receiver is None or self._hasTime or cleaning.mayGoOn():
            self._cleanUp()
        else:
            # What goes through TLS, and what the server itself drops, has not been asked before.
            cleaning.wait(self._cleanUp)

    def _cleanUp(self) -> None:
        """
        Tell the socket, and those who have waited for it, that the connection is gone.
        """
        self._tell(HUNG_UP, "")
        # Those that know each other part, so that all is freed now and not by the garbage collector.
        self._sendNotDirectly()
        self._receiver = self._outbox = None
        self._stopReadingDirectly()
        self._isCleanedUp = True
        waiting, self._whenLost = self._whenLost, ()
        for done in waiting:
            if not done.called:
                done.callback(None)
