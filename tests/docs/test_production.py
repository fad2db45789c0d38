"""
The examples of C{docs/howto/production.rst}.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, HTTPConnectionPool, readBody

from agtwisted import AGServer
from agtwisted.options import ServerOptions
from agtwisted.prometheus import expose
from agtwisted.server.statistics import FIGURES
from agtwisted.service import AGService
from agtwisted.tap import Options
from agtwisted.usage import processUsage
from tests.docs.support import DOCS, EXAMPLES, LOOPBACK, ExampleTestCase
from tests.server.support import ServerTestCase

PAGE = DOCS / "howto" / "production.rst"
FOLDER = EXAMPLES / "production"


class ServingTests(ExampleTestCase):
    """
    Reading the figures of servers that really listen.
    """

    page = "production"

    async def get(self, port: int, path: str) -> tuple[int, bytes]:
        """
        @return: the status and body of a page.
        """
        pool = HTTPConnectionPool(reactor, persistent=False)
        response = await Agent(reactor, pool=pool).request(b"GET", f"http://127.0.0.1:{port}{path}".encode())
        return response.code, await readBody(response)

    async def runCheck(self, port: int) -> tuple[str, int]:
        """
        @return: what the page's script writes, and its status.
        """
        script, url = str(FOLDER / "check.py"), f"http://127.0.0.1:{port}/stats"
        output, errors, status = await getProcessOutputAndValue(sys.executable, [script, url], dict(os.environ))
        self.assertEqual(errors, b"")
        return output.decode(), status

    async def test_check(self) -> None:
        """
        The script is content with a server that is well, and says what is wrong with one that takes no clients.
        """
        server = AGServer(reactor)
        service = AGService(server, [LOOPBACK], adminEndpoint=LOOPBACK)
        self.addCleanup(service.stopService)
        await service.startService()
        port = service.adminPort.getHost().port  # type: ignore[union-attr]
        # That this very machine is busy is no concern of the test.
        server.stalls.stop()
        server.stalls._recent.clear()
        self.assertEqual(await self.runCheck(port), ("all is well\n", 0))
        server.isReady = False
        self.assertEqual(await self.runCheck(port), ("it takes no clients\n", 1))

    async def test_embedded(self) -> None:
        """
        In a program of one's own the pages are at an endpoint apart, and clients do not get to see them.
        """
        server, adminPort = await ensureDeferred(self.load("embedded.py").serve(reactor, LOOPBACK, LOOPBACK))
        self.addCleanup(adminPort.stopListening)
        self.addCleanup(server.close)
        self.addCleanup(server.listeningPort.stopListening)
        self.addCleanup(server.stalls.stop)
        port = adminPort.getHost().port
        status, body = await self.get(port, "/stats")
        self.assertEqual((status, json.loads(body)["longestStall"] is None), (200, False))
        self.assertEqual(await self.get(port, "/health-check"), (200, b"OK"))
        self.assertEqual((await self.get(server.sourcePort, "/stats"))[0], 501)

    async def test_unix(self) -> None:
        """
        The pages are reached through a Unix socket as the page says, with the permissions that it gives.
        """
        found = re.search(r"``unix:/run/live/admin\.sock(:mode=660)``", PAGE.read_text(encoding="utf-8"))
        assert found is not None
        folder = tempfile.mkdtemp()
        self.addCleanup(os.rmdir, folder)
        path = Path(folder) / "admin.sock"
        service = AGService(AGServer(reactor), adminEndpoint=f"unix:{path}{found[1]}")
        self.addCleanup(service.stopService)
        await service.startService()
        self.assertEqual(path.stat().st_mode & 0o777, 0o660)


class CheckTests(ServerTestCase):
    """
    What the script finds.
    """

    def problems(self, **figures: Any) -> list[str]:
        """
        @return: what the script says of a server that is well but for these figures.
        """
        script: dict[str, Any] = {}
        exec((FOLDER / "check.py").read_text(encoding="utf-8"), script)
        self.server.start()
        process = {"openDescriptors": 10, "descriptorLimit": 1000, **figures.pop("process", {})}
        return list(script["problems"]({**self.server.stats(), **figures, "process": process}))

    def test_problems(self) -> None:
        """
        Each problem is found, and only that.
        """
        self.assertEqual(self.problems(), [])
        for figures, pattern in (
            ({"isReady": False}, "takes no clients"),
            ({"process": {"openDescriptors": 801}}, "801 of 1000 descriptors"),
            ({"longestStallLastMinute": 0.5}, r"waited 0\.50 s"),
            ({"clientsNotReading": 201, "connections": 1000}, "201 of 1000 clients do not read"),
            ({"inboundMessagesWaiting": 1101, "connections": 1000}, "1101 messages wait"),
        ):
            [problem] = self.problems(**figures)
            self.assertRegex(problem, pattern)


class NameTests(ServerTestCase):
    """
    The names on the page.
    """

    def test_figures(self) -> None:
        """
        Every figure is explained, and what is explained is a figure.
        """
        text = PAGE.read_text(encoding="utf-8")
        section = text.partition("What they mean")[2].partition("Reading them")[0]
        terms = [line for line in section.splitlines() if line.startswith("``")]
        explained = re.findall(r"``(.+?)``", "\n".join(terms))
        process = [name.partition(".")[2] for name in explained if name.startswith("process.")]
        self.assertEqual(sorted(set(explained) - {f"process.{name}" for name in process}), sorted(f.name for f in FIGURES))
        self.assertLessEqual(set(process), set(processUsage()))
        pages = re.findall(r"``(\w+)``", text.partition("``/stats``\n")[2].partition("``/metrics``")[0])
        self.assertEqual(set(pages) - {"process"}, set(processUsage()))

    def test_options(self) -> None:
        """
        What looks like an option is one.
        """
        known = set(ServerOptions.__dataclass_fields__)
        for name in ("maxPayload", "drainDelay", "pingTimeoutDisabled"):
            self.assertIn(name, known)
        text = PAGE.read_text(encoding="utf-8")
        named = re.findall(r"``((?:max|inbound|outbound|drain|ping|ack|handshake)[A-Z]\w+)(?:=\w+)?``", text)
        self.assertGreater(len(named), 15)
        figures = {figure.name for figure in FIGURES}
        self.assertEqual(set(named) - known - figures, set())

    def test_limits(self) -> None:
        """
        The table for attacks has every limit that can be hit.
        """
        limits = {name for name in ServerOptions.__dataclass_fields__ if name.startswith("max")} - {"maxMessagesBurst"}
        limits |= {"handshakeTimeout", "socketChannelLimit", "httpHead", "upgradeRequest"}
        table = PAGE.read_text(encoding="utf-8").partition("* - ``limitsHit`` has")[2].partition("How each limit works")[0]
        firsts = "\n".join(re.findall(r"^   \* - (.+)$", table, re.M))
        self.assertEqual(sorted(re.findall(r"``(\w+)``", firsts)), sorted(limits))

    def test_metrics(self) -> None:
        """
        The rules for alerts ask for metrics that there are.
        """
        self.server.limitHit("maxConnections", "too many")
        self.server.stalls.start()
        self.addCleanup(self.server.stalls.stop)
        there = set(re.findall(r"^(\w+)", expose(self.server.stats(), processUsage()), re.M))
        asked = set(re.findall(r"\b(?:agtwisted|process)_\w+", (FOLDER / "alerts.yml").read_text(encoding="utf-8")))
        self.assertGreater(len(asked), 7)
        self.assertEqual(asked - there, set())


class SurroundingsTests(SynchronousTestCase):
    """
    What stands around a server.
    """

    def read(self, name: str) -> str:
        """
        @return: one of the example's files.
        """
        return (FOLDER / name).read_text(encoding="utf-8")

    def unit(self) -> tuple[dict[str, str], list[str]]:
        """
        @return: the settings of systemd's service, and the command line that it gives to C{agserver}.
        """
        parser = configparser.ConfigParser(interpolation=None, delimiters=["="])
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(self.read("live@.service").replace("\\\n", " "))
        service = dict(parser["Service"])
        words = shlex.split(service["ExecStart"].replace("%i", "1"))
        self.assertEqual(words[1:4], ["-m", "twisted", "--log-format=text"])
        return service, words[words.index("agserver") + 1 :]

    def test_unit(self) -> None:
        """
        The command in the unit is understood, and the time it has to stop is longer than it may need.
        """
        service, words = self.unit()
        key = Path(self.mktemp())
        key.write_text("a key", encoding="utf-8")
        self.assertIn("@%d/auth.key", words)
        self.assertIn("auth.key:", service["LoadCredential"])
        words[words.index("@%d/auth.key")] = f"@{key}"
        words[words.index("live:start")] = "tests.test_tap:application"
        options = Options()
        options.parseOptions(words)
        self.assertEqual(options["endpoints"], ["tcp:8001:interface=127.0.0.1:backlog=4096"])
        self.assertEqual(options["admin-endpoint"], "tcp:9001:interface=127.0.0.1")
        given = ServerOptions.merged(options["serverOptions"])
        self.assertEqual((given.authKey, given.forwardedForHops), ("a key", 1))
        self.assertGreater(float(service["TimeoutStopSec"]), (given.drainDelay + given.drainTimeout) / 1000 + 5)

    def test_proxies(self) -> None:
        """
        The proxies know where the servers are, pass on what is needed, and are more patient than pings are apart.
        """
        _, words = self.unit()
        for name, timeouts in (
            ("nginx.conf", r"proxy_(?:read|send)_timeout (\d+)s"),
            ("haproxy.cfg", r"timeout (?:client|server|tunnel) (\d+)s"),
        ):
            text = self.read(name)
            self.assertEqual(re.findall(r"server (?:\w+ )?127\.0\.0\.1:(\d+)", text), ["8001", "8002"])
            found = [int(value) * 1000 for value in re.findall(timeouts, text)]
            self.assertGreater(len(found), 1)
            self.assertGreater(min(found), ServerOptions().pingInterval * 2)
        self.assertIn("uri /health-check", self.read("haproxy.cfg"))
        self.assertIn(f"location {ServerOptions().path} ", self.read("nginx.conf"))
        self.assertEqual(set(re.findall(r"127\.0\.0\.1:(\d+)", self.read("prometheus.yml"))), {"9001", "9002"})
