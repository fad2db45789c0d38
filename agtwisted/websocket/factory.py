"""
What makes the WebSocket protocols of a server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from autobahn.websocket.protocol import WebSocketProtocol
from twisted.internet.interfaces import IProtocolNegotiationFactory, IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from agtwisted.protocol.floods import FloodLimits
from agtwisted.websocket.frames import LONGEST_FAST, SHORT_LENGTHS, FrameProtocol
from agtwisted.websocket.protocol import AGServerProtocol

log = Logger()


class _WheelTimers:
    """
    Where Autobahn's timers go: the server's own wheel, instead of a clock of the whole process.
    """

    __slots__ = ("_wheel",)

    def __init__(self, wheel: Any) -> None:
        self._wheel = wheel

    def call_later(self, delay: float, function: Callable[..., Any], *arguments: Any) -> Any:
        """
        @return: what cancels it.
        """
        return self._wheel.schedule(delay, lambda: function(*arguments))


@implementer(IProtocolNegotiationFactory)
class AGServerFactory(WebSocketServerFactory):
    """
    Makes the WebSocket protocols of a server; any endpoint may listen with it.

    @ivar agServer: the server.
    @ivar site: the L{twisted.web.server.Site} that gets everybody who does not ask for WebSocket; C{None} answers 501.
    """

    noisy = False

    def __init__(self, agServer: Any, reactor: IReactorTime, site: Any = None) -> None:
        """
        @param agServer: an L{agtwisted.AGServer}.
        """
        super().__init__(server=None, reactor=reactor)  # type: ignore[no-untyped-call]
        self.agServer = agServer
        self.site = site
        self.paths = agServer.paths
        agServer.admission.measure()
        self._batched_timer = _WheelTimers(agServer.wheel)
        self._setProtocolOptions()
        self.protocol: Any = type("AGServerProtocol", (AGServerProtocol,), self._defaults())

    def _defaults(self) -> dict[str, Any]:
        """
        What Autobahn would set in every new connection, to be defaults of a class instead: options, and the state of a
        connection that has just been made. It is found out by letting Autobahn set up one.
        """
        model = WebSocketServerProtocol()
        model.factory = self
        WebSocketProtocol._connectionMade(model)
        defaults = dict(vars(model))
        for name in ("factory", "state", "is_open", "is_closed", "utf8validator"):
            del defaults[name]
        longest = self.maxMessagePayloadSize or LONGEST_FAST
        defaults["_longestFast"] = min(longest, LONGEST_FAST)
        if longest < 125:
            defaults["_shortLengths"] = {head: length for head, length in SHORT_LENGTHS.items() if length <= longest}
        defaults["_longestFrame"] = defaults["_longestFast"] + (8 if longest > 125 else 6)
        defaults["_longestShort"] = min(defaults["_longestFrame"], FrameProtocol._longestShort)
        defaults["perMessageCompressionAccept"] = staticmethod(self.perMessageCompressionAccept)
        return defaults

    def _setProtocolOptions(self) -> None:
        limit = self.agServer.options.maxPayload or 0
        self.maxMessagePayloadSize = limit
        self.maxFramePayloadSize = limit
        options = self.agServer.options
        self.floodLimits = FloodLimits(options.maxSmallFragments, options.maxControlFrames, options.maxWaitingPongs)
        self.failByDrop = False
        self.echoCloseCodeReason = True
        self.openHandshakeTimeout = 0
        self.closeHandshakeTimeout = 30
        self.webStatus = False
        self.allowNullOrigin = True
        deflate = self.agServer.options.perMessageDeflate
        if deflate:
            settings = deflate if isinstance(deflate, dict) else {}
            self.perMessageCompressionAccept = lambda offers: _acceptDeflate(offers, limit, settings)

    def buildProtocol(self, addr: Any) -> Any:
        """
        @param addr: the peer's address.
        @return: the protocol of one connection.
        """
        protocol = self.protocol()
        protocol.factory = self
        protocol._builtFor = addr
        return protocol

    def startTimer(self, function: Callable[[], None]) -> Any:
        """
        Give a client its time for the upgrade request.
        """
        server = self.agServer
        return server.wheel.schedule(server.handshakeTimeout / 1000, function)

    def acceptableProtocols(self) -> list[bytes]:
        """
        @return: what is spoken through TLS: clients such as browsers name what they speak (ALPN, RFC 7301), and are turned
            away where nothing of it is.
        """
        return [b"http/1.1"]

    def doStart(self) -> None:
        """
        Somebody listens with this factory: the server has to be ready.
        """
        super().doStart()  # type: ignore[no-untyped-call]
        self.agServer.start().addErrback(
            lambda failure: log.failure("The server could not be started.", failure)
        )


def _acceptDeflate(offers: list[Any], limit: int, settings: dict[str, Any]) -> Any:
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(offer, max_message_size=limit or None, **settings)
    return None
