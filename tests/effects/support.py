"""
What the tests of effects share: the server's process, its application, and simple clients that wait for their answers.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket as sockets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from agtwisted import AGServer, AGServerSocket, SCServer
from agtwisted.protocol.codecs import JSONCodec
from agtwisted.protocol.minbin import MinBinCodec
from tests.processes import Figures
from tests.wire import packet, upgradeRequest

ROOT = Path(__file__).parents[2]
_READY = re.compile(r"ready at ws://localhost:(\d+)/")
_RUN = "import sys; sys.path.insert(0, ''); from twisted.scripts.twistd import run; run()"
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100

#: What L{beginBare} is to be asked for.
COUNTED = "what has been counted"

#: Seconds that anything may take on a machine that is busy with other things.
PATIENCE = 60.0


# ---- the application


def begin(server: AGServer) -> None:
    """
    An application for C{twistd agserver --app}: it answers, tells what the server has counted, and can use up all
    descriptors.
    """
    Deferred.fromCoroutine(_application(server))


async def _application(server: AGServer) -> None:
    held: list[int] = []
    async for event in server.listener("connection"):
        for name, answer in (
            ("echo", lambda data: data),
            ("counted", lambda _: _counted(server)),
            ("hold", lambda _: _hold(held)),
            ("release", lambda _: _release(held)),
        ):
            Deferred.fromCoroutine(_serve(event.socket, name, answer))


async def _serve(socket: AGServerSocket, name: str, answer: Any) -> None:
    async for request in socket.procedure(name):
        request.end(answer(request.data))


def beginBare(server: AGServer) -> None:
    """
    An application for servers of both versions that has one procedure: C{echo}, which also tells what the server has
    counted, where it is asked for that.
    """

    def answer(data: object) -> object:
        return _counted(server) if data == COUNTED else data

    if isinstance(server, SCServer):
        server.on("connection", lambda socket: socket.on("echo", lambda data, respond: respond(None, answer(data))))
    else:
        Deferred.fromCoroutine(_bare(server, answer))


class BothCodec(JSONCodec):
    """
    JSON, but what comes as a binary message is MessagePack.
    """

    decodeGradually = staticmethod(MinBinCodec().decodeGradually)
    decodeWithin = staticmethod(MinBinCodec().decodeWithin)


def beginBareBinary(server: AGServer) -> None:
    """
    L{beginBare} for a server that reads MessagePack as well.
    """
    server.setCodecEngine(BothCodec())
    beginBare(server)


async def _bare(server: AGServer, answer: Any) -> None:
    async for event in server.listener("connection"):
        Deferred.fromCoroutine(_serve(event.socket, "echo", answer))


def _counted(server: AGServer) -> dict[str, Any]:
    door = server.admission
    return {
        "limitsHit": dict(server.counters.limitsHit),
        "connections": door.connections,
        "clients": server.clientsCount,
        "pending": door.pending,
        "refusing": door.refusing,
        "maxConnections": door.maxConnections,
    }


def _hold(held: list[int]) -> int:
    while True:
        try:
            held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            return len(held)


def _release(held: list[int]) -> int:
    for descriptor in held:
        os.close(descriptor)
    count = len(held)
    held.clear()
    return count


# ---- the process


class ServerProcess(Figures):
    """
    C{twistd agserver}.

    @ivar port: where it listens.
    """

    def __init__(
        self, *options: str, descriptors: int | None = None, backlog: int = 4096, app: str = "tests.effects.support:begin"
    ) -> None:
        """
        @param options: of the command line.
        @param descriptors: how many it may have.
        @param app: the application.
        """
        self._log = tempfile.NamedTemporaryFile()
        command = [sys.executable, "-c", _RUN, "-n", "--pidfile=", "agserver", f"--app={app}"]
        command += [f"--endpoint=tcp:0:interface=127.0.0.1:backlog={backlog}", *options]

        def limit() -> None:
            if descriptors is not None:
                import resource

                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, preexec_fn=limit
        )
        self.port = self._whereItListens()

    def _whereItListens(self) -> int:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.isRunning:
            found = _READY.search(self.log)
            if found is not None:
                return int(found[1])
            time.sleep(0.05)
        log = self.log
        self.stop()
        raise RuntimeError(f"The server has not come up:\n{log}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """
        End it.
        """
        if self.isRunning:
            # The second signal ends it at once.
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(0.5)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        self._log.close()

    @property
    def isRunning(self) -> bool:
        """
        Whether it has not ended.
        """
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """
        What it has written.
        """
        return Path(self._log.name).read_text(encoding="utf-8", errors="replace")

    @property
    def cpu(self) -> float:
        """
        How much of a processor's time it has used, in seconds.
        """
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def pid(self) -> int:
        """
        Its number.
        """
        return int(self._process.pid)


# ---- clients


class Refused(Exception):
    """
    The server has not let a client in.

    @ivar answer: what it has said, if anything.
    """

    def __init__(self, answer: bytes) -> None:
        super().__init__(answer)
        self.answer = answer


def dial(port: int, address: str = "127.0.0.1") -> sockets.socket:
    """
    @param address: the client's.
    @return: a TCP connection.
    """
    return sockets.create_connection(("127.0.0.1", port), PATIENCE, (address, 0))


def crowd(port: int, count: int) -> list[sockets.socket]:
    """
    @return: so many TCP connections, but for those that were dropped before they were there.
    """
    connections = []
    for _ in range(count):
        try:
            connections.append(dial(port))
        except ConnectionResetError:
            continue
    return connections


def answerTo(port: int, address: str = "127.0.0.1") -> bytes:
    """
    @return: what a new client is answered when it asks for WebSocket; nothing when it is dropped.
    """
    with dial(port, address) as connection:
        try:
            connection.sendall(upgradeRequest())
            return connection.recv(4096)
        except ConnectionError:
            return b""


class Client:
    """
    A client that has completed both handshakes and waits for each answer.

    @ivar connection: its TCP connection.
    """

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        """
        @raise Refused: it was not let in.
        """
        self._calls = 0
        self._received = b""
        self.connection = dial(port, address)
        try:
            self.connection.sendall(upgradeRequest())
            self._read(b"\r\n\r\n")
            if b" 101 " not in self._received[:20]:
                raise Refused(self._received)
            self.call("#handshake", {})
        except (ConnectionError, Refused) as error:
            self.close()
            raise Refused(self._received) from error

    def call(self, procedure: str, data: object = None) -> Any:
        """
        @return: what a procedure answers.
        """
        self._calls += 1
        self._received = b""
        self.connection.sendall(packet(procedure, data, self._calls))
        head = b'{"rid":%d' % self._calls
        self._read(head)
        answer, _ = json.JSONDecoder().raw_decode(self._answer(head))
        return answer.get("data")

    def _answer(self, head: bytes) -> str:
        # An answer is one frame, which may come in pieces; what follows it, if anything, is a ping.
        while True:
            text = self._received[self._received.index(head) :].decode("latin-1")
            try:
                json.JSONDecoder().raw_decode(text)
            except ValueError:
                self._receive()
            else:
                return text

    def _read(self, until: bytes) -> None:
        while until not in self._received:
            self._receive()

    def _receive(self) -> None:
        chunk = self.connection.recv(65536)
        if not chunk:
            raise ConnectionError("The server has closed the connection")
        self._received += chunk

    def close(self) -> None:
        """
        Be gone.
        """
        self.connection.close()


class EffectTestCase(SynchronousTestCase):
    """
    Tests with processes.
    """

    def setUp(self) -> None:
        """
        See that the process can be watched.
        """
        if not Path("/proc/self/fd").exists():
            raise SkipTest("What a process uses is read in /proc")

    def start(self, *options: str, **more: Any) -> ServerProcess:
        """
        @return: a server, which ends with the test.
        """
        process = ServerProcess(*options, **more)
        self.addCleanup(process.stop)
        return process

    def client(self, server: ServerProcess, address: str = "127.0.0.1") -> Client:
        """
        @return: a client that is served.
        """
        client = Client(server.port, address)
        self.addCleanup(client.close)
        self.assertEqual(client.call("echo", "hello"), "hello")
        return client

    def eventually(self, condition: Any, what: str) -> None:
        """
        Wait until something has come true.
        """
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                self.fail(f"In {PATIENCE:.0f} seconds it has not come true that {what}")
            time.sleep(0.02)
