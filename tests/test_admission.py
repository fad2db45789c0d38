"""
Tests of what the WebSocket layer and the web do about L{agtwisted.server.admission}.
"""

from __future__ import annotations

import socket as sockets
from functools import partial
from typing import Any

from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.task import Clock
from twisted.internet.tcp import Server
from twisted.protocols.policies import WrappingFactory
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import implementer

from agtwisted import AGServer, attach
from agtwisted.server import admission
from agtwisted.site import standaloneSite
from tests.server.support import Gate, ServerTestCase
from tests.wire import RawClient, closeFrame, packet, upgradeRequest

PAGE = b"GET /health-check HTTP/1.1\r\nHost: x\r\n\r\n"


@implementer(IReactorFDSet)
class DescriptorClock(Clock):
    """
    A clock that connections can be registered with, to no effect.
    """

    def addReader(self, reader: object) -> None:
        """
        Nobody polls.
        """

    removeReader = addWriter = removeWriter = addReader


class AdmissionTestCase(ServerTestCase):
    """
    Tests with clients that speak in bytes.
    """

    def raw(self, server: AGServer, site: Any = None) -> RawClient:
        """
        @return: a client that has a TCP connection.
        """
        return RawClient(server.websocketFactory(site), self.clock)

    def hits(self, server: AGServer) -> dict[str, int]:
        """
        @return: how often each limit was hit.
        """
        return dict(server.counters.limitsHit)

    def counts(self, server: AGServer) -> tuple[int, int, int]:
        """
        @return: how many connections there are, pending, and being refused.
        """
        return server.admission.connections, server.admission.pending, server.admission.refusing


class RefusalTests(AdmissionTestCase):
    """
    Connections past a limit.
    """

    def test_told(self) -> None:
        """
        A client past the limit is answered 503 when it asks, and when to come again, before any middleware; the next one
        is served once another has left.
        """
        server = self.makeServer(maxConnections=1)
        gate = Gate()
        first = self.raw(server)
        first.join()
        server.setMiddleware(server.MIDDLEWARE_HANDSHAKE, gate)
        second = self.raw(server)
        head, _, body = second.open().partition(b"\r\n\r\n")
        expected = [b"HTTP/1.1 503 Service Unavailable", b"Connection: close", b"Retry-After: 5"]
        self.assertEqual(head.split(b"\r\n")[:3], expected)
        self.assertEqual(body, b"The server takes no more connections now")
        self.assertTrue(second.isClosing)
        self.assertEqual(gate.actions, [])
        self.assertEqual(self.counts(server), (1, 0, 1))
        second.lose()
        first.lose()
        server.removeMiddleware(server.MIDDLEWARE_HANDSHAKE)
        self.assertEqual(self.counts(server), (0, 0, 0))
        self.raw(server).join()
        self.assertEqual((server.clientsCount, self.hits(server)), (1, {"maxConnections": 1}))

    def test_pages(self) -> None:
        """
        Who asks for a page is told the same.
        """
        server = self.makeServer(maxConnections=1)
        self.raw(server).join()
        client = self.raw(server, standaloneSite(server))
        client.send(PAGE)
        self.assertTrue(client.take().startswith(b"HTTP/1.1 503 "))

    def test_silent(self) -> None:
        """
        Who is past the limit and does not ask is dropped after two seconds, which is not counted a second time.
        """
        server = self.makeServer(maxConnections=1)
        self.raw(server).join()
        client = self.raw(server)
        self.clock.advance(1.9)
        self.assertFalse(client.isClosing)
        self.clock.advance(0.2)
        self.assertTrue(client.isClosing)
        self.assertEqual((client.take(), self.hits(server)), (b"", {"maxConnections": 1}))

    def test_unheard(self) -> None:
        """
        When many wait for their refusal, the next one is dropped, through whatever it has come.
        """
        self.patch(admission, "_REFUSED_AT_ONCE", 0)
        server = self.makeServer(maxConnections=1)
        self.raw(server).join()
        for factory in (server.websocketFactory(), WrappingFactory(server.websocketFactory())):
            client = RawClient(factory, self.clock)
            self.assertTrue(client.isClosing)
            client.lose()
        self.assertEqual(self.counts(server), (1, 0, 0))

    def test_atOnce(self) -> None:
        """
        A TCP connection that is dropped unheard gives its descriptor back at once, not at the end of the turn; what can be
        said without waiting is said.
        """
        self.patch(admission, "_REFUSED_AT_ONCE", 0)
        clock = self.clock = DescriptorClock()
        server = self.makeServer(maxPendingHandshakes=1)
        self.raw(server)
        ours, peer = sockets.socketpair()
        self.addCleanup(peer.close)
        ours.setblocking(False)
        protocol = server.websocketFactory().buildProtocol(None)
        transport: Any = Server(ours, protocol, ("192.0.2.1", 5000), None, 1, clock)  # type: ignore[arg-type]
        protocol.makeConnection(transport)
        self.assertEqual(ours.fileno(), -1)
        self.assertTrue(peer.recv(1000).startswith(b"HTTP/1.1 503 "))
        self.assertEqual(peer.recv(1000), b"")
        self.assertEqual(self.counts(server), (1, 1, 0))
        clock.advance(60)

    def test_behindProxies(self) -> None:
        """
        Behind a trusted proxy, the client's own address counts.
        """
        server = self.makeServer(maxConnectionsPerAddress=1, forwardedForHops=1)
        for address, status in (("192.0.2.1", 101), ("192.0.2.2", 101), ("192.0.2.1", 503)):
            client = self.raw(server)
            answer = client.open(X_Forwarded_For=f"10.0.0.1, {address}")
            self.assertEqual(int(answer.split()[1]), status)
        self.assertEqual(self.hits(server), {"maxConnectionsPerAddress": 1})


