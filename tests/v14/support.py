"""
What the tests of version 14 share.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from agtwisted import SCServer, SCServerSocket
from agtwisted.testing import FakeClient, connect

KEY = "a key of the tests that is long enough"

#: The events of a server, and of a socket.
SERVER_EVENTS = (
    "error notice warning handshake connectionAbort connection disconnection closure subscription unsubscription "
    "authentication deauthentication authenticationStateChange badSocketAuthToken ready"
).split()
SOCKET_EVENTS = (
    "error raw message connect disconnect connectAbort close subscribe unsubscribe badAuthToken authenticate "
    "deauthenticate authStateChange authTokenSigned"
).split()


class Setting:
    """
    A server in memory, and everything that it and its sockets emit.

    @ivar events: C{(name, arguments)} of every event; those of sockets are called C{socket.NAME}.
    @ivar sockets: the sockets, in the order in which they came.
    """

    def __init__(self, hearsMessages: bool = True, **options: Any) -> None:
        """
        @param hearsMessages: whether somebody listens to the event C{message} of sockets: where nobody does, messages take
            another way.
        """
        self._hearsMessages = hearsMessages
        self.clock = Clock()
        self.events: list[tuple[str, tuple[Any, ...]]] = []
        self.sockets: list[SCServerSocket] = []
        self.server = SCServer(self.clock, authKey=KEY, **options)
        for name in SERVER_EVENTS:
            self.server.on(name, self._recorder(name))
        self.server.on("handshake", self._socketCame)

    def _recorder(self, name: str) -> Any:
        return lambda *arguments: self.events.append((name, arguments))

    def _socketCame(self, socket: SCServerSocket) -> None:
        self.sockets.append(socket)
        for name in SOCKET_EVENTS:
            if name != "message" or self._hearsMessages:
                socket.on(name, self._recorder(f"socket.{name}"))

    def connect(self, **arguments: Any) -> FakeClient:
        """
        Let a client connect.
        """
        return connect(self.server, **arguments)

    def names(self, *only: str) -> list[str]:
        """
        @return: the names of the events so far, or of those of certain names.
        """
        return [name for name, _ in self.events if not only or name in only]

    def arguments(self, name: str) -> tuple[Any, ...]:
        """
        @return: the arguments of the only event of that name.
        """
        [found] = [arguments for each, arguments in self.events if each == name]
        return found
