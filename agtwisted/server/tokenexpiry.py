"""
The end of tokens at the second it comes (option C{authExpiryMode}).

SocketCluster looks at a token when its client sends something: a client that only listens stays who it was. With this,
it does not. Expiry is a date, so the wall clock decides; but nothing waits for an hour of it. One timer looks at least
every L{PERIOD} seconds of monotonic time, so that a wall clock that leaps, either way, is noticed.
"""

from __future__ import annotations

from functools import partial
from heapq import heapify, heappop, heappush
from math import ceil, isfinite
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import Deferred

from agtwisted.server.authentication import UNAUTHENTICATED, isExpired, wallClock
from agtwisted.sockets.socket import CLOSED, OPEN
from agtwisted.sparinglog import SparingLogger

if TYPE_CHECKING:
    from agtwisted.server.authentication import Authentication
    from agtwisted.server.server import AGServer
    from agtwisted.server.serversocket import AGServerSocket

log = SparingLogger()

#: The values of the option: tokens end when they are used, or in time, perhaps with the subscriptions made under them.
ON_USE, DEAUTHENTICATE, DEAUTHENTICATE_AND_UNSUBSCRIBE = "onUse", "deauthenticate", "deauthenticateAndUnsubscribe"

#: Seconds between looks at the wall clock, at most.
PERIOD = 1.0
#: Tokens that are ended in one turn.
_SLICE = 100
#: What a client that is taken out of channels is told.
KICK_OUT_MESSAGE = "The auth token that allowed it is gone"


class _Cancellable(Protocol):
    def cancel(self) -> None: ...


class TokenExpiry:
    """
    The sockets of a server whose tokens have an end, by the second at which it comes.
    """

    def __init__(self, server: AGServer, unsubscribes: bool) -> None:
        """
        @param unsubscribes: whether what was subscribed to under a token ends with it.
        """
        self._server = server
        self._unsubscribes = unsubscribes
        self._ends: dict[AGServerSocket, int] = {}
        self._sockets: dict[int, dict[AGServerSocket, None]] = {}
        self._seconds: list[int] = []
        self._next: _Cancellable | None = None
        self._allowed: dict[AGServerSocket, set[str]] = {}

    # ---- what happens to sockets

    def authenticationChanged(self, socket: AGServerSocket) -> None:
        """
        A socket has become somebody or nobody, or has another token.
        """
        if socket.state == CLOSED:
            return
        end = _endOf(socket.authentication)
        if self._ends.get(socket) != end:
            self._take(socket)
            if end is not None:
                self._put(socket, end)
        if socket in self._allowed and socket.authState == UNAUTHENTICATED:
            # At the end of the turn: another token may take its place at once, and the client hears of the token first.
            self._server.turns.wake(partial(self._unsubscribe, socket))

    def subscribed(self, socket: AGServerSocket, channel: str, isNew: bool) -> None:
        """
        A socket subscribes to a channel.

        @param isNew: whether it is not subscribed to it yet.
        """
        if not self._unsubscribes:
            return
        if socket.authState == UNAUTHENTICATED:
            if socket in self._allowed:
                self._allowed[socket].discard(channel)
        elif isNew:
            allowed = self._allowed.setdefault(socket, set())
            if len(allowed) > 2 * socket.channelSubscriptionsCount + 16:
                # Those that were left again.
                allowed.intersection_update(socket.subscriptions())
            allowed.add(channel)

    def forget(self, socket: AGServerSocket) -> None:
        """
        A socket is closed.
        """
        self._take(socket)
        self._allowed.pop(socket, None)

    def _unsubscribe(self, socket: AGServerSocket) -> None:
        if socket.state != OPEN or socket.authState != UNAUTHENTICATED:
            return
        allowed = self._allowed.pop(socket, set())
        channels = [channel for channel in socket.subscriptions() if channel in allowed]
        if channels:
            done: Deferred[None] | None = socket.kickOut(channels, KICK_OUT_MESSAGE)
            if done is not None:  # not every kickOut tells when it is done
                done.addErrback(lambda failure: log.failure("Unsubscribing has failed.", failure))

    # ---- time

    def _put(self, socket: AGServerSocket, end: int) -> None:
        self._ends[socket] = end
        sockets = self._sockets.get(end)
        if sockets is None:
            sockets = self._sockets[end] = {}
            self._remember(end)
        sockets[socket] = None
        if self._next is None or end - wallClock() < PERIOD:
            self._wait()

    def _take(self, socket: AGServerSocket) -> None:
        end = self._ends.pop(socket, None)
        if end is None:
            return
        sockets = self._sockets[end]
        del sockets[socket]
        if not sockets:
            del self._sockets[end]
        if not self._ends:
            self._seconds.clear()
            self._next = self._replaceTimer(None)

    def _remember(self, end: int) -> None:
        if len(self._seconds) > 2 * len(self._sockets) + 1000:
            # Most are of tokens that have been replaced, or of clients that have gone.
            self._seconds = list(self._sockets)
            heapify(self._seconds)
        else:
            heappush(self._seconds, end)

    def _replaceTimer(self, timer: _Cancellable | None) -> _Cancellable | None:
        if self._next is not None:
            self._next.cancel()
        return timer

    def _wait(self) -> None:
        delay = min(PERIOD, max(0.0, self._seconds[0] - wallClock()))
        self._next = self._replaceTimer(self._server.wheel.schedule(delay, self._look))

    def _look(self) -> None:
        """
        End the tokens whose time is over, so many in a turn.
        """
        self._next = None
        now, left = wallClock(), _SLICE
        while self._seconds and self._seconds[0] < now:
            sockets = self._sockets.get(self._seconds[0])
            if not sockets:
                heappop(self._seconds)
            elif left:
                self._end(next(iter(sockets)))
                left -= 1
            else:
                self._next = self._replaceTimer(self._server.turns.callLater(0, self._look))
                return
        if self._seconds:
            self._wait()

    def _end(self, socket: AGServerSocket) -> None:
        self._take(socket)
        if socket.state != OPEN:
            # Its handshake goes on, and the client would not understand.
            self._put(socket, int(wallClock()) + 1)
        elif isExpired(socket.authToken):
            try:
                socket.deauthenticate()
            except Exception:
                log.failure("Ending a token has failed.")


def expiryFor(server: AGServer) -> TokenExpiry | None:
    """
    @return: what ends the tokens of a server in time; C{None} if they end when they are used.
    """
    mode = server.options.authExpiryMode
    return None if mode == ON_USE else TokenExpiry(server, mode == DEAUTHENTICATE_AND_UNSUBSCRIBE)


def _endOf(authentication: Authentication) -> int | None:
    expiry = authentication.expiry
    if isinstance(expiry, bool) or not isinstance(expiry, (int, float)) or not isfinite(expiry):
        return None
    return ceil(expiry)
