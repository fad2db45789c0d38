"""
Tests of servers that take both versions of the protocol.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import AGServer, SCServer
from agtwisted.errors import InvalidOptionsError
from agtwisted.testing import FakeClient, connect


class Backwards:
    """
    A codec that makes something else of every text, pings of version 1 included, and fails on an empty one.
    """

    def encode(self, value: object) -> str:
        """
        @return: JSON, backwards.
        """
        return json.dumps(value)[::-1]

    def decode(self, message: str | bytes) -> object:
        """
        @return: the value.
        """
        return json.loads(bytes(message)[::-1] if isinstance(message, bytes) else message[::-1])


class FindingOutTests(SynchronousTestCase):
    """
    With C{protocolVersion="auto"} a socket finds out what its client speaks.
    """

    serverType: Any = AGServer

    def setUp(self) -> None:
        """
        Make a server.
        """
        self.clock = Clock()
        self.server = self.serverType(self.clock, protocolVersion="auto", authKey="k" * 40)

    def later(self, seconds: float, *clients: FakeClient) -> None:
        """
        Let time pass.
        """
        for _ in range(int(seconds * 2)):
            self.clock.advance(0.5)

    def test_versionOne(self) -> None:
        """
        A client of version 1 answers the first ping, right after its handshake, and never sees one of version 2.
        """
        client = connect(self.server, protocolVersion=1)
        self.assertEqual((client.socket.protocolVersion, client.pingCount), (1, 1))
        self.later(41)
        self.assertEqual(client.state, "open")
        self.assertGreaterEqual(client.pingCount, 5)
        self.assertNotIn("", client.packets)

    def test_versionTwo(self) -> None:
        """
        A client of version 2 takes that ping for a raw message, and answers the next, which comes when it always comes.
        """
        client = connect(self.server)
        self.assertEqual((client.socket.protocolVersion, client.packets[-1]), ("auto", "#1"))
        self.later(7.5)
        self.assertEqual(client.pingCount, 0)
        self.later(1)
        self.assertEqual((client.socket.protocolVersion, client.pingCount), (2, 1))
        self.later(40)
        self.assertEqual((client.state, client.packets.count("#1")), ("open", 1))

    def test_handshakeFirst(self) -> None:
        """
        The answer to the handshake comes before anything that only one version knows.
        """
        client = connect(self.server, protocolVersion=2)
        self.assertEqual([packet if packet == "#1" else packet["rid"] for packet in client.packets], [1, "#1"])

    def test_kept(self) -> None:
        """
        A version once found is kept: the other one's pong is a raw message then.
        """
        client = connect(self.server, protocolVersion=1)
        client.send("")
        self.assertEqual(client.socket.protocolVersion, 1)
        other = connect(self.server)
        other.send("")
        other.send("#2")
        self.assertEqual(other.socket.protocolVersion, 2)

    def test_pongBeforeHandshake(self) -> None:
        """
        A pong of either version before the handshake is as wrong as ever.
        """
        for pong in ("", "#2"):
            client = connect(self.server, handshake=False)
            client.send(pong)
            self.assertEqual(client.closeCode, 4009)

    def test_silence(self) -> None:
        """
        A client that answers neither ping is closed.
        """
        client = connect(self.server, handshake=False)
        client.answersPings = False
        client.handshake()
        self.later(self.server.pingTimeout / 1000 + 1)
        self.assertEqual(client.closeCode, 4001)

    def test_noPings(self) -> None:
        """
        Where no pings are wanted none is sent to find out.
        """
        self.server.pingTimeoutDisabled = True
        client = connect(self.server)
        self.assertEqual(len(client.packets), 1)

    def test_otherCodecs(self) -> None:
        """
        Pings of version 1 pass the codec, and what the codec cannot decode may still be a pong.
        """
        self.server.setCodecEngine(Backwards())
        old, new = connect(self.server, handshake=False), connect(self.server, handshake=False)
        for client in (old, new):
            client.handshake()
            self.assertEqual(client.state, "open")
        old.send('"2#"')
        new.send("")
        self.assertEqual((old.socket.protocolVersion, new.socket.protocolVersion), (1, 2))

    def test_together(self) -> None:
        """
        Clients of both versions get each other's publications.
        """
        old, new = connect(self.server, protocolVersion=1), connect(self.server)
        for client in (old, new):
            client.subscribe("news")
        old.publish("news", 1)
        new.publish("news", 2)
        self.assertEqual((old.publications("news"), new.publications("news")), ([1, 2], [1, 2]))


class FindingOutWithCallbacksTests(FindingOutTests):
    """
    The same for the server of version 14.
    """

    serverType = SCServer

    def test_farewells(self) -> None:
        """
        C{#disconnect} is sent to those who know it; the others find the reason in the close frame.
        """
        old, new = connect(self.server, protocolVersion=1), connect(self.server)
        for client in (old, new):
            client.takePackets()
            client.socket.disconnect(4100, "bye")
        announcement = {"event": "#disconnect", "data": {"code": 4100, "data": "bye"}}
        self.assertEqual((old.takePackets(), old.closeReason), ([announcement], None))
        self.assertEqual((new.takePackets(), new.closeReason), ([], "bye"))


class PathTests(SynchronousTestCase):
    """
    Version 1 at a path of its own.
    """

    def test_paths(self) -> None:
        """
        What is spoken depends on the path, whatever C{protocolVersion} is.
        """
        for serverType in (AGServer, SCServer):
            server = serverType(Clock(), protocolVersion=2, pathV1="/old/")
            old, new = connect(server, url="/old/?x=1", protocolVersion=1), connect(server, protocolVersion=2)
            self.assertEqual((old.socket.protocolVersion, new.socket.protocolVersion), (1, 2))
            self.assertEqual(server.paths, {"/socketcluster/", "/old/"})

    def test_announcement(self) -> None:
        """
        Clients of version 1 at that path get C{#disconnect} from a server of version 14 only.
        """
        for serverType, count in ((AGServer, 0), (SCServer, 1)):
            server = serverType(Clock(), protocolVersion=2, pathV1="/old/")
            client = connect(server, url="/old/", protocolVersion=1)
            client.takePackets()
            client.socket.disconnect(4100, "bye")
            self.assertEqual((len(client.packets), client.closeCode), (count, 4100))

    def test_options(self) -> None:
        """
        The versions are 1, 2 and "auto"; the paths begin with a slash and differ.
        """
        for options in ({"protocolVersion": 3}, {"protocolVersion": "2"}, {"pathV1": "old"}, {"pathV1": "/socketcluster/"}):
            self.assertRaises(InvalidOptionsError, AGServer, Clock(), **options)
        self.assertEqual(AGServer(Clock(), protocolVersion="auto").protocolVersion, "auto")
