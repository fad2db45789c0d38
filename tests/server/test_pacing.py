"""
Tests of L{agtwisted.server.pacing}, and of the two places that it paces.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import SCServer
from agtwisted.server.pacing import SLICE, Pacer
from agtwisted.streams.turns import Flushable
from agtwisted.testing import connect
from tests.server.support import ServerTestCase
from tests.wire import CLOSE, TEXT, RawClient, closeFrame, packet, upgradeRequest


class StepTurns:
    """
    Turns that the test lets pass one by one. (A C{Clock} would run all that has no delay in one step.)
    """

    def __init__(self) -> None:
        self._flushes: list[Flushable] = []
        self._later: list[Callable[[], object]] = []
        #: What others do in each turn.
        self.others: Callable[[], object] = lambda: None

    def flush(self, flushable: Flushable) -> None:
        """
        Keep it for the end of this turn.
        """
        self._flushes.append(flushable)

    def callLater(self, delay: float, job: Callable[[], object]) -> None:
        """
        Keep it for the next turn.
        """
        self._later.append(job)

    def end(self) -> bool:
        """
        End this turn, and begin the next.

        @return: whether there was anything to do.
        """
        flushes, self._flushes = self._flushes, []
        for each in flushes:
            each.flush()
        self.others()
        later, self._later = self._later, []
        for job in later:
            job()
        return bool(flushes or later)


class PacerTests(SynchronousTestCase):
    """
    What there is time for.
    """

    def setUp(self) -> None:
        """
        Make a pacer, whose time the test moves.
        """
        self.turns: Any = StepTurns()
        self.now = 0.0
        self.pacer = Pacer(self.turns, lambda: self.now)
        self.done: list[Any] = []

    def work(self, name: object) -> None:
        """
        Take half of a slice.
        """
        self.done.append(name)
        self.now += SLICE / 2

    def ask(self, name: object) -> None:
        """
        Work now, or when there is time.
        """
        if self.pacer.mayGoOn():
            self.work(name)
        else:
            self.pacer.wait(lambda: self.work(name))

    def test_slices(self) -> None:
        """
        What fits into a slice is done at once; the rest is done in the turns that follow, a slice in each, in order, and
        whatever comes meanwhile comes behind it.
        """
        for number in range(7):
            self.ask(number)
        self.assertEqual(self.done, [0, 1])
        self.turns.end()
        self.assertEqual(self.done, [0, 1, 2, 3])
        self.ask(7)
        self.assertEqual(self.done, [0, 1, 2, 3])
        for expected in (6, 8):
            self.turns.end()
            self.assertEqual(self.done, list(range(expected)))
        self.assertFalse(self.turns.end())

    def test_turns(self) -> None:
        """
        Every turn has its slice.
        """
        for number in range(5):
            self.now += 100
            self.ask(number)
            self.turns.end()
        self.assertEqual(self.done, [0, 1, 2, 3, 4])

    def test_givesWay(self) -> None:
        """
        While turns take longer than a slice because of what others do, one that is told to lets most of them go by, but not
        all.
        """
        self.pacer = Pacer(self.turns, lambda: self.now, patience=8)
        for number in range(5):
            self.ask(number)
        self.turns.others = lambda: setattr(self, "now", self.now + 2 * SLICE)
        done = []
        for _ in range(20):
            self.turns.end()
            done.append(len(self.done))
        self.assertEqual(done, [2] * 8 + [4] * 9 + [5] * 3)

    def test_failure(self) -> None:
        """
        One that fails does not keep the others waiting.
        """
        self.ask(0)
        self.ask(1)
        self.pacer.wait(lambda: 1 / 0)
        self.pacer.wait(lambda: self.work(2))
        self.turns.end()
        self.assertEqual(self.done, [0, 1, 2])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_deferred(self) -> None:
        """
        A coroutine waits with a Deferred.
        """
        self.ask(0)
        turn = self.pacer.turn()
        self.assertNoResult(turn)
        self.turns.end()
        self.assertIsNone(self.successResultOf(turn))


class PacedTests(ServerTestCase):
    """
    Clients that come or go when there is no time.
    """

    def hurry(self, server: Any) -> None:
        """
        Let this turn have no more time for those who come or go.
        """
        moment = iter(range(1_000_000))
        for pacer in (server.pacer, server.cleaning):
            pacer._seconds = lambda: next(moment)
            self.assertTrue(pacer.mayGoOn())

    def raw(self, server: Any) -> RawClient:
        """
        @return: a client that has a TCP connection.
        """
        return RawClient(server.websocketFactory(), self.clock)

    def test_upgrade(self) -> None:
        """
        Its upgrade request is answered in a later turn; who sends much meanwhile is not read.
        """
        client, flooding, leaving = (self.raw(self.server) for _ in range(3))
        self.hurry(self.server)
        for each in (client, flooding, leaving):
            each.protocol.dataReceived(upgradeRequest())
        self.assertEqual(self.server.pendingClientsCount, 0)
        told: list[str] = []
        self.patch(flooding.transport, "pauseProducing", lambda: told.append("pause"))
        self.patch(flooding.transport, "resumeProducing", lambda: told.append("resume"))
        flooding.protocol.dataReceived(b"a" * 40_000)
        self.assertEqual(told, ["pause"])
        leaving.lose()
        for _ in range(5):
            self.settle()
        self.assertTrue(client.take().startswith(b"HTTP/1.1 101 "))
        head, _, rest = flooding.take().partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 101 "))
        self.assertEqual((rest, told[:2]), (b"\x88\x02\x03\xea", ["pause", "resume"]))  # what it sent is no WebSocket
        self.assertEqual(self.server.pendingClientsCount, 1)
        client.send(packet("#handshake", {}, 1))
        self.assertEqual(self.server.clientsCount, 1)

    def test_handshake(self) -> None:
        """
        Its C{#handshake} is answered in a later turn, and what it has sent behind that after it, whatever the API; waiting
        does not count as its own slowness, and who leaves meanwhile is not let in.
        """
        for server in (self.makeServer(), SCServer(self.clock, authKey="secret")):
            client, leaving = connect(server, handshake=False), connect(server, handshake=False)
            self.hurry(server)
            for each in (client, leaving):
                each.socket.messageReceived(b'{"event":"#handshake","data":{},"cid":1}', False)
            self.assertEqual(server.clientsCount, 0)
            leaving.disconnect(1000)
            for _ in range(5):
                self.settle()
            self.assertEqual((server.clientsCount, server.pendingClientsCount), (1, 0))
            self.assertEqual([packet.get("rid") for packet in client.packets], [1])
            self.clock.advance(11)
            self.assertEqual(server.clientsCount, 1)

    def test_moreBehindGoodbye(self) -> None:
        """
        A close frame that waits for its turn may come in pieces; what comes behind it has no meaning, and is not kept.
        """
        for late, code in ((closeFrame(1001)[2:], 1001), (b"a" * 100_000, 1002)):
            client = self.raw(self.server)
            client.join()
            (socket,) = self.server.clients.values()
            codes: list[int] = []
            self.collect(socket.listener("close"), lambda event, codes=codes: codes.append(event.code))
            self.hurry(self.server)
            client.protocol.dataReceived(closeFrame(1001)[:2] if code == 1001 else b"\x88\x7f")
            for start in range(0, len(late), 10_000):
                client.protocol.dataReceived(late[start : start + 10_000])
            client.protocol.dataReceived(packet("#publish", {"channel": "x"}, 7))
            self.assertLess(len(client.protocol.data), 20_000)
            for _ in range(5):
                self.settle()
            self.assertEqual((codes, self.server.clientsCount), ([code], 0))
            client.lose()

    def test_lost(self) -> None:
        """
        A connection that is lost without the server having been asked before, as through TLS, no longer counts at once; its
        socket hears of it in a later turn, and whoever waits for the end after that.
        """
        for server in (self.makeServer(), SCServer(self.clock, authKey="secret")):
            client = self.raw(server)
            client.join()
            (socket,) = server.clients.values()
            happened: list[Any] = []
            self.collect(server.listener("disconnection"), lambda event, happened=happened: happened.append(event.code))
            self.hurry(server)
            client.protocol.connectionLost(Failure(ConnectionDone()))
            client.protocol.whenLost().addCallback(lambda _, happened=happened: happened.append("lost"))
            self.assertEqual((server.admission.connections, server.clientsCount, happened), (0, 1, []))
            socket.transmit("news", 1)
            client.protocol.abort()
            for _ in range(5):
                self.settle()
            self.assertEqual((server.clientsCount, sorted(map(str, happened))), (0, ["1006", "lost"]))

    def test_disconnect(self) -> None:
        """
        Version 14's C{#disconnect} waits for its turn, too; what the client says behind it has no meaning any more.
        """
        server = SCServer(self.clock, authKey="secret")
        client = connect(server)
        heard: list[Any] = []
        codes: list[int] = []
        client.socket.on("disconnect", lambda code, reason: codes.append(code))
        client.socket.on("news", lambda data, respond: heard.append(data))
        self.hurry(server)
        for event in ('"news","data":1', '"#disconnect","data":{"code":4444}', '"news","data":2'):
            client.socket.messageReceived(b'{"event":%s}' % event.encode(), False)
        self.assertEqual((server.clientsCount, codes, heard), (1, [], [1]))
        for _ in range(5):
            self.settle()
        self.assertEqual((server.clientsCount, codes, heard), (0, [4444], [1]))

    def test_goodbye(self) -> None:
        """
        A close frame is answered in a later turn, behind what came before it.
        """
        for server in (self.makeServer(), SCServer(self.clock, authKey="secret")):
            leaving, dropped = self.raw(server), self.raw(server)
            for client in (leaving, dropped):
                client.join()
            self.assertEqual(server.clientsCount, 2)
            codes: list[Any] = []
            self.collect(server.listener("disconnection"), lambda event, codes=codes: codes.append(event.code))
            self.hurry(server)
            for client in (leaving, dropped):
                client.protocol.dataReceived(packet("#publish", {"channel": "x"}, 7))
                client.protocol.dataReceived(closeFrame(1001))
            self.assertEqual((server.clientsCount, codes), (2, []))
            dropped.protocol.connectionLost(Failure(ConnectionDone()))
            for _ in range(5):
                self.settle()
            self.assertEqual(server.clientsCount, 0)
            self.assertEqual(sorted(codes), [1001, 1006])
            self.assertEqual([opcode for opcode, _ in leaving.frames()], [TEXT, CLOSE])
            self.assertTrue(leaving.isClosing)
