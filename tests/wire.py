"""
WebSocket clients that speak in bytes, for tests of the layers below the socket.
"""

from __future__ import annotations

import contextlib
import json
import socket as sockets
from itertools import cycle
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0

#: An upgrade request of a client that does everything right.
HEADERS = {
    "Host": "localhost",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def upgradeRequest(
    path: str = "/socketcluster/", method: str = "GET", version: str = "1.1", **headers: str | None
) -> bytes:
    """
    @param headers: replace or, if C{None}, remove header fields; an underscore stands for a hyphen.
    @return: a request's head.
    """
    fields: dict[str, str | None] = dict(HEADERS)
    for name, value in headers.items():
        key = next(
            (known for known in fields if known.lower() == name.replace("_", "-").lower()), name.replace("_", "-")
        )
        fields[key] = value
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"{method} {path} HTTP/{version}", *lines, "", ""]).encode("latin-1")


def clientFrame(
    payload: bytes | str, opcode: int = TEXT, final: bool = True, mask: bytes | None = b"\x01\x80\xfe\x7f", rsv: int = 0
) -> bytes:
    """
    @param mask: C{None} for a frame that is not masked.
    @return: a frame as a client sends it.
    """
    if isinstance(payload, str):
        payload = payload.encode()
    length, masked = len(payload), 0 if mask is None else 0x80
    head = bytes(((0x80 if final else 0) | rsv << 4 | opcode,))
    if length < 126:
        head += bytes((masked | length,))
    elif length < 65536:
        head += bytes((masked | 126,)) + length.to_bytes(2, "big")
    else:
        head += bytes((masked | 127,)) + length.to_bytes(8, "big")
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ key for byte, key in zip(payload, cycle(mask), strict=False))


def packet(event: str, data: object = None, callId: int | None = None) -> bytes:
    """
    @return: the frame of an event.
    """
    value = {"event": event, "data": data} | ({} if callId is None else {"cid": callId})
    return clientFrame(json.dumps(value, separators=(",", ":")))


def closeFrame(code: int | None = None, reason: bytes = b"") -> bytes:
    """
    @return: a close frame of a client.
    """
    return clientFrame(b"" if code is None else code.to_bytes(2, "big") + reason, CLOSE)


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """
    @return: the opcodes and payloads of a server's frames, all of which have to be complete, final and unmasked.
    """
    found = []
    while data:
        assert data[0] & 0x80 and not data[1] & 0x80, data
        length, start = data[1], 2
        if length > 125:
            start = 4 if length == 126 else 10
            length = int.from_bytes(data[2:start], "big")
        assert len(data) >= start + length, data
        found.append((data[0] & 0x7F, data[start : start + length]))
        data = data[start + length :]
    return found


class Transport(Connection):
    """
    A TCP transport over any stream socket.
    """

    def __init__(self, skt: Any, protocol: Any, reactor: Any) -> None:
        super().__init__(skt, protocol, reactor)
        self.logstr = "test"
        self.connected = 1

    def getPeer(self) -> None:
        """
        @return: a peer without an address, as UNIX sockets have.
        """
        return None


def joinThrough(factory: Any, skt: Any, clock: Any) -> Any:
    """
    Open a connection through a real socket, as a client that has completed both handshakes.

    @return: the server's protocol.
    """
    protocol = factory.buildProtocol(None)
    protocol.makeConnection(Transport(skt, protocol, clock))
    protocol.dataReceived(upgradeRequest())
    protocol.dataReceived(packet("#handshake", {}, 1))
    return protocol


def takeAll(skt: Any) -> bytes:
    """
    @return: what has come through a socket that does not block.
    """
    chunks = []
    with contextlib.suppress(BlockingIOError):
        while chunk := skt.recv(1 << 20):
            chunks.append(chunk)
    return b"".join(chunks)


class SocketClient:
    """
    One connection to a factory through a real socket, in bytes; it speaks as L{RawClient} does, and is read as turns read.

    @ivar protocol: the server's protocol.
    @ivar transport: what it writes to.
    """

    def __init__(self, factory: Any, clock: Any) -> None:
        """
        @param clock: one that a TCP transport takes for a reactor.
        """
        self._clock = clock
        self._isLost = False
        self._ours, self._peer = sockets.socketpair()
        for each in (self._ours, self._peer):
            each.setblocking(False)
        self.protocol = joinThrough(factory, self._ours, clock)
        self.transport = self.protocol.transport
        # Turns that are polls know it, with this.
        self.protocol._descriptor = self._ours.fileno()
        factory.agServer.turns.readers = {self._ours.fileno(): self.protocol}
        clock.advance(0)
        self.take()

    def say(self, data: bytes) -> None:
        """
        Send something that is read in one go.
        """
        self._peer.send(data)
        self.protocol._readSize = len(data)

    def take(self) -> bytes:
        """
        @return: what has come since this was last called.
        """
        self._clock.advance(0)
        return takeAll(self._peer) if self._peer.fileno() >= 0 else b""

    @property
    def isClosing(self) -> bool:
        """
        Whether the server has closed the TCP connection.
        """
        return bool(self.transport.disconnecting or (self.transport.disconnected and not self._isLost))

    def lose(self) -> None:
        """
        The TCP connection is gone.
        """
        if not self.transport.disconnected:
            self._isLost = True
            self.transport.connectionLost(Failure(ConnectionDone()))
        self._clock.advance(0)
        self._peer.close()


class RawClient:
    """
    One connection to a factory, in bytes.

    @ivar protocol: the server's protocol.
    @ivar transport: what it writes to.
    """

    def __init__(self, factory: Any, clock: Any) -> None:
        self._clock = clock
        self.protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 5000))
        self.transport = FakeTransport(self.protocol, True, peerAddress=IPv4Address("TCP", "192.0.2.1", 5000))
        self.protocol.makeConnection(self.transport)
        self.isLost = False

    def send(self, *chunks: bytes) -> None:
        """
        Send chunks, each of which the server reads in one turn.
        """
        for chunk in chunks:
            if not self.transport.disconnecting:
                self.transport.protocol.dataReceived(chunk)
            self._clock.advance(0)

    def take(self) -> bytes:
        """
        @return: what has come since this was last called.
        """
        self._clock.advance(0)
        return self.transport.getOutBuffer() or b""

    def open(self, **headers: str | None) -> bytes:
        """
        Ask for the upgrade.

        @return: the answer.
        """
        self.send(upgradeRequest(**headers))
        return self.take()

    def join(self) -> None:
        """
        Ask for the upgrade, and complete SocketCluster's handshake.
        """
        self.open()
        self.send(packet("#handshake", {}, 1))
        self.take()

    def frames(self) -> list[tuple[int, bytes]]:
        """
        @return: the frames that have come since.
        """
        return frames(self.take())

    def packets(self) -> list[Any]:
        """
        @return: the packets that have come since.
        """
        return [json.loads(payload) for opcode, payload in self.frames() if opcode == TEXT and payload]

    @property
    def isClosing(self) -> bool:
        """
        Whether the server has closed the TCP connection.
        """
        return bool(self.transport.disconnecting)

    def lose(self) -> None:
        """
        The TCP connection is gone.
        """
        if not self.isLost:
            self.isLost = True
            self.transport.protocol.connectionLost(Failure(ConnectionDone()))
        self._clock.advance(0)
