"""
The examples of C{docs/howto/embedding.rst}.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.web.client import Agent, HTTPConnectionPool, readBody

from agtwisted import AGServer
from tests.docs.support import HERE, LOOPBACK, ExampleTestCase


class EmbeddingTests(ExampleTestCase):
    """
    The places where a server can listen.
    """

    page = "embedding"

    async def client(self, **options: Any) -> str:
        """
        Run a client with these options.

        @return: what it was told.
        """
        source = (HERE / "embedding_client.mjs").read_text(encoding="utf-8")
        return (await self.runNode(source, json.dumps(options))).strip()

    async def get(self, port: int, path: str) -> tuple[int, bytes]:
        """
        @return: the status and body of an ordinary HTTP request.
        """
        pool = HTTPConnectionPool(reactor, persistent=False)
        response = await Agent(reactor, pool=pool).request(b"GET", f"http://127.0.0.1:{port}{path}".encode())
        return response.code, await readBody(response)

    def listen(self, site: Any) -> int:
        """
        Listen with a site until the test has ended.

        @return: the port.
        """
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    async def test_attach(self) -> None:
        """
        The site's own page and the server are at the same port; other paths are not the server's.
        """
        site = self.load("attach.py").makeSite(reactor)
        port = self.listen(site)
        told = await self.client(hostname="127.0.0.1", port=port, path="/live/", receiver="welcome")
        self.assertEqual(told, "You are connected")
        self.assertEqual(await self.get(port, "/"), (200, b"The front page\n"))
        self.assertEqual((await self.get(port, "/live/"))[0], 404)

    async def test_resource(self) -> None:
        """
        The resource is reached at the option C{path}, and answers 501 to those who do not ask for WebSocket.
        """
        server = AGServer(reactor, path="/live/v1")
        self.addCleanup(server.close)
        ensureDeferred(self.load("attach.py").serve(server))
        port = self.listen(self.load("resource.py").makeSite(server))
        told = await self.client(hostname="127.0.0.1", port=port, path="/live/v1", receiver="welcome")
        self.assertEqual(told, "You are connected")
        self.assertEqual(await self.get(port, "/"), (200, b"The front page\n"))
        self.assertEqual((await self.get(port, "/live/v1"))[0], 501)

    async def test_listen(self) -> None:
        """
        The script tells where it listens and who has come first, and ends when that client has gone.
        """
        module = self.load("listening.py")
        done = ensureDeferred(module.main(reactor, LOOPBACK))
        while not self.printed:
            await deferLater(reactor, 0.01)
        port = int(self.printed[0].split()[-1])
        source = "import {create} from 'socketcluster-client';\n"
        source += f"const socket = create({{hostname: '127.0.0.1', port: {port}}});\n"
        source += "await socket.listener('connect').once();\nsocket.disconnect();\n"
        await self.runNode(source)
        await done
        self.assertEqual(self.printed, [f"listening at 127.0.0.1 {port}", "first client: 127.0.0.1"])

    async def test_endpoints(self) -> None:
        """
        One server is reached through TCP and through a Unix socket.
        """
        folder = tempfile.mkdtemp()
        self.addCleanup(os.rmdir, folder)
        path = os.path.join(folder, "live.sock")
        server = AGServer(reactor)
        self.addCleanup(server.close)
        self.load("address.py").start(server)
        ports = await self.load("endpoints.py").listenEverywhere(reactor, server, [LOOPBACK, f"unix:{path}"])
        for port in ports:
            self.addCleanup(port.stopListening)
        tcp = ports[0].getHost().port
        self.assertEqual(await self.client(hostname="127.0.0.1", port=tcp, procedure="address"), "127.0.0.1")
        self.assertEqual((await self.runNode(self.read("unix_client.mjs"), path)).strip(), "null")

    async def test_tls(self) -> None:
        """
        With the page's certificate both TLS endpoints of the page serve.
        """
        folder = Path(self.mktemp()).resolve()
        folder.mkdir(parents=True)
        await self.runShell("certificate.sh", folder)
        files = f"{folder}/certificates"
        endpoints = (
            rf"ssl:0:interface=127.0.0.1:privateKey={files}/key.pem:certKey={files}/certificate.pem",
            rf"tls:{files}:port=0:interface=\:\:",
        )
        for description in endpoints:
            server = await self.serve(self.load("address.py").start, description)
            options = {"port": server.sourcePort, "secure": True, "wsOptions": {"rejectUnauthorized": False}}
            self.assertIn("127.0.0.1", await self.client(hostname="localhost", procedure="address", **options))

    async def test_service(self) -> None:
        """
        A tree of services with the server in it listens while it runs, and not afterwards.
        """
        module = self.load("service.py")
        services = module.makeServices(LOOPBACK)
        [service] = services
        services.startService()
        while service.server.sourcePort is None:
            await deferLater(reactor, 0.01)
        port = service.server.sourcePort
        self.assertEqual((await self.get(port, "/"))[0], 501)
        await services.stopService()
        # The port is free again.
        again = await TCP4ServerEndpoint(reactor, port, interface="127.0.0.1").listen(Factory.forProtocol(Protocol))
        await again.stopListening()

    async def test_forwardedFor(self) -> None:
        """
        The address is taken as many hops from the end as there are trusted proxies; what a client adds is not believed.
        """
        claimed = {"headers": {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}}
        for hops, address in ((0, "127.0.0.1"), (1, "203.0.113.9"), (2, "198.51.100.1"), (3, "127.0.0.1")):
            server = await self.serve(self.load("address.py").start, forwardedForHops=hops)
            told = await self.client(
                hostname="127.0.0.1", port=server.sourcePort, procedure="address", wsOptions=claimed
            )
            self.assertEqual(told, address)
