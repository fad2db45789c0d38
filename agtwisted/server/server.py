"""
The server.

In the reference: C{AGServer}.
"""

from __future__ import annotations

import os
import secrets
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from agtwisted.errors import InvalidActionError, InvalidArgumentsError, ResourceLimitError, ServerProtocolError
from agtwisted.options import ServerOptions, seconds
from agtwisted.protocol.dialects import DIALECTS, Dialect
from agtwisted.protocol.engines import codecFor
from agtwisted.protocol.upgrade import HandshakeDenied, Origins, UpgradeRequest
from agtwisted.protocol.wire import Wire
from agtwisted.server.admission import Admission
from agtwisted.server.authengine import AuthEngine
from agtwisted.server.broker import AGSimpleBroker
from agtwisted.server.counters import Counters, limitError
from agtwisted.server.middleware import (
    HANDSHAKE,
    INBOUND,
    INBOUND_RAW,
    LINES,
    OUTBOUND,
    Abandoned,
    AGAction,
    Allowed,
    Blocked,
    MiddlewareFunction,
    MiddlewareStream,
    Question,
    Verdict,
    clientError,
    fire,
)
from agtwisted.server.pacing import CLEANING, PATIENCE, Pacer
from agtwisted.server.serversocket import AGServerSocket
from agtwisted.server.stalls import StallWatch
from agtwisted.server.statistics import statistics
from agtwisted.server.throttling import ThrottledServerSocket
from agtwisted.server.tokenexpiry import expiryFor
from agtwisted.sockets.flow import lowWaterOf
from agtwisted.sockets.punctual import Timers, timersOf
from agtwisted.sockets.socket import CLOSED
from agtwisted.sockets.waiting import Waiting
from agtwisted.sockets.wheel import Wheel
from agtwisted.streams.emitter import AsyncStreamEmitter
from agtwisted.streams.turns import Turns

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

log = Logger()

#: The letters of ids may stand in addresses.
_FOR_ADDRESSES = bytes.maketrans(b"+/", b"-_")

#: More calls than anybody has unanswered; a number that Python compares at once.
_ANY_NUMBER = 1 << 29


