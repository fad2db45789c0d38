"""
Middleware: chains of functions that see what clients want before it happens, and allow or block it.

There are seven lines, with any number of functions each. A function is called with C{(request, next)} and decides by calling
C{next}: without an error to let the next function decide, with one to block. It may do so later. It may also be a coroutine
function. A function with room for the request alone decides by returning, or by raising an exception.

Other than in version 15 and later, an event whose middleware takes its time does not hold up those behind it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from agtwisted.errors import SCError, SilentMiddlewareBlockedError
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.sparinglog import SparingLogger
from agtwisted.v14.callbacks import Callback, roomFor

log = SparingLogger()

HANDSHAKE_WS = "handshakeWS"
HANDSHAKE_SC = "handshakeSC"
AUTHENTICATE = "authenticate"
SUBSCRIBE = "subscribe"
PUBLISH_IN = "publishIn"
PUBLISH_OUT = "publishOut"
EMIT = "emit"

#: All lines.
LINES = (HANDSHAKE_WS, HANDSHAKE_SC, EMIT, SUBSCRIBE, PUBLISH_IN, PUBLISH_OUT, AUTHENTICATE)

#: What a middleware request may have.
_PROPERTIES = frozenset(
    "socket event channel data ackData waitForAuth authToken signedAuthToken authTokenExpiredError useCache".split()
)


class MiddlewareRequest:
    """
    What a client wants, as middleware sees it. What it does not have reads as C{None}.

    @ivar socket: the client's socket.
    @ivar event: the event's name, in the line C{emit}.
    @ivar channel: the channel's name, in the lines C{subscribe}, C{publishIn} and C{publishOut}.
    @ivar data: what goes with it. What a function puts here takes its place.
    @ivar ackData: what the client gets with the answer to its publication, if a function puts something here.
    @ivar waitForAuth: whether the client subscribes once it is authenticated, in the line C{subscribe}.
    @ivar authToken: the data of the token, in the line C{authenticate}.
    @ivar signedAuthToken: the token as it came, in the line C{authenticate}.
    @ivar authTokenExpiredError: set when the socket's token has expired, to be passed on to C{next} if that matters.
    @ivar useCache: set to true in the line C{publishOut}, it says that C{data} was left as it was.
    """

    def __init__(self, **properties: Any) -> None:
        self.__dict__.update({name: value for name, value in properties.items() if value is not NO_DATA})

    def __getattr__(self, name: str) -> Any:
        if name in _PROPERTIES:
            return None
        raise AttributeError(f"A middleware request has no {name!r}")

    def __repr__(self) -> str:
        return f"<MiddlewareRequest {self.__dict__!r}>"

    def get(self, name: str) -> Any:
        """
        @return: a property, L{NO_DATA} if it has no such property: C{None} is C{null}.
        """
        return self.__dict__.get(name, NO_DATA)


#: Takes a chain's outcome: the error that blocks (C{None} if all functions let it pass) and what went with it.
Outcome = Callable[[Any, Any], None]


def runChain(functions: Iterable[Callback], request: object, decided: Outcome, calledTwice: Callable[[], None]) -> None:
    """
    Let functions decide, one after the other, until one of them blocks.

    @param decided: called with the outcome, once; at once if no function takes its time.
    @param calledTwice: called each time a function decides again.
    """
    _Chain(tuple(functions), request, decided, calledTwice).proceed()


class _Chain:
    """
    One request on its way through the functions of a line.
    """

    __slots__ = ("_functions", "_request", "_decided", "_calledTwice", "_position")

    def __init__(
        self, functions: tuple[Callback, ...], request: object, decided: Outcome, calledTwice: Callable[[], None]
    ) -> None:
        self._functions = functions
        self._request = request
        self._decided = decided
        self._calledTwice = calledTwice
        self._position = 0

    def proceed(self, value: object = None) -> None:
        """
        Ask the next function, if there is one left.
        """
        if self._position == len(self._functions):
            self._decided(None, value)
            return
        function = self._functions[self._position]
        self._position += 1
        _Step(self, function).run(self._request)

    def stepDecided(self, error: object, value: object) -> None:
        """
        A function has decided.
        """
        if isinstance(error, BaseException) or error:
            self._decided(error, value)
        else:
            self.proceed(value)

    def stepDecidedAgain(self) -> None:
        """
        A function has decided again, which changes nothing.
        """
        self._calledTwice()


class _Step:
    """
    One function of a chain, which is to decide once.
    """

    __slots__ = ("_chain", "_function", "_hasDecided")

    def __init__(self, chain: _Chain, function: Callback) -> None:
        self._chain = chain
        self._function = function
        self._hasDecided = False

    def run(self, request: object) -> None:
        """
        Call the function.
        """
        decidesByReturning = roomFor(self._function) == 1
        try:
            result = self._function(request) if decidesByReturning else self._function(request, self.decide)
        except Exception as error:
            self._failed(Failure(error))
            return
        if result is None:
            # As most do.
            self._returned(decidesByReturning)
            return
        if inspect.iscoroutine(result):
            result = Deferred.fromCoroutine(result)
        if isinstance(result, Deferred):
            result.addCallbacks(lambda _: self._returned(decidesByReturning), self._failed)
            result.addErrback(lambda failure: log.failure("What middleware has allowed has failed.", failure))
        else:
            self._returned(decidesByReturning)

    def decide(self, error: object = None, value: object = None) -> None:
        """
        The function's C{next}.

        @param error: what blocks; C{True} blocks without a word.
        @param value: what goes with it: a status code, or whether the token is bad.
        """
        if self._hasDecided:
            self._chain.stepDecidedAgain()
            return
        self._hasDecided = True
        self._chain.stepDecided(error, value)

    def _returned(self, decidesByReturning: bool) -> None:
        # A function that was given C{next} may call it after it has returned.
        if decidesByReturning:
            self.decide()

    def _failed(self, failure: Failure) -> None:
        if self._hasDecided or not failure.check(SCError):
            # A mistake of the function: nothing of it is for clients to see, and nothing passes because of it.
            log.failure("A middleware function has failed.", failure)
        if not self._hasDecided:
            self.decide(failure.value if failure.check(SCError) else True)


def isSilent(error: object) -> bool:
    """
    @return: whether middleware has blocked with no more than the fact.
    """
    return error is True or bool(getattr(error, "silent", False))


def silentError(line: str) -> SilentMiddlewareBlockedError:
    """
    @return: all that a client gets to know of a silent block.
    """
    return SilentMiddlewareBlockedError(f"Action was silently blocked by {line} middleware", line)
