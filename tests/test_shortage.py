"""
Tests of L{agtwisted.shortage}.
"""

from __future__ import annotations

import socket as sockets
from errno import EAGAIN, EMFILE, ENFILE, ENOMEM
from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from agtwisted.shortage import PAUSE, waitOutShortages


@implementer(IReactorFDSet)
class PollingClock(Clock):
    """
    A clock with a poller that reads what is ready on command.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[Any] = set()

    def addReader(self, reader: object) -> None:
        """
        Poll it.
        """
        self.readers.add(reader)

    def removeReader(self, reader: object) -> None:
        """
        Poll it no more.
        """
        self.readers.discard(reader)

    addWriter = removeWriter = lambda self, writer: None


class Listener:
    """
    A listening socket that can run out of descriptors.
    """

    def __init__(self, inner: sockets.socket) -> None:
        self._inner = inner
        self.failures: list[int] = []
        self.asked = 0

    def accept(self) -> tuple[sockets.socket, Any]:
        """
        @raise OSError: the next failure, or that nobody waits.
        """
        self.asked += 1
        if self.failures:
            raise OSError(self.failures.pop(0), "no more")
        return self._inner.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class ShortageTests(SynchronousTestCase):
    """
    A port while nothing can be accepted.
    """

    def setUp(self) -> None:
        """
        Listen, and hear what is logged.
        """
        self.clock = PollingClock()
        self.port = tcp.Port(0, Factory.forProtocol(Protocol), interface="127.0.0.1", reactor=self.clock)
        self.port.startListening()
        self.listener = Listener(self.port.socket)
        self.port.socket = self.listener  # type: ignore[assignment]
        waitOutShortages(self.port, self.clock)
        self.addCleanup(self.stop)
        self.logged: list[Any] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def stop(self) -> None:
        """
        Listen no more.
        """
        self.port.stopListening()
        self.clock.advance(1)

    def observe(self, event: Any) -> None:
        """
        Keep what was logged about connections.
        """
        if event.get("log_namespace") in ("agtwisted.shortage", "twisted.internet.tcp.Port"):
            self.logged.append(event)

    def dial(self) -> sockets.socket:
        """
        @return: a client that waits to be accepted.
        """
        client = sockets.create_connection(("127.0.0.1", self.port.getHost().port))
        client.settimeout(5)
        self.addCleanup(client.close)
        return client

    def poll(self) -> bool:
        """
        Read, if the port wants to.
        """
        wanted = self.port in self.clock.readers
        if wanted:
            self.port.doRead()
        return wanted

    def test_pause(self) -> None:
        """
        A port that cannot accept is left alone for a moment, instead of being called again and again; then it accepts who
        has been waiting.
        """
        for error, name in ((ENFILE, "ENFILE"), (ENOMEM, "ENOMEM"), (EMFILE, None)):
            self.listener.failures = [error, EAGAIN] if error == EMFILE else [error]
            before = self.port.sessionno
            self.dial()
            self.assertTrue(self.poll())
            self.assertFalse(self.poll())
            self.clock.advance(PAUSE + 0.01)
            self.assertTrue(self.poll())
            self.assertEqual(self.port.sessionno, before + 1, name)

    def test_closed(self) -> None:
        """
        When the process has no descriptor left, those who wait are closed, and whoever comes later is served.
        """
        self.listener.failures = [EMFILE]
        refused = self.dial()
        self.poll()
        self.assertEqual(refused.recv(1), b"")
        self.assertEqual(self.port.sessionno, 0)
        self.dial()
        self.clock.advance(PAUSE + 0.01)
        self.poll()
        self.assertEqual(self.port.sessionno, 1)

    def test_log(self) -> None:
        """
        However long it lasts, there is one line in ten seconds.
        """
        for _ in range(int(15 / PAUSE)):
            self.listener.failures = [ENFILE]
            self.assertTrue(self.poll())
            self.clock.advance(PAUSE)
        self.assertEqual([event["log_namespace"] for event in self.logged], ["agtwisted.shortage"] * 2)
        self.assertEqual([event["error"] for event in self.logged], ["ENFILE"] * 2)
        self.assertEqual([event["omitted"] > 10 for event in self.logged], [False, True])

    def test_stopped(self) -> None:
        """
        A port that has been stopped meanwhile stays so.
        """
        self.listener.failures = [ENFILE]
        self.poll()
        self.port.stopListening()
        self.clock.advance(PAUSE + 0.01)
        self.assertNotIn(self.port, self.clock.readers)

    def test_others(self) -> None:
        """
        What is no port of Twisted's is left as it is.
        """
        for other in (object(), None):
            waitOutShortages(other, self.clock)
