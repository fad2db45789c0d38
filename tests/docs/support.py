"""
Serving an example and running its client.

An example is a folder below C{docs/examples}, named after its page. The server's side is a Python module with a
function C{start}, as C{--app} wants it. The client's side is a script for Node that uses the official client; it is
given the port, and what it writes is compared with the text that the page shows.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SkipTest, TestCase

from agtwisted import AGServer
from agtwisted.service import AGService

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
PACKAGES = HERE / "node_modules"
LOOPBACK = "tcp:0:interface=127.0.0.1"


def load(path: Path) -> ModuleType:
    """
    Import an example, fresh for each test.
    """
    name = "_".join(("example", *path.relative_to(ROOT).with_suffix("").parts[1:]))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def missing(what: str) -> None:
    """
    Something that the tests need is not there.

    @raise RuntimeError: in continuous integration, where nothing may be skipped.
    @raise SkipTest: elsewhere.
    """
    if os.environ.get("CI") == "true":
        raise RuntimeError(what)
    raise SkipTest(what)


class ExampleTestCase(TestCase):
    """
    The examples of one page.

    @cvar page: the folder below C{docs/examples}.
    """

    timeout = 180
    page = ""

    def read(self, name: str) -> str:
        """
        @return: one of the example's files.
        """
        return (EXAMPLES / self.page / name).read_text(encoding="utf-8")

    def load(self, name: str) -> ModuleType:
        """
        Import one of the example's modules; what it prints is kept in C{printed}.
        """
        module = load(EXAMPLES / self.page / name)
        self.printed: list[str] = []
        module.__dict__["print"] = lambda *values: self.printed.append(" ".join(map(str, values)))
        return module

    async def serve(self, start: Callable[[AGServer], Any], endpoint: str = LOOPBACK, **options: Any) -> AGServer:
        """
        Run a server until the test has ended.

        @param start: the example's application.
        @param endpoint: where it listens.
        """
        server = AGServer(reactor, **options)
        service = AGService(server, [endpoint], start)
        self.addCleanup(service.stopService)
        await service.startService()
        return server

    async def runNode(self, source: str, *arguments: object) -> str:
        """
        Run a script that finds the official client.

        @param source: the script.
        @return: what it has written; the test fails if the script does.
        """
        node = shutil.which("node")
        if node is None:
            missing("node is not installed")
        if not (PACKAGES / "socketcluster-client").is_dir():
            missing("socketcluster-client is not installed: npm install in tests/docs")
        # Node looks for packages beside the script.
        place = Path(self.mktemp()).resolve()
        place.mkdir(parents=True)
        (place / "node_modules").symlink_to(PACKAGES)
        (place / "script.mjs").write_text(source, encoding="utf-8")
        output, errors, status = await getProcessOutputAndValue(
            node, ["script.mjs", *map(str, arguments)], dict(os.environ), str(place)
        )
        self.assertEqual(status, 0, errors.decode())
        return output.decode()

    async def runClient(self, name: str, server: AGServer, *arguments: str) -> str:
        """
        Run one of the example's client scripts against a server.

        @param arguments: what the script is given besides the port.
        """
        return await self.runNode(self.read(name), server.sourcePort, *arguments)

    async def check(self, server: str, client: str, output: str, **options: Any) -> AGServer:
        """
        Serve an example, run its client, and compare what that writes with what the page shows.
        """
        running = await self.serve(self.load(server).start, **options)
        self.assertEqual(await self.runClient(client, running), self.read(output))
        return running

    async def runShell(self, name: str, folder: Path) -> None:
        """
        Run one of the example's lists of shell commands in a folder; the test fails if one of them does.
        """
        script = str(EXAMPLES / self.page / name)
        _, errors, status = await getProcessOutputAndValue("/bin/sh", ["-e", script], dict(os.environ), str(folder))
        self.assertEqual(status, 0, errors.decode())
