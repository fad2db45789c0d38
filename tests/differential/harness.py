"""
Runs a process full of servers and talks to it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


class HarnessError(Exception):
    """A process of servers could not be started, refused a command, or has ended."""


class Harness(ProcessProtocol):
    """
    One process with many servers in it.

    @ivar ended: fires when the process has ended.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.ended: Deferred[None] = Deferred()
        self.errors = b""
        self._ids = count(1)
        self._pending: dict[int, Deferred[dict[str, Any]]] = {}
        self._buffer = b""
        self._gone = False

    def ask(self, command: str, **arguments: Any) -> Deferred[dict[str, Any]]:
        """
        Give the process a command.

        @return: fires with the reply.
        """
        result: Deferred[dict[str, Any]] = Deferred()
        if self._gone or self.transport is None:
            result.errback(HarnessError(f"{self.name} has ended:\n{self.errors.decode(errors='replace')}"))
            return result
        number = next(self._ids)
        self._pending[number] = result
        line = json.dumps({"id": number, "command": command, **arguments}) + "\n"
        self.transport.write(line.encode())
        return result

    def stop(self) -> Deferred[None]:
        """
        End the process.

        @return: fires when it has ended.
        """
        if not self._gone and self.transport is not None:
            with suppress(ProcessExitedAlready):
                self.transport.signalProcess("KILL")
        return self.ended

    def outReceived(self, data: bytes) -> None:
        """Take replies."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            reply = json.loads(line)
            result = self._pending.pop(reply["id"])
            if "failure" in reply:
                result.errback(HarnessError(f"{self.name}: {reply['failure']}"))
            else:
                result.callback(reply)

    def errReceived(self, data: bytes) -> None:
        """Keep the end of what the process complains about."""
        self.errors = (self.errors + data)[-20000:]

    def processEnded(self, reason: Failure) -> None:
        """Fail what still waits for a reply."""
        self._gone = True
        pending, self._pending = self._pending, {}
        for result in pending.values():
            result.errback(HarnessError(f"{self.name} has ended:\n{self.errors.decode(errors='replace')}"))
        self.ended.callback(None)


def startNode(reactor: Any) -> Harness:
    """Start the process of the reference's servers."""
    node = shutil.which("node")
    if node is None:
        raise HarnessError("Node.js is needed for the differential tests, and there is no 'node' on the PATH")
    return _spawn(reactor, "node", [node, str(HERE / "nodeserver.js")], str(HERE))


def startPython(reactor: Any) -> Harness:
    """Start the process of agtwisted's servers."""
    return _spawn(reactor, "agtwisted", [sys.executable, "-m", "tests.differential.pythonserver"], str(ROOT))


def _spawn(reactor: Any, name: str, command: list[str], folder: str) -> Harness:
    harness = Harness(name)
    reactor.spawnProcess(harness, command[0], command, env=dict(os.environ), path=folder)
    return harness
