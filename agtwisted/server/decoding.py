"""
How a server's socket makes packets of the messages that come: through raw middleware and the codec.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from agtwisted.errors import InvalidArgumentsError, InvalidMessageError
from agtwisted.protocol.depth import TooComplex
from agtwisted.protocol.dialects import Dialect
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.protocol.statuses import (
    INTERNAL_ERROR,
    INVALID_PAYLOAD,
    MESSAGE_BEFORE_HANDSHAKE,
    POLICY_VIOLATION,
    Disconnect,
)
from agtwisted.protocol.steps import Steps
from agtwisted.server import authentication
from agtwisted.server.authentication import Authentication
from agtwisted.server.middleware import INBOUND_RAW, AGAction, Blocked, Verdict
from agtwisted.server.middlewaresocket import MiddlewareSocket
from agtwisted.sockets.socket import CLOSED, CONNECTING
from agtwisted.sockets.waiting import Waiting, unfinished
from agtwisted.sparinglog import SparingLogger

if TYPE_CHECKING:
    from agtwisted.server.serversocket import AGServerSocket

log = SparingLogger()

#: Seconds of a turn that a message may take: what is left of it waits for the next, so that nobody else has to.
SLICE_TIME = 0.004
#: Bytes from which on it takes a while to decode a message.
LONG = 65536


class DecodingSocket(MiddlewareSocket):
    """
    A socket of a server, as far as it decodes.

    @ivar authentication: who the client is, as one value.
    """

    __slots__ = ("authentication", "_dialect")

    authentication: Authentication
    _dialect: Dialect

    @property
    def _whole(self) -> AGServerSocket:
        # This class and those above it are parts of one: the others are typed with the whole.
        return self  # type: ignore[return-value]

    def _processMessage(self, payload: bytes, isBinary: bool) -> Waiting:
        try:
            if self.state == CONNECTING:
                # Those who have heard of the new socket, perhaps while timers ran, listen before its first message.
                self.turns.wakeNow()
            if INBOUND_RAW in self.server.middleware:
                return self._askRawMiddleware(payload, isBinary)
            return self._takeMessage(payload, isBinary)
        except Exception as error:
            self._messageFailed(error)
            return None

    def _askRawMiddleware(self, payload: bytes, isBinary: bool) -> Waiting:
        self._unprocessedCount += 1
        action = AGAction(AGAction.MESSAGE, self._whole, self.server.wire.text(payload, isBinary))
        decided = partial(self._rawDecided, payload, isBinary)
        return self.server.askMiddleware(self._middlewareStream(INBOUND_RAW), action, self._whole, decided)

    def _rawDecided(self, payload: bytes, isBinary: bool, verdict: Verdict) -> Waiting:
        self._unprocessedCount -= 1
        if isinstance(verdict, Blocked):
            return None
        message = verdict.data
        if message is not NO_DATA:
            if not isinstance(message, (str, bytes, bytearray, memoryview)):
                kind = type(message).__name__
                self.emitError(InvalidArgumentsError(f"A message can be replaced by text or bytes, not by {kind}"))
                return None
            isBinary = not isinstance(message, str)
            payload = message.encode("utf-8", "replace") if isinstance(message, str) else bytes(message)
        try:
            return self._takeMessage(payload, isBinary)
        except Exception as error:
            self._messageFailed(error)
            return None

    def _takeMessage(self, payload: bytes, isBinary: bool) -> Waiting:
        """
        Take in hand a message that has passed raw middleware.

        @raise Disconnect: the connection has to end.
        """
        wire = self.server.wire
        if self._listenerDemux is not None and "message" in self._listenerDemux.streams:
            self.emitEvent("message", message=wire.text(payload, isBinary))
        if self._inboundMessageStream is not None:
            self._inboundMessageStream.write(wire.text(payload, isBinary))
        if payload == self._dialect.pong and not isBinary:
            self._pongReceived()
            return None
        return self._decode(payload, isBinary)

    def _decode(self, payload: bytes, isBinary: bool) -> Waiting:
        """
        Decode a message, and take in hand what it has turned out to be.
        """
        wire = self.server.wire
        if isBinary and len(payload) > LONG and (steps := wire.decodeGradually(payload)) is not None:
            return unfinished(Deferred.fromCoroutine(self._decodeGradually(steps, payload)))
        try:
            packet: Any = wire.decode(payload, True) if isBinary else wire.decodeText(payload)
        except Exception as error:
            self._notDecoded(error, payload, isBinary)
            return None
        return self._decoded(packet, payload, isBinary)

    async def _decodeGradually(self, steps: Steps, payload: bytes) -> None:
        """
        L{_decode} a message that may take long, in as many turns as it takes.
        """
        deadline = self._seconds() + SLICE_TIME
        try:
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    waiting = self._decoded(end.value, payload, True)
                    break
                except Exception as error:
                    self._notDecoded(error, payload, True)
                    return
                if self._seconds() >= deadline:
                    await self.turns.nextTurn()
                    if self.state == CLOSED:
                        return
                    deadline = self._seconds() + SLICE_TIME
            if waiting is not None:
                await waiting
        except Exception as error:
            self._messageFailed(error)

    def _notDecoded(self, error: Exception, payload: bytes, isBinary: bool) -> None:
        """
        The codec cannot read a message.

        @raise Exception: the connection has to end.
        """
        if isinstance(error, UnicodeDecodeError | TooComplex):
            raise error
        if not self._showsVersion(payload, isBinary):
            self._undecodable(error)

    def _undecodable(self, error: Exception) -> None:
        if not hasattr(error, "name"):
            error = InvalidMessageError(str(error))
        self.emitError(error)
        if self.state == CONNECTING and self.server.strictHandshake:
            raise Disconnect(MESSAGE_BEFORE_HANDSHAKE)

    def _messageFailed(self, error: Exception) -> None:
        """
        Processing a message has ended with an exception: the one place where that ends the connection.
        """
        if isinstance(error, Disconnect):
            self._whole.end(error.code, None, error.reason)
        elif isinstance(error, UnicodeDecodeError):
            self._whole.end(INVALID_PAYLOAD, None, None)
        elif isinstance(error, TooComplex):
            end = self._pastLimit(error.limit, error.complaint.format(getattr(self.server.options, error.limit)))
            self._whole.end(end.code, None, end.reason)
        else:
            log.failure("Processing a message has failed.", Failure(error), socketId=self.id)
            self._whole.end(INTERNAL_ERROR, None, None)

    def _pastLimit(self, limit: str, message: str) -> Disconnect:
        """
        The client has gone past a limit that ends the connection.

        @param limit: the name of the option that sets it.
        @return: how it ends.
        """
        self.server.limitHit(limit, message, self._whole)
        return Disconnect(POLICY_VIOLATION, message)

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
        if authentication.isExpired(self.authentication.token):
            authentication.deauthenticateSelf(self._whole)
            authentication.removeAuthToken(self._whole)

    # ---- for subclasses to say

    def _decoded(self, packet: Any, payload: bytes, isBinary: bool) -> Waiting:
        """
        Take in hand what a message has turned out to be.
        """
        raise NotImplementedError
