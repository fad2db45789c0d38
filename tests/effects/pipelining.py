"""
A client that calls faster than the application answers, and what waits for the application meanwhile.

C{python -m tests.effects.pipelining [CALLS]} measures it, by default with 20,000 calls of 1 KiB.
"""

from __future__ import annotations

import argparse
import json
import select
import socket as sockets
import time
from dataclasses import asdict, dataclass
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater

from agtwisted import AGServer, AGServerSocket
from tests.wire import packet, upgradeRequest

from .support import PATIENCE, ServerProcess

#: Seconds that the application takes for so many calls.
_PAUSE = 0.001
_CALLS_A_PAUSE = 20
_PAYLOAD = "x" * 1024


# ---- the application


def begin(server: AGServer) -> None:
    """
    An application for C{twistd agserver --app} that takes its time, and watches what waits for it.
    """
    Deferred.fromCoroutine(_connections(server))


async def _connections(server: AGServer) -> None:
    async for event in server.listener("connection"):
        most = [0]
        Deferred.fromCoroutine(_answer(event.socket))
        Deferred.fromCoroutine(_report(event.socket, most))
        LoopingCall(_look, event.socket, most).start(0.005)


async def _answer(socket: AGServerSocket) -> None:
    answered = 0
    async for request in socket.procedure("slow"):
        answered += 1
        if answered % _CALLS_A_PAUSE == 0:
            await deferLater(reactor, _PAUSE)  # type: ignore[arg-type]
        request.end(request.data)


async def _report(socket: AGServerSocket, most: list[int]) -> None:
    async for request in socket.procedure("report"):
        request.end(most[0])


def _look(socket: AGServerSocket, most: list[int]) -> None:
    most[0] = max(most[0], socket.getInboundBackpressure() + socket.getProcedureBackpressure("slow"))


# ---- the client


@dataclass
class Outcome:
    """
    What became of the calls.

    @ivar answers: how many were answered.
    @ivar isInOrder: whether each answer was that of the call whose turn it was.
    @ivar most: how many calls waited for the application at most.
    @ivar growth: how much the process has grown meanwhile, in MiB.
    @ivar unsent: bytes that the client could not send yet when a quarter was answered.
    @ivar seconds: how long it took.
    """

    calls: int
    answers: int
    isInOrder: bool
    most: int
    growth: float
    unsent: int
    seconds: float


def measure(calls: int) -> Outcome:
    """
    Call so many times at once, and read the answers.
    """
    server = ServerProcess("--ping-timeout-disabled=true", app="tests.effects.pipelining:begin")
    try:
        with sockets.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
            return _call(connection, server, calls)
    finally:
        server.stop()


def _call(connection: sockets.socket, server: ServerProcess, calls: int) -> Outcome:
    connection.sendall(upgradeRequest() + packet("#handshake", {}, 1))
    answers = _Answers()
    while answers.last < 1:
        answers.add(connection.recv(65536))
    unsent = b"".join(packet("slow", _PAYLOAD, number) for number in range(2, calls + 2))
    outcome = Outcome(calls, 0, True, 0, 0.0, 0, 0.0)
    before, started = server.memory, time.monotonic()
    rest = memoryview(unsent)
    connection.setblocking(False)
    while answers.last < calls + 1 and time.monotonic() - started < 2 * PATIENCE:
        readable, writable, _ = select.select([connection], [connection] if rest else [], [], PATIENCE)
        if writable:
            rest = rest[connection.send(rest[:262144]) :]
        if readable:
            answers.add(connection.recv(262144))
        if not outcome.unsent and answers.last > calls // 4:
            outcome.unsent, outcome.growth = len(rest), server.memory - before
    outcome.answers, outcome.isInOrder = answers.last - 1, answers.isInOrder
    outcome.seconds = time.monotonic() - started
    connection.settimeout(PATIENCE)
    connection.sendall(packet("report", None, calls + 2))
    while answers.last == calls + 1:
        answers.add(connection.recv(65536))
    outcome.most = answers.report
    return outcome


class _Answers:
    """
    The answers to calls that are numbered from 1 on.
    """

    def __init__(self) -> None:
        self._rest = b""
        self.last = 0
        self.isInOrder = True
        self.report = 0

    def add(self, data: bytes) -> None:
        """
        Some bytes have come.
        """
        self._rest += data
        if b"\r\n\r\n" in self._rest[:1024] and self._rest.startswith(b"HTTP/"):
            self._rest = self._rest.partition(b"\r\n\r\n")[2]
        position = 0
        while (found := _message(self._rest, position)) is not None:
            payload, position = found
            if payload:
                self._take(json.loads(payload))
        self._rest = self._rest[position:]

    def _take(self, message: dict[str, Any]) -> None:
        if "rid" in message:
            self.isInOrder = self.isInOrder and message["rid"] == self.last + 1
            self.last = message["rid"]
            self.report = message["data"] if isinstance(message.get("data"), int) else 0


def _message(data: bytes, position: int) -> tuple[bytes, int] | None:
    """
    @return: the payload of the frame that begins there, and where the next one does; C{None} if it is not complete.
    """
    if len(data) < position + 4 or data.startswith(b"HTTP/"):
        return None
    length, start = data[position + 1], position + 2
    if length == 126:
        length, start = int.from_bytes(data[start : start + 2], "big"), start + 2
    stop = start + length
    return (data[start:stop], stop) if len(data) >= stop else None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.effects.pipelining", description="Call faster than is answered.")
    parser.add_argument("calls", type=int, nargs="?", default=20_000)
    for name, value in asdict(measure(parser.parse_args().calls)).items():
        print(f"{name:12}{value:>12}" if not isinstance(value, float) else f"{name:12}{value:>12.2f}")
