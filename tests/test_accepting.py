"""
Tests of L{agtwisted.accepting}.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Port
from twisted.internet.testing import MemoryReactor
from twisted.internet.unix import Port as UNIXPort
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import shortcuts
from agtwisted.accepting import LeanListener, acceptLeanly, sendsWithoutDelay


class AcceptingTests(SynchronousTestCase):
    """
    Ports that accept in fewer steps.
    """

    def listen(self, address: str = "127.0.0.1") -> Any:
        """
        @return: one of Twisted's ports, which listens.
        """
        self.factory = Factory.forProtocol(Protocol)
        self.built: list[Any] = []

        def build(peer: Any) -> Protocol:
            protocol = Protocol()
            self.built.append((protocol, peer))
            return protocol

        self.factory.buildProtocol = build  # type: ignore[assignment, method-assign]
        port: Any = Port(0, self.factory, interface=address, reactor=MemoryReactor())  # type: ignore[no-untyped-call]
        port.startListening()
        self.addCleanup(port.socket.close)
        return port

    def accepted(self, port: Any, count: int) -> list[socket.socket]:
        """
        @return: the ends of so many clients, which the port has accepted.
        """
        clients = [socket.create_connection(port.socket.getsockname()[:2]) for _ in range(count)]
        for client in clients:
            self.addCleanup(client.close)
        while len(self.built) < count:
            port.doRead()
        for protocol, _ in self.built:
            self.addCleanup(protocol.transport.socket.close)
        return clients

    def test_connections(self) -> None:
        """
        What it accepts is what it would have accepted otherwise: sockets of the same kind, each with its peer's address,
        that are not inherited; and no more than there are.
        """
        for address in ("127.0.0.1", "::1"):
            port = self.listen(address)
            acceptLeanly(port)
            self.assertIsInstance(port.socket, LeanListener)
            clients = self.accepted(port, 3)
            for client, (protocol, peer) in zip(clients, self.built, strict=True):
                accepted = protocol.transport.socket
                self.assertIs(type(accepted), socket.socket)
                self.assertEqual((accepted.family, accepted.type), (client.family, client.type))
                self.assertEqual((peer.host, peer.port), client.getsockname()[:2])
                self.assertEqual((accepted.gettimeout(), accepted.get_inheritable()), (0.0, False))
                accepted.send(b"hello")
                self.assertEqual(client.recv(10), b"hello")
            port.doRead()
            self.assertEqual(len(self.built), 3)

    def test_noDelay(self) -> None:
        """
        On Linux they send without delay, without being told to.
        """
        port = self.listen()
        acceptLeanly(port)
        self.accepted(port, 1)
        transport = self.built[0][0].transport
        isLinux = sys.platform.startswith("linux")
        self.assertEqual(sendsWithoutDelay(transport), isLinux)
        if isLinux:
            self.assertTrue(transport.getTcpNoDelay())

    def test_others(self) -> None:
        """
        Ports of another kind are left as they are; so are all where short cuts are switched off.
        """
        self.patch(shortcuts, "mayBeTaken", lambda: False)
        port = self.listen()
        acceptLeanly(port)
        self.assertIs(type(port.socket), socket.socket)
        self.accepted(port, 1)
        self.assertFalse(sendsWithoutDelay(self.built[0][0].transport))
        self.patch(shortcuts, "mayBeTaken", lambda: True)
        unix: Any = UNIXPort(self.mktemp(), self.factory, reactor=MemoryReactor())  # type: ignore[no-untyped-call]
        unix.startListening()
        self.addCleanup(unix.socket.close)
        for other in (unix, object(), None):
            acceptLeanly(other)
            self.assertFalse(sendsWithoutDelay(other))
        self.assertNotIsInstance(unix.socket, LeanListener)
