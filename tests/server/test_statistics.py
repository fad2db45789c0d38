"""
Tests of L{agtwisted.server.statistics} and L{agtwisted.server.counters}.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred

import agtwisted
from agtwisted import SCServer
from agtwisted.protocol.frames import textFrame
from agtwisted.server.stalls import PERIOD
from agtwisted.server.statistics import COUNTER, COUNTERS, FIGURES, GAUGE, SWITCH, TEXT
from agtwisted.testing import FakeClient, connect
from tests.server.support import Gate, ServerTestCase


class StatisticsTests(ServerTestCase):
    """
    C{server.stats()}.
    """

    def figures(self, *names: str) -> Any:
        """
        @return: some of the figures, or the only one.
        """
        stats = self.server.stats()
        values = tuple(stats[name] for name in names)
        return values if len(values) > 1 else values[0]

    def moved(self) -> tuple[int, ...]:
        """
        @return: messages and bytes, in and out.
        """
        return self.figures("messagesIn", "bytesIn", "messagesOut", "bytesOut")  # type: ignore[no-any-return]

    def test_described(self) -> None:
        """
        Everything that is given is described, in the same order, under names that Prometheus takes, and fits into JSON.
        """
        stats = self.server.stats()
        self.assertEqual(list(stats), [figure.name for figure in FIGURES])
        self.assertEqual(json.loads(json.dumps(stats)), stats)
        for figure in FIGURES:
            self.assertIn(figure.kind, (COUNTER, COUNTERS, GAUGE, SWITCH, TEXT))
            self.assertIn(figure.unit, ("", "seconds", "bytes"))
            self.assertRegex(figure.metric, r"\Aagtwisted_[a-z_]+\Z")
            self.assertEqual(figure.metric.endswith("_total"), figure.kind in (COUNTER, COUNTERS), figure.name)
            self.assertTrue(not figure.unit or figure.unit in figure.metric, figure.name)
        self.assertEqual(len({figure.metric for figure in FIGURES}), len(FIGURES))

    def test_nothingYet(self) -> None:
        """
        A server that was just made has nothing to tell.
        """
        stats = self.server.stats()
        self.assertEqual(stats.pop("version"), agtwisted.__version__)
        self.assertEqual((stats.pop("longestStall"), stats.pop("longestStallLastMinute")), (None, None))
        self.assertEqual({name: value for name, value in stats.items() if value}, {})

    def test_uptime(self) -> None:
        """
        The uptime counts from the start, in seconds; a server that is closed is not ready.
        """
        self.clock.advance(5)
        self.server.start()
        self.clock.advance(2.5)
        self.assertEqual(self.figures("uptime", "isReady"), (2.5, True))
        self.server.close()
        self.assertFalse(self.figures("isReady"))

    def test_connections(self) -> None:
        """
        Connections: complete ones, pending ones, and all there ever were.
        """
        names = ("connections", "pendingConnections", "acceptedConnections")
        first, _ = self.connect()
        pending = connect(self.server, handshake=False)
        self.assertEqual(self.figures(*names), (1, 1, 2))
        pending.handshake()
        self.assertEqual(self.figures(*names), (2, 0, 2))
        first.disconnect()
        self.assertEqual(self.figures(*names), (1, 0, 2))
        self.server.close()
        self.settle()
        self.assertEqual(self.figures(*names), (0, 0, 2))

    def test_channels(self) -> None:
        """
        Channels that anybody here is subscribed to, the server included, and the subscriptions of clients.
        """
        (one, _), (two, _) = self.connect(), self.connect()
        for client, channel in ((one, "x"), (one, "y"), (two, "x")):
            self.successResultOf(client.subscribe(channel))
        self.server.exchange.subscribe("z")
        self.settle()
        self.assertEqual(self.figures("channels", "subscriptions"), (3, 3))
        one.disconnect()
        self.settle()
        self.assertEqual(self.figures("channels", "subscriptions"), (2, 1))

    def test_messages(self) -> None:
        """
        Messages and their bytes, as payload when they come and as frames when they go.
        """
        client, socket = self.connect()
        before = self.moved()
        client.send('{"event":"a"}', '[{"event":"a"},{"event":"b"}]')
        socket.transmit("b", "x" * 200)
        self.settle()
        sent = len(textFrame(json.dumps({"event": "b", "data": "x" * 200}, separators=(",", ":")).encode()))
        self.assertEqual([now - then for now, then in zip(self.moved(), before, strict=True)], [2, 13 + 29, 1, sent])

    def test_afterwards(self) -> None:
        """
        What has passed through a connection stays counted when it ends, however it ends; so does what went out last.
        """

        def closedByServer(client: FakeClient, socket: Any) -> None:
            socket.transmit("last", 1)
            socket.disconnect()

        for end, last in (
            (lambda client, socket: client.disconnect(), 0),
            (lambda client, socket: client.disconnect(1006), 0),
            (lambda client, socket: socket.terminate(), 0),
            (closedByServer, 1),
        ):
            before = self.moved()
            client, socket = self.connect()
            client.send('{"event":"a"}')
            during = self.moved()
            end(client, socket)
            self.settle()
            socket.connectionLost(1006, "")
            self.settle()
            self.assertGreater(during[0], before[0])
            self.assertEqual(self.server.clientsCount, 0)
            after = self.moved()
            self.assertEqual(after[:2], during[:2])
            self.assertEqual(after[2], during[2] + last)
            self.assertEqual(after[3], during[3] + last * len(textFrame(b'{"event":"last","data":1}')))

    def test_inbound(self) -> None:
        """
        Messages wait behind one that middleware holds; a client that has too many waiting is held.
        """
        names = ("inboundMessagesWaiting", "inboundBytesWaiting", "clientsHeld")
        self.server = self.makeServer(inboundHighWaterMark=2)
        gate = Gate("transmit")
        self.server.setMiddleware(self.server.MIDDLEWARE_INBOUND, gate)
        client, _ = self.connect(self.server)
        self.assertEqual(self.figures(*names), (0, 0, 0))
        client.send(*['{"event":"a"}'] * 3)
        self.assertEqual(self.figures(*names), (2, 26, 0))
        client.send('{"event":"a"}')
        self.assertEqual(self.figures(*names), (3, 39, 1))
        while gate.actions:
            gate.actions.pop(0).allow()
            self.settle()
        self.assertEqual(self.figures(*names), (0, 0, 0))

    def test_unansweredCalls(self) -> None:
        """
        Calls count from when a procedure has them until they are answered.
        """
        client, socket = self.connect()
        requests = self.values(socket.procedure("p"))
        client.invoke("p"), client.invoke("p")
        self.assertEqual(self.figures("unansweredCalls"), 2)
        requests[0].end()
        self.assertEqual(self.figures("unansweredCalls"), 1)

    def test_outbound(self) -> None:
        """
        What waits for a client that does not read is counted until it reads again.
        """
        names = ("outboundMessagesWaiting", "outboundBytesWaiting", "clientsNotReading", "clientsHeld")
        _, socket = self.connect()
        self.connect()
        socket.socket.outbox.pauseProducing()
        sent = self.figures("bytesOut")
        socket.transmit("a"), socket.transmit("a")
        self.settle()
        size = 2 * len(textFrame(b'{"event":"a"}'))
        self.assertEqual(self.figures(*names), (2, size, 1, 1))
        self.assertEqual(self.figures("bytesOut"), sent)
        socket.socket.outbox.resumeProducing()
        self.assertEqual(self.figures(*names), (0, 0, 0, 0))
        self.assertEqual(self.figures("bytesOut"), sent + size)

    def test_slowConsumers(self) -> None:
        """
        Clients that were closed because they did not read are counted, and what waited for them is not.
        """
        self.server = self.makeServer(outboundBufferLimit=100)
        client, socket = self.connect(self.server)
        socket.socket.outbox.pauseProducing()
        sent = self.figures("messagesOut")
        socket.transmit("a", "x" * 200)
        self.settle()
        self.assertEqual(client.closeCode, 4100)
        self.assertEqual(self.figures("slowConsumersClosed", "outboundBytesWaiting", "messagesOut"), (1, 0, sent))

    def test_limits(self) -> None:
        """
        Limits that were hit are counted by the name of their option.
        """
        for _ in range(2):
            self.server.limitHit("one", "too much")
        self.server.limitHit("two", "too much")
        stats = self.server.stats()
        self.assertEqual(stats["limitsHit"], {"one": 2, "two": 1})
        self.server.limitHit("two", "too much")
        self.assertEqual(stats["limitsHit"]["two"], 1)

    def test_stalls(self) -> None:
        """
        Stalls are there when somebody watches, in seconds.
        """
        self.server.stalls.start()
        self.addCleanup(self.server.stalls.stop)
        self.clock.advance(0)
        self.clock.advance(PERIOD + 0.2)
        self.assertAlmostEqual(self.figures("longestStall"), 0.2)
        self.assertAlmostEqual(self.figures("longestStallLastMinute"), 0.2)

    def test_version14(self) -> None:
        """
        A server of version 14 has the same figures, those of connections that have ended included.
        """
        server = self.server = SCServer(self.clock, authKey="secret")  # type: ignore[assignment]
        first, second, third = connect(server), connect(server), connect(server)
        self.successResultOf(third.subscribe("x"))
        before = self.moved()
        first.disconnect()
        second.send({"event": "#disconnect", "data": {"code": 1000}})
        names = ("connections", "acceptedConnections", "channels", "subscriptions", "isReady")
        self.assertEqual(self.figures(*names), (1, 3, 1, 1, True))
        moved = self.moved()
        self.assertEqual((moved[0], moved[2:]), (before[0] + 1, before[2:]))
        answer: Deferred[Any] = third.invoke("#publish", {"channel": "x", "data": 1})
        self.successResultOf(answer)
        self.assertEqual(self.figures("messagesOut"), moved[2] + 2)
