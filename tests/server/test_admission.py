"""
Tests of L{agtwisted.server.admission} and L{agtwisted.server.descriptors}.
"""

from __future__ import annotations

import socket as sockets
from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from agtwisted import AGServer
from agtwisted.errors import ResourceLimitError
from agtwisted.protocol.upgrade import HandshakeDenied, UpgradeRequest
from agtwisted.server import admission as module
from agtwisted.server.admission import Admission, Visit
from agtwisted.server.descriptors import descriptorLimit, descriptorOf, reserveOf
from agtwisted.testing import connect
from tests.server.support import ServerTestCase


def requestOf(address: str | None, forwarded: str | None = None) -> UpgradeRequest:
    """
    @return: the upgrade request of a client there.
    """
    return UpgradeRequest("GET", "/socketcluster/", {}, address, 5000, "IPv4", forwarded)


class AdmissionTestCase(ServerTestCase):
    """
    Tests with a door, of a process that may have a thousand descriptors.
    """

    limit: int | None = 1000

    def door(self, **options: Any) -> Admission:
        """
        @return: the door of a server with some options.
        """
        self.patch(module, "descriptorLimit", lambda: self.limit)
        self.server = self.makeServer(**options)
        self.warnings = self.values(self.server.listener("warning"))
        return self.server.admission

    def hits(self) -> dict[str, int]:
        """
        @return: how often each limit was hit.
        """
        return dict(self.server.counters.limitsHit)

    def assertDenied(self, visit: Visit, mayAsk: bool = True) -> None:
        """
        A visitor is refused.
        """
        assert visit.denied is not None
        self.assertEqual((visit.denied.status, visit.denied.retryAfter, visit.mayAsk), (503, 5, mayAsk))


class ConnectionsTests(AdmissionTestCase):
    """
    Connections in all.
    """

    def test_limit(self) -> None:
        """
        As many as are allowed come in; the next is refused and counted, with a warning, until one has left.
        """
        door = self.door(maxConnections=2)
        first, second = door.enter("192.0.2.1"), door.enter(None)
        self.assertEqual((first.denied, second.denied, self.hits()), (None, None, {}))
        self.assertDenied(door.enter("192.0.2.3"))
        self.assertEqual((door.connections, door.refusing, self.hits()), (2, 1, {"maxConnections": 1}))
        self.settle()
        (event,) = self.warnings
        self.assertIsInstance(event.warning, ResourceLimitError)
        self.assertEqual(event.warning.limit, "maxConnections")
        self.assertIn("192.0.2.3", event.warning.message)
        first.left()
        self.assertIsNone(door.enter("192.0.2.3").denied)

    def test_leavingTwice(self) -> None:
        """
        However often a visit ends, in whatever state it was, it counts once.
        """
        door = self.door(maxConnections=2, maxConnectionsPerAddress=2)
        for number in range(3):
            visits = [door.enter("192.0.2.1") for _ in range(3)]
            if number:
                visits[0].completed()
                visits[0].completed()
            for visit in visits * 2:
                visit.left()
            self.assertEqual((door.connections, door.pending, door.refusing), (0, 0, 0))
        self.assertFalse(door.at.isFull("192.0.2.1"))

    def test_anyNumber(self) -> None:
        """
        With 0 there may be any number, as long as there are descriptors.
        """
        door = self.door(maxConnections=0)
        self.assertEqual([door.enter(None).denied for _ in range(3000)], [None] * 3000)
        self.assertDenied(door.enter(None, 900))

    def test_whileRefusing(self) -> None:
        """
        When very many wait for being refused, further ones may not even ask.
        """
        self.patch(module, "_REFUSED_AT_ONCE", 2)
        door = self.door(maxConnections=1)
        door.enter(None)
        waiting = [door.enter(None), door.enter(None)]
        unheard = door.enter(None)
        self.assertDenied(unheard, mayAsk=False)
        unheard.left()
        waiting[0].left()
        self.assertDenied(door.enter(None))


