"""
The server's end of a connection in version 14.

In the reference: C{SCServerSocket}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall

from agtwisted.errors import (
    BadConnectionError,
    InvalidActionError,
    InvalidArgumentsError,
    SocketProtocolError,
    TimeoutError,
    hydrateError,
    socketProtocolErrorStatuses,
    socketProtocolIgnoreStatuses,
)
from agtwisted.options import seconds
from agtwisted.protocol.codecs import JSONCodec
from agtwisted.protocol.copying import ownCopy
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.protocol.statuses import MESSAGE_BEFORE_HANDSHAKE, NORMAL, Disconnect, isSendable
from agtwisted.server.authentication import Authentication, isExpired
from agtwisted.server.serversocket import AGServerSocket
from agtwisted.sockets.calls import Calls
from agtwisted.sockets.socket import CLOSED, CONNECTING, OPEN
from agtwisted.sockets.waiting import Waiting
from agtwisted.speedups import inC
from agtwisted.streams.demux import DemuxedConsumableStream
from agtwisted.v14 import authentication, subscriptions
from agtwisted.v14.callbacks import Callback, call, watch
from agtwisted.v14.emitter import COMPLAINT, Listener, TwofoldEmitter, complain
from agtwisted.v14.inbound import LOCAL_EVENTS, RULES, eventReceived, expiryError
from agtwisted.v14.middleware import EMIT, PUBLISH_OUT, MiddlewareRequest
from agtwisted.v14.response import EXTENSION, Response
from agtwisted.v14.text import inText

if TYPE_CHECKING:
    from agtwisted.brokers.hub import Publication
    from agtwisted.protocol.dialects import Dialect
    from agtwisted.v14.server import SCServer

_new = object.__new__

#: The events of which functions do not hear before, or never hear at all.
_NOT_OF_APPLICATIONS = frozenset((*LOCAL_EVENTS, *RULES))


class SCServerSocket(TwofoldEmitter, AGServerSocket):
    """
    One client's connection, at the server.

    What the client emits arrives at the functions that C{on} was given: C{function(data, respond)}, where
    C{respond(error, data)} answers. The events of the socket itself are C{connect} (status), C{disconnect}, C{connectAbort}
    and C{close} (code, data), C{error} (error), C{raw} and C{message} (message), C{subscribe} (channel, options),
    C{unsubscribe} (channel), C{authenticate} (authToken), C{deauthenticate} (old authToken), C{authStateChange} (change),
    C{authTokenSigned} (signedAuthToken) and C{badAuthToken} (status).

    @ivar active: whether L{destroy} has not been called.
    """

    __slots__ = ("_callbacks", "active", "_answers", "_answersTimer")

    _publishLine = PUBLISH_OUT

    server: SCServer

    _argumentNames = {
        "error": ("error",),
        "message": ("message",),
        "raw": ("message",),
        "connect": ("status",),
        "connectAbort": ("code", "reason"),
        "disconnect": ("code", "reason"),
        "close": ("code", "reason"),
        "subscribe": ("channel", "subscriptionOptions"),
        "unsubscribe": ("channel",),
        "authenticate": ("authToken",),
        "deauthenticate": ("oldAuthToken",),
        "authStateChange": ("change",),
        "authTokenSigned": ("signedAuthToken",),
        "badAuthToken": ("status",),
    }

    def __init__(self, id: str, server: SCServer, transport: Any, dialect: Dialect) -> None:
        """
        @param transport: an L{agtwisted.interfaces.ITransport}.
        """
        self._callbacks = None
        self.active = True
        self._answers: list[object] = []
        self._answersTimer: IDelayedCall | None = None
        super().__init__(id, server, transport, dialect)

    # ---- events

    def emitError(self, error: object) -> None:
        """
        Emit C{warning} on the server and C{error} on the socket.
        """
        self.server.emitWarning(error)
        self.emitEvent("error", error=error)

    # ---- receiving

    def isCallId(self, callId: object) -> bool:
        """
        @return: whether a packet with this C{cid} wants an answer.
        """
        return self._dialect.isCallId(callId)

    def listener(self, eventName: str) -> DemuxedConsumableStream[Any]:
        """
        @return: the stream of that event.
        """
        # It may be one of the client's.
        self.takesNotDirectly()
        return super().listener(eventName)

    def _listen(self, event: str, listener: Listener) -> None:
        if event == "message":
            self.takesNotDirectly()
        super()._listen(event, listener)

    def _takeMessage(self, payload: bytes, isBinary: bool) -> Waiting:
        wire = self.server.wire
        if self.hasListeners("message"):
            self.notify("message", wire.text(payload, isBinary))
        if payload == self._dialect.pong:
            self._pongReceived()
            return None
        return self._decode(payload, isBinary)

    def _decoded(self, packet: Any, payload: bytes, isBinary: bool) -> Waiting:
        if packet.__class__ is dict and self._isUnasked() and self._deliverAtOnce(packet, payload):
            return None
        if self.state == CONNECTING and self.server.strictHandshake and not _isHandshake(packet):
            raise Disconnect(MESSAGE_BEFORE_HANDSHAKE)
        return self._takePacket(packet, payload, isBinary)

    def _takePacket(self, packet: Any, payload: bytes, isBinary: bool) -> Waiting:
        if packet.__class__ is list:
            self._checkBatch(len(packet))
            return self._batchReceived(iter(packet), payload, isBinary)
        if packet.__class__ is str and payload == self._dialect.pong:
            self._pongReceived()
        else:
            self._packetTaken(packet, payload, isBinary)
        return None

    def _batchedPacketReceived(self, packet: Any, payload: bytes, isBinary: bool) -> Waiting:
        if self.state != CLOSED:
            self._packetTaken(packet, payload, isBinary)
        return None

    def _processWaited(self, payload: bytes, isBinary: bool) -> Waiting:
        # The connection may have ended meanwhile: then nobody hears of it any more.
        return None if self.state == CLOSED else super()._processWaited(payload, isBinary)

    def _isUnasked(self) -> bool:
        """
        @return: whether what comes through the open connection reaches functions that wait for it, and nobody else.
        """
        return self.state == OPEN and EMIT not in self.server.middleware and self._listenerDemux is None

    @inC(
        Authentication, Listener, Response, _NOT_OF_APPLICATIONS, watch, COMPLAINT, complain, extension=EXTENSION
    )
    def _deliverAtOnce(self, packet: dict[str, Any], payload: bytes) -> bool:
        """
        The short way of the most frequent case: an application's event, L{nobody else to ask<_isUnasked>}, somebody listens.

        @return: whether it was the case.
        """
        event, callbacks = packet.get("event"), self._callbacks
        if (
            callbacks is None
            or event.__class__ is not str
            or (listeners := callbacks.get(event)) is None
            or event in _NOT_OF_APPLICATIONS
            or (self.authentication.expiry is not None and isExpired(self.authentication.token))
        ):
            return False
        callId = packet.get("cid")
        if not (callId.__class__ is int and callId) and not self._dialect.isCallId(callId):
            callId = None
        elif self.unansweredCount >= self._callsWatched and not self.admitsCall(callId):
            return True
        # As makeResponse, without the call.
        data, response = packet.get("data"), _new(Response)
        response._socket = self
        response.id = callId
        response.sent = False
        for listener in listeners:
            if not listener.isUsual:
                self._callBack(event, (listener,), (data, response))
                continue
            # As _callBack, without the call. (What an attribute holds is called sooner when it is in a variable.)
            function = listener.function
            try:
                result = function(data, response)
            except Exception as error:
                complain(error)
                continue
            if result is not None:
                watch(result, COMPLAINT)
        if callId is not None and not response.sent:
            response.hold()
        return True

    def _packetTaken(self, packet: Any, payload: bytes, isBinary: bool) -> None:
        if packet.__class__ is dict:
            event = packet.get("event")
            if event is not None:
                eventReceived(self, event, packet)
                return
            responseId = packet.get("rid")
            if responseId is not None:
                self._responseReceived(responseId, packet)
                return
        elif packet.__class__ is str and self._isPong(packet, payload):
            return
        elif self._showsVersion(payload, isBinary):
            return
        if self.hasListeners("raw"):
            self.notify("raw", self.server.wire.text(payload, isBinary))

    def _responseReceived(self, responseId: Any, packet: dict[str, Any]) -> None:
        if responseId.__class__ is not int:
            # In JavaScript the name of a member is always a text.
            text = inText(responseId)
            responseId = int(text) if text.isascii() and text.isdecimal() and not text.startswith("0") else None
        if self._calls is not None and responseId is not None:
            error = hydrateError(packet["error"]) if packet.get("error") else None
            self._calls.settle(responseId, error, packet.get("data"))

    def _pongReceived(self) -> None:
        if self.state == CONNECTING and self.server.strictHandshake:
            raise Disconnect(MESSAGE_BEFORE_HANDSHAKE)
        if isExpired(self.authToken):
            self.deauthenticate()

    # ---- the handshake

    @property
    def isAwaitingHandshake(self) -> bool:
        """
        Whether C{#handshake} has not come yet.
        """
        return self._handshakeTimer is not None

    # ---- sending

    def emit(self, event: str, data: object = NO_DATA, callback: Callback | None = None, options: Any = None) -> None:
        """
        Send an event to the client. The events of the socket itself cannot be sent; C{error} is emitted here.

        @param data: what goes with it; left out, nothing does.
        @param callback: called with the error (C{None} if there is none) and the data of the client's answer. There is an
            error as well if no answer comes in time, or if the connection goes.
        @param options: C{{"useCache": True, "stringifiedData": message}} sends a message as it is.
        """
        if event in LOCAL_EVENTS:
            if event != "error":
                data = InvalidActionError(f'The "{event}" event is reserved and cannot be emitted on a server socket')
            self.emitError(None if data is NO_DATA else data)
        elif event == "#publish" and isinstance(data, dict) and PUBLISH_OUT in self.server.middleware:
            self._passPublishOut(data, callback, options)
        else:
            self._emitPacket(event, data, callback, options)

    def _emitPacket(self, event: str, data: object, callback: Callback | None, options: Any) -> None:
        if self.state == CLOSED:
            message = f"Socket emit {event} event was aborted due to a bad connection"
            call(callback, BadConnectionError(message, "disconnect"), None)
            return
        packet: dict[str, object] = {"event": event}
        if data is not NO_DATA:
            packet["data"] = data
        if callback is not None:
            packet["cid"] = self._expectAnswer(event, callback)
        if isinstance(options, dict) and options.get("useCache") and options.get("stringifiedData") is not None:
            self.send(options["stringifiedData"])
        else:
            self.sendObject(packet)

    def _expectAnswer(self, event: str, callback: Callback) -> int:
        if self._calls is None:
            self._calls = Calls(self.server.wheel, self.turns)
        callId, answered = self._calls.open(event, self.server.ackTimeoutSeconds)

        def failed(failure: Any) -> None:
            error = failure.value
            if failure.check(TimeoutError) and not hasattr(error, "value"):
                error = TimeoutError(f"Event response for '{event}' timed out")
            call(callback, error, None)

        answered.addCallbacks(lambda data: call(callback, None, data), failed)
        return callId

    def sendObject(self, packet: object, options: Any = None) -> bool:
        """
        Send a packet.

        @param options: C{{"batch": True}} collects it, to be sent with others as one message.
        @return: whether it could be encoded; if not, the socket has emitted the codec's error.
        """
        if options is not None and options.get("batch"):
            self.sendObjectBatch(packet)
            return True
        return super().sendObject(packet)

    def sendObjectBatch(self, packet: object) -> None:
        """
        Collect a packet, to be sent with others as one message after the option C{pubSubBatchDuration}.
        """
        self._answers.append(packet)
        if self._answersTimer is None:
            duration = self.server.options.pubSubBatchDuration
            self._answersTimer = self.turns.callLater(seconds(duration or 0), self._sendAnswers)

    def _sendAnswers(self) -> None:
        self._answersTimer = None
        answers, self._answers = self._answers, []
        if self.state != CLOSED:
            super().sendObject(answers)

    #: Send a packet by itself.
    sendObjectSingle = AGServerSocket.sendObject

    def _isSendable(self) -> bool:
        # What is sent through a closed connection is lost without a word.
        return self.state != CLOSED and bool(self._transport.isOpen)

    # ---- publications

    def publicationReceived(self, publication: Publication) -> None:
        """
        Send a publication to the client, through whatever comes between.
        """
        if PUBLISH_OUT in self.server.middleware:
            self._passPublishOut(publication.packet["data"], None, publication)
        else:
            super().publicationReceived(publication)

    def _passPublishOut(self, data: dict[str, Any], callback: Callback | None, source: Any) -> None:
        """
        Let middleware decide on a publication to this client.

        @param source: the publication, whose finished frame will do if middleware says so, or the options of L{emit}.
        """
        # Other recipients have the same data: what middleware does to it must reach nobody else.
        own = ownCopy(data["data"]) if "data" in data else NO_DATA
        # As SocketCluster documents it; its own server leaves the error out here.
        expired = expiryError(self)
        request = MiddlewareRequest(
            socket=self, channel=data.get("channel", NO_DATA), data=own, authTokenExpiredError=expired
        )

        def decided(error: Any, _: Any) -> None:
            if error is not None:
                call(callback, self.server.blocked(PUBLISH_OUT, error), None)
            elif request.useCache and not isinstance(source, dict) and source is not None:
                super(SCServerSocket, self).publicationReceived(source)
            else:
                replaced = request.get("data")
                packet = data if replaced is NO_DATA else {**data, "data": replaced}
                options = {**source, "useCache": bool(request.useCache)} if isinstance(source, dict) else None
                self._emitPacket("#publish", packet, callback, options)

        self.server.passMiddleware(PUBLISH_OUT, request, decided)

    def kickOut(  # type: ignore[override]
        self, channel: str | list[str] | None = None, message: object = NO_DATA, callback: Callback | None = None
    ) -> None:
        """
        Take the client out of channels and tell it so.

        @param channel: a name or several; all of the client's channels if not given.
        @param message: what the client is told.
        @param callback: called with the broker's error, C{None} if there is none, once the broker has done with all of them.
        """
        names = self.subscriptions() if channel is None else [channel] if isinstance(channel, str) else list(channel)
        errors: list[Any] = []

        def left(error: Any = None) -> None:
            errors.append(error)
            if len(errors) == len(names):
                call(callback, next((each for each in errors if each is not None), None))

        for name in names:
            self.emit("#kickOut", {"channel": name} if message is NO_DATA else {"message": message, "channel": name})
            subscriptions.leave(self, name, left)
        if not names:
            call(callback, None)

    # ---- authentication

    def setAuthToken(  # type: ignore[override]
        self, data: Any, options: dict[str, Any] | None = None, callback: Callback | None = None
    ) -> None:
        """
        Make the client somebody: sign a token for it and send it.

        @param data: the token's data; an C{exp} in it wins over C{expiresIn}.
        @param options: C{expiresIn}, seconds that the token lives, and whatever else the auth engine's C{signToken} takes.
        @param callback: called with the error (C{None} if there is none) once the client has confirmed it. If the token
            cannot be signed, the connection is closed with 4002.
        """
        authentication.setAuthToken(self, data, dict(options or {}), callback)

    def deauthenticate(self, callback: Callback | None = None) -> None:  # type: ignore[override]
        """
        Make the client nobody and tell it to forget its token.

        @param callback: called with the error (C{None} if there is none) once the client has confirmed it.
        """
        authentication.deauthenticateSelf(self)
        self.emit("#removeAuthToken", None, callback)

    def deauthenticateSelf(self) -> None:
        """
        Make the client nobody without telling it.
        """
        authentication.deauthenticateSelf(self)

    def triggerAuthenticationEvents(self, oldState: str) -> None:
        """
        Emit the events of a client that has become somebody.
        """
        authentication.triggerAuthenticationEvents(self, oldState)

    # ---- the end

    @property
    def speaksDisconnect(self) -> bool:
        """
        Whether each side announces with C{#disconnect} that it closes the connection.
        """
        return self._dialect.speaksDisconnect

    def disconnect(self, code: int | None = None, data: Any = None) -> Deferred[None]:
        """
        Close the connection, and tell the client why.

        @param code: the close code, 1000 if not given; from 4500 on official clients do not come back.
        @param data: the reason, a text as a rule.
        @return: has fired. The state is closed when this returns.
        """
        status = self._closeCode(code)
        if self.state != CLOSED:
            if self.speaksDisconnect:
                announcement = {"code": status} if data is None else {"code": status, "data": data}
                self.sendObject({"event": "#disconnect", "data": announcement})
            self.end(status, data, data if isinstance(data, str) and not self.speaksDisconnect else None)
        return succeed(None)

    def _closeCode(self, code: Any) -> int:
        if not code:
            return NORMAL
        if not isinstance(code, (int, float)) or isinstance(code, bool):
            self.emitError(InvalidArgumentsError("If specified, the code argument must be a number"))
        elif isSendable(int(code)):
            return int(code)
        else:
            self.emitError(InvalidArgumentsError(f"A connection cannot be closed with the code {code}"))
        return NORMAL

    def destroy(self, code: int | None = None, data: Any = None) -> None:
        """
        L{disconnect}, for good.
        """
        self.active = False
        self.disconnect(code, data)

    def peerDisconnects(self, code: Any, data: Any) -> None:
        """
        The client announces that it closes the connection: answer with the same code, if it is one.
        """
        isCode = code.__class__ is int and isSendable(code)
        self._destroy(code if code.__class__ is int else None, None if data is NO_DATA else data)
        self.server.counters.sent(*self._outbox.drain())
        self._transport.close(code if isCode else NORMAL, None)

    def _destroy(self, code: int | None, data: Any) -> None:
        """
        The connection is closed. The order is that of version 14: unsubscriptions, the server's events, the socket's.
        """
        if self.state == CLOSED:
            return
        wasOpen = self._closed()
        self._isInputClosed = True
        self._stopTimers()
        if self._answersTimer is not None:
            self._answersTimer.cancel()
            self._answersTimer = None
        if self._calls is not None:
            reason = data if isinstance(data, str) else None
            self._calls.abort("disconnect" if wasOpen else "connectAbort", code, reason)
        server = self.server
        server.socketGone(self)
        for channel in self.subscriptions():
            subscriptions.unsubscribe(self, channel)
        server.notify("disconnection" if wasOpen else "connectionAbort", self, code, data)
        server.notify("closure", self, code, data)
        self.notify("disconnect" if wasOpen else "connectAbort", code, data)
        self.notify("close", code, data)
        if code not in socketProtocolIgnoreStatuses:
            self.emitError(_closeError(code, data))


def _isHandshake(packet: Any) -> bool:
    return packet.__class__ is dict and packet.get("event") == "#handshake"


def _closeError(code: int | None, data: Any) -> SocketProtocolError:
    message = socketProtocolErrorStatuses.get(code or 0)
    if message is None:
        message = f"Socket connection closed with status code {code}"
        if data:
            reason = JSONCodec().encode(data) if isinstance(data, (dict, list)) else inText(data)
            message = f"{message} and reason: {reason}"
    return SocketProtocolError(message, code)
