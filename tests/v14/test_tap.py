"""
Tests of L{agtwisted.tap} with the API of version 14.
"""

from __future__ import annotations

from typing import Any

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import AGServer, SCServer, tap
from agtwisted.tap import Options
from agtwisted.testing import connect
from tests.test_tap import ServiceTests as CoreServiceTests
from tests.test_tap import parse

#: The servers that L{application} was called with.
served: list[SCServer] = []


def application(server: SCServer) -> None:
    """
    An application for the tests.
    """
    served.append(server)


class OptionsTests(SynchronousTestCase):
    """
    The command line.
    """

    def test_api(self) -> None:
        """
        C{--api} chooses the server; there are two.
        """
        self.assertEqual(
            [parse(*line)["serverType"] for line in ((), ("--api", "v20"), ("--api", "v14"))], [AGServer, AGServer, SCServer]
        )
        self.assertIn("v13", str(self.assertRaises(UsageError, parse, "--api", "v13")))

    def test_options(self) -> None:
        """
        The options of version 14 go with its API only.
        """
        line = ("--app-name", "mine", "--pub-sub-batch-duration", "20", "--protocol-version", "auto", "--path-v1", "/old/")
        self.assertEqual(
            parse("--api", "v14", *line)["serverOptions"],
            {"appName": "mine", "pubSubBatchDuration": 20, "protocolVersion": "auto", "pathV1": "/old/"},
        )
        self.assertRaises(UsageError, parse, "--app-name", "mine")
        self.assertRaises(UsageError, parse, "--api", "v14", "--batch-on-handshake", "yes")

    def test_help(self) -> None:
        """
        The help explains them.
        """
        text = str(Options())
        for name in ("--api=", "--path-v1=", "--app-name=", "--pub-sub-batch-duration="):
            self.assertIn(name, text)


class ServiceTests(CoreServiceTests):
    """
    C{makeService}: all that is so for the core, and for version 14.
    """

    def test_versionFourteen(self) -> None:
        """
        An SCServer gets its application before it listens; without one it has the procedures of the console page.
        """
        served.clear()
        service = self.start("--api", "v14", "--app", "tests.v14.test_tap:application")
        self.assertEqual(served, [service.server])
        self.assertIsInstance(service.server, SCServer)
        plain = self.start("--api", "v14")
        client = connect(plain.server)
        self.assertEqual(self.successResultOf(client.invoke("hello", "Ada")), {"greeting": "Hello Ada", "from": client.id})
        self.assertIn("time", self.successResultOf(client.invoke("time")))

    def test_pageSpeaksVersionTwo(self) -> None:
        """
        The console page is there where version 2 is spoken.
        """
        consoles: list[bool] = []
        standaloneSite = tap.standaloneSite

        def remember(server: AGServer, *, console: bool, static: str | None) -> Any:
            consoles.append(console)
            return standaloneSite(server, console=console, static=static)

        self.patch(tap, "standaloneSite", remember)
        for version in ("1", "2", "auto"):
            self.start("--api", "v14", "--protocol-version", version)
        self.assertEqual(consoles, [False, True, True])