class DescriptorTests(AdmissionTestCase):
    """
    Descriptors.
    """

    def test_default(self) -> None:
        """
        Without the option there may be as many connections as descriptors, less a reserve.
        """
        self.assertEqual(self.door().maxConnections, 900)
        self.assertEqual(self.door(maxConnections=5000).maxConnections, 5000)
        self.limit = None
        self.assertEqual(self.door().maxConnections, 0)

    def test_reserve(self) -> None:
        """
        Whoever gets a descriptor of the reserve is refused, whatever the option allows; in its second half, unheard.
        """
        for options in ({}, {"maxConnections": 100_000}):
            door = self.door(**options)
            self.assertIsNone(door.enter(None, 899).denied)
            self.assertDenied(door.enter(None, 900))
            self.assertDenied(door.enter(None, 949))
            self.assertDenied(door.enter(None, 950), mayAsk=False)
            self.assertEqual(self.hits(), {"maxConnections": 3})

    def test_noLimit(self) -> None:
        """
        Where descriptors are not limited, their numbers do not matter.
        """
        self.limit = None
        self.assertIsNone(self.door().enter(None, 1_000_000).denied)

    def test_measured(self) -> None:
        """
        A limit that was raised after the server was made is seen when something is to listen.
        """
        door = self.door()
        self.limit = 2000
        self.server.websocketFactory()
        self.assertEqual(door.maxConnections, 1800)
        self.assertIsNone(door.enter(None, 1799).denied)
        self.assertDenied(door.enter(None, 1800))

    def test_reserves(self) -> None:
        """
        The reserve is a tenth, within bounds, and never more than half.
        """
        table = {10: 5, 64: 32, 200: 32, 1024: 102, 20_000: 512, 1_048_576: 512}
        self.assertEqual({limit: reserveOf(limit) for limit in table}, table)

    def test_process(self) -> None:
        """
        The process's own limit is read, and a connection's own descriptor, if it has one.
        """
        try:
            import resource
        except ImportError as error:
            raise SkipTest("There is no such limit here") from error
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (500, before[1]))
        self.assertEqual(descriptorLimit(), 500)
        ours, theirs = sockets.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        self.assertEqual(descriptorOf(ours), ours.fileno())
        self.assertEqual([descriptorOf(each) for each in (object(), SimpleNamespace(fileno=lambda: None))], [-1, -1])


class PendingTests(AdmissionTestCase):
    """
    Connections that have not completed their handshake.
    """

    def test_limit(self) -> None:
        """
        Only those that have not completed it count.
        """
        door = self.door(maxPendingHandshakes=2)
        first, second = door.enter(None), door.enter(None)
        self.assertDenied(door.enter(None))
        first.completed()
        self.assertIsNone(door.enter(None).denied)
        self.assertDenied(door.enter(None))
        second.left()
        self.assertIsNone(door.enter(None).denied)
        self.assertEqual(self.hits(), {"maxPendingHandshakes": 2})

    def test_none(self) -> None:
        """
        Without a limit any number may be pending.
        """
        for none in (None, 0):
            door = self.door(maxPendingHandshakes=none, maxConnections=0)
            self.assertTrue(all(door.enter(None).denied is None for _ in range(20_000)))

    def test_default(self) -> None:
        """
        By default ten thousand may be.
        """
        door = self.door(maxConnections=0)
        self.assertTrue(all(door.enter(None).denied is None for _ in range(10_000)))
        self.assertDenied(door.enter(None))

    def test_perAddress(self) -> None:
        """
        Each address has its own.
        """
        door = self.door(maxPendingHandshakesPerAddress=1)
        first = door.enter("192.0.2.1")
        self.assertDenied(door.enter("192.0.2.1"))
        self.assertIsNone(door.enter("192.0.2.2").denied)
        first.completed()
        self.assertIsNone(door.enter("192.0.2.1").denied)
        self.assertEqual(self.hits(), {"maxPendingHandshakesPerAddress": 1})


