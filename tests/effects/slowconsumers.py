"""
Subscribers that do not read, and what the others notice of them.

C{python -m tests.effects.slowconsumers [SUBSCRIBERS]} measures it, by default with 500: one more never reads, and one only
answers pings. Times without them and times with them take turns.
"""

from __future__ import annotations

import argparse
import re
import selectors
import socket as sockets
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from agtwisted import AGServer, AGServerSocket
from agtwisted.protocol.statuses import SLOW_CONSUMER_REASON
from tests.wire import clientFrame, frames, packet, upgradeRequest

from .support import PATIENCE, Client, ServerProcess

#: Seconds between two publications to everybody; every so many of them there is one to those who do not read.
_INTERVAL = 0.02
_SELDOM = 5
#: What those who do not read get in addition, so that it takes them seconds and not minutes.
_BULK = "x" * 65536

_PUBLICATION = re.compile(rb'"number":(\d+),"time":([\d.]+)')
_PONG = clientFrame("")


# ---- the application


def begin(server: AGServer) -> None:
    """
    An application for C{twistd agserver --app} that publishes, and watches what waits for its clients.
    """
    watch = _Watch(server)
    Deferred.fromCoroutine(_connections(server, watch))
    Deferred.fromCoroutine(_slowConsumers(server, watch))
    LoopingCall(watch.publish).start(_INTERVAL)
    LoopingCall(watch.look).start(0.01)


class _Watch:
    def __init__(self, server: AGServer) -> None:
        self._server = server
        self._number = 0
        self.most = 0
        self.passed: dict[str, float] = {}
        self.seconds: list[float] = []

    def publish(self) -> None:
        """
        Publish to everybody, and to those who do not read.
        """
        self._number += 1
        self._server.exchange.transmitPublish("all", {"number": self._number, "time": time.monotonic()})
        if self._number % _SELDOM == 0:
            self._server.exchange.transmitPublish("bulk", _BULK)

    def look(self) -> None:
        """
        See who has passed the limit.
        """
        for socket in self._server.clients.values():
            waiting = socket._outbox.waitingBytes
            self.most = max(self.most, waiting)
            if waiting > (self._server.options.outboundBufferLimit or 0):
                self.passed.setdefault(socket.id, time.monotonic())


async def _connections(server: AGServer, watch: _Watch) -> None:
    async for event in server.listener("connection"):
        Deferred.fromCoroutine(_report(event.socket, server, watch))


async def _report(socket: AGServerSocket, server: AGServer, watch: _Watch) -> None:
    async for request in socket.procedure("report"):
        request.end({"counted": server.counters.slowConsumers, "seconds": watch.seconds, "most": watch.most})


async def _slowConsumers(server: AGServer, watch: _Watch) -> None:
    async for event in server.listener("slowConsumer"):
        now = time.monotonic()
        watch.most = max(watch.most, event.waitingBytes)
        watch.seconds.append(now - watch.passed.get(event.socket.id, now))


# ---- the clients


@dataclass
class Outcome:
    """
    What became of subscribers, and of those who do not read.

    @ivar received: publications that the others got.
    @ivar disordered: publications that were lost for one of them, or came in another order.
    @ivar p99Without: milliseconds that 99 % of the publications took at most, without those who do not read; the median of
        all rounds.
    @ivar p99: the same with them.
    @ivar ratio: what the latter is of the former in each round; the median.
    @ivar given: how many C{slowConsumer} events there were, and the counter.
    @ivar seconds: how long it took at most from passing the limit until then.
    @ivar most: what waited for one of them at most, as a part of the limit.
    @ivar codes: the close codes that they found when they did read at last.
    """

    subscribers: int
    received: int
    disordered: int
    p99Without: float
    p99: float
    ratio: float
    given: tuple[int, int]
    seconds: float
    most: float
    codes: list[int]


