"""
Too many clients, and clients that are too slow.
"""

from __future__ import annotations

import contextlib
import re
import socket as sockets
import time

from tests.wire import upgradeRequest

from .support import Client, EffectTestCase, Refused, ServerProcess, answerTo, crowd, dial

NO_PINGS = "--ping-timeout-disabled=true"


class LimitTests(EffectTestCase):
    """
    Limits on connections.
    """

    def test_connections(self) -> None:
        """
        Past the limit new clients are answered 503 and those that are there are served on; when one has left, the next one
        is let in.
        """
        server = self.start("--max-connections=3")
        watcher, leaving, _ = [self.client(server) for _ in range(3)]
        for _ in range(5):
            answer = answerTo(server.port)
            self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
            self.assertIn(b"\r\nRetry-After: 5\r\n", answer)
        self.assertEqual(watcher.call("counted")["limitsHit"], {"maxConnections": 5})
        leaving.close()
        self.eventually(lambda: watcher.call("counted")["connections"] == 2, "the client has left")
        self.client(server)

    def test_addresses(self) -> None:
        """
        One address has its limit, and leaves others alone.
        """
        server = self.start("--max-connections-per-address=2")
        self.client(server)
        self.client(server)
        self.assertTrue(answerTo(server.port).startswith(b"HTTP/1.1 503 "))
        self.assertRaises(Refused, Client, server.port)
        watcher = self.client(server, "127.0.0.2")
        self.assertEqual(watcher.call("counted")["limitsHit"], {"maxConnectionsPerAddress": 2})

    def test_silent(self) -> None:
        """
        Hundreds of connections past the limit that say nothing are gone again by themselves, and hurt nobody.
        """
        server = self.start("--max-connections=10", "--handshake-timeout=60000")
        watcher = self.client(server)
        before = server.descriptors
        silent = [dial(server.port) for _ in range(300)]
        for connection in silent:
            self.addCleanup(connection.close)
        self.eventually(lambda: sum(watcher.call("counted")["limitsHit"].values()) == 291, "all were seen")
        self.eventually(lambda: watcher.call("counted")["refusing"] == 0, "those that are too many are gone")
        self.assertEqual(watcher.call("counted")["connections"], 10)
        self.assertLessEqual(server.descriptors, before + 9)
        for connection in silent[9:]:
            self.assertIn(self.end(connection), (b"", None))

    def end(self, connection: sockets.socket) -> bytes | None:
        """
        @return: what comes through a connection, C{None} if it was reset.
        """
        try:
            return connection.recv(1000)
        except ConnectionError:
            return None


class SlowTests(EffectTestCase):
    """
    Clients that take their time until they are let in.
    """

    def assertOutlived(self, said: bytes, dripping: bytes) -> None:
        """
        Clients that hold up all pending handshakes keep others out as long as their time lasts, and not longer.

        @param said: what they begin with.
        @param dripping: what then comes byte by byte.
        """
        server = self.start("--max-pending-handshakes=20", "--handshake-timeout=6000", NO_PINGS)
        watcher = self.client(server)
        began = time.monotonic()
        slow = [dial(server.port) for _ in range(20)]
        for connection in slow:
            self.addCleanup(connection.close)
            connection.sendall(said)
        self.eventually(lambda: watcher.call("counted")["pending"] == 20, "all are pending")
        if time.monotonic() < began + 5.5:
            self.assertTrue(answerTo(server.port).startswith(b"HTTP/1.1 503 "))
            self.assertEqual(watcher.call("counted")["limitsHit"], {"maxPendingHandshakes": 1})

        def drip() -> bool:
            for connection in slow:
                try:
                    connection.send(dripping)
                except ConnectionError:
                    pass
            return int(watcher.call("counted")["pending"]) == 0

        self.eventually(drip, "nobody is pending")
        self.assertEqual(watcher.call("counted")["limitsHit"]["handshakeTimeout"], 20)
        self.client(server)

    def test_slowUpgrades(self) -> None:
        """
        Requests that come byte by byte do not keep a connection open.
        """
        self.assertOutlived(b"GET /socketcluster/ HTTP/1.1\r\nX-Slow: ", b"a")

    def test_silence(self) -> None:
        """
        Neither does saying nothing at all.
        """
        self.assertOutlived(b"", b"")

    def test_slowHandshakes(self) -> None:
        """
        After the upgrade, C{#handshake} has to come in time, even if it comes byte by byte; who then ignores that the
        connection is closed is dropped.
        """
        # A frame that is too long to be complete before that.
        self.assertOutlived(upgradeRequest() + b"\x81\xfe\xff\xff", b"a")


class DescriptorTests(EffectTestCase):
    """
    A process whose descriptors are used up.
    """

    LIMIT = 150

    def fill(self, server: ServerProcess) -> tuple[list[Client], bytes]:
        """
        @return: as many clients as the server takes, and what the next one is answered.
        """
        clients: list[Client] = []
        for _ in range(self.LIMIT + 10):
            try:
                clients.append(self.client(server))
            except Refused as refused:
                return clients, refused.answer
        self.fail("The server has taken more clients than it may have descriptors")

    def isLetIn(self, server: ServerProcess) -> bool:
        """
        @return: whether the server takes one more client.
        """
        try:
            self.client(server)
        except Refused:
            return False
        return True

    def test_before(self) -> None:
        """
        Before descriptors run out, new clients are answered 503; those that are there are served, and the next one is when
        some have left. A hundred that come at once change nothing.
        """
        server = self.start(descriptors=self.LIMIT)
        clients, answer = self.fill(server)
        self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
        self.assertLess(server.descriptors, self.LIMIT - 20)
        self.assertEqual(clients[0].call("counted")["maxConnections"], self.LIMIT - 32)
        many = crowd(server.port, 100)
        for client in clients:
            self.assertEqual(client.call("echo", "still there"), "still there")
        for connection in many:
            connection.close()
        for client in clients[1:11]:
            client.close()
        self.eventually(lambda: clients[0].call("counted")["connections"] <= len(clients) - 10, "ten have left")
        self.eventually(lambda: clients[0].call("counted")["refusing"] == 0, "nobody is being refused")
        # Some of the crowd may not even have been accepted yet, and take room for a moment.
        for _ in range(10):
            self.eventually(lambda: self.isLetIn(server), "there is room")
        self.assertNotIn("EMFILE", server.log)
        self.assertNotIn("Traceback", server.log)

    def test_usedUp(self) -> None:
        """
        When the application itself has used up every descriptor, those who are connected are served on, new clients are
        closed or wait, the process is as idle as before, the log is short, and when descriptors are free again, new
        clients are served.
        """
        server = self.start(descriptors=self.LIMIT)
        clients = [self.client(server) for _ in range(5)]
        self.assertGreater(clients[0].call("hold"), 50)
        cpu, began = server.cpu, time.monotonic()
        while time.monotonic() < began + 2:
            for waiting in crowd(server.port, 1):
                self.addCleanup(waiting.close)
                with contextlib.suppress(ConnectionError):  # it may be closed by now
                    waiting.sendall(upgradeRequest())
            for client in clients:
                self.assertEqual(client.call("echo", 1), 1)
            time.sleep(0.05)
        used, passed = server.cpu - cpu, time.monotonic() - began
        self.assertLess(used, passed / 2)
        clients[0].call("release")
        self.client(server)
        self.assertTrue(server.isRunning)
        told = re.findall(r"(?i)EMFILE|cannot be accepted|Could not", server.log)
        self.assertTrue(0 < len(told) <= 3, server.log)
        self.assertNotIn("Traceback", server.log)