class LeavingTests(AdmissionTestCase):
    """
    Peers that do not take part in the end of a connection.
    """

    def test_dropped(self) -> None:
        """
        Who is refused, or has been closed, and neither reads what was sent last nor ends TLS, is dropped after five seconds.
        """
        server = self.makeServer()
        refused, closed = self.raw(server), self.raw(server)
        closed.join()
        dropped: list[str] = []
        refused.send(upgradeRequest(path="/elsewhere"))
        closed.send(closeFrame(1000))
        for name, client in (("refused", refused), ("closed", closed)):
            self.assertTrue(client.isClosing)
            client.transport.abortConnection = partial(dropped.append, name)
        self.clock.advance(4.9)
        self.assertEqual((dropped, self.counts(server)[0]), ([], 2))
        self.clock.advance(0.2)
        self.assertEqual(dropped, ["refused", "closed"])

    def test_gone(self) -> None:
        """
        Who goes by himself is left alone.
        """
        server = self.makeServer()
        client = self.raw(server)
        client.join()
        client.send(closeFrame(1000))
        client.lose()
        self.assertEqual((self.counts(server), self.clock.getDelayedCalls()), ((0, 0, 0), []))


class PendingTests(AdmissionTestCase):
    """
    From the first byte to the end of C{#handshake}.
    """

    def test_stages(self) -> None:
        """
        A connection is pending until C{#handshake} is complete, also while middleware decides on it.
        """
        server = self.makeServer()
        gate = Gate("handshakeWS")
        server.setMiddleware(server.MIDDLEWARE_HANDSHAKE, gate)
        client = self.raw(server)
        self.assertEqual(self.counts(server), (1, 1, 0))
        client.open()
        self.assertEqual(self.counts(server), (1, 1, 0))
        gate.actions.pop().allow()
        self.settle()
        self.assertEqual(self.counts(server), (1, 1, 0))
        client.send(packet("#handshake", {}, 1))
        self.assertEqual(self.counts(server), (1, 0, 0))
        client.lose()
        self.assertEqual(self.counts(server), (0, 0, 0))

    def test_refused(self) -> None:
        """
        Past the limit, the next one is refused; who is already there is served on.
        """
        server = self.makeServer(maxPendingHandshakes=1)
        first = self.raw(server)
        second = self.raw(server)
        self.assertTrue(second.open().startswith(b"HTTP/1.1 503 "))
        first.join()
        self.assertEqual(server.clientsCount, 1)
        self.raw(server).join()
        self.assertEqual((server.clientsCount, self.hits(server)), (2, {"maxPendingHandshakes": 1}))

    def test_slow(self) -> None:
        """
        A client whose request does not come, one whose C{#handshake} does not come, and one that closes early leave
        nothing behind; the first two are counted.
        """
        server = self.makeServer()
        warnings = self.values(server.listener("warning"))
        dripping, silent, leaving = self.raw(server), self.raw(server), self.raw(server)
        dripping.send(b"GET /socketcluster/ HTTP/1.1\r\n")
        silent.open()
        leaving.open()
        leaving.lose()
        self.clock.advance(10.1)
        self.assertTrue(dripping.isClosing)
        self.clock.advance(2.1)
        self.assertTrue(silent.isClosing)
        for client in (dripping, silent):
            client.lose()
        self.assertEqual((self.counts(server), self.hits(server)), ((0, 0, 0), {"handshakeTimeout": 2}))
        shown = [getattr(event.warning, "limit", getattr(event.warning, "code", None)) for event in warnings]
        self.assertEqual(sorted(map(str, shown)), ["1006", "4005", "handshakeTimeout"])


