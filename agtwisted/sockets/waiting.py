"""
Work that is usually done at once, and sometimes has to wait.

A step returns C{None} when it is done, or what is to be waited for: a Deferred, or L{Pending}, which costs less. So what
never waits runs through in one call and makes neither.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.python.failure import Failure

from agtwisted.sparinglog import SparingLogger

log = SparingLogger()


class Pending:
    """
    A decision, such as that of middleware, that something waits for: as much of a Deferred as it takes for one to wait.
    (A coroutine can wait for it; the callback of a Deferred cannot, by returning it.)
    """

    __slots__ = ("_isDone", "_result", "_then")

    def __init__(self) -> None:
        self._isDone = False
        self._result: object = None
        self._then: Callable[[object], object] | None = None

    def finish(self, result: object = None) -> None:
        """
        Nothing is left to wait for.

        @param result: a L{Failure} if something went wrong.
        """
        self._isDone = True
        if self._then is None:
            self._result = result
        else:
            self._then(result)

    def addBoth(self, then: Callable[[object], object]) -> None:
        """
        Call C{then} with the result, now or when there is one. Only one can wait.
        """
        if self._isDone:
            then(self._result)
        else:
            self._then = then

    def __await__(self) -> Generator[Any, None, object]:
        done: Deferred[object] = Deferred()
        self.addBoth(done.callback)
        return done.__await__()


#: What a step returns.
Waiting: TypeAlias = Deferred[Any] | Pending | None


def unfinished(deferred: Deferred[Any]) -> Deferred[Any] | None:
    """
    @return: C{None} if C{deferred} has fired with a result and nothing is left to wait for, else C{deferred}.
    """
    if deferred.called and not deferred.paused and not isinstance(deferred.result, Failure):
        return None
    return deferred


def call(function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
    """
    As C{maybeDeferred}, but quicker for a function that answers with a Deferred, as nearly all do.
    """
    try:
        result = function(*arguments)
    except Exception:
        return fail()
    return result if isinstance(result, Deferred) else maybeDeferred(lambda: result)


class InOrder:
    """
    Runs steps strictly one after the other: at once while none waits, else in a queue behind the one that does.
    """

    __slots__ = ("queue",)

    def __init__(self) -> None:
        self.queue: deque[Callable[[], Waiting]] | None = None

    def __len__(self) -> int:
        return 0 if self.queue is None else len(self.queue)

    @property
    def isWaiting(self) -> bool:
        """
        Whether a step waits, so that the next ones have to queue.
        """
        return self.queue is not None

    def run(self, step: Callable[[], Waiting]) -> None:
        """
        Run C{step} now if nothing waits, else when its turn comes.
        """
        if self.queue is not None:
            self.queue.append(step)
            return
        waiting = step()
        if waiting is not None:
            self.waitFor(waiting)

    def waitFor(self, waiting: Deferred[Any] | Pending) -> None:
        """
        A step that was run outside has to wait: queue all others behind it.
        """
        if self.queue is not None:
            # The step has caused another one, which waits as well: this one comes next, before all that have queued.
            self.queue.appendleft(lambda: waiting)
            return
        self.queue = deque()
        waiting.addBoth(self._go)

    def abandon(self) -> list[Callable[[], Waiting]]:
        """
        Forget the queue.

        @return: the steps that were in it.
        """
        if self.queue is None:
            return []
        steps = list(self.queue)
        self.queue.clear()
        return steps

    def _go(self, result: object) -> None:
        """
        What was waited for has come: run the steps behind it, up to the next one that has to wait.
        """
        if isinstance(result, Failure):
            log.failure("A step in a queue of a socket has failed.", result)
        queue = self.queue
        while queue:
            try:
                waiting = queue.popleft()()
            except Exception:
                log.failure("A step in a queue of a socket has failed.")
                continue
            if waiting is not None:
                waiting.addBoth(self._go)
                return
        self.queue = None
