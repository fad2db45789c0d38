"""
Tests of L{agtwisted.crowds}.
"""

from __future__ import annotations

import select
import socket
from types import SimpleNamespace
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import crowds, process, shortcuts
from agtwisted.process import useLeanPolling
from agtwisted.streams.turns import Turns

READABLE = getattr(select, "EPOLLIN", 1)


def client(lastHeard: float) -> Any:
    """
    @return: a connection that has been heard at that time.
    """
    return SimpleNamespace(protocol=SimpleNamespace(_receiver=SimpleNamespace(lastHeard=lastHeard)))


class ApartTests(SynchronousTestCase):
    """
    Who comes first.
    """

    def test_apart(self) -> None:
        """
        Clients that have just been heard and whatever is no client come first, in their order; clients that were silent,
        those that are only opening, those of whom there is something else to know, and nobody, do not.
        """
        selectables = {
            1: client(99.0),
            2: client(99.9),
            3: SimpleNamespace(),  # a port
            4: SimpleNamespace(protocol=Protocol()),  # a connection of the application's own
            5: SimpleNamespace(protocol=SimpleNamespace(_receiver=None)),
            6: client(100.0),
            7: client(100.0),
        }
        events = [(number, READABLE) for number in range(1, 7)] + [(7, READABLE | 0x2000), (8, READABLE)]
        first, others = crowds.apart(events, selectables, READABLE, 100.0)
        self.assertEqual([descriptor for descriptor, _ in first], [2, 3, 4, 6])
        self.assertEqual([descriptor for descriptor, _ in others], [1, 5, 7, 8])
        self.assertEqual(crowds.apart([], {}, READABLE, 100.0), ([], []))


class Speaker(Protocol):
    """
    A connection that tells what comes through it, and has been heard at some time.
    """

    def __init__(self, number: int, heard: list[int], lastHeard: float) -> None:
        self._number = number
        self._heard = heard
        self._receiver = SimpleNamespace(lastHeard=lastHeard)

    def dataReceived(self, data: bytes) -> None:
        """
        Tell.
        """
        self._heard.append(self._number)


class CrowdTests(SynchronousTestCase):
    """
    Turns of a reactor in which a crowd speaks.
    """

    if not hasattr(select, "epoll"):
        skip = "There is no epoll here"

    def setUp(self) -> None:
        """
        Make a reactor that polls leaner, and time that goes by when somebody is heard.
        """
        from twisted.internet.epollreactor import EPollReactor

        self.now = 1000.0
        # Small enough for a process that may have few descriptors.
        self.patch(process, "_EVENTS_A_TURN", 16)
        for name, value in (("FIRST", 16), ("FEW", 32), ("PORTION", 4)):
            self.patch(crowds, name, value)
        self.reactor: Any = EPollReactor()
        self.reactor.seconds = lambda: self.now
        self.addCleanup(self.closeReactor)
        self.turns = Turns(self.reactor)
        self.patch(shortcuts, "mayBeTaken", lambda: True)
        self.assertTrue(useLeanPolling(self.reactor, self.turns))
        self.heard: list[int] = []
        self.far: list[socket.socket] = []

    def closeReactor(self) -> None:
        """
        Give back all descriptors.
        """
        for connection in self.reactor.removeAll():
            if isinstance(connection, Connection):
                connection.socket.close()
        self.reactor._poller.close()
        for waker in self.reactor._internalReaders:
            waker.connectionLost(None)
        for each in self.far:
            each.close()

    def speak(self, count: int, lastHeard: float) -> None:
        """
        Let so many connections say something.
        """
        for _ in range(count):
            near, far = socket.socketpair()
            connection: Any = Connection(near, Speaker(len(self.far), self.heard, lastHeard), self.reactor)  # type: ignore[arg-type]
            connection.connected = True
            connection.startReading()
            self.far.append(far)
            far.send(b"x")

    def turn(self) -> list[int]:
        """
        @return: who was heard in a turn.
        """
        self.heard.clear()
        self.reactor.doIteration(0)
        return self.heard[:]

    def test_first(self) -> None:
        """
        Who was just heard is heard first, and answered before the others are heard; of those, as many are as there is time
        for, in their order, and the rest in later turns.
        """
        self.patch(crowds, "TIME", 0.0)
        self.speak(70, 0.0)
        self.speak(2, 999.9)
        self.far[0].send(b"more")
        answered: list[list[int]] = []
        self.turns.outboxes.append(SimpleNamespace(flushAll=lambda _: answered.append(self.heard[:])))
        turn = self.turn()
        self.assertEqual((answered, turn[:2], len(turn)), ([[70, 71]], [70, 71], 2 + crowds.PORTION))
        more = self.turn()
        self.assertEqual(len(set(turn[2:] + more)), 2 * crowds.PORTION)
        self.patch(crowds, "TIME", 1.0)
        everyone = {*turn, *more}
        for _ in range(10):
            everyone.update(self.turn())
        self.assertEqual((everyone, self.turn()), (set(range(72)), []))

    def test_limited(self) -> None:
        """
        However many have just been heard, the others get their share of each turn.
        """
        self.patch(crowds, "TIME", 0.0)
        self.speak(60, 0.0)
        self.speak(40, 999.9)
        turn = self.turn()
        self.assertEqual(len([number for number in turn if number >= 60]), crowds.FIRST)
        self.assertEqual(len([number for number in turn if number < 60]), crowds.PORTION)

    def test_calm(self) -> None:
        """
        Where nearly all come first, it is not looked again for some turns.
        """
        looked: list[int] = []
        apart = crowds.apart

        def look(events: Any, *rest: Any) -> Any:
            looked.append(len(events))
            return apart(events, *rest)

        self.patch(crowds, "apart", look)
        self.speak(40, 999.9)
        for _ in range(crowds.CALM + 2):
            self.turn()
            for far in self.far:
                far.send(b"y")
        self.assertEqual(len(looked), 2)