class HeadTests(AdmissionTestCase):
    """
    Requests that are no clean upgrades.
    """

    def test_counted(self) -> None:
        """
        Heads that are too large, and requests that are no clean upgrade, are counted, each with a warning.
        """
        warnings = self.values(self.server.listener("warning"))
        for request, limit, status in (
            (upgradeRequest(X="a" * 20_000), "httpHead", 431),
            (upgradeRequest(X="a" * 9000), "httpHead", 431),
            (b"\x16\x03\x01\r\n\r\n", "upgradeRequest", 400),
            (upgradeRequest(path="/elsewhere"), "upgradeRequest", 400),
            (upgradeRequest(method="POST"), "upgradeRequest", 405),
        ):
            before = self.server.counters.limitsHit[limit]
            client = self.raw(self.server)
            client.send(request)
            self.assertEqual(int(client.take().split()[1]), status)
            self.assertEqual(self.server.counters.limitsHit[limit], before + 1)
            client.lose()
        self.assertEqual([event.warning.limit for event in warnings], ["httpHead"] * 2 + ["upgradeRequest"] * 3)

    def test_others(self) -> None:
        """
        Pages, and clients that the application refuses, are no hits.
        """
        server = self.makeServer(origins="example.com:*")
        self.assertIn(b" 403 ", self.raw(server).open(Origin="https://example.org"))
        page = self.raw(server)
        page.send(PAGE)
        self.assertIn(b" 501 ", page.take())
        self.assertEqual(self.hits(server), {})


class WebTests(AdmissionTestCase):
    """
    Connections that a web site has a part in.
    """

    def test_pages(self) -> None:
        """
        A connection that asks for pages counts as long as it is there, and is not pending.
        """
        server = self.makeServer(maxConnections=1)
        server.start()
        for wrap in (lambda factory: factory, WrappingFactory):
            client = RawClient(wrap(server.websocketFactory(standaloneSite(server))), self.clock)
            for _ in range(2):
                client.send(PAGE)
                self.assertIn(b" 200 OK", client.take())
            self.assertEqual(self.counts(server), (1, 0, 0))
            client.lose()
            self.assertEqual(self.counts(server), (0, 0, 0))

    def test_pageThenUpgrade(self) -> None:
        """
        A connection that goes on with WebSocket after a page counts once.
        """
        server = self.makeServer(maxConnections=1)
        server.start()
        for wrap in (lambda factory: factory, WrappingFactory):
            client = RawClient(wrap(server.websocketFactory(standaloneSite(server))), self.clock)
            client.send(PAGE)
            client.take()
            client.join()
            self.assertEqual((server.clientsCount, self.counts(server)), (1, (1, 0, 0)))
            client.lose()
            self.assertEqual(self.counts(server), (0, 0, 0))

    def test_mounted(self) -> None:
        """
        Mounted into a site of the application, upgrade requests are what counts; the one too many is answered 503, or
        dropped where even that would be too much.
        """
        site = Site(Resource(), reactor=self.clock)
        server = attach(site, self.clock, maxConnections=1)
        page = RawClient(site, self.clock)
        page.send(PAGE)
        self.assertIn(b" 404 ", page.take())
        self.assertEqual(self.counts(server), (0, 0, 0))
        first = RawClient(site, self.clock)
        first.join()
        second = RawClient(site, self.clock)
        self.assertIn(b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5", second.open())
        self.assertTrue(second.isClosing)
        second.lose()
        self.patch(admission, "_REFUSED_AT_ONCE", 0)
        third = RawClient(site, self.clock)
        self.assertEqual(third.open(), b"")
        self.assertTrue(third.isClosing)
        third.lose()
        first.lose()
        self.assertEqual((self.counts(server), self.hits(server)), ((0, 0, 0), {"maxConnections": 2}))
