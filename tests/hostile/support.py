"""
What the hostile tests share: a server with an application, clients of every kind, and the question that ends each test.
"""

from __future__ import annotations

import ctypes
import gc
from itertools import count
from random import Random
from typing import Any

from twisted.internet.defer import Deferred

from agtwisted import AGServer, AGServerSocket
from agtwisted.testing import FakeClient, connect
from tests.server.support import ServerTestCase
from tests.wire import RawClient

SEED = 20261121
"""What all that is random begins with, so that a failure can be seen again."""

NAMES = (
    "__proto__",
    "__class__",
    "__init__",
    "__dict__",
    "__getattribute__",
    "constructor",
    "prototype",
    "toString",
    "hasOwnProperty",
    "self",
    "",
    " ",
    "\x00",
    "#",
    "#handshake",
    "\u2028",
    "\ud800",
    "é" * 5000,
)
"""Names that mean something to somebody."""


async def application(server: AGServer) -> None:
    """
    An application that offers something under every kind of name.
    """
    async for event in server.listener("handshake"):
        Deferred.fromCoroutine(_serve(event.socket))


def begin(server: AGServer) -> None:
    """
    The same for C{twistd agserver --app}, and a procedure that collects garbage.
    """
    Deferred.fromCoroutine(application(server))
    Deferred.fromCoroutine(_offerCollecting(server))


async def _offerCollecting(server: AGServer) -> None:
    async for event in server.listener("handshake"):
        Deferred.fromCoroutine(_collect(event.socket))


async def _collect(socket: AGServerSocket) -> None:
    async for request in socket.procedure("collect garbage"):
        gc.collect()
        _giveBack()
        request.end("collected")


def _giveBack() -> None:
    """
    Let the C library give memory that is free back to the system: with holes in it, it looks as if the process held it.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


async def _serve(socket: AGServerSocket) -> None:
    for name in ("echo", *NAMES):
        if name == "#handshake":
            continue  # who offers this answers what has been answered
        Deferred.fromCoroutine(_answer(socket, name))
        Deferred.fromCoroutine(_return(socket, name))
    for kind in ("error", "raw", "message", "subscribe", "authStateChange", "close"):
        Deferred.fromCoroutine(_follow(socket.listener(kind)))


async def _answer(socket: AGServerSocket, name: str) -> None:
    async for request in socket.procedure(name):
        request.end(request.data)


async def _return(socket: AGServerSocket, name: str) -> None:
    async for data in socket.receiver(name):
        socket.transmit(name, data)


async def _follow(stream: Any) -> None:
    async for _ in stream:
        pass


async def allowing(stream: Any) -> None:
    """
    Middleware that lets everything pass.
    """
    async for action in stream:
        action.allow()


class HostileTestCase(ServerTestCase):
    """
    Tests that end with a well-behaved client being served. Whatever the server logs as a failure fails them as well:
    that is trial's own rule.
    """

    def setUp(self) -> None:
        """
        Let an application use the server.
        """
        super().setUp()
        self.random = Random(SEED)
        self._numbers = count(1)

    def makeServer(self, **options: Any) -> AGServer:
        """
        @return: a server with an application.
        """
        server = super().makeServer(**options)
        Deferred.fromCoroutine(application(server))
        return server

    def eachServer(self) -> dict[str, AGServer]:
        """
        @return: servers of both versions of the protocol, with and without middleware, by what they are.
        """
        servers = {
            "version 2": self.server,
            "version 1": self.makeServer(protocolVersion=1),
            "auto": self.makeServer(protocolVersion="auto"),
            "lenient": self.makeServer(strictHandshake=False),
            "middleware": self.makeServer(),
        }
        for line in ("handshake", "inboundRaw", "inbound", "outbound"):
            servers["middleware"].setMiddleware(line, allowing)
        return servers

    def client(self, server: AGServer | None = None, **how: Any) -> FakeClient:
        """
        @return: a client in memory, whose messages need not be text.
        """
        return connect(server or self.server, **how)

    def raw(self, server: AGServer | None = None) -> RawClient:
        """
        @return: a client that has a TCP connection.
        """
        return RawClient((server or self.server).websocketFactory(), self.clock)

    def message(self, client: FakeClient, payload: bytes, isBinary: bool = False) -> None:
        """
        Let a client send a message, right or wrong.
        """
        if client.socket is not None and client.state != "closed":
            client.socket.messageReceived(payload, isBinary)
        client.settle()

    def assertServes(self, server: AGServer | None = None) -> None:
        """
        The next client is served: it calls, subscribes, gets a publication, and is gone without a trace.
        """
        server = server or self.server
        number, before = next(self._numbers), set(server.clients)
        client = self.client(server)
        self.assertEqual(client.state, "open", client.connectError)
        self.assertEqual(self.successResultOf(client.invoke("echo", {"n": number})), {"n": number})
        self.successResultOf(client.subscribe("news"))
        self.successResultOf(client.publish("news", number))
        self.assertEqual(client.publications("news"), [number])
        client.disconnect()
        self.assertEqual(set(server.clients), before)

    def assertEmpty(self, server: AGServer | None = None) -> None:
        """
        No connection has left anything behind.
        """
        server = server or self.server
        self.clock.advance(0)
        self.assertEqual((dict(server.clients), dict(server.pendingClients)), ({}, {}))
        self.assertEqual(server.brokerEngine.subscriptions(), [])
