"""
Python's synchronous C{socketclusterclient}, as it comes from PyPI, against the server.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from tests.interop.host import HERE, PythonHost

EXPECTED = [
    ["connected"],
    ["authenticated", False],
    ["echo", "", {"text": "äöü 日本語", "list": [1, 2.5, None, True]}],
    ["echo", "", 0],
    ["echo", "", False],
    ["echo", "", ""],
    ["echo", "", []],
    ["fail", "OutOfStockError", "None left", 0],
    ["subscribe", "", ""],
    ["publish", "", ""],
    ["callBack", "", {"result": 42}],
    ["login", "", ""],
    ["unsubscribe", "", ""],
    ["publish", "", ""],
    ["done", "", "done"],
    ["connected"],
    ["authenticated", True],
]


class PythonClientTests(TestCase):
    """
    The client runs in a process of its own, as it blocks.
    """

    timeout = 120

    async def play(self, protocolVersion: int) -> None:
        """
        Let the client play its story, and look at what it saw.
        """
        reports: list[dict[str, Any]] = []
        host = PythonHost(reactor, reports.append)
        options = {"authKey": "a key for the scenarios, long enough", "protocolVersion": protocolVersion}
        started = await host.ask({"op": "start", "plan": {"port": 0, "options": options}})
        url = f"ws://127.0.0.1:{started['port']}/socketcluster/"
        try:
            arguments = ["-W", "ignore::SyntaxWarning", str(HERE / "pythonclient.py"), url]
            output, errors, code = await getProcessOutputAndValue(sys.executable, arguments, env=None)
        finally:
            await host.stopAll()
            await deferLater(reactor, 0.05)
        self.assertEqual((errors.decode(), code), ("", 0))
        seen = [json.loads(line) for line in output.splitlines()]
        # When these come, compared with the answers around them, is not promised.
        self.assertEqual(seen.count(["token", 3]), 1)
        self.assertEqual([each for each in seen if each[0] == "published"], [["published", "news", {"n": 1}]])
        self.assertEqual([each for each in seen if each[0] not in ("token", "published")], EXPECTED)
        self.assertEqual(len([each for each in reports if each["name"] == "disconnection"]), 2)

    def test_versionTwo(self) -> Deferred[None]:
        """
        Calls both ways, channels, errors and a login that lasts over a new connection work over version 2.
        """
        return Deferred.fromCoroutine(self.play(2))

    def test_versionOne(self) -> Deferred[None]:
        """
        They work over version 1.
        """
        return Deferred.fromCoroutine(self.play(1))
