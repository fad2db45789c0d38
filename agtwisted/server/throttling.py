"""
Sockets of clients that may send so many messages per second and no more. A server has them instead of its ordinary ones
if there is such a limit, so that the others need not ask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from agtwisted.server.serversocket import AGServerSocket
from agtwisted.sockets.bucket import TokenBucket
from agtwisted.sockets.socket import CLOSED, AGSocket
from agtwisted.sockets.waiting import Waiting
from agtwisted.sockets.wheel import Timer


class Throttled(AGServerSocket):
    """
    A client that is too fast is slowed down: its messages wait for their time, and it is not read until half of what may
    come at once may come again. Each packet of a batch counts.
    """

    __slots__ = ()

    _bucket: TokenBucket
    _isThrottled: bool
    _throttle: Timer | None
    _burst: float

    def __init__(self, *arguments: Any) -> None:
        """
        @param arguments: as those of the ordinary socket.
        """
        super().__init__(*arguments)
        options = self.server.options
        rate = options.maxMessagesPerSecond or 0.0
        self._burst = options.maxMessagesBurst or max(1.0, 2 * rate)
        self._bucket = TokenBucket(self._seconds, rate, self._burst)
        self._isThrottled = False
        self._throttle = None

    def messageReceived(self, payload: bytes, isBinary: bool, heardAt: float | None = None) -> None:
        """
        Take a message: process it now, or behind those that have to wait.
        """
        if self._inbound.queue is None and not self._isInputClosed and not self._bucket.take():
            self._inbound.waitFor(self._nextToken())
        super().messageReceived(payload, isBinary, heardAt)

    #: One by one: each needs its token.
    messagesReceived = AGSocket.messagesReceived

    def _processWaited(self, payload: bytes, isBinary: bool) -> Waiting:
        # Only what has not waited has its token.
        if self.state == CLOSED or self._bucket.take():
            return super()._processWaited(payload, isBinary)
        return Deferred.fromCoroutine(self._processLater(payload, isBinary))

    async def _processLater(self, payload: bytes, isBinary: bool) -> None:
        await self._nextToken()
        waiting = self._processWaited(payload, isBinary)
        if waiting is not None:
            await waiting

    def _checkBatch(self, length: int) -> None:
        super()._checkBatch(length)
        self._bucket.charge(max(0, length - 1))

    def _nextToken(self) -> Deferred[None]:
        """
        @return: fires when a message may come.
        """
        if not self._isThrottled:
            self._isThrottled = True
            self.inboundFlow().rateChanged(True)
            limit = self.server.options.maxMessagesPerSecond
            self.server.limitHit("maxMessagesPerSecond", f"A client sends more than {limit:g} messages per second", self)
        came: Deferred[None] = Deferred()
        self._wait(1, lambda: came.callback(None))
        return came

    def _wait(self, tokens: float, done: Callable[[], None]) -> None:
        if self._throttle is not None:
            self._throttle.cancel()
        self._throttle = self.server.wheel.schedule(self._bucket.secondsUntil(tokens), lambda: self._waited(done))

    def _waited(self, done: Callable[[], None]) -> None:
        self._throttle = None
        done()
        if self._throttle is None and self._isThrottled and self.state != CLOSED:
            # Nothing waits for a token any more.
            self._wait(self._burst / 2, self._readAgain)

    def _readAgain(self) -> None:
        self._isThrottled = False
        self.inboundFlow().rateChanged(False)

    def _stopTimers(self) -> None:
        super()._stopTimers()
        if self._throttle is not None:
            self._throttle.cancel()


class ThrottledServerSocket(Throttled):
    """
    An L{AGServerSocket} that is throttled.
    """

    __slots__ = ("_bucket", "_isThrottled", "_throttle", "_burst")
