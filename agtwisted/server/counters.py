"""
What a server has counted since it was made, for its operator.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from agtwisted.errors import ResourceLimitError


class Counters:
    """
    Plain numbers that only grow.

    What comes and goes through a connection is counted by its socket, which costs least; it is added here when the
    connection ends. L{agtwisted.server.statistics.statistics} puts both together.

    @ivar limitsHit: how often each limit was hit, by the name of its option.
    @ivar slowConsumers: how many clients were closed because they did not read.
    @ivar closed: how many connections have ended.
    @ivar messagesIn: how many messages have come through those.
    @ivar messagesOut: how many messages have gone through those.
    @ivar bytesIn: the bytes that have come through those.
    @ivar bytesOut: the bytes that have gone through those.
    """

    __slots__ = ("limitsHit", "slowConsumers", "closed", "messagesIn", "messagesOut", "bytesIn", "bytesOut")

    def __init__(self) -> None:
        self.limitsHit: Counter[str] = Counter()
        self.slowConsumers = 0
        self.closed = self.messagesIn = self.messagesOut = self.bytesIn = self.bytesOut = 0

    def connectionEnded(self, socket: Any) -> None:
        """
        Keep what a connection's socket, an L{agtwisted.AGServerSocket}, has counted.
        """
        self.closed += 1
        self.messagesIn += socket.inboundReceivedMessageCount
        self.bytesIn += socket.getBytesReceived()
        self.sent(socket.outboundSentMessageCount, socket.outboundSentByteCount)

    def sent(self, messages: int, size: int) -> None:
        """
        Messages have gone through a connection that has ended meanwhile.

        @param size: their bytes.
        """
        self.messagesOut += messages
        self.bytesOut += size


def limitError(limit: str, message: str) -> ResourceLimitError:
    """
    @param limit: the name of the option that sets the limit.
    @return: an error with the limit's name as its attribute C{limit}.
    """
    error = ResourceLimitError(message)
    error.limit = limit  # type: ignore[attr-defined]
    return error
