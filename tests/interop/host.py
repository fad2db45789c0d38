"""
Runs scenarios: the servers live in this process, the clients in a Node process that asks for them.

The Node process writes one JSON object a line: C{{"ask": …}} for something to do with a server, anything else is the
result of a scenario. It reads answers and reports from its standard input.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

log = Logger()

HERE = Path(__file__).parent
#: Seconds after which a run is ended by force.
TIMEOUT = 300.0


class PythonHost:
    """
    The servers of one run.
    """

    def __init__(self, reactor: Any, report: Callable[[dict[str, Any]], None], way: str = "python") -> None:
        """
        @param way: how servers listen, a key of L{tests.interop.listening.WAYS}.
        @param report: called with what a scenario's server application reports.
        """
        self._reactor = reactor
        self._report = report
        self._way = way
        self._applications: dict[int, Any] = {}
        self._stops: dict[int, Callable[[], Awaitable[Any]]] = {}
        self._lastKey = 0

    async def ask(self, request: dict[str, Any]) -> Any:
        """
        Do what a scenario asks for, and let everything happen that this leads to at once.
        """
        operation = request["op"]
        if operation == "start":
            return await self._start(request["plan"])
        if operation == "stop":
            return await self._stop(request["key"])
        result = await self._applications[request["key"]].command(request["name"], request["args"])
        await deferLater(self._reactor, 0)
        return result

    async def _start(self, plan: dict[str, Any]) -> dict[str, Any]:
        # Not at the top: the control needs nothing of agtwisted.
        from tests.interop.application import Application, Base64Codec, SlowAuthEngine
        from tests.interop.listening import WAYS, socketPath

        options = dict(plan["options"])
        if plan.get("api") == "v14":
            return await self._startVersion14(plan, options)
        slowEngine = SlowAuthEngine()
        if options.get("codecEngine") == "base64":
            options["codecEngine"] = Base64Codec()
        if options.get("authEngine") == "slow":
            options["authEngine"] = slowEngine
        self._lastKey += 1
        key = self._lastKey

        def report(name: str, data: Any) -> None:
            self._report({"key": key, "name": name, "data": data})

        def setUp(server: Any) -> None:
            slowEngine.application = self._applications[key] = Application(server, plan, report)

        listen = WAYS["service" if plan.get("service") else self._way]
        port, self._stops[key] = await listen(self._reactor, plan["port"], options, setUp)
        started = {"key": key, "port": port, "secure": listen is WAYS["tls"]}
        return started | {"socketPath": socketPath(port)} if listen is WAYS["unix"] else started

    async def _startVersion14(self, plan: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        from agtwisted import SCServer
        from tests.interop.listening import WAYS
        from tests.interop.version14 import Held, Reports, setUp

        self._lastKey += 1
        key = self._lastKey
        held = self._applications[key] = Held()
        reports = Reports(lambda name, data: self._report({"key": key, "name": name, "data": data}))
        options["serverType"] = SCServer
        port, self._stops[key] = await WAYS["python"](
            self._reactor, plan["port"], options, lambda server: setUp(server, plan["app"], reports, held)
        )
        return {"key": key, "port": port, "secure": False}

    async def _stop(self, key: int) -> None:
        del self._applications[key]
        await self._stops.pop(key)()

    async def stopAll(self) -> None:
        """
        Close what scenarios have left behind.
        """
        for key in list(self._stops):
            await self._stop(key)


class NodeProcess(ProcessProtocol):
    """
    A Node process that runs scenarios.
    """

    def __init__(
        self, reactor: Any, way: str, ended: Deferred[None], resultReceived: Callable[[dict[str, Any]], None]
    ) -> None:
        self._reactor = reactor
        self._ended = ended
        self._resultReceived = resultReceived
        self._host = PythonHost(reactor, self._send, way)
        self._buffer = b""
        self.errors = b""

    def outReceived(self, data: bytes) -> None:
        """
        Take whole lines.
        """
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._lineReceived(json.loads(line))

    def _lineReceived(self, message: dict[str, Any]) -> None:
        if "ask" in message:
            ensureDeferred(self._answer(message["ask"]))
        else:
            self._resultReceived(message)

    async def _answer(self, request: dict[str, Any]) -> None:
        try:
            value = await self._host.ask(request)
        except Exception as error:
            log.failure("A scenario asked in vain")
            self._send({"id": request["id"], "error": f"{type(error).__name__}: {error}"})
        else:
            self._send({"id": request["id"], "value": value})

    def _send(self, message: dict[str, Any]) -> None:
        if self.transport is not None:
            self.transport.write(json.dumps(message, default=repr).encode() + b"\n")

    def errReceived(self, data: bytes) -> None:
        """
        Keep what is written to standard error: it explains an early end.
        """
        self.errors += data

    def processEnded(self, reason: Failure) -> None:
        """
        Close all servers; then the run is over.
        """
        self.transport = None
        stopped = ensureDeferred(self._host.stopAll())
        # A turn more, in which sockets that have just been closed leave the reactor.
        stopped.addCallback(lambda _: deferLater(self._reactor, 0.05))
        stopped.addBoth(self._finish)

    def _finish(self, result: object) -> None:
        # How the process ended does not matter: a scenario without a result has failed.
        if isinstance(result, Failure):
            self._ended.errback(result)
        else:
            self._ended.callback(None)


@dataclass
class Run:
    """
    One Node process and the results of its scenarios.

    @ivar results: what became of each scenario, by name.
    @ivar errors: what the process wrote to standard error.
    """

    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: str = ""
    timedOut: bool = False


def runnerOf(client: int) -> str:
    """
    @return: the file that runs the scenarios of that version of the client.
    """
    return "legacy" if client < 15 else "modern"


def scenariosOf(runner: str) -> Iterator[tuple[str, str]]:
    """
    @return: the topic and the name of each scenario, read from the files, in order.
    """
    for file in sorted((HERE / runner).glob("*.js")):
        exported = file.read_text(encoding="utf-8").partition("module.exports = {")[2]
        for name in re.findall(r"\w+", exported):
            yield file.stem, name


def run(
    reactor: Any,
    client: int,
    server: str,
    scenarios: list[str] | None = None,
    resultReceived: Callable[[dict[str, Any]], None] = lambda result: None,
) -> Deferred[Run]:
    """
    Run scenarios of one version of the client.

    @param server: C{"node"} for the reference, else how agtwisted listens: a key of L{tests.interop.listening.WAYS}.
    @param scenarios: their names; all by default.
    @return: a Deferred that fires with a L{Run}.
    """
    return runFile(reactor, f"{runnerOf(client)}.js", client, server, scenarios, resultReceived)


def runFile(
    reactor: Any,
    file: str,
    client: int,
    server: str,
    scenarios: list[str] | None = None,
    resultReceived: Callable[[dict[str, Any]], None] = lambda result: None,
) -> Deferred[Run]:
    """
    Run scenarios of one runner.

    @param file: the runner.
    @return: as L{run}.
    """
    node = shutil.which("node")
    if node is None:
        raise RuntimeError("Node is needed for the interoperability tests and was not found")
    if not (HERE / "node_modules").is_dir():
        raise RuntimeError(f"The official clients are not installed: run npm install in {HERE}")
    where = "node" if server == "node" else "parent"
    command = [file, "--client", str(client), "--server", where, *(scenarios or [])]
    outcome = Run()

    def take(result: dict[str, Any]) -> None:
        outcome.results[result["name"]] = result
        resultReceived(result)

    return Deferred.fromCoroutine(_play(reactor, server, [node, *command], outcome, take))


async def _play(
    reactor: Any, way: str, command: list[str], outcome: Run, take: Callable[[dict[str, Any]], None]
) -> Run:
    ended: Deferred[None] = Deferred()
    process = NodeProcess(reactor, way, ended, take)
    transport = IReactorProcess(reactor).spawnProcess(process, command[0], command, env=None, path=str(HERE))

    def end() -> None:
        outcome.timedOut = True
        transport.signalProcess("KILL")

    timeout = reactor.callLater(TIMEOUT, end)
    try:
        await ended
    finally:
        if timeout.active():
            timeout.cancel()
    outcome.errors = process.errors.decode(errors="replace")
    return outcome
