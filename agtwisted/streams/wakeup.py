"""
What a consumer's loop awaits.

Waking a coroutine through an ordinary Deferred costs several times what taking a value does, nearly all of it for a
callback chain that a loop has no use for, and for the machinery that finds out anew each time what the coroutine waits
for. A loop over a stream nearly always comes back to where it waited.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Generator, Sequence
from functools import partial
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.python.failure import Failure

from agtwisted.sparinglog import SparingLogger

log = SparingLogger()


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
    @ivar resume: goes on with the coroutine and returns what it awaits next, where Twisted need not be asked; C{None} else,
        and where nobody waits.
    @ivar waited: what Twisted has given with its callback, by which it goes on.
    """

    def __init__(self, cancelled: Callable[[], object]) -> None:
        """
        @param cancelled: called when the coroutine that waits here is cancelled.
        """
        super().__init__()
        self.isAwaited = False
        self._cancelled = cancelled
        self._callback: Callable[..., object] | None = None
        self.waited: tuple[Any, ...] = ()
        self.resume: Callable[[], Any] | None = None

    def addBoth(self, callback: Any, *args: Any, **kw: Any) -> Any:
        """
        Remember whom to wake. Only the machinery that runs a coroutine calls this.
        """
        self.isAwaited = True
        self._callback = callback
        self.waited = args
        if callback is _continuation:
            _, coroutine, _, context = args
            self.resume = partial(context.run, coroutine.send, None)
        return self

    def wake(self, failure: Failure | None = None) -> None:
        """
        Wake the loop, if it still waits, as Twisted does.

        @param failure: is raised in it.
        """
        if self.isAwaited:
            self.isAwaited = False
            callback, arguments = self._callback, self.waited
            self.forget()
            assert callback is not None
            callback(failure, *arguments)

    def forget(self) -> None:
        """
        The loop that has waited does so no longer.
        """
        if not self.isAwaited:  # by another loop, meanwhile
            self._callback = self.resume = None
            self.waited = ()

    def cancel(self) -> None:
        """
        The coroutine that waits here was cancelled.
        """
        self._cancelled()
        self.wake(Failure(CancelledError()))

    def __await__(self) -> Generator[Any, None, None]:
        yield self


class Job:
    """
    What runs with the wake-ups and is none.
    """

    __slots__ = ("_job",)

    #: As that of a L{WakeUp}.
    resume: Callable[[], Any] | None = None

    def __init__(self, job: Callable[[], object]) -> None:
        self._job = job

    def wake(self) -> None:
        """
        Run it.
        """
        self._job()


def wakeAll(wakeUps: Sequence[Any]) -> None:
    """
    Wake many loops, without a call for each where Twisted need not be asked.

    @param wakeUps: each a L{WakeUp} or a L{Job}.
    """
    for wakeUp in wakeUps:
        try:
            resume = wakeUp.resume
            if resume is None:
                wakeUp.wake()
                continue
            # Another loop may wait there while this one goes on.
            waited = wakeUp.waited
            wakeUp.isAwaited = False
            try:
                awaited = resume()
            except StopIteration as end:
                result = end.value
            except BaseException:
                result = Failure()
            else:
                if awaited is wakeUp:
                    wakeUp.isAwaited = True
                else:
                    wakeUp.forget()
                    _waitFor(awaited, *waited[1:])
                continue
            wakeUp.forget()
            waited[2].deferred.callback(result)
        except Exception:
            log.failure("What was to run at the end of a reactor turn has failed.")


def _waitFor(awaited: Any, coroutine: Coroutine[Any, Any, Any], status: Any, context: Any) -> None:
    """
    Let Twisted go on with a coroutine that now awaits something else.
    """
    if not isinstance(awaited, Deferred):
        awaited = maybeDeferred(lambda: awaited)
    status.waitingOn = awaited
    # The first element says that the coroutine is not running.
    awaited.addBoth(_continuation, [False, None], coroutine, status, context)