class _Readers:
    """
    Subscribers that read all that comes.
    """

    def __init__(self, port: int, count: int, stack: ExitStack) -> None:
        self._selector = stack.enter_context(selectors.DefaultSelector())
        self._last: dict[int, int] = {}
        self._rest: dict[int, bytes] = {}
        self.received = self.disordered = 0
        self.waits: list[float] = []
        for _ in range(count):
            connection = subscribe(port, ["all"], None)
            stack.callback(connection.close)
            self._selector.register(connection, selectors.EVENT_READ)

    def read(self, seconds: float) -> None:
        """
        Read for so long.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                connection: Any = key.fileobj
                self._take(key.fd, connection.recv(65536), time.monotonic())

    def settle(self) -> None:
        """
        Catch up: while they were not reading, what they waited for says nothing.
        """
        self.read(1.0)
        self.waits.clear()

    def _take(self, reader: int, chunk: bytes, now: float) -> None:
        data, end = self._rest.get(reader, b"") + chunk, 0
        for found in _PUBLICATION.finditer(data):
            if found.end() == len(data):
                break  # the rest of the number may be missing
            number, end = int(found[1]), found.end()
            self.disordered += number != self._last.get(reader, number - 1) + 1
            self._last[reader] = number
            self.received += 1
            self.waits.append(now - float(found[2]))
        self._rest[reader] = data[end:]

    def p99(self) -> float:
        """
        @return: the milliseconds that 99 % of the publications since the last time took at most.
        """
        waits, self.waits = sorted(self.waits), []
        return round(waits[len(waits) * 99 // 100] * 1000, 2)


def subscribe(port: int, channels: list[str], buffer: int | None) -> sockets.socket:
    """
    @param buffer: how much the kernel is to keep for it.
    @return: the connection of a client that has subscribed.
    """
    connection = sockets.socket()
    if buffer is not None:
        connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, buffer)
    connection.settimeout(PATIENCE)
    connection.connect(("127.0.0.1", port))
    connection.sendall(upgradeRequest() + packet("#handshake", {}, 1))
    received = b""
    while b'{"rid":1,' not in received:
        received += connection.recv(1)  # and no more: what comes behind is for whoever reads
    while not received.endswith(b"}}"):
        received += connection.recv(1)
    for number, channel in enumerate(channels, 2):
        connection.sendall(packet("#subscribe", {"channel": channel}, number))
        while not received.endswith(b'{"rid":%d}' % number):
            received += connection.recv(1)
    return connection


def closeCode(connection: sockets.socket) -> int:
    """
    Read all that has come after all.

    @return: the close code that it ends with.
    """
    received = b""
    while chunk := connection.recv(1 << 20):
        received += chunk
        if received[-len(_SLOW) :] == _SLOW:
            break
    opcode, payload = frames(received)[-1]
    return int.from_bytes(payload[:2], "big") if opcode == 8 else 0


_SLOW = SLOW_CONSUMER_REASON.encode()


def measure(count: int, limit: int = 1 << 20, seconds: float = 5.0, rounds: int = 1) -> Outcome:
    """
    @param count: how many read.
    @param limit: the server's C{outboundBufferLimit}.
    @param seconds: how long to listen without those who do not read.
    @param rounds: how often; each has two others that do not read.
    @return: what became of them.
    """
    options = (f"--outbound-buffer-limit={limit}", "--ping-interval=300000", "--ping-timeout=900000")
    with ExitStack() as stack:
        process = stack.enter_context(ServerProcess(*options, app="tests.effects.slowconsumers:begin"))
        watcher = Client(process.port)
        stack.callback(watcher.close)
        readers = _Readers(process.port, count, stack)
        codes: list[int] = []
        pairs = [_round(process.port, watcher, readers, seconds, 2 * (number + 1), codes) for number in range(rounds)]
        report = watcher.call("report")
        readers.settle()
        return Outcome(
            count,
            readers.received,
            readers.disordered,
            median(without for without, _ in pairs),
            median(p99 for _, p99 in pairs),
            round(median(p99 / without for without, p99 in pairs), 2),
            (len(report["seconds"]), report["counted"]),
            round(max(report["seconds"], default=0.0), 2),
            round(report["most"] / limit, 2),
            codes,
        )


def _round(
    port: int, watcher: Client, readers: _Readers, seconds: float, closed: int, codes: list[int]
) -> tuple[float, float]:
    """
    Listen without those who do not read, then with two of them until they are closed.

    @param closed: how many have been closed then, in all rounds.
    @param codes: gets the close codes that they find.
    @return: what 99 % of the publications took at most, in milliseconds, without them and with them.
    """
    readers.settle()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        # As below: this, too, takes time that others' publications have to wait here.
        watcher.call("report")
        readers.read(0.5)
    without = readers.p99()
    slow = [subscribe(port, ["all", "bulk"], 4096) for _ in range(2)]
    readers.settle()
    deadline = time.monotonic() + PATIENCE
    while watcher.call("report")["counted"] < closed and time.monotonic() < deadline:
        readers.read(0.5)
        slow[1].send(_PONG)
    p99 = readers.p99()
    codes += [closeCode(connection) for connection in slow]
    for connection in slow:
        connection.close()
    return without, p99


def main(arguments: list[str] | None = None) -> None:
    """
    The command line.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.effects.slowconsumers", description=__doc__)
    parser.add_argument("subscribers", nargs="?", type=int, default=500, help="how many read; default 500")
    parser.add_argument("--rounds", type=int, default=7, help="how often those who do not read come; default 7")
    given = parser.parse_args(arguments)
    for name, value in asdict(measure(given.subscribers, rounds=given.rounds)).items():
        print(f"{name:12} {value}")


if __name__ == "__main__":
    main()
