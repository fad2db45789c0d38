"""
The server's end of a connection.

In the reference: C{AGServerSocket}.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from agtwisted.errors import (
    InvalidArgumentsError,
    InvalidMessageError,
    SocketProtocolError,
    hydrateError,
    socketProtocolErrorStatuses,
    socketProtocolIgnoreStatuses,
)
from agtwisted.interfaces import IReceiver, ISubscriber
from agtwisted.options import seconds
from agtwisted.protocol.dialects import Dialect
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.protocol.statuses import (
    HANDSHAKE_TIMED_OUT,
    INTERNAL_ERROR,
    INVALID_PAYLOAD,
    MESSAGE_BEFORE_HANDSHAKE,
    NORMAL,
    PONG_TIMED_OUT,
    SLOW_CONSUMER,
    SLOW_CONSUMER_REASON,
    Disconnect,
    isSendable,
    reasonFor,
)
from agtwisted.server import authentication, subscriptions
from agtwisted.server.authentication import AUTHENTICATED, NOBODY, UNAUTHENTICATED, Authentication
from agtwisted.server.inbound import RULES, eventReceived, isCallId
from agtwisted.server.middleware import (
    HANDSHAKE,
    INBOUND,
    INBOUND_RAW,
    OUTBOUND,
    AGAction,
    Blocked,
    MiddlewareStream,
    Verdict,
)
from agtwisted.sockets.request import AGRequest
from agtwisted.sockets.socket import CLOSED, CONNECTING, OPEN, AGSocket
from agtwisted.sockets.waiting import Waiting, unfinished
from agtwisted.sockets.wheel import Timer
from agtwisted.streams.stream import WritableConsumableStream
from agtwisted.streams.turns import Turns

if TYPE_CHECKING:
    from agtwisted.brokers.hub import Publication
    from agtwisted.protocol.upgrade import UpgradeRequest
    from agtwisted.server.server import AGServer

log = Logger()

#: Packets of a batch that are processed in one turn; the others wait, so that nobody else has to.
_BATCH_SLICE = 256

#: Seconds that a client which does not read has for the closing handshake.
_SLOW_CONSUMER_CLOSING_TIME = 2.0


@implementer(IReceiver, ISubscriber)
class AGServerSocket(AGSocket):
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
        "server",
        "request",
        "exchange",
        "authentication",
        "_dialect",
        "_channelSubscriptions",
        "_heartbeat",
        "_nextPing",
        "_handshakeTimer",
        "_middlewareStreams",
        "_batchOptions",
        "_woken",
        "_graceTimer",
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
        self._channelSubscriptions: dict[str, bool] | None = None
        self._middlewareStreams: dict[str, MiddlewareStream] | None = None
        if handshakeStream is not None:
            self._middlewareStreams = {HANDSHAKE: handshakeStream}
        self._batchOptions: dict[str, Any] | None = None
        #: What the socket's last packet may have woken.
        self._woken: WritableConsumableStream[Any] | Turns | None = None
        self._graceTimer: Timer | None = None
        self._heartbeat: Timer | None = None
        self._nextPing = self.lastHeard + seconds(server.pingInterval)
        if not server.pingTimeoutDisabled:
            self._scheduleHeartbeat(self.lastHeard)
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

    # ---- errors

    def emitError(self, error: object) -> None:
        """
        Emit C{error} on the socket and C{warning} on the server.
        """
        self.emitEvent("error", error=error)
        self.server.emitWarning(error)

    # ---- receiving

    def messageReceived(self, payload: bytes, isBinary: bool) -> None:
        """
        Take a message: process it now, or behind those that have to wait.
        """
        self.lastHeard = self._seconds()
        if self._isInputClosed:
            return
        self.inboundReceivedMessageCount += 1
        if self._inbound.queue is not None:
            self._queueMessage(payload, isBinary)
            return
        try:
            if INBOUND_RAW in self.server.middleware:
                waiting = self._askRawMiddleware(payload, isBinary)
            else:
                waiting = self._takeMessage(payload, isBinary)
        except Exception as error:
            self._messageFailed(error)
            return
        if waiting is not None:
            self._inbound.waitFor(waiting)

    def _processMessage(self, payload: bytes, isBinary: bool) -> Waiting:
        try:
            if INBOUND_RAW in self.server.middleware:
                return self._askRawMiddleware(payload, isBinary)
            return self._takeMessage(payload, isBinary)
        except Exception as error:
            self._messageFailed(error)
            return None

    def _askRawMiddleware(self, payload: bytes, isBinary: bool) -> Waiting:
        action = AGAction(AGAction.MESSAGE, self, data=self.server.wire.text(payload, isBinary))
        done: Deferred[None] = Deferred()
        decided = partial(self._rawDecided, payload, isBinary, done)
        self.server.askMiddleware(self.middlewareInboundRawStream, action, self, decided)
        return unfinished(done)

    def _rawDecided(self, payload: bytes, isBinary: bool, done: Deferred[None], verdict: Verdict) -> None:
        waiting: Waiting = None
        if isinstance(verdict, Blocked):
            self.inboundProcessedMessageCount += 1
        else:
            message = verdict.data
            if message is not NO_DATA:
                isBinary = not isinstance(message, str)
                payload = message.encode("utf-8", "replace") if isinstance(message, str) else bytes(message)
            try:
                waiting = self._takeMessage(payload, isBinary)
            except Exception as error:
                self._messageFailed(error)
        if waiting is None:
            done.callback(None)
        else:
            waiting.chainDeferred(done)

    def _messageFailed(self, error: Exception) -> None:
        """
        Processing a message has ended with an exception: the one place where that ends the connection.
        """
        if isinstance(error, Disconnect):
            self.end(error.code, None, error.reason)
        elif isinstance(error, UnicodeDecodeError):
            self.end(INVALID_PAYLOAD, None, None)
        else:
            log.failure("Processing a message has failed.", Failure(error), socketId=self.id)
            self.end(INTERNAL_ERROR, None, None)

    def _takeMessage(self, payload: bytes, isBinary: bool) -> Waiting:
        """
        Take in hand a message that has passed raw middleware.

        @raise Disconnect: the connection has to end.
        """
        self.inboundProcessedMessageCount += 1
        if self.state == CONNECTING:
            # Those who have heard of the new socket, perhaps while timers ran, listen before its first message.
            self.turns.wakeNow()
        wire = self.server.wire
        if self._listenerDemux is not None and "message" in self._listenerDemux.streams:
            self.emitEvent("message", message=wire.text(payload, isBinary))
        if self._inboundMessageStream is not None:
            self._inboundMessageStream.write(wire.text(payload, isBinary))
        if payload == self._dialect.pong and not isBinary:
            self._pongReceived()
            return None
        try:
            packet: Any = wire.decode(payload, True) if isBinary else wire.decodeText(payload)
        except UnicodeDecodeError:
            raise
        except Exception as error:
            if not self._showsVersion(payload, isBinary):
                self._undecodable(error)
            return None
        if packet.__class__ is dict:
            if self._deliverAtOnce(packet, payload):
                return None
        elif packet.__class__ is list:
            return self._batchReceived(iter(packet), payload, isBinary)
        elif packet.__class__ is str and self._isPong(packet, payload):
            return None
        return self._packetReceived(packet, payload, isBinary)

    def _packetReceived(self, packet: Any, payload: bytes, isBinary: bool) -> Waiting:
        if packet.__class__ is dict:
            event = packet.get("event")
            if event.__class__ is str:
                self._wakeBefore(None)
                return None if self.state == CLOSED else eventReceived(self, event, packet)
        if self.state == CONNECTING and self.server.strictHandshake:
            raise Disconnect(MESSAGE_BEFORE_HANDSHAKE)
        self._wakeBefore(None)
        if packet.__class__ is dict and isCallId(packet.get("rid")):
            if self._calls is not None:
                # As in JavaScript, a false or empty error is none.
                error = hydrateError(packet["error"]) if packet.get("error") else None
                self._calls.settle(packet["rid"], error, packet.get("data"))
        elif self._showsVersion(payload, isBinary):
            return None
        elif self._listenerDemux is not None and "raw" in self._listenerDemux.streams:
            self.emitEvent("raw", message=self.server.wire.text(payload, isBinary))
        return None

    def _deliverAtOnce(self, packet: dict[str, Any], payload: bytes) -> bool:
        """
        The short way of the most frequent case: an application's event, nothing to ask, somebody listens.

        @return: whether it was the case.
        """
        event = packet.get("event")
        if event.__class__ is not str:
            return False
        server = self.server
        callId = packet.get("cid")
        isRPC = callId.__class__ is int or callId.__class__ is float
        demux = self._procedureDemux if isRPC else self._receiverDemux
        if demux is None or INBOUND in server.middleware or (stream := demux.streams.get(event)) is None:
            return False
        if stream is not self._woken:
            self._wakeBefore(stream)
        if (
            self.state != OPEN
            or event in RULES
            or (self.authentication.expiry is not None and authentication.isExpired(self.authentication.token))
        ):
            return False
        value = packet.get("data")
        if isRPC:
            if server.requestCreator is None:
                value = AGRequest(self, callId, event, value)  # type: ignore[arg-type]
            else:
                value = server.requestCreator(self, callId, event, value)
        backlog = stream.write(value)
        if backlog > 1:
            self.written(stream, backlog, len(payload))
        return True

    def _wakeBefore(self, stream: WritableConsumableStream[Any] | None) -> None:
        """
        Let the consumers that earlier packets of this socket have woken run, before one that they do not have in their
        stream: what they do, such as kicking the client out or listening to more, is to come first. A run of packets
        for one stream wakes its consumer once.
        """
        if self._woken is not None and self._woken.getBackpressure():
            self.turns.wakeNow()
        self._woken = stream

    def hasWoken(self, those: WritableConsumableStream[Any] | Turns) -> None:
        """
        Something that the client has sent has woken consumers: of one stream, or perhaps of several.
        """
        self._woken = those

    def _batchReceived(self, packets: Iterator[Any], payload: bytes, isBinary: bool) -> Waiting:
        taken = 0
        for packet in packets:
            waiting = self._batchedPacketReceived(packet, payload, isBinary)
            taken += 1
            if waiting is None and taken == _BATCH_SLICE:
                waiting = self.turns.nextTurn()
            if waiting is not None:
                return Deferred.fromCoroutine(self._finishBatch(waiting, packets, payload, isBinary))
        return None

    async def _finishBatch(
        self, waiting: Deferred[Any], packets: Iterator[Any], payload: bytes, isBinary: bool
    ) -> None:
        taken = 0
        try:
            await waiting
            for packet in packets:
                next = self._batchedPacketReceived(packet, payload, isBinary)
                taken += 1
                if next is not None:
                    await next
                elif taken % _BATCH_SLICE == 0:
                    await self.turns.nextTurn()
        except Exception as error:
            self._messageFailed(error)

    def _batchedPacketReceived(self, packet: Any, payload: bytes, isBinary: bool) -> Waiting:
        if packet.__class__ is dict and self._deliverAtOnce(packet, payload):
            return None
        return self._packetReceived(packet, payload, isBinary)

    def _isPong(self, text: str, payload: bytes) -> bool:
        """
        A text has come out of the codec. It may be a pong: clients of version 1 send theirs through it.
        """
        plain = text.encode("utf-8", "replace")
        if plain == payload:
            return False  # the codec has not changed it: it is a text like any other
        if plain != self._dialect.pong:
            return self._showsVersion(plain, False)
        self._pongReceived()
        return True

    def _showsVersion(self, payload: bytes, isBinary: bool) -> bool:
        """
        A message has come that is no packet. If it is a pong, and the version of the protocol was not known, it is now.
        """
        found = None if isBinary or self.state == CONNECTING else self._dialect.signs.get(payload)
        if found is None:
            return False
        self._dialect = found
        self._pongReceived()
        return True

    def askVersion(self) -> None:
        """
        Let the client show which version of the protocol it speaks, unless that is known or no pings are wanted.
        """
        if self._dialect.probe and not self.server.pingTimeoutDisabled:
            self._outbox.append(self._transport.frame(*self.server.wire.signal(self._dialect.probe)))

    def _pongReceived(self) -> None:
        if self.state == CONNECTING and self.server.strictHandshake:
            raise Disconnect(MESSAGE_BEFORE_HANDSHAKE)
        if authentication.isExpired(self.authToken):
            authentication.deauthenticateSelf(self)
            authentication.removeAuthToken(self)

    def _undecodable(self, error: Exception) -> None:
        if not hasattr(error, "name"):
            error = InvalidMessageError(str(error))
        self.emitError(error)
        if self.state == CONNECTING and self.server.strictHandshake:
            raise Disconnect(MESSAGE_BEFORE_HANDSHAKE)

    def createRequest(self, socket: AGServerSocket, id: Any, procedureName: str, data: Any) -> Any:
        """
        Make the request of a call: by the option C{requestCreator} if given.
        """
        creator = self.server.requestCreator
        if creator is None:
            return AGRequest(socket, id, procedureName, data)
        return creator(socket, id, procedureName, data)

    def defaultRequestCreator(self, socket: AGServerSocket, id: Any, procedureName: str, data: Any) -> AGRequest:
        """
        @return: an L{AGRequest}.
        """
        return AGRequest(socket, id, procedureName, data)

    # ---- heartbeat

    def _scheduleHeartbeat(self, now: float) -> None:
        due = min(self._nextPing, self.lastHeard + seconds(self.server.pingTimeout))
        self._heartbeat = self.server.wheel.schedule(max(0.0, due - now), self._beat)

    def _beat(self) -> None:
        now = self._seconds()
        if now >= self.lastHeard + seconds(self.server.pingTimeout):
            self.end(PONG_TIMED_OUT, None, None)
            return
        if self._flow is not None and self._flow.isPaused:
            # Its pongs wait behind what is not being read: read a little, so that its life shows.
            self._transport.readOnce()
        if now >= self._nextPing:
            self._nextPing = now + seconds(self.server.pingInterval)
            self._sendPing()
        self._scheduleHeartbeat(now)

    def _sendPing(self) -> None:
        payload, isBinary = self.server.wire.signal(self._dialect.ping)
        if self._transport.isPlain and not isBinary:
            self._outbox.append(self._dialect.pingFrame)
        else:
            self._outbox.append(self._transport.frame(payload, isBinary))

    def _handshakeTimedOut(self) -> None:
        self.disconnect(HANDSHAKE_TIMED_OUT)

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

    def closeHandshakeStream(self) -> None:
        """
        End the handshake middleware's loop for this connection.
        """
        streams = self._middlewareStreams
        if streams is not None and HANDSHAKE in streams:
            streams[HANDSHAKE].close()

    # ---- publications

    def publicationReceived(self, publication: Publication) -> None:
        """
        Send a publication to the client.
        """
        if self.state != OPEN:
            return
        batching = self._batching
        if (
            (batching is not None and batching.isBuffering)
            or self._outbound.isWaiting
            or self._outboundPacketStream is not None
            or OUTBOUND in self.server.middleware
        ):
            self._transmit("#publish", publication.packet["data"])
        elif self._transport.isPlain:
            self._outbox.append(publication.frame)
        else:
            self._outbox.append(self._transport.frame(*publication.message))

    def _processTransmit(self, event: str, data: object, cached: str | bytes | None) -> Waiting:
        if event != "#publish" or not self.server.hasMiddleware(OUTBOUND):
            return super()._processTransmit(event, data, cached)
        packet = dict(data) if isinstance(data, dict) else {}
        # Other recipients have the same data: what middleware does to it must reach nobody else.
        if "data" in packet:
            packet["data"] = deepcopy(packet["data"])
        action = AGAction(AGAction.PUBLISH_OUT, self, channel=packet.get("channel"), data=packet.get("data"))
        done: Deferred[None] = Deferred()
        decided = partial(self._outboundDecided, packet, cached, done)
        self.server.askMiddleware(self.middlewareOutboundStream, action, self, decided)
        return unfinished(done)

    def _outboundDecided(
        self, packet: dict[str, Any], cached: str | bytes | None, done: Deferred[None], verdict: Verdict
    ) -> None:
        if not isinstance(verdict, Blocked) and self.state == OPEN:
            useCache = isinstance(verdict.options, dict) and verdict.options.get("useCache")
            if verdict.data is not NO_DATA:
                packet["data"] = verdict.data
            super()._processTransmit("#publish", packet, cached if useCache else None)
        done.callback(None)

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

    # ---- middleware

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

    # ---- slow consumers

    def outboxGrown(self, waitingBytes: int) -> None:
        """
        More waits for the client to read. Past the limit it gets a grace time, past one and a half of it none.
        """
        limit = self.server.options.outboundBufferLimit
        if not limit or waitingBytes <= limit or self.state == CLOSED:
            return
        if waitingBytes > limit * 1.5:
            self._tooSlow()
        elif self._graceTimer is None:
            grace = seconds(self.server.options.outboundBufferGrace)
            self._graceTimer = self.server.wheel.schedule(grace, self._graceOver)

    def _graceOver(self) -> None:
        self._graceTimer = None
        if self._outbox.waitingBytes > (self.server.options.outboundBufferLimit or 0):
            self._tooSlow()

    def _tooSlow(self) -> None:
        """
        Give up a client that does not read: what waits for it is dropped, and nobody else notices.
        """
        waiting = self._outbox.waitingBytes
        log.info("Closing {socketId}, which does not read: {bytes} bytes wait.", socketId=self.id, bytes=waiting)
        self.server.emitEvent("slowConsumer", socket=self, waitingBytes=waiting)
        self._outbox.clear()
        self.end(SLOW_CONSUMER, SLOW_CONSUMER_REASON, SLOW_CONSUMER_REASON)
        self.server.wheel.schedule(_SLOW_CONSUMER_CLOSING_TIME, self._transport.abort)

    # ---- batching

    def _batchOption(self, name: str) -> Any:
        if self._batchOptions is not None and name in self._batchOptions:
            return self._batchOptions[name]
        return getattr(self.server.options, name)

    def _setBatchOption(self, name: str, value: Any) -> None:
        if self._batchOptions is None:
            self._batchOptions = {}
        self._batchOptions[name] = value

    @property
    def batchOnHandshake(self) -> bool:
        """
        Whether this socket batches right after the handshake; the server's option unless set.
        """
        return bool(self._batchOption("batchOnHandshake"))

    @batchOnHandshake.setter
    def batchOnHandshake(self, value: bool) -> None:
        self._setBatchOption("batchOnHandshake", value)

    @property
    def batchOnHandshakeDuration(self) -> float:
        """
        How long that lasts, in milliseconds; the server's option unless set.
        """
        return float(self._batchOption("batchOnHandshakeDuration"))

    @batchOnHandshakeDuration.setter
    def batchOnHandshakeDuration(self, value: float) -> None:
        self._setBatchOption("batchOnHandshakeDuration", value)

    @property
    def batchInterval(self) -> float:
        """
        The time between batches, in milliseconds; the server's option unless set.
        """
        return float(self._batchOption("batchInterval"))

    @batchInterval.setter
    def batchInterval(self, value: float) -> None:
        self._setBatchOption("batchInterval", value)
        if self._batching is not None:
            self._batching.interval = seconds(value)

    @property
    def cloneData(self) -> bool:
        """
        The server's option C{cloneData}.
        """
        return self.server.options.cloneData

    def _batchingOptions(self) -> float:
        return seconds(self.batchInterval)

    def startBatchOnHandshake(self) -> None:
        """
        Batch for a while, as the option C{batchOnHandshake} wants it.
        """
        self._batch().start()
        self.turns.callLater(seconds(self.batchOnHandshakeDuration), self._endBatchOnHandshake)

    def _endBatchOnHandshake(self) -> None:
        if not self.isBatching:
            self._batch().stop()

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
        self._outbox.drain()
        self._transport.close(code, sentReason)

    def _destroy(self, code: int, reason: str | None) -> None:
        if self.state == CLOSED:
            return
        reason = reasonFor(code, reason)
        wasOpen, self.state = self.state == OPEN, CLOSED
        self._isInputClosed = True
        self._woken = None
        self._stopTimers()
        if self._calls is not None:
            self._calls.abort("disconnect" if wasOpen else "connectAbort", code, reason)
        server = self.server
        server.clients.pop(self.id, None)
        server.pendingClients.pop(self.id, None)
        event, serverEvent = ("disconnect", "disconnection") if wasOpen else ("connectAbort", "connectionAbort")
        self.emitEvent(event, code=code, reason=reason)
        server.emitEvent(serverEvent, socket=self, code=code, reason=reason)
        self.emitEvent("close", code=code, reason=reason)
        server.emitEvent("closure", socket=self, code=code, reason=reason)
        if code not in socketProtocolIgnoreStatuses:
            self.emitError(_closeError(code, reason))
        done = Deferred.fromCoroutine(self._cleanUp())
        done.addErrback(lambda failure: log.failure("Cleaning up after a connection has failed.", failure))

    def _stopTimers(self) -> None:
        for timer in (self._heartbeat, self._graceTimer):
            if timer is not None:
                timer.cancel()
        self.handshakeStarted()
        if self._batching is not None:
            self._batching.isBatching = False
            self._batching.abandon()

    async def _cleanUp(self) -> None:
        if self._channelSubscriptions:
            await subscriptions.unsubscribeFromAll(self, self.subscriptions())
        self.emitEvent("end")
        mode = self.server.options.socketStreamCleanupMode
        if mode == "none":
            return
        await self.turns.settled()
        if mode == "kill":
            self.killAllStreams()
        else:
            self.closeAllStreams()


def _closeError(code: int, reason: str | None) -> SocketProtocolError:
    message = f"Socket connection closed with status code {code}"
    if reason is not None:
        message = f"{message} and reason: {reason}"
    return SocketProtocolError(socketProtocolErrorStatuses.get(code, message), code)
