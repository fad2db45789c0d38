"""
Middleware: functions that see actions before they happen and allow or block them.

There are four lines, with one function each. A function gets a stream of actions and decides on each; the action waits,
and with it all later packets of the same socket, and only of that one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from agtwisted.errors import InvalidActionError, SilentMiddlewareBlockedError
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.streams.stream import Consumer, WritableConsumableStream
from agtwisted.streams.turns import Turns

if TYPE_CHECKING:
    from agtwisted.server.serversocket import AGServerSocket

log = Logger()

HANDSHAKE = "handshake"
INBOUND_RAW = "inboundRaw"
INBOUND = "inbound"
OUTBOUND = "outbound"

#: The lines that a function can be set for.
LINES = (HANDSHAKE, INBOUND_RAW, INBOUND, OUTBOUND)

#: A middleware function.
MiddlewareFunction = Callable[["MiddlewareStream"], Any]


@dataclass(frozen=True, slots=True)
class Allowed:
    """
    How an action goes on.

    @ivar data: the data it goes on with, L{NO_DATA} to leave it.
    @ivar options: what else the function had to say, e.g. C{{"useCache": True}} for C{PUBLISH_OUT}.
    """

    data: Any = NO_DATA
    options: Any = None


class Blocked(Exception):
    """
    An action was blocked.

    @ivar error: what it was blocked with, C{None} for a silent block.
    """

    def __init__(self, error: Any) -> None:
        super().__init__(error)
        self.error = error


class Abandoned(Blocked):
    """
    An action was blocked because the function that was to decide on it has ended.
    """


class AGAction:
    """
    Something that a client wants, or that the server is about to send to it.

    @ivar type: one of the constants.
    @ivar request: the upgrade request.
    @ivar socket: the socket; C{None} for C{HANDSHAKE_WS}.
    @ivar data: what goes with it; C{None} if nothing.
    @ivar receiver: the event's name, for C{TRANSMIT}.
    @ivar procedure: the procedure's name, for C{INVOKE}.
    @ivar channel: the channel's name, for C{SUBSCRIBE}, C{PUBLISH_IN} and C{PUBLISH_OUT}.
    @ivar signedAuthToken: the token as it came, for C{AUTHENTICATE}.
    @ivar authToken: the token's data, for C{AUTHENTICATE}.
    @ivar authTokenExpiredError: set when the socket's token has expired just now.
    @ivar outcome: C{None}, C{"allowed"} or C{"blocked"}.
    @ivar promise: fires with L{Allowed} or fails with L{Blocked}.
    """

    __slots__ = (
        "type",
        "request",
        "socket",
        "data",
        "receiver",
        "procedure",
        "channel",
        "signedAuthToken",
        "authToken",
        "authTokenExpiredError",
        "outcome",
        "promise",
        "_isAbandoned",
        "__dict__",
    )

    HANDSHAKE_WS = "handshakeWS"
    HANDSHAKE_SC = "handshakeSC"
    MESSAGE = "message"
    TRANSMIT = "transmit"
    INVOKE = "invoke"
    SUBSCRIBE = "subscribe"
    PUBLISH_IN = "publishIn"
    PUBLISH_OUT = "publishOut"
    AUTHENTICATE = "authenticate"

    def __init__(self, type: str, socket: AGServerSocket | None = None, **fields: Any) -> None:
        self.type = type
        self.socket = socket
        self.request = fields.get("request", None if socket is None else socket.request)
        self.data = fields.get("data")
        self.receiver = fields.get("receiver")
        self.procedure = fields.get("procedure")
        self.channel = fields.get("channel")
        self.signedAuthToken = fields.get("signedAuthToken")
        self.authToken = fields.get("authToken")
        self.authTokenExpiredError = fields.get("authTokenExpiredError")
        self.outcome: str | None = None
        self.promise: Deferred[Allowed] = Deferred()
        self._isAbandoned = False

    def allow(self, data: Any = NO_DATA, options: Any = None) -> None:
        """
        Let the action go on.

        @param data: what it goes on with instead of its own data.
        @param options: for C{PUBLISH_OUT}, C{{"useCache": True}} says that the encoded publication may be sent as it
            is.
        @raise InvalidActionError: it has been decided on.
        """
        if self._decide("allowed", "allow"):
            self.promise.callback(Allowed(data, options))

    def block(self, error: Any = None) -> None:
        """
        Do not let the action happen.

        @param error: what the client gets; left out, the client only gets to know that it was blocked. Its attributes
            C{silent} (tell the client no more than that), C{statusCode} (close code for C{HANDSHAKE_SC}, 4008 if not
            given) and C{isBadToken} (the client is to forget its token, for C{AUTHENTICATE}) have a meaning.
        @raise InvalidActionError: it has been decided on.
        """
        if self._decide("blocked", "block"):
            self.promise.errback(Blocked(error))

    def abandon(self, line: str) -> None:
        """
        Nobody is left to decide: block the action. A decision that comes all the same is too late, and no error.
        """
        if self.outcome is None:
            self.outcome, self._isAbandoned = "blocked", True
            self.promise.errback(Abandoned(InvalidActionError(f"The {line} middleware function has ended")))

    def _decide(self, outcome: str, verb: str) -> bool:
        if self._isAbandoned:
            return False
        if self.outcome is not None:
            raise InvalidActionError(f"AGAction {self.type} has already been {self.outcome}; cannot {verb}")
        self.outcome = outcome
        return True


class MiddlewareStream(WritableConsumableStream[AGAction]):
    """
    The actions of one line, for one socket (or, in the handshake line, one connection attempt).

    @ivar type: the line.
    """

    __slots__ = ("_function", "_hasEnded", "_undecided", "_unread")

    def __init__(self, type: str, turns: Turns) -> None:
        super().__init__(turns)
        self.type = type
        self._function: MiddlewareFunction | None = None
        self._hasEnded = False
        self._undecided: set[AGAction] = set()
        self._unread: list[AGAction] = []

    def run(self, function: MiddlewareFunction) -> None:
        """
        Let C{function} decide on the actions from now on; nothing happens if it does already.
        """
        if self._function is function:
            return
        self.close()
        self._function = function
        self._hasEnded = False
        maybeDeferred(function, self).addBoth(self._ended, function)

    def submit(self, action: AGAction) -> Deferred[Allowed]:
        """
        Ask the function.

        @return: fires with L{Allowed} or fails with L{Blocked}.
        """
        if self._hasEnded:
            action.abandon(str(self.type))
            return action.promise
        self._undecided.add(action)
        if self.getConsumerCount():
            self.write(action)
        else:
            self._unread.append(action)
        decided: Deferred[Allowed] = Deferred()
        action.promise.addBoth(self._decided, action, decided)
        return decided

    def createConsumer(self, timeout: float | None = None) -> Consumer[AGAction]:
        """
        @param timeout: milliseconds that the consumer waits for each action; C{None} for ever.
        @return: a consumer of the actions that nobody has read yet, and of all to come.
        """
        consumer = super().createConsumer(timeout)
        unread, self._unread = self._unread, []
        for action in unread:
            consumer.write(action)
        return consumer

    def _decided(self, result: Any, action: AGAction, decided: Deferred[Allowed]) -> None:
        self._undecided.discard(action)
        # The function is in the middle of allow() or block(): what follows from it comes when it has returned.
        self.turns.wake(partial(decided.callback, result))

    def _ended(self, result: Any, function: MiddlewareFunction) -> None:
        if isinstance(result, Failure):
            log.failure("The {line} middleware function has failed.", result, line=self.type)
        if self._function is not function:
            return
        self._hasEnded = True
        # Nobody is left to decide on what it has not decided on.
        for action in list(self._undecided):
            action.abandon(str(self.type))


def clientError(action: AGAction, line: str, error: Any) -> Any:
    """
    @return: what a client gets to know of a block with C{error}.
    """
    if error is None or getattr(error, "silent", False):
        return SilentMiddlewareBlockedError(f"The {action.type} AGAction was blocked by {line} middleware", line)
    return error
