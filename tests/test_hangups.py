"""
Tests of L{agtwisted.hangups}, with a real C{epoll} reactor and pairs of sockets.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import hangups, shortcuts
from agtwisted.hangups import SLICE
from agtwisted.process import useLeanPolling
from agtwisted.streams.turns import Turns


class Peer:
    """
    A protocol, and who is connected to it.

    @ivar far: the other end.
    @ivar happened: what the protocol has heard.
    """

    def __init__(self, case: HangUpTests, name: str) -> None:
        near, self.far = socket.socketpair()
        case.addCleanup(self.far.close)
        self._case = case
        self._name = name
        self.connection: Any = Connection(near, self, case.reactor)  # type: ignore[arg-type]
        self.connection.connected = True
        self.connection.startReading()

    def dataReceived(self, data: bytes) -> None:
        """
        Something has come.
        """
        self._case.happened.append((self._name, data))

    def connectionLost(self, reason: Failure) -> None:
        """
        The peer is gone, which takes more than a third of a slice.
        """
        self._case.happened.append((self._name, None))
        self._case.now += SLICE * 0.4


class HangUpTests(SynchronousTestCase):
    """
    Some are gone, and others have something to say.
    """

    def setUp(self) -> None:
        """
        Make a reactor that polls leaner.
        """
        self.now = 0.0
        self.happened: list[tuple[str, bytes | None]] = []
        self.reactor: Any = EPollReactor()
        self.addCleanup(self.closeReactor)
        self.patch(shortcuts, "mayBeTaken", lambda: True)
        self.assertTrue(useLeanPolling(self.reactor, Turns(self.reactor)))
        self.polling = self.reactor.doIteration.__self__
        self.polling._hangUps._seconds = lambda: self.now

    def closeReactor(self) -> None:
        """
        Give back the reactor's descriptors.
        """
        for left in self.reactor.removeAll():
            left.connectionLost(Failure(ZeroDivisionError()))
        self.reactor._poller.close()

    def peers(self, count: int) -> list[Peer]:
        """
        @return: so many, named by numbers.
        """
        return [Peer(self, str(number)) for number in range(count)]

    def turn(self) -> list[tuple[str, bytes | None]]:
        """
        @return: what happens in one turn.
        """
        self.happened.clear()
        self.reactor.doIteration(0)
        return list(self.happened)

    def test_last(self) -> None:
        """
        Who has something to say is heard before it is dealt with those who are gone; of them, with as many in a turn as
        there is time for, in the order in which they went, each once.
        """
        *gone, speaker = self.peers(8)
        for peer in gone:
            peer.far.close()
        speaker.far.send(b"hello")
        self.assertEqual(self.turn(), [("7", b"hello"), ("0", None), ("1", None), ("2", None)])
        speaker.far.send(b"again")
        self.assertEqual(self.turn(), [("7", b"again"), ("3", None), ("4", None), ("5", None)])
        self.assertEqual(self.turn(), [("6", None)])
        self.assertEqual(self.turn(), [])

    def test_soon(self) -> None:
        """
        As long as some wait, the reactor does not wait for anything else.
        """
        for peer in self.peers(4):
            peer.far.close()
        self.turn()
        self.happened.clear()
        self.reactor.doIteration(None)
        self.assertEqual(self.happened, [("3", None)])

    def test_lastWords(self) -> None:
        """
        What somebody has said before it went is heard, however much that is, wherever it has waited.
        """
        peers = self.peers(5)
        for peer in peers:
            peer.connection.bufferSize = 4
            peer.far.send(b"farewell")
            peer.far.close()
        self.patch(Peer, "dataReceived", lambda peer, data: (self.spend(), self.happened.append((peer._name, data))))
        heard = []
        for _ in range(20):
            heard += self.turn()
        for number in range(5):
            mine = [data for name, data in heard if name == str(number)]
            self.assertEqual(mine, [b"fare", b"well", None])

    def spend(self) -> None:
        """
        Take half a slice.
        """
        self.now += SLICE / 2

    def test_hurry(self) -> None:
        """
        While a poll reports as much as it may, others may be waiting behind that, and those who are gone wait; but not for
        ever.
        """
        self.patch(hangups, "_PATIENCE", 2)
        speaker, gone, other = self.peers(3)
        gone.far.close()
        other.far.close()
        hangUps = self.polling._hangUps
        reported = [(each.connection, each.connection.fileno(), hangups.GONE) for each in (gone, other)]
        hangUps.deal(reported, True)
        hangUps.deal([], True)
        self.assertEqual(self.happened, [])
        self.assertEqual(self.reactor._poller.poll(0, 10), [], "they are not reported again meanwhile")
        hangUps.deal([], True)
        self.assertEqual(len(self.happened), 2)
        self.assertFalse(hangUps.waiting)
        speaker.far.send(b"hello")
        self.assertEqual(self.turn(), [("0", b"hello")])

    def test_changedMeanwhile(self) -> None:
        """
        Somebody who waits may be paused, go on, have something to send or be dropped by the application meanwhile.
        """
        peers = self.peers(8)
        for peer in peers:
            peer.far.close()
        self.turn()
        peers[3].connection.stopReading()
        peers[4].connection.stopReading()
        peers[4].connection.startReading()
        peers[5].connection.startWriting()
        peers[5].connection.stopWriting()
        peers[6].connection.connectionLost(Failure(ZeroDivisionError()))
        heard = []
        for _ in range(5):
            heard += self.turn()
        self.assertEqual(sorted(heard), [("4", None), ("5", None), ("7", None)])
        peers[3].connection.startReading()
        self.assertEqual(self.turn(), [("3", None)])

    def test_somebodyElse(self) -> None:
        """
        A descriptor that is somebody else's by now is left alone.
        """
        peers = self.peers(4)
        for peer in peers:
            peer.far.close()
        self.turn()
        number = peers[3].connection.fileno()
        peers[3].connection.connectionLost(Failure(ZeroDivisionError()))
        peers[3].connection = None
        newcomer = Peer(self, "newcomer")
        while newcomer.connection.fileno() != number:
            newcomer = Peer(self, "newcomer")
        self.assertEqual(self.turn(), [])
        newcomer.far.send(b"hello")
        self.assertEqual(self.turn(), [("newcomer", b"hello")])
