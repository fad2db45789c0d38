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
from twisted.python.failure import Failure

from agtwisted.errors import InvalidActionError, SilentMiddlewareBlockedError
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.sockets.waiting import Pending, Waiting
from agtwisted.sparinglog import SparingLogger
from agtwisted.streams.stream import Consumer, WritableConsumableStream
from agtwisted.streams.turns import Turns

if TYPE_CHECKING:
    from agtwisted.server.server import AGServer
    from agtwisted.server.serversocket import AGServerSocket

log = SparingLogger()

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


#: As nearly all do.
_AS_IT_IS = Allowed()


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


#: What becomes of an action.
Verdict = Allowed | Blocked


def fire(deferred: Deferred[Allowed], verdict: Verdict) -> None:
    """
    Let C{deferred} fire with what becomes of an action: it fails if that was blocked.
    """
    if isinstance(verdict, Blocked):
        deferred.errback(verdict)
    else:
        deferred.callback(verdict)


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
    """

    HANDSHAKE_WS = "handshakeWS"
    HANDSHAKE_SC = "handshakeSC"
    MESSAGE = "message"
    TRANSMIT = "transmit"
    INVOKE = "invoke"
    SUBSCRIBE = "subscribe"
    PUBLISH_IN = "publishIn"
    PUBLISH_OUT = "publishOut"
    AUTHENTICATE = "authenticate"

    # What an action has only if its type wants it, and until it is decided on, are defaults of the class: there is one
    # for each message and each delivery.
    request: Any = None
    data: Any = None
    receiver: str | None = None
    procedure: str | None = None
    channel: str | None = None
    signedAuthToken: str | None = None
    authToken: Any = None
    authTokenExpiredError: Any = None
    outcome: str | None = None
    _verdict: Verdict | None = None
    _listeners: tuple[Callable[[Verdict], object], ...] = ()
    _question: Question | None = None

    def __init__(self, type: str, socket: AGServerSocket | None = None, data: Any = None) -> None:
        self.type = type
        self.socket = socket
        self.data = data
        if socket is not None:
            self.request = socket.request

    @property
    def promise(self) -> Deferred[Allowed]:
        """
        Fires with L{Allowed} or fails with L{Blocked}; a new Deferred each time.
        """
        promise: Deferred[Allowed] = Deferred()
        self.whenDecided(partial(fire, promise))
        return promise

    def whenDecided(self, listener: Callable[[Verdict], object]) -> None:
        """
        Call C{listener} with what becomes of the action; at once if that is decided.
        """
        if self._verdict is not None:
            listener(self._verdict)
        else:
            self._listeners = (*self._listeners, listener)

    def allow(self, data: Any = NO_DATA, options: Any = None) -> None:
        """
        Let the action go on.

        @param data: what it goes on with instead of its own data.
        @param options: for C{PUBLISH_OUT}, C{{"useCache": True}} says that the encoded publication may be sent as it
            is.
        @raise InvalidActionError: it has been decided on.
        """
        isAsItIs = data is NO_DATA and options is None
        self._decide("allowed", "allow", _AS_IT_IS if isAsItIs else Allowed(data, options))

    def block(self, error: Any = None) -> None:
        """
        Do not let the action happen.

        @param error: what the client gets; left out, the client only gets to know that it was blocked. Its attributes
            C{silent} (tell the client no more than that), C{statusCode} (close code for C{HANDSHAKE_SC}, 4008 if not
            given) and C{isBadToken} (the client is to forget its token, for C{AUTHENTICATE}) have a meaning.
        @raise InvalidActionError: it has been decided on.
        """
        self._decide("blocked", "block", Blocked(error))

    def abandon(self, line: str) -> None:
        """
        Nobody is left to decide: block the action. A decision that comes all the same is too late, and no error.
        """
        if self.outcome is None:
            verdict = Abandoned(InvalidActionError(f"The {line} middleware function has ended"))
            self._decide("blocked", "block", verdict)

    def _decide(self, outcome: str, verb: str, verdict: Verdict) -> None:
        if isinstance(self._verdict, Abandoned):
            return
        if self.outcome is not None:
            raise InvalidActionError(f"AGAction {self.type} has already been {self.outcome}; cannot {verb}")
        self.outcome = outcome
        self._verdict = verdict
        listeners, self._listeners = self._listeners, ()
        for listener in listeners:
            listener(verdict)
        question, self._question = self._question, None
        if question is not None:
            question.decided()


class MiddlewareStream(WritableConsumableStream[AGAction]):
    """
    The actions of one line, for one socket (or, in the handshake line, one connection attempt).

    @ivar type: the line.
    @ivar lineName: the same, whatever becomes of C{type}.
    @ivar undecided: those that the function has not decided on.
    """

    __slots__ = ("lineName", "_function", "_hasEnded", "undecided", "_unread")

    def __init__(self, type: str, turns: Turns) -> None:
        super().__init__(turns)
        self.type = self.lineName = type
        self._function: MiddlewareFunction | None = None
        self._hasEnded = False
        self.undecided: set[AGAction] = set()
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

    def submit(self, action: AGAction, question: Question) -> None:
        """
        Ask the function, and let C{question} know what it decides.
        """
        action._question = question
        if self._hasEnded:
            action.abandon(self.lineName)
            return
        self.undecided.add(action)
        if self.getConsumerCount():
            self.write(action)
        else:
            self._unread.append(action)

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

    def _ended(self, result: Any, function: MiddlewareFunction) -> None:
        if isinstance(result, Failure):
            log.failure("The {line} middleware function has failed.", result, line=self.type)
        if self._function is not function:
            return
        self._hasEnded = True
        # Nobody is left to decide on what it has not decided on.
        for action in list(self.undecided):
            action.abandon(self.lineName)


class Question(Pending):
    """
    An action that waits for a function to decide on it, and what follows from that.
    """

    __slots__ = ("_action", "_line", "_server", "_emitter", "_follow")

    def __init__(
        self,
        action: AGAction,
        line: MiddlewareStream,
        server: AGServer,
        emitter: AGServerSocket | None,
        follow: Callable[[Verdict], Waiting],
    ) -> None:
        """
        @param emitter: what emits the error of a block; C{None} if it is the server.
        @param follow: called with what becomes of the action.
        """
        # As of every L{Pending}, without the call: there is one of this for each message and each delivery.
        self._isDone = False
        self._result = self._then = None
        self._action = action
        self._line = line
        self._server = server
        self._emitter = emitter
        self._follow = follow
        line.submit(action, self)

    def decided(self) -> None:
        """
        The function has decided.
        """
        line = self._line
        line.undecided.discard(self._action)
        # It is in the middle of allow() or block(): what follows from it comes when it has returned.
        line.turns.wake(self._goOn)

    def _goOn(self) -> None:
        """
        The function has returned: let happen what follows, and then what waits for that.
        """
        verdict: Any = self._action._verdict
        try:
            if isinstance(verdict, Blocked):
                verdict = self._server.tellOfBlock(self._action, self._line.lineName, verdict, self._emitter)
            waiting = self._follow(verdict)
        except Exception:
            self.finish(Failure())
            return
        if waiting is None:
            self.finish()
        else:
            waiting.addBoth(self.finish)


def clientError(action: AGAction, line: str, error: Any) -> Any:
    """
    @return: what a client gets to know of a block with C{error}.
    """
    if error is None or getattr(error, "silent", False):
        return SilentMiddlewareBlockedError(f"The {action.type} AGAction was blocked by {line} middleware", line)
    return error
