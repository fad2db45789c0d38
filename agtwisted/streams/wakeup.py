"""
What a consumer's loop awaits.

Waking a coroutine through an ordinary Deferred costs several times what taking a value does, nearly all of it for a
callback chain that a loop has no use for, and for the machinery that finds out anew each time what the coroutine waits
for. A loop over a stream nearly always comes back to where it waited.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.python.failure import Failure


def _findContinuation() -> Callable[..., None] | None:
    """
    @return: what Twisted adds to each Deferred that a coroutine awaits: a function of the result, a list that says
        whether the coroutine is still running, the coroutine, its status and its context. C{None} if Twisted does it in
        another way by now; waking then takes the ordinary way.
    """
    found: Callable[..., None] | None = getattr(defer, "_gotResultInlineCallbacks", None)
    if found is None or [*inspect.signature(found).parameters] != ["r", "waiting", "gen", "status", "context"]:
        return None
    return found


_continuation = _findContinuation()


class WakeUp(Deferred[None]):
    """
    A Deferred that is used again for every wait.

    It holds exactly one callback and calls it. Where that is the one with which Twisted goes on with a coroutine, it
    does so itself for as long as the coroutine comes back to wait here.

    @ivar isAwaited: whether a loop waits for it, also when it is due already.
    """

    def __init__(self, cancelled: Callable[[], object]) -> None:
        """
        @param cancelled: called when the coroutine that waits here is cancelled.
        """
        super().__init__()
        self.isAwaited = False
        self._cancelled = cancelled
        self._callback: Callable[..., object] | None = None
        self._arguments: tuple[Any, ...] = ()
        #: Goes on with the coroutine and returns what it awaits next, where Twisted need not be asked.
        self._resume: Callable[[], Any] | None = None

    def addBoth(self, callback: Any, *args: Any, **kw: Any) -> Any:
        """
        Remember whom to wake. Only the machinery that runs a coroutine calls this.
        """
        self.isAwaited = True
        self._callback = callback
        self._arguments = args
        if callback is _continuation:
            _, coroutine, _, context = args
            self._resume = partial(context.run, coroutine.send, None)
        return self

    def fire(self) -> None:
        """
        Wake the loop.
        """
        if not self.isAwaited:
            return
        resume, arguments = self._resume, self._arguments
        if resume is None:
            self.fail(None)
            return
        self.isAwaited = False
        try:
            awaited = resume()
        except StopIteration as end:
            result = end.value
        except BaseException:
            self._forget()
            arguments[2].deferred.errback()
            return
        else:
            if awaited is self:
                self.isAwaited = True
            else:
                self._forget()
                _waitFor(awaited, *arguments[1:])
            return
        self._forget()
        arguments[2].deferred.callback(result)

    def fail(self, failure: Failure | None) -> None:
        """
        Wake the loop with a failure that is raised in it.
        """
        if self.isAwaited:
            self.isAwaited = False
            callback, arguments = self._callback, self._arguments
            self._forget()
            assert callback is not None
            callback(failure, *arguments)

    def _forget(self) -> None:
        if not self.isAwaited:  # by another loop, meanwhile
            self._callback = self._resume = None
            self._arguments = ()

    def cancel(self) -> None:
        """
        The coroutine that waits here was cancelled.
        """
        self._cancelled()
        self.fail(Failure(CancelledError()))

    def __await__(self) -> Generator[Any, None, None]:
        yield self


def _waitFor(awaited: Any, coroutine: Coroutine[Any, Any, Any], status: Any, context: Any) -> None:
    """
    Let Twisted go on with a coroutine that now awaits something else.
    """
    if not isinstance(awaited, Deferred):
        awaited = maybeDeferred(lambda: awaited)
    status.waitingOn = awaited
    # The first element says that the coroutine is not running.
    awaited.addBoth(_continuation, [False, None], coroutine, status, context)
