"""
The calls that await an answer: call id to Deferred.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from agtwisted.errors import BadConnectionError, TimeoutError
from agtwisted.sockets.wheel import Timer, Wheel
from agtwisted.streams.turns import Turns


@dataclass(slots=True)
class _Call:
    event: str
    answered: Deferred[Any]
    timer: Timer


class Calls:
    """
    The calls that one socket has made. Each settles exactly once: by its answer, by its timeout, or when the connection
    goes.
    """

    __slots__ = ("_wheel", "_turns", "_pending", "_lastId")

    def __init__(self, wheel: Wheel, turns: Turns) -> None:
        self._wheel = wheel
        self._turns = turns
        self._pending: dict[int, _Call] = {}
        self._lastId = 0

    def __len__(self) -> int:
        return len(self._pending)

    def open(self, event: str, ackTimeout: float) -> tuple[int, Deferred[Any]]:
        """
        @param ackTimeout: seconds until the call fails.
        @return: the call id, and what fires with the answer's data or fails with its error, with L{TimeoutError} or
            with L{BadConnectionError}.
        """
        self._lastId += 1
        callId = self._lastId
        # A caller that has lost interest cancels; the answer is then one to an unknown call.
        answered: Deferred[Any] = Deferred(lambda _: self._forget(callId))
        timer = self._wheel.schedule(ackTimeout, lambda: self._timedOut(callId))
        self._pending[callId] = _Call(event, answered, timer)
        return callId, answered

    def settle(self, responseId: float, error: Exception | None, data: object) -> None:
        """
        An answer has come; one to an unknown call is ignored.
        """
        call = self._pending.pop(responseId, None)  # type: ignore[call-overload]
        if call is None:
            return
        call.timer.cancel()
        if error is None:
            call.answered.callback(data)
        else:
            call.answered.errback(error)

    def abort(self, type: str, code: int | None, reason: str | None) -> None:
        """
        The connection is gone: every call fails with L{BadConnectionError}, once whoever closes it has done so.
        """
        pending, self._pending = self._pending, {}
        for call in pending.values():
            call.timer.cancel()
            message = f"Event {call.event} was aborted due to a bad connection"
            self._turns.wake(partial(_fail, call.answered, BadConnectionError(message, type, code, reason)))

    def _forget(self, callId: int) -> None:
        call = self._pending.pop(callId, None)
        if call is not None:
            call.timer.cancel()

    def _timedOut(self, callId: int) -> None:
        call = self._pending.pop(callId)
        call.answered.errback(TimeoutError(f"Event response for {call.event} event timed out"))


def _fail(answered: Deferred[Any], error: BadConnectionError) -> None:
    if not answered.called:  # its caller may have lost interest meanwhile
        answered.errback(error)