class AddressTests(AdmissionTestCase):
    """
    Connections from one address.
    """

    def test_limit(self) -> None:
        """
        Each address, each network of IPv6, has its own limit; who has no address has none.
        """
        door = self.door(maxConnectionsPerAddress=1)
        first = door.enter("192.0.2.1")
        first.completed()
        self.assertDenied(door.enter("192.0.2.1"))
        self.assertIsNone(door.enter("192.0.2.2").denied)
        self.assertIsNone(door.enter("2001:db8::1").denied)
        self.assertDenied(door.enter("2001:db8::2"))
        self.assertEqual([door.enter(None).denied, door.enter(None).denied], [None, None])
        first.left()
        self.assertIsNone(door.enter("192.0.2.1").denied)
        self.assertEqual(self.hits(), {"maxConnectionsPerAddress": 2})

    def test_off(self) -> None:
        """
        By default, and with 0, an address may have any number.
        """
        for options in ({}, {"maxConnectionsPerAddress": 0, "maxPendingHandshakesPerAddress": 0}):
            door = self.door(maxConnections=0, **options)
            self.assertTrue(all(door.enter("192.0.2.1").denied is None for _ in range(2000)))

    def test_behindProxies(self) -> None:
        """
        Behind trusted proxies it is the client's address that counts, once the request tells it; the proxy's own counts
        for requests that tell none.
        """
        door = self.door(maxConnectionsPerAddress=1, forwardedForHops=1)
        visits = [door.enter("127.0.0.1") for _ in range(4)]
        self.assertEqual([visit.denied for visit in visits], [None] * 4)
        visits[0].asked(requestOf("127.0.0.1", "192.0.2.1"))
        visits[1].asked(requestOf("127.0.0.1", "192.0.2.2"))
        denied = self.assertRaises(HandshakeDenied, visits[2].asked, requestOf("127.0.0.1", "192.0.2.1"))
        self.assertEqual((denied.status, door.connections, door.pending, door.refusing), (503, 3, 3, 1))
        visits[3].asked(requestOf("127.0.0.1"))
        self.assertRaises(HandshakeDenied, door.enter("127.0.0.1").asked, requestOf("127.0.0.1"))
        for visit in visits:
            visit.left()
        door.enter("127.0.0.1").asked(requestOf("127.0.0.1", "192.0.2.1"))
        self.assertEqual(self.hits(), {"maxConnectionsPerAddress": 2})

    def test_pendingBehindProxies(self) -> None:
        """
        The same for those that are pending.
        """
        door = self.door(maxPendingHandshakesPerAddress=1, forwardedForHops=1)
        first, second = door.enter("127.0.0.1"), door.enter("127.0.0.1")
        first.asked(requestOf("127.0.0.1", "192.0.2.1"))
        self.assertRaises(HandshakeDenied, second.asked, requestOf("127.0.0.1", "192.0.2.1"))
        first.completed()
        door.enter("127.0.0.1").asked(requestOf("127.0.0.1", "192.0.2.1"))

    def test_withoutAddress(self) -> None:
        """
        Behind a proxy at a UNIX socket, a request that tells no address is not counted under any.
        """
        door = self.door(maxConnectionsPerAddress=1, forwardedForHops=1)
        for _ in range(3):
            door.enter(None).asked(requestOf(None))
        self.assertEqual((door.connections, self.hits()), (3, {}))

    def test_notBehindProxies(self) -> None:
        """
        Without trusted proxies nobody is believed who he says he is.
        """
        door = self.door(maxConnectionsPerAddress=1)
        door.enter("192.0.2.1").asked(requestOf("192.0.2.1", "192.0.2.9"))
        self.assertDenied(door.enter("192.0.2.1"))


class FakeClientTests(ServerTestCase):
    """
    Clients in memory are visitors too.
    """

    def test_counted(self) -> None:
        """
        They count as pending until their handshake is complete, as connections until they are gone, and are refused.
        """
        server: AGServer = self.makeServer(maxConnections=1)
        client, _ = self.connect(server, handshake=False)
        self.assertEqual((server.admission.connections, server.admission.pending), (1, 1))
        client.handshake()
        self.assertEqual((server.admission.connections, server.admission.pending), (1, 0))
        refused = connect(server)
        self.assertIsInstance(refused.connectError, HandshakeDenied)
        self.assertEqual((refused.state, server.clientsCount), ("closed", 1))
        client.disconnect()
        self.assertEqual((server.admission.connections, server.admission.refusing), (0, 0))
        self.assertEqual(connect(server).state, "open")


class CountersTests(ServerTestCase):
    """
    What else is counted.
    """

    def test_handshakeTimeout(self) -> None:
        """
        A client that sends no C{#handshake} in time is counted, and dropped if it does not answer the close frame.
        """
        transport = self.connect(handshake=False)[1]._transport
        closed: list[object] = []
        dropped: list[None] = []
        self.patch(transport, "close", lambda code, reason: closed.append(code))
        self.patch(transport, "abort", lambda: dropped.append(None))
        self.clock.advance(10.1)
        self.assertEqual((closed, dropped), ([4005], []))
        self.assertEqual(self.server.counters.limitsHit["handshakeTimeout"], 1)
        self.clock.advance(2.1)
        self.assertEqual(dropped, [None])

    def test_nothingLeft(self) -> None:
        """
        If it does answer, nobody has anything more to do with it; the same holds for one that does not read.
        """
        self.server = self.makeServer(outboundBufferLimit=100)
        silent, _ = self.connect(handshake=False)
        self.clock.advance(10.1)
        other, socket = self.connect()
        socket.socket.outbox.pauseProducing()
        socket.transmit("a", "x" * 200)
        self.settle()
        self.assertEqual((silent.closeCode, other.closeCode), (4005, 4100))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class FormTests(SynchronousTestCase):
    """
    What belongs to every connection is small.
    """

    def test_slots(self) -> None:
        """
        A visit has no dictionary.
        """
        self.assertFalse(hasattr(Visit.__new__(Visit), "__dict__"))
