"""
The examples of C{docs/howto/version14.rst} and C{docs/howto/moving.rst}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor

from agtwisted import AGServer, SCServer
from agtwisted.service import AGService
from tests.docs.support import LOOPBACK, ExampleTestCase


class Version14TestCase(ExampleTestCase):
    """
    Examples with an SCServer.
    """

    async def serveOld(self, name: str, **options: Any) -> SCServer:
        """
        Run an example's application on an SCServer until the test has ended.
        """
        server = SCServer(reactor, **options)
        service = AGService(server, [LOOPBACK], self.load(name).start)
        self.addCleanup(service.stopService)
        await service.startService()
        return server


class Version14Tests(Version14TestCase):
    """
    SocketCluster 14 in Python.
    """

    page = "version14"

    async def test_example(self) -> None:
        """
        The official client of version 14 gets what the page shows, and the server prints what it says.
        """
        server = await self.serveOld("server.py")
        self.assertEqual(await self.runClient("client.mjs", server), self.read("output.txt"))
        self.assertEqual(self.printed, ["heard: apples are cheap", "left with 1000"])


class MovingTests(Version14TestCase):
    """
    Moving clients from 14 to 20.
    """

    page = "moving"

    async def test_oldServer(self) -> None:
        """
        The first step: the old application takes new clients as well.
        """
        server = await self.serveOld("old_server.py", protocolVersion="auto")
        self.assertEqual(await self.runClient("clients.mjs", server), self.read("output.txt"))

    async def test_newServer(self) -> None:
        """
        The second step: the new application still takes old clients.
        """
        server: AGServer = await self.serve(self.load("new_server.py").start, protocolVersion="auto")
        self.assertEqual(await self.runClient("clients.mjs", server), self.read("output.txt"))
