"""
The HTTP half of a connection: the upgrade request, who is refused, and who is served by a web site instead.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1
from http import HTTPStatus
from typing import Any

from autobahn.websocket.protocol import WebSocketProtocol
from twisted.internet.address import IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure

from agtwisted.protocol.httphead import MAXIMUM_HEAD, Head, checkUpgrade, parseHead
from agtwisted.protocol.upgrade import HandshakeDenied, UpgradeRequest, forwardedFor, refusal
from agtwisted.sparinglog import SparingLogger
from agtwisted.websocket.frames import CONNECTING, OPEN
from agtwisted.websocket.parsing import ParsingProtocol
from agtwisted.websocket.siteconnection import SiteConnection

log = SparingLogger()

_SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)

#: Seconds that a client which is refused has to ask, so that it can be told.
_TIME_TO_ASK = 2.0


class UpgradingProtocol(ParsingProtocol):
    """
    Answers the upgrade request.

    @ivar request: the upgrade request.
    """

    #: Whether a request that has come cannot be answered yet.
    _isVerifying = False
    #: This connection as one of those that the server counts.
    _visit: Any = None
    #: For whom the factory has made this protocol; and the peer, if nothing stands between it and the transport.
    _builtFor: Any = None
    _peer: Any = None
    request: Any = None
    #: Autobahn's: what most clients ask for.
    websocket_version: Any = 13
    websocket_protocols: Any = ()
    websocket_extensions: Any = ()
    websocket_protocol_in_use: Any = None

    def processHandshake(self) -> None:
        """
        Read the upgrade request, once it is complete; answer it, or hand the connection to the web site.
        """
        if self._isVerifying:
            if len(self.data) > 2 * MAXIMUM_HEAD:
                # The rest may come once the request has been answered.
                self._isPaused = True
                self.transport.pauseProducing()
            return
        end = self.data.find(b"\r\n\r\n")
        if end < 0 or end > MAXIMUM_HEAD:
            if len(self.data) > MAXIMUM_HEAD:
                self._refuseHead(HandshakeDenied(431, "The request's head is too large"))
            return
        if self._visit.denied is not None:
            self._refuse(self._visit.denied)
            return
        pacer = self.factory.agServer.pacer
        if pacer.mayGoOn():
            self._upgrade(end)
        else:
            self._isVerifying = True
            pacer.wait(lambda: self._upgradeNow(end))

    def _upgradeNow(self, end: int) -> None:
        """
        There is time now to look at the request.
        """
        self._verified()
        if self.state == CONNECTING:
            self._upgrade(end)

    def _verified(self) -> None:
        """
        The request can be answered, and what has come behind it be read.
        """
        self._isVerifying = False
        if self._isPaused:
            self._isPaused = False
            self.transport.resumeProducing()

    def _upgrade(self, end: int) -> None:
        """
        Read the upgrade request and answer it.

        @param end: where it ends.
        """
        try:
            head = parseHead(self.data[:end])
            if not head.wantsWebSocket:
                self._serveHTTP()
                return
            checkUpgrade(head)
            self.request = self._requestFrom(head)
            if self.request.path not in self.factory.paths:
                raise HandshakeDenied(400, "There is no WebSocket endpoint at this path")
        except HandshakeDenied as denied:
            self._refuseHead(denied)
            return
        try:
            self._visit.asked(self.request)
        except HandshakeDenied as denied:
            self._refuse(denied)
            return
        self.data = self.data[end + 4 :]
        self._adopt(head)
        server = self.factory.agServer
        if server.verifiesHandshakeAtOnce(self.request):
            self._accept(None)
        else:
            self._isVerifying = True
            done = Deferred.fromCoroutine(server.verifyHandshake(self.request))
            done.addCallbacks(self._accept, self._denied)
            done.addErrback(lambda failure: log.failure("Opening a connection has failed.", failure))

    def _peerAddress(self) -> Any:
        """
        @return: where the peer is. A wrapper of the transport may know better than the transport, and not at once.
        """
        return self.transport.getPeer() if self._peer is None else self._peer

    def _requestFrom(self, head: Head) -> UpgradeRequest:
        peer = self._peerAddress()
        host, port = getattr(peer, "host", None), getattr(peer, "port", None)
        family = None if host is None else "IPv6" if isinstance(peer, IPv6Address) else "IPv4"
        forwarded = forwardedFor(head.headers, self.factory.agServer.options.forwardedForHops)
        return UpgradeRequest(head.method, head.target, head.headers, host, port, family, forwarded)

    def _adopt(self, head: Head) -> None:
        """
        Give Autobahn what it would have read from the request itself.
        """
        headers = head.headers
        self._wskey = headers["sec-websocket-key"]
        version, offered = headers["sec-websocket-version"], headers.get("sec-websocket-protocol")
        extensions = headers.get("sec-websocket-extensions")
        if version != "13":
            self.websocket_version = int(version)
        if offered is not None:
            self.websocket_protocols = [each.strip() for each in offered.split(",") if each.strip()]
        if extensions is not None:
            self.websocket_extensions = self._parseExtensionsHeader(extensions)  # type: ignore[no-untyped-call]

    # ---- accepting

    def _accept(self, _: object) -> None:
        self._verified()
        if self.state != CONNECTING:
            return
        if self.factory.agServer.perMessageDeflate and self.websocket_extensions:
            self.is_open = Deferred()  # Autobahn fires it
            self.succeedHandshake(self._subprotocol())
        else:
            self._succeedPlainly(self._subprotocol())

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: object = None) -> None:
        """
        Autobahn cannot make sense of the extensions that are offered. (It would say so with the client's own words.)
        """
        self._refuse(HandshakeDenied(400, "The extensions that are offered are not valid"))

    def _succeedPlainly(self, subprotocol: str | None) -> None:
        """
        As Autobahn's C{succeedHandshake}, where there is no extension to agree on.
        """
        accepted = b64encode(sha1(self._wskey.encode("ascii") + self._WS_MAGIC).digest())
        chosen = b"" if subprotocol is None else b"\r\nSec-WebSocket-Protocol: " + subprotocol.encode("latin-1")
        self.write(_SWITCHING + accepted + chosen + b"\r\n\r\n")
        if subprotocol is not None:
            self.websocket_protocol_in_use = subprotocol
        self.state = OPEN
        self.onOpen()
        if self.data:
            # It came while the handshake was being verified.
            data, self.data = self.data, b""
            self.dataReceived(data)

    def _subprotocol(self) -> str | None:
        offered: list[str] = self.websocket_protocols
        choose = self.factory.agServer.options.handleProtocols
        if not offered:
            return None
        if choose is None:
            return offered[0]
        chosen = choose(offered, self.request)
        return chosen if chosen in offered else None

    # ---- refusing

    def _denied(self, failure: Failure) -> None:
        self._verified()
        if self.state != CONNECTING:
            return
        if failure.check(HandshakeDenied):
            self._refuse(failure.value)  # type: ignore[arg-type]
        else:
            log.failure("Verifying a handshake has failed.", failure)
            self._refuse(HandshakeDenied(500, "The handshake could not be verified"))

    def _refuseHead(self, denied: HandshakeDenied) -> None:
        """
        The request is no clean upgrade, or its head is too large.
        """
        limit = "httpHead" if denied.status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE else "upgradeRequest"
        self.factory.agServer.limitHit(limit, f"The request of a client was refused: {denied.text}")
        self._refuse(denied)

    def _refuse(self, denied: HandshakeDenied) -> None:
        self.wasClean = True  # nothing for Autobahn to warn of
        self.data = b""
        self.sendData(refusal(denied))
        self.dropConnection(abort=False)

    def _turnAway(self) -> None:
        """
        There are too many connections. If this one may ask, it has a short time to, and is told; else it is dropped.
        """
        self.wasClean = True
        if self._visit.mayAsk:
            self._timer = self.factory.agServer.wheel.schedule(_TIME_TO_ASK, self._dropUnasked)
        elif self._directTransport is not self.transport:
            self.dropConnection(abort=True)
        else:
            # At once: when descriptors run out, the end of the turn may be too late.
            self.write(refusal(self._visit.denied))
            self.state = WebSocketProtocol.STATE_CLOSED
            self.transport.connectionLost(Failure(ConnectionAborted()))

    def _dropUnasked(self) -> None:
        if self.state == CONNECTING:
            self.dropConnection(abort=True)

    def _upgradeTimedOut(self) -> None:
        if self.state == CONNECTING:
            self.factory.agServer.limitHit("handshakeTimeout", "A client has not asked for WebSocket in time")
            self.wasClean = True
            self.dropConnection(abort=True)

    # ---- leaving it to a web site

    def _serveHTTP(self) -> None:
        """
        Somebody wants a page: hand the connection, with what has come through it, to the web site.
        """
        site = self.factory.site
        if site is None:
            self._refuse(HandshakeDenied(501, "Not Implemented"))
            return
        data, self.data = self.data, b""
        self._leave()
        transport = self.transport
        channel: Any = SiteConnection(site.buildProtocol(transport.getPeer()), self._visit)
        if isinstance(transport, ProtocolWrapper):
            transport.wrappedProtocol = channel
        else:
            transport.protocol = channel
        channel.makeConnection(transport)
        channel.dataReceived(data)

    def _leave(self) -> None:
        """
        This protocol is done with the connection, which goes on without it.
        """
        self.state = WebSocketProtocol.STATE_CLOSED
        self._stopReadingDirectly()
        self.factory.countConnections -= 1
        self._cancelTimer()
        self._visit.completed()
