"""
The server's end of a connection.

In the reference: C{AGServerSocket}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from agtwisted.errors import (
    InvalidArgumentsError,
    SocketProtocolError,
    socketProtocolErrorStatuses,
    socketProtocolIgnoreStatuses,
)
from agtwisted.interfaces import IReceiver, ISubscriber
from agtwisted.options import seconds
from agtwisted.protocol.dialects import Dialect
from agtwisted.protocol.statuses import (
    HANDSHAKE_TIMED_OUT,
    NORMAL,
    PONG_TIMED_OUT,
    isSendable,
    reasonFor,
)
from agtwisted.server import authentication, subscriptions
from agtwisted.server.authentication import AUTHENTICATED, NOBODY, UNAUTHENTICATED, Authentication
from agtwisted.server.calllimit import ExcessCalls
from agtwisted.server.middleware import (
    HANDSHAKE,
    MiddlewareStream,
)
from agtwisted.server.sending import SendingSocket
from agtwisted.sockets.socket import CLOSED, OPEN
from agtwisted.sockets.wheel import Timer
from agtwisted.sparinglog import SparingLogger
from agtwisted.streams.stream import WritableConsumableStream

if TYPE_CHECKING:
    from agtwisted.protocol.upgrade import UpgradeRequest
    from agtwisted.server.server import AGServer
    from agtwisted.server.tokengate import TokenGate

log = SparingLogger()


@implementer(IReceiver, ISubscriber)
class AGServerSocket(SendingSocket):
    """
    One client's connection, at the server.

    Events: C{connect}, C{disconnect}, C{connectAbort}, C{close}, C{end}, C{error}, C{raw}, C{message}, C{subscribe},
    C{unsubscribe}, C{authenticate}, C{deauthenticate}, C{authStateChange}, C{authTokenSigned}, C{badAuthToken}.

    @ivar server: the server that it belongs to.
    @ivar request: the upgrade request.
    @ivar exchange: the server's exchange.
    @ivar authentication: who the client is, as one value.
    """

    __slots__ = (
        "request",
        "exchange",
        "_channelSubscriptions",
        "_heartbeat",
        "_nextPing",
        "_handshakeTimer",
        "_tokenGate",
    )

    AUTHENTICATED = AUTHENTICATED
    UNAUTHENTICATED = UNAUTHENTICATED

    #: The close codes that are no errors, each with its text.
    ignoreStatuses = socketProtocolIgnoreStatuses
    #: The close codes that are errors, each with its text.
    errorStatuses = socketProtocolErrorStatuses

    def __init__(
        self,
        id: str,
        server: AGServer,
        transport: Any,
        dialect: Dialect,
        handshakeStream: MiddlewareStream | None = None,
    ) -> None:
        """
        @param transport: an L{agtwisted.interfaces.ITransport}.
        @param handshakeStream: what the handshake middleware has been reading for this connection attempt.
        """
        super().__init__(id, transport, server)
        self.server = server
        self.request: UpgradeRequest = transport.request
        self.exchange = server.exchange
        self.authentication: Authentication = NOBODY
        self._dialect = dialect
        self._tokenGate: TokenGate | None = None
        self._channelSubscriptions: dict[str, bool] | None = None
        self._middlewareStreams: dict[str, MiddlewareStream] | None = None
        if handshakeStream is not None:
            self._middlewareStreams = {HANDSHAKE: handshakeStream}
        self._batchOptions: dict[str, Any] | None = None
        #: What the socket's last packet may have woken.
        self._woken: WritableConsumableStream[Any] | int | None = None
        self._graceTimer: Timer | None = None
        self._callsWatched = server.callsWatched
        self._excess: ExcessCalls | None = None
        self._heartbeat: Timer | None = None
        self._nextPing = self.lastHeard + seconds(server.pingInterval)
        if not server.pingTimeoutDisabled:
            first = seconds(min(server.pingInterval, server.pingTimeout))
            self._heartbeat = server.wheel.schedule(first, self._beat)
        self._handshakeTimer: Timer | None = server.wheel.schedule(
            seconds(server.handshakeTimeout), self._handshakeTimedOut
        )

    # ---- what is known of the client

    @property
    def remoteAddress(self) -> str | None:
        """
        The peer's address.
        """
        return self.request.remoteAddress

    @property
    def remotePort(self) -> int | None:
        """
        The peer's port.
        """
        return self.request.remotePort

    @property
    def remoteFamily(self) -> str | None:
        """
        C{"IPv4"} or C{"IPv6"}.
        """
        return self.request.remoteFamily

    @property
    def forwardedForAddress(self) -> str | None:
        """
        The client's address as the trusted proxies in front tell it (option C{forwardedForHops}).
        """
        return self.request.forwardedForAddress

    @property
    def protocolVersion(self) -> int | str:
        """
        The version of SocketCluster's protocol that is spoken; C{"auto"} as long as the client has not shown which.
        """
        return self._dialect.version

    @property
    def authState(self) -> str:
        """
        L{AUTHENTICATED} or L{UNAUTHENTICATED}.
        """
        return self.authentication.state

    @property
    def authToken(self) -> Any:
        """
        The data of the client's token, C{None} if it has none.
        """
        return self.authentication.token

    @property
    def signedAuthToken(self) -> str | None:
        """
        The client's token as it travels, C{None} if it has none.
        """
        return self.authentication.signed

    # ---- heartbeat

    def _silenceEnds(self) -> float:
        """
        @return: when the client has been silent for too long, unless it is heard before.
        """
        server = self.server
        timeout, interval = seconds(server.pingTimeout), seconds(server.pingInterval)
        # After a standstill of the server, a ping that was late leaves the client as much time as any other.
        patience = timeout - interval if timeout > interval else timeout
        return max(self.lastHeard + timeout, server.wheel.standstillEnded + patience)

    def _wasAsked(self) -> bool:
        """
        @return: whether a ping has gone out since the client was heard last, if that was to happen before its time is up.
        """
        server = self.server
        if server.pingTimeout <= server.pingInterval or not server.wheel.mayStandStill:
            return True
        return self._nextPing > self.lastHeard + seconds(server.pingInterval)

    def _beat(self) -> None:
        now, silenceEnds = self._seconds(), self._silenceEnds()
        if now >= silenceEnds:
            if self._wasAsked():
                self.end(PONG_TIMED_OUT, None, None)
                return
            # However short the times are that are set: being so late is a standstill.
            self.server.wheel.standstillEnded = now
            silenceEnds = self._silenceEnds()
        if self._flow is not None and self._flow.isPaused:
            # Its pongs wait behind what is not being read: read a little, so that its life shows.
            self._transport.readOnce()
        if now >= self._nextPing:
            self._nextPing = now + seconds(self.server.pingInterval)
            self._sendPing()
        due = min(self._nextPing, silenceEnds)
        self._heartbeat = self.server.wheel.schedule(max(0.0, due - now), self._beat)

    def _sendPing(self) -> None:
        payload, isBinary = self.server.wire.signal(self._dialect.ping)
        if self._transport.isPlain and not isBinary:
            self._outbox.append(self._dialect.pingFrame)
        else:
            self._outbox.append(self._transport.frame(payload, isBinary))

    def _handshakeTimedOut(self) -> None:
        self.server.limitHit("handshakeTimeout", "A client has not sent #handshake in time", self, isTold=True)
        self.disconnect(HANDSHAKE_TIMED_OUT)
        # Who is that slow need not answer the close frame either.
        self._abortSoon()

    # ---- handshake

    def handshakeStarted(self) -> None:
        """
        The client has sent its handshake in time.
        """
        if self._handshakeTimer is not None:
            self._handshakeTimer.cancel()
            self._handshakeTimer = None

    def opened(self) -> None:
        """
        The handshake is complete.
        """
        self.server.pendingClients.pop(self.id, None)
        self.server.clients[self.id] = self
        self.state = OPEN
        self.waysChanged()
        self._transport.handshakeCompleted()

    def closeHandshakeStream(self) -> None:
        """
        End the handshake middleware's loop for this connection.
        """
        streams = self._middlewareStreams
        if streams is not None and HANDSHAKE in streams:
            streams[HANDSHAKE].close()

    # ---- subscriptions

    @property
    def channelSubscriptions(self) -> dict[str, bool]:
        """
        The channels that the client is subscribed to.
        """
        if self._channelSubscriptions is None:
            self._channelSubscriptions = {}
        return self._channelSubscriptions

    @property
    def channelSubscriptionsCount(self) -> int:
        """
        How many channels the client is subscribed to.
        """
        return 0 if self._channelSubscriptions is None else len(self._channelSubscriptions)

    def subscriptions(self) -> list[str]:
        """
        @return: the names of the channels that the client is subscribed to.
        """
        return [] if self._channelSubscriptions is None else list(self._channelSubscriptions)

    def isSubscribed(self, channel: str) -> bool:
        """
        @return: whether the client is subscribed to that channel.
        """
        return self._channelSubscriptions is not None and channel in self._channelSubscriptions

    def kickOut(self, channel: str | list[str] | None = None, message: object = None) -> Deferred[None]:
        """
        Take the client out of channels and tell it so.

        @param channel: a name or several; all of the client's channels if not given.
        @param message: what the client is told.
        @return: fires when the broker has done with all of them; fails with L{InvalidActionError} if the client is not
            subscribed to one of them.
        """
        if not channel and not isinstance(channel, list):
            channels = self.subscriptions()
        else:
            channels = [channel] if isinstance(channel, str) else list(channel)
        for name in channels:
            self.transmit("#kickOut", {"channel": name} if message is None else {"channel": name, "message": message})
        return subscriptions.unsubscribeFromAll(self, channels).addCallback(lambda _: None)

    # ---- authentication

    def getAuthToken(self) -> Any:
        """
        @return: the data of the client's token, C{None} if it has none.
        """
        return self.authentication.token

    def isAuthTokenExpired(self, token: Any) -> bool:
        """
        @return: whether a token's time is over.
        """
        return authentication.isExpired(token)

    def setAuthToken(
        self, data: Any, *, rejectOnFailedDelivery: bool = False, expiresIn: Any = None, **options: Any
    ) -> Deferred[None]:
        """
        Make the client somebody: sign a token for it and send it.

        @param data: the token's data; an C{exp} in it wins over C{expiresIn}.
        @param rejectOnFailedDelivery: whether to wait for the client to confirm it.
        @param expiresIn: seconds that the token lives, or a time span such as C{"2 days"}; the option
            C{authDefaultExpiry} if not given.
        @param options: whatever else the auth engine's C{signToken} takes.
        @return: fires when the token is on its way (or confirmed); fails with L{InvalidActionError} before the
            handshake is complete, with L{AuthError} when the client has not confirmed it, or with what signing failed
            with, in which case the connection is closed with 4002.
        """
        given = options if expiresIn is None else {**options, "expiresIn": expiresIn}
        return Deferred.fromCoroutine(
            authentication.setAuthToken(self, data, rejectOnFailedDelivery, given)
        )

    def deauthenticate(self, rejectOnFailedDelivery: bool = False) -> Deferred[None]:
        """
        Make the client nobody and tell it to forget its token.

        @param rejectOnFailedDelivery: whether to wait for the client to confirm it.
        @return: fires when that is on its way (or confirmed); fails with what the confirmation failed with.
        """
        return Deferred.fromCoroutine(authentication.deauthenticate(self, rejectOnFailedDelivery))

    def deauthenticateSelf(self) -> None:
        """
        Make the client nobody without telling it.
        """
        authentication.deauthenticateSelf(self)

    def triggerAuthenticationEvents(self, oldAuthState: str) -> None:
        """
        Emit the events of a client that has become somebody.
        """
        authentication.triggerAuthenticationEvents(self, oldAuthState)

    # ---- the end

    def disconnect(self, code: int | None = None, reason: str | None = None) -> Deferred[None]:
        """
        Close the connection.

        @param code: the close code, 1000 if not given; from 4500 on official clients do not come back.
        @param reason: a text for the client.
        @return: has fired. The state is closed when this returns.
        """
        status = NORMAL if not code else code
        if not isinstance(status, int) or isinstance(status, bool):
            self.emitError(InvalidArgumentsError("If specified, the code argument must be a number"))
            status = NORMAL
        elif not isSendable(status):
            self.emitError(InvalidArgumentsError(f"A connection cannot be closed with the code {status}"))
            status = NORMAL
        if self.state != CLOSED:
            self.end(status, reason, reason)
        return succeed(None)

    def terminate(self) -> None:
        """
        Drop the connection without a closing handshake.
        """
        self._transport.abort()

    def connectionLost(self, code: int, reason: str) -> None:
        """
        The connection is gone, or its peer has begun to close it.
        """
        self._destroy(code, reason)

    def end(self, code: int, reason: str | None, sentReason: str | None) -> None:
        """
        End the connection: the one place that does. What waits for a client that reads still goes out.

        @param reason: what the events say; the standard text for the code if not given.
        @param sentReason: what the close frame says.
        """
        self._destroy(code, reason)
        self.server.counters.sent(*self._outbox.drain())
        self._transport.close(code, sentReason)

    def _destroy(self, code: int, reason: str | None) -> None:
        if self.state == CLOSED:
            return
        reason = reasonFor(code, reason)
        wasOpen = self._closed()
        self._isInputClosed = True
        self._woken = None
        self._stopTimers()
        if self._calls is not None:
            self._calls.abort("disconnect" if wasOpen else "connectAbort", code, reason)
        server = self.server
        server.socketGone(self)
        event, serverEvent = ("disconnect", "disconnection") if wasOpen else ("connectAbort", "connectionAbort")
        hears = server.hears
        if self._listenerDemux is not None:
            self.emitEvent(event, code=code, reason=reason)
        if hears(serverEvent):
            server.emitEvent(serverEvent, socket=self, code=code, reason=reason)
        if self._listenerDemux is not None:
            self.emitEvent("close", code=code, reason=reason)
        server.emitEvent("closure", socket=self, code=code, reason=reason)
        if code not in socketProtocolIgnoreStatuses and (self._listenerDemux is not None or hears("warning")):
            self.emitError(_closeError(code, reason))
        if self._channelSubscriptions:
            done = subscriptions.unsubscribeFromAll(self, self.subscriptions())
            done.addCallback(self._cleanUp)
            done.addErrback(lambda failure: log.failure("Cleaning up after a connection has failed.", failure))
        else:
            self._cleanUp(None)

    def _closed(self) -> bool:
        """
        The connection is not open any more.

        @return: whether it was.
        """
        wasOpen, self.state = self.state == OPEN, CLOSED
        self._directLength, self._sendsJSON = 0, False
        self.directOutbox = None
        return wasOpen

    def _stopTimers(self) -> None:
        for timer in (self._heartbeat, self._graceTimer):
            if timer is not None:
                timer.cancel()
        self.handshakeStarted()
        if self.server.tokenExpiry is not None:
            self.server.tokenExpiry.forget(self)
        self.enoughAnswered()
        if self._batching is not None:
            self._batching.close()

    def _cleanUp(self, _: object) -> None:
        self.emitEvent("end")
        mode = self.server.options.socketStreamCleanupMode
        if mode != "none":
            self.turns.settle(self.killAllStreams if mode == "kill" else self.closeAllStreams)


def _closeError(code: int, reason: str | None) -> SocketProtocolError:
    message = f"Socket connection closed with status code {code}"
    if reason is not None:
        message = f"{message} and reason: {reason}"
    return SocketProtocolError(socketProtocolErrorStatuses.get(code, message), code)
