"""
A connection that has gone on as one of the web site's.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure


class SiteConnection(Protocol):
    """
    A connection that a web site has now, and that counts as one of the server's all the same.
    """

    def __init__(self, channel: Any, visit: Any) -> None:
        """
        @param channel: the web site's protocol.
        """
        self._channel = channel
        self._visit = visit

    def connectionMade(self) -> None:
        """
        The site takes over.
        """
        self._channel.makeConnection(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """
        Something for the site has come.
        """
        self._channel.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        self._visit.left()
        self._channel.connectionLost(reason)

    def replaced(self) -> None:
        """
        It goes on with WebSocket after all, and is counted as that.
        """
        self._visit.left()
