"""Running a browser script against a server of ours that is a process of its own, and can be stopped and started."""

from __future__ import annotations

import os
import random
import shutil
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import ProcessProtocol, Protocol
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SCREENSHOTS = "AGTWISTED_SCREENSHOTS"
START_ATTEMPTS = 600
ATTEMPT_INTERVAL = 0.1


def freePort() -> int:
    """
    Find a TCP port that nobody uses; it is named in advance because the server comes back on the same one. Ports that the
    system gives to clients are left out, since one of those could be taken in between.
    """
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def findTool(name: str) -> str:
    """
    Find a program that the tests need.

    @raise RuntimeError: it is not installed, which is a failure and no reason to skip.
    """
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is not installed, and the browser tests need it")
    return found


class RunningProcess(ProcessProtocol):
    """A child process whose output is kept and whose end can be waited for."""

    def __init__(self) -> None:
        self.output = b""
        self.ended: Deferred[None] = Deferred()
        self.isRunning = True

    def outReceived(self, data: bytes) -> None:
        self.output += data

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        self.isRunning = False
        self.ended.callback(None)

    def stop(self, signal: str = "TERM") -> Deferred[None]:
        """Ask the process to end; fires when it has."""
        if self.isRunning:
            self.transport.signalProcess(signal)
        return self.ended


class ScriptProcess(RunningProcess):
    """A browser script; its requests about the server are carried out and answered."""

    def __init__(self, case: BrowserTestCase) -> None:
        super().__init__()
        self.case = case
        self.unread = b""

    def outReceived(self, data: bytes) -> None:
        super().outReceived(data)
        *lines, self.unread = (self.unread + data).split(b"\n")
        for line in lines:
            if line.startswith(b"server: "):
                self.requested(line.removeprefix(b"server: ").decode())

    def requested(self, action: str) -> None:
        actions = {"stop": self.case.stopServer, "start": self.case.startServer}
        done = Deferred.fromCoroutine(actions[action]())
        done.addCallbacks(lambda ignored: self.transport.write(b"done\n"), self.failed)

    def failed(self, failure: Failure) -> None:
        self.output += failure.getTraceback().encode()
        self.transport.signalProcess("KILL")


class BrowserTestCase(TestCase):
    """
    One server process, and browser scripts that visit it.

    @cvar serverArguments: what `twist agserver` is given besides its port.
    """

    timeout = 240
    serverArguments: Sequence[str] = ()

    def setUp(self) -> Deferred[None]:
        self.port = freePort()
        self.server: RunningProcess | None = None
        self.served = ""
        self.addCleanup(lambda: Deferred.fromCoroutine(self.stopServer()))
        return Deferred.fromCoroutine(self.startServer())

    def serverCommand(self) -> list[str]:
        """The command that starts the server, in the foreground, on this test's port."""
        return [
            *(sys.executable, "-m", "twisted", "--log-format", "text"),
            *("agserver", "--port", str(self.port), *self.serverArguments),
        ]

    async def startServer(self) -> None:
        """Start the server, and wait until it listens."""
        command = self.serverCommand()
        self.server = RunningProcess()
        reactor.spawnProcess(self.server, command[0], command, env=dict(os.environ), path=str(ROOT))
        for _ in range(START_ATTEMPTS):
            if await self.listens():
                return
            if not self.server.isRunning:
                break
            # A process that starts tells nothing to its parent, so there is nothing to wait for but time.
            await deferLater(reactor, ATTEMPT_INTERVAL)
        self.fail(f"The server did not start:\n{self.server.output.decode()}")

    async def listens(self) -> bool:
        """Find out whether the server accepts connections by now."""
        try:
            connection = await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port), Protocol())
        except ConnectError:
            return False
        connection.transport.abortConnection()
        return True

    async def stopServer(self) -> None:
        """Stop the server as an operator does, and wait until it has ended."""
        if self.server is not None:
            await self.server.stop()
            self.served += self.server.output.decode()
            self.server = None

    async def runScript(self, name: str) -> str:
        """
        Run a browser script to its end, then stop the server; fail if the script fails, or anything in the server.

        @param name: the name of the script, which lies beside this module.
        @return: what the script wrote.
        """
        node = findTool("node")
        findTool(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
        await self.installPackages()
        screenshots = os.environ.get(SCREENSHOTS) or self.mktemp()
        arguments = [node, str(HERE / name), f"http://127.0.0.1:{self.port}/", os.path.abspath(screenshots)]
        script = ScriptProcess(self)
        reactor.spawnProcess(script, node, arguments, env=dict(os.environ), path=str(ROOT))
        self.addCleanup(script.stop, "KILL")
        await script.ended
        output = script.output.decode()
        await self.stopServer()
        self.assertEqual(output.splitlines()[-1:], ["all passed"], f"{output}\nThe server wrote:\n{self.served}")
        self.assertNotIn("Traceback", self.served)
        return output

    async def installPackages(self) -> None:
        """Install the one package that the scripts need, unless it is there."""
        if (HERE / "node_modules" / "playwright-core").is_dir():
            return
        output, errors, code = await getProcessOutputAndValue(
            findTool("npm"), ["install"], env=dict(os.environ), path=str(HERE)
        )
        self.assertEqual(code, 0, (output + errors).decode())
