"""
What happens while a client has more unanswered calls than it may have.

First it is not read, so that the calls that it has yet to send wait on its side. Calls that had been read already are
still served, up to as many again. When that does not help within the time that a call has to be answered, the calls are
stuck: the connection is read again, because something else that comes through it may be what they wait for, and further
calls are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agtwisted.server.serversocket import AGServerSocket
    from agtwisted.sockets.wheel import Timer


class ExcessCalls:
    """
    One time of too many unanswered calls. It is over when a quarter of those allowed has been answered.
    """

    __slots__ = ("_socket", "_limit", "_timer", "_isStuck")

    def __init__(self, socket: AGServerSocket, limit: int) -> None:
        """
        @param limit: the unanswered calls that the client may have.
        """
        self._socket = socket
        self._limit = limit
        self._isStuck = False
        self._timer: Timer = socket.server.wheel.schedule(socket.server.ackTimeoutSeconds, self._stuck)
        socket.answersAwaited = limit * 3 // 4
        socket.inboundFlow().callsChanged(True)

    def admits(self, isReserved: bool) -> bool:
        """
        @param isReserved: whether it is a call of the protocol, such as a subscription: stuck calls may wait for that.
        @return: whether one more call is served.
        """
        return (isReserved or not self._isStuck) and self._socket.unansweredCount < 2 * self._limit

    def end(self) -> None:
        """
        It is over, or the connection is.
        """
        self._timer.cancel()
        self._socket.answersAwaited = -1
        self._socket.inboundFlow().callsChanged(False)

    def _stuck(self) -> None:
        self._isStuck = True
        self._socket.inboundFlow().callsChanged(False)
