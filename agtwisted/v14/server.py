"""
The server of version 14.

In the reference: C{SCServer}.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from agtwisted.errors import InvalidActionError, InvalidArgumentsError, ServerProtocolError
from agtwisted.options import SCServerOptions
from agtwisted.protocol.dialects import DIALECTS14
from agtwisted.protocol.upgrade import HandshakeDenied, UpgradeRequest
from agtwisted.server.broker import AGSimpleBroker
from agtwisted.server.server import AGServer
from agtwisted.v14.broker import SCSimpleBroker
from agtwisted.v14.callbacks import Callback
from agtwisted.v14.emitter import TwofoldEmitter
from agtwisted.v14.exchange import SCExchange
from agtwisted.v14.middleware import (
    AUTHENTICATE,
    EMIT,
    HANDSHAKE_SC,
    HANDSHAKE_WS,
    LINES,
    PUBLISH_IN,
    PUBLISH_OUT,
    SUBSCRIBE,
    Outcome,
    isSilent,
    runChain,
    silentError,
)
from agtwisted.v14.serversocket import SCServerSocket
from agtwisted.v14.throttling import ThrottledSCServerSocket


class SCServer(TwofoldEmitter, AGServer):
    """
    A SocketCluster server with the API of version 14. It listens nowhere by itself: see L{agtwisted.listen}.

    Events, with their arguments: C{error} (error); C{notice} (notice), which nothing here emits; C{warning} (warning);
    C{handshake} (socket); C{connection} (socket, status); C{connectionAbort}, C{disconnection} and C{closure} (socket, code,
    data); C{subscription} (socket, channel, channelOptions); C{unsubscription} (socket, channel); C{authentication} (socket,
    authToken); C{deauthentication} (socket, old authToken); C{authenticationStateChange} (socket, change with C{oldState},
    C{newState} and C{authToken}); C{badSocketAuthToken} (socket, status with C{authError} and C{signedAuthToken}); C{ready}.

    Properties, besides those below, are C{clientsCount}, C{pendingClientsCount}, C{sourcePort}, C{secure}, C{host},
    C{httpServer}, C{isReady}, C{auth}, C{codec}, and most options.

    @ivar options: all options, merged over the defaults.
    @ivar exchange: publishes and subscribes from within the server.
    @ivar clients: the sockets that have completed their handshake, by id.
    @ivar pendingClients: the sockets that have not, by id.
    @ivar appName: the option.
    @ivar middlewareEmitWarnings: the option.
    """

    MIDDLEWARE_HANDSHAKE_WS = HANDSHAKE_WS
    MIDDLEWARE_HANDSHAKE_SC = HANDSHAKE_SC
    MIDDLEWARE_AUTHENTICATE = AUTHENTICATE
    MIDDLEWARE_SUBSCRIBE = SUBSCRIBE
    MIDDLEWARE_PUBLISH_IN = PUBLISH_IN
    MIDDLEWARE_PUBLISH_OUT = PUBLISH_OUT
    MIDDLEWARE_EMIT = EMIT
    #: An older name.
    MIDDLEWARE_PUBLISH = PUBLISH_IN

    _argumentNames = {
        "error": ("error",),
        "warning": ("warning",),
        "notice": ("notice",),
        "handshake": ("socket",),
        "connection": ("socket", "status"),
        "connectionAbort": ("socket", "code", "reason"),
        "disconnection": ("socket", "code", "reason"),
        "closure": ("socket", "code", "reason"),
        "subscription": ("socket", "channel", "subscriptionOptions"),
        "unsubscription": ("socket", "channel"),
        "authentication": ("socket", "authToken"),
        "deauthentication": ("socket", "oldAuthToken"),
        "authenticationStateChange": ("socket", "change"),
        "badSocketAuthToken": ("socket", "status"),
    }
    _optionsType = SCServerOptions
    _messageLine = EMIT
    _dialects = DIALECTS14

    options: SCServerOptions
    exchange: SCExchange
    clients: dict[str, SCServerSocket]  # type: ignore[assignment]
    pendingClients: dict[str, SCServerSocket]  # type: ignore[assignment]
    #: The functions of each line that has any.
    middleware: dict[str, tuple[Callback, ...]]  # type: ignore[assignment]

    def __init__(self, reactor: Any = None, **options: Any) -> None:
        """
        @param reactor: the reactor; the installed one if not given.
        @param options: see L{SCServerOptions}.
        @raise InvalidOptionsError: an option is not known or has a value that cannot be.
        """
        self._callbacks = None
        super().__init__(reactor, **options)
        self.appName = self.options.appName
        self.middlewareEmitWarnings = self.options.middlewareEmitWarnings

    def _setUpBroker(self) -> None:
        engine = self.options.brokerEngine
        if isinstance(engine, AGSimpleBroker):
            self.options.brokerEngine = SCSimpleBroker(engine)
        super()._setUpBroker()

    def _makeBrokerEngine(self) -> SCSimpleBroker:
        return SCSimpleBroker(turns=self.turns)

    # ---- events

    def emit(self, eventName: str, *arguments: object) -> None:
        """
        Emit an event of the application's own, or one of the server's.
        """
        self.notify(eventName, *arguments)

    # ---- middleware

    def addMiddleware(self, type: str, middleware: Callback) -> None:
        """
        Let a function decide on what clients want, behind those that were added before.

        @param type: one of the constants, C{MIDDLEWARE_EMIT} and so on.
        @param middleware: C{function(request, next)}; see L{agtwisted.v14.middleware}. In the line C{handshakeWS} the
            request is the upgrade request, else a L{MiddlewareRequest<agtwisted.v14.middleware.MiddlewareRequest>}.
        @raise InvalidArgumentsError: there is no such line.
        """
        if type not in LINES:
            raise InvalidArgumentsError(f'Middleware type "{type}" is not supported')
        self.middleware[type] = (*self.middleware.get(type, ()), middleware)
        self._waysChanged()

    def removeMiddleware(self, type: str, middleware: Callback | None = None) -> None:
        """
        Let a function decide no more.

        @param middleware: the function; all of that line if not given.
        """
        functions = self.middleware.pop(type, ()) if type in LINES else ()
        left = tuple(each for each in functions if middleware is not None and each != middleware)
        if left:
            self.middleware[type] = left
        self._waysChanged()

    def setMiddleware(self, type: str, middleware: Any) -> None:
        """
        @raise InvalidActionError: always; version 14 has L{addMiddleware}.
        """
        raise InvalidActionError("An SCServer has no setMiddleware; its middleware functions are added with addMiddleware")

    def hasFunctions(self, line: str) -> bool:
        """
        @return: whether the line has a function.
        """
        return line in self.middleware

    def passMiddleware(self, line: str, request: object, decided: Outcome) -> None:
        """
        Let a request pass middleware.

        @param decided: called with what it was blocked with, C{None} if it was not, and with what went with that.
        """
        functions = self.middleware.get(line)
        if functions is not None:
            runChain(functions, request, decided, partial(self._calledTwice, line))
        else:
            decided(None, None)

    def blocked(self, line: str, error: Any) -> Any:
        """
        Something was blocked.

        @param error: what with.
        @return: the error that the client gets.
        """
        if isSilent(error):
            return silentError(line)
        if self.middlewareEmitWarnings:
            self.emitWarning(error)
        return error

    def _calledTwice(self, line: str) -> None:
        self.emitWarning(InvalidActionError(f"Callback for {line} middleware was already invoked"))

    # ---- connections

    def verifyHandshake(self, request: UpgradeRequest) -> Any:
        """
        Decide on a WebSocket handshake: its origin, then its middleware.

        @return: awaitable.
        @raise HandshakeDenied: it is refused.
        """
        return self._verify(request)

    async def _verify(self, request: UpgradeRequest) -> None:
        if not self._origins.allow(request.origin):
            shown = "*" if request.origin in (None, "null") else request.origin
            wrong = ServerProtocolError(f"Failed to authorize socket handshake - Invalid origin: {shown}")
            self.emitWarning(wrong)
            raise HandshakeDenied(403, wrong.message)
        verdict: Deferred[Any] = Deferred()
        self.passMiddleware(HANDSHAKE_WS, request, lambda error, _: verdict.callback(error))
        error = await verdict
        if error is not None:
            error = self.blocked(HANDSHAKE_WS, error)
            raise HandshakeDenied(401, str(getattr(error, "message", error)))

    def verifiesHandshakeAtOnce(self, request: UpgradeRequest) -> bool:
        """
        @return: whether there is nothing to ask: no middleware, and an origin that may connect.
        """
        return HANDSHAKE_WS not in self.middleware and self._origins.allow(request.origin)

    def socketOpened(self, transport: Any) -> SCServerSocket:
        """
        A WebSocket connection is open.

        @param transport: an L{agtwisted.interfaces.ITransport}.
        @return: what it delivers to.
        """
        kind = ThrottledSCServerSocket if self.options.maxMessagesPerSecond else SCServerSocket
        socket = kind(self.generateId(), self, transport, self._dialectAt(transport.request.path))
        self.pendingClients[socket.id] = socket
        self.notify("handshake", socket)
        return socket
