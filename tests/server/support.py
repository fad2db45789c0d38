"""
What the tests of the server share.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import AGServer, AGServerSocket
from agtwisted.testing import FakeClient, connect


class ServerTestCase(SynchronousTestCase):
    """
    A test with servers whose time stands still, and with clients in memory.
    """

    def setUp(self) -> None:
        """
        Make a server.
        """
        self.clock = Clock()
        self.server = self.makeServer()

    def makeServer(self, **options: Any) -> AGServer:
        """
        @return: a server whose time is the test's.
        """
        options.setdefault("authKey", "secret")
        return AGServer(reactor=self.clock, **options)

    def connect(self, server: AGServer | None = None, **how: Any) -> tuple[FakeClient, AGServerSocket]:
        """
        @return: a client that has connected, and the server's end of its connection.
        """
        client = connect(self.server if server is None else server, **how)
        assert client.socket is not None, client.connectError
        return client, client.socket

    def record(self, emitter: Any, *names: str) -> list[Any]:
        """
        Listen to events.

        @return: where they will be: their names and values, in the order in which they came.
        """
        seen: list[Any] = []
        for name in names:
            self.collect(emitter.listener(name), lambda event, name=name: seen.append((name, event)))
        return seen

    def values(self, stream: Any) -> list[Any]:
        """
        @return: where the values of a stream will be.
        """
        seen: list[Any] = []
        self.collect(stream, seen.append)
        return seen

    def collect(self, stream: Any, function: Callable[[Any], object]) -> Deferred[None]:
        """
        Call a function with every value of a stream.

        @return: fires when the stream has ended.
        """
        consumer = stream.createConsumer()

        async def loop() -> None:
            async for value in consumer:
                function(value)

        return Deferred.fromCoroutine(loop())

    def sign(self, data: dict[str, Any], key: str = "secret", **options: Any) -> str:
        """
        @return: a signed token.
        """
        token: str = self.successResultOf(self.server.auth.signToken(data, key, **options))
        return token

    def settle(self) -> None:
        """
        Let the turn end.
        """
        self.clock.advance(0)

    def moveWallClock(self, seconds: float) -> None:
        """
        Let time pass for the dates in tokens.
        """
        from agtwisted.server import authentication

        now = authentication.time.time() + seconds

        class Time:
            @staticmethod
            def time() -> float:
                return now

        self.patch(authentication, "time", Time)


def names(events: list[Any]) -> list[str]:
    """
    @return: only the names of recorded events.
    """
    return [name for name, _ in events]


class Gate:
    """
    A middleware function that holds every action until the test decides on it.
    """

    def __init__(self, *types: str) -> None:
        """
        @param types: the types of action to hold; all if none is given. Others are allowed.
        """
        self.types = types
        self.actions: list[Any] = []
        self.streams: list[Any] = []

    async def __call__(self, stream: Any) -> None:
        """
        Read actions.
        """
        self.streams.append(stream)
        async for action in stream:
            if self.types and action.type not in self.types:
                action.allow()
            else:
                self.actions.append(action)


def decider(decide: Callable[[Any], object], *types: str) -> Callable[[Any], Any]:
    """
    @param decide: called with each action of the types given, all if none is; others are allowed.
    @return: a middleware function.
    """

    async def middleware(stream: Any) -> None:
        async for action in stream:
            if types and action.type not in types:
                action.allow()
            else:
                decide(action)

    return middleware
