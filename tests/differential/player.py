"""
Plays scripts to servers and collects the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore, ensureDeferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.task import deferLater
from twisted.logger import Logger

from .harness import Harness
from .steps import Script, connect
from .wire import WireClient, upgradeRequest

log = Logger()

AUTH_KEY = "a key that both servers and the scripts know, long enough for HMAC"

TIMEOUT = 15.0
"""Seconds after which a script stops waiting for what does not come."""

ROUND = 0.02
"""Seconds between two looks whether a server has become quiet."""

DEADLINE = 80.0
"""Seconds after which a script is given up, whatever it does."""

CONCURRENT = 24
"""Scripts that are played at the same time."""

DOUBTFUL = 40
"""Scripts that may differ and still be played again; when more do, it is not for want of time."""

Verdict = Callable[[Script, Any, Any], str | None]
"""Says of the answers of both sides to a script what is not as it should be, or None."""


@dataclass
class Answers:
    """
    What one server gave back for one script.

    @ivar clients: the records of each client.
    @ivar events: what the application on the server has seen, in order.
    """

    clients: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Trouble:
    """What kept a script from being played."""

    text: str


class Stage:
    """One script being played to one server. The methods are the kinds of L{tests.differential.steps.Step}."""

    def __init__(self, reactor: Any, harness: Harness, server: dict[str, Any], pipelined: bool) -> None:
        self._reactor = reactor
        self._harness = harness
        self._server = server["server"]
        self._port = server["port"]
        self._pipelined = pipelined
        self._silent: set[WireClient] = set()
        self.clients: dict[str, WireClient] = {}

    async def play(self, script: Script) -> None:
        """Play all steps and leave no connection behind."""
        steps = list(script.steps)
        if steps[0].kind != "connect":
            steps.insert(0, connect())
        for step in steps:
            await getattr(self, step.kind)(step.client, *step.arguments)
        for name in self.clients:
            await self.settle(name)
        for client in self.clients.values():
            client.drop()
            await client.whenEnded(TIMEOUT)

    async def connect(self, name: str, path: str, headers: dict[str, str | None], method: str) -> None:
        """Open a connection and wait for the answer to the upgrade."""
        client = WireClient(self._reactor, upgradeRequest(path, headers, method))
        endpoint = TCP4ClientEndpoint(self._reactor, "127.0.0.1", self._port)
        await connectProtocol(endpoint, client)
        self.clients[name] = client
        await client.whenUpgraded(TIMEOUT)

    async def frames(self, name: str, whole: tuple[bytes, ...]) -> None:
        """Send frames, as a rule one after the other."""
        client = self.clients[name]
        if self._pipelined:
            client.sendBytes(b"".join(whole))
            return
        for each in whole:
            client.sendBytes(each)
            await self._isReadBy(client)

    async def _isReadBy(self, client: WireClient) -> bool:
        """Wait until the server has read everything; one that has once kept silent is not waited for again."""
        if client in self._silent:
            return False
        isRead = await client.probe(TIMEOUT)
        if not isRead and not client.ended:
            self._silent.add(client)
        return isRead

    async def wire(self, name: str, data: bytes) -> None:
        """Write bytes."""
        self.clients[name].sendBytes(data)

    async def settle(self, name: str) -> None:
        """Wait until the server has read everything and has been silent for some rounds."""
        client, quiet = self.clients[name], 0
        while quiet < 3 and not client.ended:
            before = len(client.records)
            if not await self._isReadBy(client):
                return
            await self.pause(name, ROUND * 1000)
            quiet = quiet + 1 if len(client.records) == before else 0

    async def wait(self, name: str, count: int) -> None:
        """Wait for a number of messages."""
        await self.clients[name].whenRecords(count, TIMEOUT)

    async def pause(self, name: str, milliseconds: float) -> None:
        """Wait for some time."""
        await deferLater(self._reactor, milliseconds / 1000, lambda: None)

    async def release(self, name: str) -> None:
        """Let the server go on with what it holds back, once there is something."""
        await self._harness.ask("release", server=self._server)

    async def close(self, name: str, code: int | None, reason: bytes) -> None:
        """Send a close frame and wait for the end."""
        self.clients[name].sendClose(code, reason)
        await self.ended(name)

    async def ended(self, name: str) -> None:
        """Wait for the end of the connection and note if it does not come."""
        client = self.clients[name]
        if not await client.whenEnded(TIMEOUT):
            client.records.append({"still": "open"})

    async def drop(self, name: str) -> None:
        """Break the connection."""
        self.clients[name].drop()
        await self.clients[name].whenEnded(TIMEOUT)


async def playScript(reactor: Any, harness: Harness, script: Script) -> Answers:
    """
    Play one script to a fresh server of a process.

    @raise HarnessError: The server could not be started.
    """
    # No ping comes unasked, however long a busy machine takes.
    rarely = {} if {"pingInterval", "pingTimeout"} & set(script.options) else {"pingInterval": 25000}
    options = {"authKey": AUTH_KEY, **rarely, **script.options}
    server = await harness.ask("start", options=options, app=script.app)
    stage = Stage(reactor, harness, server, script.pipelined)
    await stage.play(script)
    answers = Answers({name: client.records for name, client in stage.clients.items()})
    if script.events:
        answers.events = await _settledLog(reactor, harness, server["server"])
    return answers


async def _settledLog(reactor: Any, harness: Harness, server: int) -> list[dict[str, Any]]:
    """Ask for the log until nothing is added to it any more."""
    log: list[dict[str, Any]] = []
    quiet = 0
    while quiet < 3:
        await deferLater(reactor, ROUND, lambda: None)
        latest = (await harness.ask("log", server=server))["log"]
        quiet = quiet + 1 if len(latest) == len(log) else 0
        log = latest
    return log


class Side:
    """
    One of the two things that are compared: its process, and how to start another one for scripts that do harm.
    """

    def __init__(self, reactor: Any, startHarness: Callable[[Any], Harness], isolating: bool) -> None:
        self._reactor = reactor
        self._startHarness = startHarness
        self._isolating = isolating
        self.harness = startHarness(reactor)

    async def play(self, script: Script) -> Answers:
        """Play a script in the process that it needs."""
        if not (script.isolated and self._isolating):
            return await playScript(self._reactor, self.harness, script)
        harness = self._startHarness(self._reactor)
        try:
            return await playScript(self._reactor, harness, script)
        finally:
            await harness.stop()


def playAll(
    reactor: Any, sides: Sequence[Side], scripts: Sequence[Script], verdict: Verdict
) -> Deferred[dict[str, list[Any]]]:
    """
    Play scripts to all sides, many at a time, then once more, one at a time, those whose answers are not as they should
    be, and end the processes. A difference in behaviour stays, one of pace goes.

    @param verdict: finds the scripts to play again.
    @return: fires with the answers (L{Answers}, or the L{Trouble} that kept them from coming) of each side, in order,
        by the script's name.
    """
    gate = DeferredSemaphore(CONCURRENT)
    outcomes: dict[str, list[Any]] = {}

    async def playOne(script: Script) -> None:
        plays = [_caught(reactor, side.play(script)) for side in sides]
        outcomes[script.name] = await gatherResults(plays)

    async def playEach() -> dict[str, list[Any]]:
        try:
            await gatherResults([gate.run(playOne, script) for script in scripts])
            for script in _doubtful(scripts, outcomes, verdict):
                await playOne(script)
        finally:
            await gatherResults([side.harness.stop() for side in sides])
        return outcomes

    return ensureDeferred(playEach())


def _doubtful(scripts: Sequence[Script], outcomes: dict[str, list[Any]], verdict: Verdict) -> list[Script]:
    """Find what to play again."""
    doubtful = [script for script in scripts if verdict(script, *outcomes[script.name]) is not None]
    if doubtful:
        log.info("Not as they should be at first: {names}", names=", ".join(script.name for script in doubtful))
    return doubtful if len(doubtful) <= DOUBTFUL else []


def _caught(reactor: Any, work: Coroutine[Any, Any, Answers]) -> Deferred[Any]:
    """Make a failure, or taking far too long, a result."""
    playing = ensureDeferred(work)
    playing.addTimeout(DEADLINE, reactor)
    return playing.addErrback(lambda failure: Trouble(failure.getTraceback()))
