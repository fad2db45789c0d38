"""
A WebSocket client that sends exactly what a script says, however wrong, and records what comes back.

Ordinary client libraries refuse to send the odd frames that matter here, and hide close frames and pings; this one
speaks just enough of RFC 6455 to write any frame and to read a server's.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

PROBE = b"settle"
"""Payload of the pings that ask the server's WebSocket layer whether it has read everything so far."""


def encodeFrame(
    opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True, rsv: int = 0, claimed: int | None = None
) -> bytes:
    """
    Make one frame as a client sends it.

    @param rsv: the three reserved bits as a number from 0 to 7.
    @param claimed: the payload length that the header declares, if not the true one.
    """
    length = len(payload) if claimed is None else claimed
    flag = 0x80 if masked else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if length < 126:
        head += bytes([flag | length])
    elif length < 65536:
        head += struct.pack("!BH", flag | 126, length)
    else:
        head += struct.pack("!BQ", flag | 127, length)
    if not masked:
        return head + payload
    key = os.urandom(4)
    repeated = (key * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return head + key + mixed.to_bytes(len(payload), "big")


def upgradeRequest(path: str, headers: dict[str, str | None], method: str = "GET") -> bytes:
    """
    Make the HTTP request that opens a WebSocket.

    @param headers: what to add to or replace in the usual headers; None leaves a header out.
    """
    merged: dict[str, str | None] = {
        "Host": "127.0.0.1",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **headers,
    }
    lines = [f"{method} {path} HTTP/1.1"] + [f"{name}: {value}" for name, value in merged.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class WireClient(Protocol):
    """
    One raw connection.

    @ivar records: what came back, in order: C{{"http": status}}, C{{"text": …}}, C{{"binary": hex}},
        C{{"close": [code, reason]}}, C{{"pong": text}}, C{{"ping": text}}, C{{"lost": True}}.
    @ivar ended: whether the TCP connection is gone.
    """

    def __init__(self, clock: IReactorTime, request: bytes) -> None:
        self._clock = clock
        self._request = request
        self._buffer = b""
        self._upgraded = False
        self._message: list[bytes] = []
        self._messageOpcode = TEXT
        self._closeSent = False
        self._closeSeen = False
        self._dropped = False
        self._probes = 0
        self._answered = 0
        self._waiting: list[tuple[Callable[[], bool], Deferred[bool]]] = []
        self.records: list[dict[str, Any]] = []
        self.ended = False

    # ---- what scripts do ----

    def sendBytes(self, data: bytes) -> None:
        """Write to the TCP connection as it is; nothing happens when it is gone."""
        if not self.ended and self.transport is not None:
            self.transport.write(data)

    def sendClose(self, code: int | None, reason: bytes) -> None:
        """Send a close frame, with a body only if there is a code."""
        body = b"" if code is None else struct.pack("!H", code) + reason
        self._closeSent = True
        self.sendBytes(encodeFrame(CLOSE, body))

    def drop(self) -> None:
        """End the TCP connection without a word."""
        self._dropped = True
        if not self.ended and self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]

    def whenTrue(self, condition: Callable[[], bool], timeout: float) -> Deferred[bool]:
        """
        Wait for something to be so, or the connection to end.

        @return: fires with whether the condition held in the end.
        """
        result: Deferred[bool] = Deferred()
        if self.ended or condition():
            result.callback(condition())
            return result
        entry = (condition, result)
        self._waiting.append(entry)
        timer = self._clock.callLater(timeout, self._give, entry)

        def stop(value: Any) -> Any:
            # Its time, its condition, or somebody who has cancelled it.
            if entry in self._waiting:
                self._waiting.remove(entry)
            if timer.active():
                timer.cancel()
            return value

        return result.addBoth(stop)

    def whenUpgraded(self, timeout: float) -> Deferred[bool]:
        """Wait until the server has answered the upgrade request."""
        return self.whenTrue(lambda: bool(self.records), timeout)

    def whenRecords(self, count: int, timeout: float) -> Deferred[bool]:
        """Wait for C{count} records in all, those of earlier steps included, the upgrade's not."""
        return self.whenTrue(lambda: len(self.records) > count, timeout)

    def whenEnded(self, timeout: float) -> Deferred[bool]:
        """Wait for the end of the TCP connection."""
        return self.whenTrue(lambda: self.ended, timeout)

    def probe(self, timeout: float) -> Deferred[bool]:
        """Wait until the server's WebSocket layer has read everything that was sent so far."""
        self._probes += 1
        wanted = self._probes
        self.sendBytes(encodeFrame(PING, PROBE + b"%d" % wanted))
        return self.whenTrue(lambda: self._answered >= wanted, timeout)

    # ---- what the transport does ----

    def connectionMade(self) -> None:
        """Ask for the upgrade."""
        assert self.transport is not None
        self.transport.setTcpNoDelay(True)  # type: ignore[attr-defined]
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        """Take the answer to the upgrade first, frames after it."""
        self._buffer += data
        if not self._upgraded and not self._readHead():
            return
        while self._readFrame():
            pass
        self._check()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Record an end that no close frame announced."""
        if not self._closeSeen and self._upgraded and not self._dropped:
            self.records.append({"lost": True})
        self.ended = True
        self._check()

    def _readHead(self) -> bool:
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return False
        status = int(head.split(b" ", 2)[1])
        self.records.append({"http": status})
        if status != 101:
            self.drop()
            self._buffer = b""
            self._check()
            return False
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.strip().lower() in (b"sec-websocket-protocol", b"sec-websocket-extensions"):
                self.records[-1][name.strip().lower().decode()] = value.strip().decode()
        self._upgraded = True
        self._buffer = rest
        return True

    def _readFrame(self) -> bool:
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        length, offset = buffer[1] & 0x7F, 2
        if length >= 126:
            size = 2 if length == 126 else 8
            if len(buffer) < 2 + size:
                return False
            length, offset = int.from_bytes(buffer[2 : 2 + size], "big"), 2 + size
        if len(buffer) < offset + length:
            return False
        self._buffer = buffer[offset + length :]
        self._frameReceived(buffer[0] & 0x0F, bool(buffer[0] & 0x80), buffer[offset : offset + length])
        return True

    def _frameReceived(self, opcode: int, fin: bool, payload: bytes) -> None:
        if opcode in (CONTINUATION, TEXT, BINARY):
            self._dataFrameReceived(opcode, fin, payload)
        elif opcode == CLOSE:
            self._closeReceived(payload)
        elif opcode == PONG and payload.startswith(PROBE):
            self._answered = int(payload[len(PROBE) :])
        else:
            name = {PING: "ping", PONG: "pong"}.get(opcode, f"opcode {opcode}")
            self.records.append({name: payload.decode("utf-8", "backslashreplace")})

    def _dataFrameReceived(self, opcode: int, fin: bool, payload: bytes) -> None:
        if opcode != CONTINUATION:
            self._message, self._messageOpcode = [], opcode
        self._message.append(payload)
        if not fin:
            return
        message = b"".join(self._message)
        if self._messageOpcode == TEXT:
            self.records.append({"text": message.decode("utf-8", "surrogatepass")})
        else:
            self.records.append({"binary": message.hex()})

    def _closeReceived(self, payload: bytes) -> None:
        self._closeSeen = True
        code = int.from_bytes(payload[:2], "big") if payload else None
        self.records.append({"close": [code, payload[2:].decode("utf-8", "backslashreplace")]})
        if not self._closeSent:
            self._closeSent = True
            self.sendBytes(encodeFrame(CLOSE, payload[:2]))

    def _give(self, entry: tuple[Callable[[], bool], Deferred[bool]]) -> None:
        # An answer may come in the turn in which the time is over.
        if entry in self._waiting:
            self._waiting.remove(entry)
            entry[1].callback(entry[0]())

    def _check(self) -> None:
        for entry in list(self._waiting):
            if self.ended or entry[0]():
                self._give(entry)
