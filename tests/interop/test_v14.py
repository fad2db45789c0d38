"""
Every scenario of version 14's server as a test of its own: socketcluster-client 14 against C{SCServer}, and both kinds of
clients against a server that takes both versions of the protocol.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from subprocess import run as runProcess
from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from agtwisted import SCServer, listen
from tests.interop.host import HERE, TIMEOUT, Run, runFile
from tests.interop.test_pythonclient import EXPECTED


def namesIn(file: str) -> list[str]:
    """
    @return: the names of the scenarios that a runner has.
    """
    node = shutil.which("node")
    if node is None:
        return []
    printed = runProcess([node, file, "--list", "yes"], cwd=HERE, capture_output=True, text=True, check=False).stdout
    return [str(name) for name in json.loads(printed)] if re.match(r"\[", printed) else []


class ScenarioTests(TestCase):
    """
    All scenarios of a runner go on in one Node process. The first test starts it and waits until it has ended; each test
    then looks at the result of its own scenario.
    """

    runner: ClassVar[str] = ""
    server: ClassVar[str] = "python"
    outcome: ClassVar[Run | None] = None
    timeout = TIMEOUT + 10

    async def check(self, scenario: str) -> None:
        """
        Fail with what the scenario has failed with.
        """
        cls = type(self)
        if cls.outcome is None:
            cls.outcome = await runFile(reactor, self.runner, 14, self.server)
        result = cls.outcome.results.get(scenario)
        if result is None:
            self.fail(f"The scenario has no result.\n{cls.outcome.errors}")
        if not result["ok"]:
            self.fail(result["error"])


def addScenarios(cls: type[ScenarioTests]) -> type[ScenarioTests]:
    """
    Give a class a test for every scenario of its runner.
    """
    for scenario in namesIn(cls.runner):
        if cls.server == "node" and scenario in BEYOND_THE_REFERENCE:
            continue
        setattr(cls, f"test_{scenario}", makeTest(scenario))
    return cls


def makeTest(scenario: str) -> Callable[[ScenarioTests], Any]:
    """
    @return: the test of one scenario.
    """

    def test(self: ScenarioTests) -> Deferred[None]:
        return Deferred.fromCoroutine(self.check(scenario))

    test.__name__ = f"test_{scenario}"
    test.__doc__ = f"Clients see what they expect in the scenario C{{{scenario}}}."
    return test


#: The scenarios in which the reference has a fault, so that it cannot be the control.
BEYOND_THE_REFERENCE = {"kickOutOfAll", "textChannelsAreSeen"}


@addScenarios
class Version14Tests(ScenarioTests):
    """
    socketcluster-client 14 and SCServer.
    """

    runner = "v14.js"


@addScenarios
class ControlTests(ScenarioTests):
    """
    The scenarios pass against the reference server: they ask for nothing that it does not do.
    """

    runner = "v14.js"
    server = "node"


@addScenarios
class BothVersionsTests(ScenarioTests):
    """
    socketcluster-client 14 and 20 side by side, on one port.
    """

    runner = "both.js"


class PythonClientTests(TestCase):
    """
    Python's C{socketclusterclient}, as it comes from PyPI, in its own version of the protocol.
    """

    timeout = 120

    def serve(self, socket: Any) -> None:
        """
        What the client's story calls.
        """

        def login(data: Any, respond: Callable[..., None]) -> None:
            socket.setAuthToken(data)
            respond()

        def callBack(data: Any, respond: Callable[..., None]) -> None:
            socket.emit(data["procedure"], data["data"], lambda error, result: respond(error, {"result": result}))

        socket.on("echo", lambda data, respond: respond(None, data))
        socket.on("fail", lambda data, respond: respond(data))
        socket.on("login", login)
        socket.on("callBack", callBack)

    async def play(self, **options: Any) -> None:
        """
        Let the client play its story, and look at what it saw.
        """
        disconnected: list[Any] = []
        server = await listen("tcp:0:interface=127.0.0.1", reactor, serverType=SCServer, authKey="k" * 40, **options)
        server.on("connection", self.serve)
        server.on("disconnection", lambda socket, code: disconnected.append(code))
        url = f"ws://127.0.0.1:{server.sourcePort}/socketcluster/"
        try:
            arguments = ["-W", "ignore::SyntaxWarning", str(HERE / "pythonclient.py"), url]
            output, errors, code = await getProcessOutputAndValue(sys.executable, arguments, env=None)
        finally:
            await server.listeningPort.stopListening()
            await server.close()
            await deferLater(reactor, 0.05)
        self.assertEqual((errors.decode(), code), ("", 0))
        seen = [json.loads(line) for line in output.splitlines()]
        self.assertEqual([each for each in seen if each[0] not in ("token", "published")], EXPECTED)
        self.assertEqual([each for each in seen if each[0] == "published"], [["published", "news", {"n": 1}]])
        self.assertEqual(len(disconnected), 2)

    def test_callbackServer(self) -> Deferred[None]:
        """
        Calls both ways, channels, errors and a login that lasts over a new connection work with an SCServer.
        """
        return Deferred.fromCoroutine(self.play())

    def test_bothVersions(self) -> Deferred[None]:
        """
        They work where both versions of the protocol are spoken; this client never sees an empty message.
        """
        return Deferred.fromCoroutine(self.play(protocolVersion="auto"))


class CollectionTests(TestCase):
    """
    The scenarios are found.
    """

    def test_found(self) -> None:
        """
        There are many of them; where Node or the clients are missing, this fails.
        """
        self.assertGreater(len(namesIn("v14.js")), 80)
        self.assertGreater(len(namesIn("both.js")), 4)