class AGServer(AsyncStreamEmitter):
    """
    A SocketCluster server. It listens nowhere by itself: see L{agtwisted.listen}, L{agtwisted.attach} and
    L{agtwisted.service.AGService}.

    Events: C{ready}, C{error}, C{warning}, C{handshake}, C{connection}, C{connectionAbort}, C{disconnection},
    C{closure}, C{subscription}, C{unsubscription}, C{authentication}, C{deauthentication},
    C{authenticationStateChange}, C{badSocketAuthToken}.

    @ivar options: all options, merged over the defaults.
    @ivar exchange: publishes and subscribes from within the server.
    @ivar clients: the sockets that have completed their handshake, by id.
    @ivar pendingClients: the sockets that have not, by id.
    @ivar isReady: whether the broker carries publications.
    @ivar middleware: the middleware functions, by line; see L{setMiddleware}.
    @ivar counters: what was counted since the server was made, L{agtwisted.server.counters.Counters}.
    @ivar admission: who may connect, L{agtwisted.server.admission.Admission}.
    @ivar stalls: how long the reactor was kept from its work, while somebody watches; an L{agtwisted.service.AGService}
        does.
    @ivar startedAt: when it was started, in seconds of the monotonic clock; C{None} before.
    @ivar tokenExpiry: what ends tokens at their second, L{agtwisted.server.tokenexpiry.TokenExpiry}; C{None} if they end
        when they are used (option C{authExpiryMode}).
    @ivar pacer: when new clients are let in, L{agtwisted.server.pacing.Pacer}.
    @ivar cleaning: when it is cleaned up after those who are gone.
    @ivar timers: what its delayed calls come from: punctual ones of the reactor, or a test's clock.
    @ivar takesDirectly: whether nothing of the server's comes between messages and their packets: no middleware that sees
        messages, no codec of the application's.
    @ivar requestCreator: makes the requests of calls, C{None} for L{agtwisted.AGRequest}.
    @ivar auth: signs and verifies tokens.
    @ivar codec: encodes and decodes messages.
    @ivar sourcePort: the TCP port it listens at, once it does.
    @ivar host: the interface it listens at, once it does.
    @ivar secure: whether it listens with TLS.
    @ivar httpServer: the web site that it is mounted into, if any.
    @ivar listeningPort: the first L{twisted.internet.interfaces.IListeningPort} that it listens at, if any.
    """

    MIDDLEWARE_HANDSHAKE = HANDSHAKE
    MIDDLEWARE_INBOUND_RAW = INBOUND_RAW
    MIDDLEWARE_INBOUND = INBOUND
    MIDDLEWARE_OUTBOUND = OUTBOUND
    #: The key of C{request.extra} under which a connection attempt's handshake middleware stream is kept.
    SYMBOL_MIDDLEWARE_HANDSHAKE_STREAM = "handshakeStream"

    #: What holds the options; another face of the server has further ones.
    _optionsType: ClassVar[type[ServerOptions]] = ServerOptions
    #: The line of middleware that messages pass.
    _messageLine: ClassVar[str] = INBOUND_RAW
    #: What is spoken, by the option C{protocolVersion}.
    _dialects: ClassVar[Mapping[int | str, Dialect]] = DIALECTS

    def __init__(self, reactor: Any = None, **options: Any) -> None:
        """
        @param reactor: the reactor; the installed one if not given.
        @param options: see L{ServerOptions}.
        @raise InvalidOptionsError: an option is not known or has a value that cannot be.
        """
        if reactor is None:
            from twisted.internet import reactor
        self.timers = timersOf(reactor)
        super().__init__(Turns(self.timers))
        self.reactor: IReactorTime = reactor
        self.wheel = Wheel(self.timers)
        self.stalls = StallWatch(self.timers, reactor)
        self.options = given = self._optionsType.merged(options)
        self.ackTimeout = given.ackTimeout
        self.handshakeTimeout = given.handshakeTimeout
        self.pingInterval = given.pingInterval
        self.pingTimeout = given.pingTimeout
        self.pingTimeoutDisabled = given.pingTimeoutDisabled
        self.allowClientPublish = given.allowClientPublish
        self.perMessageDeflate = given.perMessageDeflate
        self.socketChannelLimit = given.socketChannelLimit
        self.protocolVersion = given.protocolVersion
        self.strictHandshake = given.strictHandshake
        self.requestCreator = given.requestCreator
        self.middlewareEmitFailures = given.middlewareEmitFailures
        self.origins = given.origins
        self._origins = Origins(given.origins)
        self.middleware: dict[str, MiddlewareFunction] = {}
        self.counters = Counters()
        self._socketType = ThrottledServerSocket if given.maxMessagesPerSecond else AGServerSocket
        self.admission = Admission(given, self.limitHit)
        self.pacer = Pacer(self.turns, self.wheel.seconds)
        self.cleaning = Pacer(self.turns, self.wheel.seconds, CLEANING, PATIENCE)
        self._dialect = self._dialects[given.protocolVersion]
        self.clients: dict[str, AGServerSocket] = {}
        self.pendingClients: dict[str, AGServerSocket] = {}
        self.isReady = False
        #: With so few values waiting for a consumer, each of so few bytes, nobody has to look closer.
        self.fewWaiting = lowWaterOf(given.inboundHighWaterMark)
        self.fewBytes = given.inboundHighWaterBytes // max(1, self.fewWaiting)
        #: With so many unanswered calls, a socket looks closer.
        self.callsWatched = ((given.maxUnansweredCalls or _ANY_NUMBER) + 1) // 2
        self._started: Deferred[list[Failure]] | None = None
        self._isWatchingBroker = False
        self.startedAt: float | None = None
        self.sourcePort: int | None = None
        self.host: str | None = None
        self.secure = False
        self.httpServer: Any = None
        self.listeningPort: Any = None
        self._setUpAuthentication()
        self._setUpBroker()

    def _setUpAuthentication(self) -> None:
        options = self.options
        if options.authPrivateKey is not None:
            self.signatureKey, self.verificationKey = options.authPrivateKey, options.authPublicKey
        else:
            if options.authKey is None:
                options.authKey = secrets.token_hex(32)
            self.signatureKey = self.verificationKey = options.authKey
        self.defaultVerificationOptions: dict[str, Any] = {}
        if options.authVerifyAlgorithms is not None:
            self.defaultVerificationOptions["algorithms"] = options.authVerifyAlgorithms
        elif options.authAlgorithm is not None:
            self.defaultVerificationOptions["algorithms"] = [options.authAlgorithm]
        self.defaultSignatureOptions: dict[str, Any] = {"expiresIn": options.authDefaultExpiry}
        if options.authAlgorithm is not None:
            self.defaultSignatureOptions["algorithm"] = options.authAlgorithm
        self.auth: Any = options.authEngine or AuthEngine()
        self.tokenExpiry = expiryFor(self)

    def _setUpBroker(self) -> None:
        self._useCodec(self.options.codecEngine)
        if self.options.brokerEngine is None:
            self.options.brokerEngine = self._makeBrokerEngine()
        self.brokerEngine: Any = self.options.brokerEngine
        self.brokerEngine.setCodecEngine(self.codec)
        self.exchange: Any = self.brokerEngine.exchange()

    def _useCodec(self, codecEngine: Any) -> None:
        self.codec: Any = codecFor(codecEngine)
        self.wire = Wire(self.codec, self.options.maxDepth, self.options.maxContainers)
        self._waysChanged()

    def _makeBrokerEngine(self) -> Any:
        return AGSimpleBroker(turns=self.turns)

    # ---- starting and stopping

    def start(self) -> Deferred[None]:
        """
        Start the broker. Whatever makes the server listen calls this; a second call does nothing more.

        @return: fires when the server is ready; fails with what the broker fails with.
        """
        if self._started is None:
            self.startedAt = self.wheel.seconds()
            if isinstance(self.timers, Timers):
                self.timers.start()
            # A failure in a list does not travel by itself: each caller gets it, and nobody is left with it.
            self._started = Deferred.fromCoroutine(self._start()).addCallbacks(lambda _: [], lambda failure: [failure])
        done: Deferred[None] = Deferred()

        def tell(failures: list[Failure]) -> list[Failure]:
            done.callback(failures[0] if failures else None)
            return failures

        self._started.addCallback(tell)
        return done

    async def _start(self) -> None:
        broker = self.brokerEngine
        if not self._isWatchingBroker:
            self._isWatchingBroker = True
            Deferred.fromCoroutine(self._warnOfBrokerErrors())
        if not getattr(broker, "isReady", True):
            start = getattr(broker, "start", None)
            if start is not None:
                await maybeDeferred(start)
            else:
                await broker.listener("ready").once()
        self.isReady = True
        self.emitEvent("ready")

    async def _warnOfBrokerErrors(self) -> None:
        if hasattr(self.brokerEngine, "listener"):
            async for event in self.brokerEngine.listener("error"):
                self.emitWarning(event.error)

    def close(self, keepSocketsOpen: bool = False) -> Deferred[None]:
        """
        Take no more connections, drop those there are, and stop the broker.

        @param keepSocketsOpen: whether to leave the connections there are.
        @return: fires when the broker has stopped.
        """
        self.isReady = False
        self._started = None
        if isinstance(self.timers, Timers):
            self.timers.stop()
        if not keepSocketsOpen:
            for socket in [*self.clients.values(), *self.pendingClients.values()]:
                socket.terminate()
        stop = getattr(self.brokerEngine, "stop", None)
        return succeed(None) if stop is None else maybeDeferred(stop).addCallback(lambda _: None)

    # ---- what is known of it

    @property
    def clientsCount(self) -> int:
        """
        How many sockets have completed their handshake.
        """
        return len(self.clients)

    @property
    def pendingClientsCount(self) -> int:
        """
        How many sockets have not completed their handshake.
        """
        return len(self.pendingClients)

    @property
    def ackTimeoutSeconds(self) -> float:
        """
        How long a client may take to answer a call.
        """
        return seconds(self.ackTimeout)

    @property
    def inboundHighWater(self) -> tuple[int, int]:
        """
        How many messages, and how many bytes of them, may wait before a client is not read any more.
        """
        return self.options.inboundHighWaterMark, self.options.inboundHighWaterBytes

    def stats(self) -> dict[str, Any]:
        """
        Tell how the server is doing. This adds up all sockets, at about a microsecond each: ask every few seconds.

        @return: what L{agtwisted.server.statistics.FIGURES} lists and explains, ready for JSON: by name, numbers, and for
            C{version} a text, for C{isReady} a C{bool}, for C{limitsHit} numbers by the name of an option, for the stalls
            C{None} if nobody watches. Times are in seconds, sizes in bytes.
        """
        return statistics(self)

    def socketGone(self, socket: AGServerSocket) -> None:
        """
        A socket is closed: the server knows it no longer, and keeps what it has counted.
        """
        self.clients.pop(socket.id, None)
        self.pendingClients.pop(socket.id, None)
        self.counters.connectionEnded(socket)

    def getPath(self) -> str:
        """
        @return: the URL path of the WebSocket endpoint.
        """
        return self.options.path

    @property
    def paths(self) -> frozenset[str]:
        """
        All URL paths that clients can connect at.
        """
        return frozenset(path for path in (self.options.path, self.options.pathV1) if path is not None)

    def _dialectAt(self, path: str) -> Dialect:
        return self._dialects[1] if path == self.options.pathV1 else self._dialect

    def generateId(self) -> str:
        """
        @return: a new socket id, which nobody can guess.
        """
        return b2a_base64(os.urandom(15), newline=False).translate(_FOR_ADDRESSES).decode("ascii")

    # ---- errors

    def emitError(self, error: object) -> None:
        """
        Emit C{error}.
        """
        self.emitEvent("error", error=error)

    def emitWarning(self, warning: object) -> None:
        """
        Emit C{warning}.
        """
        self.emitEvent("warning", warning=warning)

    def limitHit(
        self, limit: str, message: str, socket: AGServerSocket | None = None, *, isTold: bool = False
    ) -> ResourceLimitError:
        """
        Somebody has gone past a limit: count it and tell the operator, with a C{warning} (and an C{error} on the socket).

        @param limit: the name of the option that sets it.
        @param message: what was too much.
        @param socket: whose doing it was, if there is a socket.
        @param isTold: whether the operator gets to know it in another way, so that it is only counted here.
        @return: the error, for whoever tells the client.
        """
        self.counters.limitsHit[limit] += 1
        error = limitError(limit, message)
        if isTold:
            return error
        if socket is not None:
            socket.emitError(error)
        else:
            self.emitWarning(error)
        return error

    # ---- engines

    def setAuthEngine(self, authEngine: Any) -> None:
        """
        Sign and verify tokens with C{authEngine}, an L{agtwisted.interfaces.IAuthEngine}, from now on.
        """
        self.auth = authEngine

    def setCodecEngine(self, codecEngine: Any) -> None:
        """
        Encode and decode with C{codecEngine}, an L{agtwisted.interfaces.ICodec} or the name of one, from now on.
        """
        self._useCodec(codecEngine)
        self.brokerEngine.setCodecEngine(self.codec)

    # ---- middleware

    def setMiddleware(self, type: str, middleware: MiddlewareFunction) -> None:
        """
        Let a function decide on the actions of one line.

        @param type: C{MIDDLEWARE_HANDSHAKE}, C{MIDDLEWARE_INBOUND_RAW}, C{MIDDLEWARE_INBOUND} or
            C{MIDDLEWARE_OUTBOUND}.
        @param middleware: called with a L{MiddlewareStream}, once for each socket (in the handshake line, for each
            connection attempt); usually an C{async def} that iterates it.
        @raise InvalidArgumentsError: there is no such line.
        @raise InvalidActionError: the line has a function.
        """
        if type not in LINES:
            raise InvalidArgumentsError(f"Middleware {type} type is not supported")
        if type in self.middleware:
            raise InvalidActionError(f"Middleware {type} type has already been set")
        self.middleware[type] = middleware
        self._waysChanged()

    def removeMiddleware(self, type: str) -> None:
        """
        Allow all actions of a line from now on.
        """
        self.middleware.pop(type, None)
        self._waysChanged()

    def _waysChanged(self) -> None:
        """
        What comes between messages and packets has perhaps become more or less.
        """
        self.takesDirectly = self.wire.isJSON and self._messageLine not in self.middleware
        for socket in self.clients.values():
            socket.waysChanged()

    def hasMiddleware(self, type: str) -> bool:
        """
        @return: whether the line has a function.
        """
        return type in self.middleware

    def pass_(
        self, stream: MiddlewareStream, action: AGAction, socket: AGServerSocket | None = None
    ) -> Deferred[Allowed]:
        """
        Let an action pass middleware.

        @param socket: what emits the error when it is blocked; the server emits a warning without one.
        @return: fires with how it goes on; fails with L{Blocked}, with the error that the client gets.
        """
        passed: Deferred[Allowed] = Deferred()
        self.askMiddleware(stream, action, socket, partial(fire, passed))
        return passed

    def askMiddleware(
        self,
        stream: MiddlewareStream,
        action: AGAction,
        socket: AGServerSocket | None,
        follow: Callable[[Verdict], Waiting],
    ) -> Waiting:
        """
        As L{pass_}, without a Deferred.

        @param socket: see L{pass_}.
        @param follow: called with what becomes of the action; returns what is then to be waited for.
        @return: what to wait for; C{None} if nothing.
        """
        function = self.middleware.get(stream.lineName)
        if function is None:
            return follow(Allowed())
        stream.run(function)
        return Question(action, stream, self, socket, follow)

    def tellOfBlock(self, action: AGAction, line: str, blocked: Blocked, socket: AGServerSocket | None) -> Blocked:
        """
        A function has blocked an action: say what is to be said of it.

        @param socket: what emits the error; C{None} for a warning of the server's.
        @return: the block with the error that the client gets.
        """
        error = clientError(action, line, blocked.error)
        # That the functions of a closed socket end is the way of things.
        isOver = isinstance(blocked, Abandoned) and action.socket is not None and action.socket.state == CLOSED
        if self.middlewareEmitFailures and not isOver:
            emitted = error if blocked.error is None else blocked.error
            if socket is not None:
                socket.emitError(emitted)
            else:
                self.emitWarning(emitted)
        return type(blocked)(error)

    # ---- where it can be listened with

    def websocketFactory(self, site: Any = None) -> Any:
        """
        @param site: the L{twisted.web.server.Site} that gets everybody who does not ask for WebSocket; without one they
            are answered 501.
        @return: a protocol factory, for any endpoint to listen with. Listening with it starts the server.
        """
        from agtwisted.websocket import AGServerFactory

        return AGServerFactory(self, self.reactor, site)

    def resource(self) -> Any:
        """
        @return: an L{twisted.web.resource.IResource}, to be reached at the option C{path}. Whoever puts it into a site
            calls L{start}.
        """
        from agtwisted.site import AGResource

        return AGResource(self)

    # ---- connections

    async def verifyHandshake(self, request: UpgradeRequest) -> None:
        """
        Decide on a WebSocket handshake: its middleware, then its origin.

        @raise HandshakeDenied: it is refused.
        """
        if self.hasMiddleware(HANDSHAKE):
            stream = MiddlewareStream(HANDSHAKE, self.turns)
            request.extra[self.SYMBOL_MIDDLEWARE_HANDSHAKE_STREAM] = stream
            try:
                action = AGAction(AGAction.HANDSHAKE_WS)
                action.request = request
                await self.pass_(stream, action)
            except Blocked as blocked:
                stream.close()
                raise HandshakeDenied(401, str(blocked.error)) from None
        if not self._origins.allow(request.origin):
            shown = "*" if request.origin in (None, "null") else request.origin
            error = ServerProtocolError(f"Failed to authorize socket handshake - Invalid origin: {shown}")
            self.emitWarning(error)
            if self.SYMBOL_MIDDLEWARE_HANDSHAKE_STREAM in request.extra:
                request.extra.pop(self.SYMBOL_MIDDLEWARE_HANDSHAKE_STREAM).close()
            raise HandshakeDenied(403, error.message)

    def verifiesHandshakeAtOnce(self, request: UpgradeRequest) -> bool:
        """
        @return: whether there is nothing to ask: no middleware, and an origin that may connect.
        """
        return HANDSHAKE not in self.middleware and self._origins.allow(request.origin)

    def socketOpened(self, transport: Any) -> AGServerSocket:
        """
        A WebSocket connection is open.

        @param transport: an L{agtwisted.interfaces.ITransport}.
        @return: what it delivers to.
        """
        stream = transport.request.extra.pop(self.SYMBOL_MIDDLEWARE_HANDSHAKE_STREAM, None)
        dialect = self._dialectAt(transport.request.path)
        socket = self._socketType(self.generateId(), self, transport, dialect, stream)
        self.pendingClients[socket.id] = socket
        for line in (INBOUND_RAW, INBOUND, OUTBOUND):
            if line in self.middleware:
                socket._middlewareStream(line).run(self.middleware[line])
        self.emitEvent("handshake", socket=socket)
        return socket
