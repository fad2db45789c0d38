"""
The process that people run, C{twistd agserver}, and clients that have TCP connections to it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from signal import SIGTERM
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, TestCase

from tests.processes import Figures
from tests.wire import packet, upgradeRequest

from .test_bytes import HELLO

ROOT = Path(__file__).parents[2]

SETTINGS = ("--handshake-timeout=1500", "--ping-interval=1000", "--ping-timeout=3000", "--per-message-deflate=true")
#: Seconds that a well-behaved client waits for its answers.
PATIENCE = 60.0
#: How much the process may have grown after all of them, in MiB.
GROWTH = 15

READY = re.compile(r"ready at ws://localhost:(\d+)/")
TROUBLE = re.compile(r"Traceback|Unhandled|CRITICAL|#critical|\[-\] Error: ")


class Server(Figures, ProcessProtocol):
    """
    The process.

    @ivar log: what it has written.
    @ivar ready: fires with the port once it listens.
    @ivar ended: fires when it has ended.
    """

    transport: IProcessTransport

    def __init__(self) -> None:
        self.log = ""
        self.ready: Deferred[int] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self.isRunning = True

    def outReceived(self, data: bytes) -> None:
        """
        It has logged something.
        """
        self.log += data.decode("utf-8", "replace")
        found = READY.search(self.log) if not self.ready.called else None
        if found is not None:
            self.ready.callback(int(found[1]))

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        """
        It has ended.
        """
        self.isRunning = False
        if not self.ready.called:
            self.ready.errback(RuntimeError(f"The server has not come up:\n{self.log}"))
        self.ended.callback(None)

    async def stop(self) -> None:
        """
        End the process.
        """
        if self.isRunning:
            self.transport.signalProcess(SIGTERM)
        await self.ended

    @property
    def pid(self) -> int:
        """
        Its number.
        """
        return int(self.transport.pid)


class Client(Protocol):
    """
    Says what it has to say, reads, and goes.

    @ivar gone: fires with all that has come when the connection is gone.
    """

    def __init__(self, said: bytes, patience: float | None, until: bytes = b"") -> None:
        """
        @param patience: how long it reads, in seconds; C{None} to be gone, with a reset, as soon as it has spoken.
        @param until: what it goes at, if that comes.
        """
        self._said = said
        self._patience = patience
        self._until = until
        self._received = b""
        self._timer: Any = None
        self.gone: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        """
        Speak.
        """
        transport: Any = self.transport
        transport.write(self._said)
        if self._patience is None:
            transport.abortConnection()
        else:
            self._timer = reactor.callLater(self._patience, transport.abortConnection)

    def dataReceived(self, data: bytes) -> None:
        """
        Read.
        """
        self._received += data
        if self._until and self._until in self._received:
            transport: Any = self.transport
            transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is over.
        """
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self.gone.callback(self._received)


def join(*frames: bytes) -> bytes:
    """
    @return: an upgrade, a handshake, and then these frames.
    """
    return b"".join((upgradeRequest(), HELLO, *frames))


class ProcessTestCase(TestCase):
    """
    Tests with a process of their own.
    """

    timeout = 300

    async def start(self) -> tuple[Server, int]:
        """
        @return: the process and its port.
        """
        if not Path("/proc/self/fd").exists():
            raise SkipTest("What a process has open is counted in /proc")
        server = Server()
        run = "import sys; sys.path.insert(0, ''); from twisted.scripts.twistd import run; run()"
        command = [sys.executable, "-c", run, "-n", "--pidfile=", "agserver", *SETTINGS]
        command += ["--endpoint=tcp:0:interface=127.0.0.1:backlog=1024", "--app=tests.hostile.support:begin"]
        spawn: Any = reactor.spawnProcess
        spawn(server, sys.executable, command, None, str(ROOT))
        self.addCleanup(server.stop)
        return server, await server.ready

    async def play(self, port: int, said: bytes, patience: float | None, until: bytes = b"") -> bytes:
        """
        @return: what a client got.
        """
        client = Client(said, patience, until)
        try:
            await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), client)
        except ConnectError:
            self.fail("The server takes no connections any more")
        return await client.gone

    async def assertServes(self, port: int) -> None:
        """
        A well-behaved client is served.
        """
        said = join(packet("#subscribe", {"channel": "news"}, 2), packet("#publish", {"channel": "news", "data": 5}, 3))
        got = await self.play(port, said + packet("echo", "hello", 4), PATIENCE, b'{"rid":4,"data":"hello"}')
        for expected in (b"HTTP/1.1 101 ", b'{"rid":2}', b'{"channel":"news","data":5}', b'{"rid":3}', b'{"rid":4'):
            self.assertIn(expected, got)

    async def settle(self, server: Server, descriptors: int) -> None:
        """
        Wait until everybody is gone, at most far longer than the server's own timeouts are.
        """
        for _ in range(600):
            if server.descriptors <= descriptors:
                return
            await deferLater(reactor, 0.1, lambda: None)

    async def assertUnhurt(self, server: Server, port: int, descriptors: int, memory: float) -> None:
        """
        The process serves the next client, holds no descriptor more than it did, has its memory back once garbage has
        been collected, but for C{GROWTH}, and has logged no exception.
        """
        await self.settle(server, descriptors)
        await self.assertServes(port)
        collected = b'{"rid":2,"data":"collected"}'
        self.assertIn(collected, await self.play(port, join(packet("collect garbage", None, 2)), PATIENCE, collected))
        await self.settle(server, descriptors)
        self.assertTrue(server.isRunning)
        self.assertLessEqual(server.descriptors, descriptors)
        self.assertEqual([line for line in server.log.splitlines() if TROUBLE.search(line)], [])
        self.assertLess(server.memory - memory, GROWTH)
