"""
Every scenario of every official client as a test of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.interop.host import TIMEOUT, Run, run, runnerOf, scenariosOf

#: The scenarios in which the reference has a fault, so that it cannot be the control.
BEYOND_THE_REFERENCE = {"namesOfObjectMembers", "abandonedHandshakeIsForgotten", "secondHandshakeDoesNoHarm"}


class ClientTests(TestCase):
    """
    The scenarios of one version of the client run side by side in one Node process, which is cheap and quick. The first
    test starts it and waits until it has ended; each test then looks at the result of its own scenario.
    """

    client: ClassVar[int]
    server: ClassVar[str] = "python"
    outcome: ClassVar[Run | None] = None
    timeout = TIMEOUT + 10

    async def check(self, scenario: str) -> None:
        """
        Fail with what the scenario has failed with.
        """
        cls = type(self)
        if cls.outcome is None:
            cls.outcome = await run(reactor, self.client, self.server)
        outcome = cls.outcome
        result = outcome.results.get(scenario)
        if result is None:
            ending = "was ended because it took too long" if outcome.timedOut else "ended before that"
            self.fail(f"The scenario has no result; the run {ending}.\n{outcome.errors}")
        if not result["ok"]:
            self.fail(result["error"])


def addScenarios(cls: type[ClientTests]) -> type[ClientTests]:
    """
    Give a class a test for every scenario of its client.
    """
    for topic, scenario in scenariosOf(runnerOf(cls.client)):
        if cls.server == "node" and scenario in BEYOND_THE_REFERENCE:
            continue
        setattr(cls, f"test_{topic}_{scenario}", makeTest(topic, scenario))
    return cls


def makeTest(topic: str, scenario: str) -> Callable[[ClientTests], Any]:
    """
    @return: the test of one scenario.
    """

    def test(self: ClientTests) -> Deferred[None]:
        return Deferred.fromCoroutine(self.check(scenario))

    test.__name__ = f"test_{topic}_{scenario}"
    test.__doc__ = f"The client sees what it expects in the scenario C{{{scenario}}} of {topic}."
    return test


@addScenarios
class Client20Tests(ClientTests):
    """
    socketcluster-client 20.
    """

    client = 20


@addScenarios
class Client19Tests(ClientTests):
    """
    socketcluster-client 19.
    """

    client = 19


@addScenarios
class Client17Tests(ClientTests):
    """
    socketcluster-client 17.
    """

    client = 17


@addScenarios
class Client16Tests(ClientTests):
    """
    socketcluster-client 16.
    """

    client = 16


@addScenarios
class Client14Tests(ClientTests):
    """
    socketcluster-client 14, over version 1 of the protocol.
    """

    client = 14


@addScenarios
class OverTLSTests(ClientTests):
    """
    The same over TLS.
    """

    client = 20
    server = "tls"


@addScenarios
class InASiteTests(ClientTests):
    """
    The same when the server is mounted into a web site.
    """

    client = 20
    server = "site"


@addScenarios
class Control20Tests(ClientTests):
    """
    The scenarios pass against the reference server: they ask for nothing that it does not do.
    """

    client = 20
    server = "node"


@addScenarios
class Control14Tests(ClientTests):
    """
    The scenarios of version 14 pass against the reference server.
    """

    client = 14
    server = "node"


class ScenarioNameTests(SynchronousTestCase):
    """
    Scenarios are found by name.
    """

    def test_namesAreUsedOnce(self) -> None:
        """
        No scenario hides another one of the same name, and there are some.
        """
        for runner in ("modern", "legacy"):
            names = [name for _, name in scenariosOf(runner)]
            self.assertEqual(sorted(names), sorted(set(names)))
            self.assertGreater(len(names), 40)
