"""
Tests of L{agtwisted.site}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import _producer_helpers
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Cooperator
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher
from twisted.protocols.policies import WrappingFactory
from twisted.web.resource import IResource, Resource
from twisted.web.server import Site
from twisted.web.static import Data
from zope.interface.verify import verifyObject

from agtwisted import AGServer, attach, listen
from agtwisted.errors import InvalidOptionsError
from agtwisted.site import AGResource, rememberPort, standaloneSite
from tests.server.support import ServerTestCase
from tests.wire import RawClient, frames, packet, upgradeRequest


class SiteTestCase(ServerTestCase):
    """
    Tests with HTTP clients that speak in bytes.
    """

    def setUp(self) -> None:
        """
        Let files be sent by the test's clock: twisted.web takes the installed reactor for that.
        """
        super().setUp()
        cooperator = Cooperator(scheduler=lambda function: self.clock.callLater(0, function))
        self.patch(_producer_helpers, "cooperate", cooperator.cooperate)

    def ask(self, site: Any, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """
        @return: status, header fields and body of the answer.
        """
        client = RawClient(site, self.clock)
        client.send(request)
        head, _, body = client.take().partition(b"\r\n\r\n")
        client.lose()
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return int(first.split()[1]), headers, body

    def get(self, site: Any, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """
        @return: the answer to a request without an upgrade.
        """
        return self.ask(site, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())

    def speak(self, site: Any, server: AGServer, path: str = "/socketcluster/", chunks: int = 1) -> None:
        """
        Check that a client can join through a site and is served there, in one chunk or in several.
        """
        client = RawClient(site, self.clock)
        data = upgradeRequest(path=path)
        size = -(-len(data) // chunks)
        client.send(*[data[start : start + size] for start in range(0, len(data), size)])
        self.assertTrue(client.take().startswith(b"HTTP/1.1 101 "))
        self.assertEqual(server.pendingClientsCount, 1)
        client.send(packet("#handshake", {}, 1) + packet("#subscribe", {"channel": "x"}, 2))
        self.assertEqual([answer["rid"] for answer in client.packets()], [1, 2])
        server.exchange.transmitPublish("x", 1)
        self.assertEqual(client.packets()[0]["event"], "#publish")
        client.lose()
        self.assertEqual(server.clientsCount, 0)


class AttachTests(SiteTestCase):
    """
    L{attach}: beside a site's own resources.
    """

    def setUp(self) -> None:
        """
        Make a site with a page, and mount a server into it.
        """
        super().setUp()
        root = Resource()
        root.putChild(b"", Data(b"home", "text/plain"))
        root.putChild(b"socketcluster", Data(b"the site's own", "text/plain"))
        self.site = Site(root, reactor=self.clock)
        self.server = attach(self.site, self.clock, pingInterval=1234)

    def test_server(self) -> None:
        """
        The server is made with the options, started, and knows the site.
        """
        self.assertEqual((self.server.options.pingInterval, self.server.isReady), (1234, True))
        self.assertIs(self.server.httpServer, self.site)
        self.assertRaises(InvalidOptionsError, attach, self.site, self.clock, pingIntervall=1)

    def test_clients(self) -> None:
        """
        Clients join under the server's path, with whatever query, also when their request comes in pieces.
        """
        self.speak(self.site, self.server)
        self.speak(self.site, self.server, "/socketcluster/?a=1&b=2")
        self.speak(self.site, self.server, chunks=7)

    def test_others(self) -> None:
        """
        Everything else is the site's, at the server's path too, if it asks for no upgrade.
        """
        self.assertEqual(self.get(self.site, "/")[::2], (200, b"home"))
        self.assertEqual(self.get(self.site, "/nothing")[0], 404)
        self.assertEqual(self.get(self.site, "/socketcluster")[::2], (200, b"the site's own"))

    def test_exactPath(self) -> None:
        """
        An upgrade at any other path is the site's as well: nobody joins.
        """
        for path in ("/socketcluster", "/socketcluster/x", "/socketcluster//", "/Socketcluster/", "/x/socketcluster/"):
            status = self.ask(self.site, upgradeRequest(path=path, connection="close, upgrade"))[0]
            self.assertIn(status, (200, 404), path)
            self.assertEqual(self.server.pendingClientsCount, 0)

    def test_refused(self) -> None:
        """
        An upgrade that is not clean is refused as without a site.
        """
        self.assertEqual(self.ask(self.site, upgradeRequest(sec_websocket_version="7"))[0], 400)
        self.assertEqual(self.ask(self.site, upgradeRequest(method="POST"))[0], 405)

    def test_addedLater(self) -> None:
        """
        The site's root can get more children, and is rendered as before.
        """
        self.site.resource.putChild(b"later", Data(b"later", "text/plain"))
        self.assertEqual(self.get(self.site, "/later")[::2], (200, b"later"))
        leaf = Site(Data(b"leaf", "text/plain"), reactor=self.clock)
        attach(leaf, self.clock)
        self.assertTrue(verifyObject(IResource, leaf.resource))
        self.assertEqual(leaf.resource.isLeaf, False)

    def test_wrapped(self) -> None:
        """
        A site may stand behind a wrapping factory.
        """
        self.speak(WrappingFactory(self.site), self.server)

    def test_startFails(self) -> None:
        """
        A server that cannot be started is logged.
        """
        self.patch(AGServer, "_start", lambda server: failing())
        attach(Site(Resource(), reactor=self.clock), self.clock)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_leftByServer(self) -> None:
        """
        A connection that the server closes is closed, not handed back to the site.
        """
        client = RawClient(self.site, self.clock)
        client.send(upgradeRequest())
        client.take()
        (socket,) = self.server.pendingClients.values()
        socket.disconnect(4500)
        self.assertEqual(frames(client.take())[0][1][:2], (4500).to_bytes(2, "big"))
        socket.terminate()
        self.assertTrue(client.isClosing)


async def failing() -> None:
    """
    Fail.
    """
    raise ZeroDivisionError


class ResourceTests(SiteTestCase):
    """
    C{server.resource()}.
    """

    def setUp(self) -> None:
        """
        Put a server into a site by hand.
        """
        super().setUp()
        self.server = self.makeServer(path="/socketcluster/")
        root = Resource()
        root.putChild(b"socketcluster", self.server.resource())
        self.site = Site(root, reactor=self.clock)

    def test_interface(self) -> None:
        """
        It is a leaf of a site's tree.
        """
        resource = self.server.resource()
        self.assertTrue(verifyObject(IResource, resource))
        self.assertIsInstance(resource, AGResource)
        self.assertTrue(resource.isLeaf)
        self.assertIs(resource.getChildWithDefault(b"", None), resource)
        self.assertRaises(TypeError, resource.putChild, b"x", Resource())

    def test_clients(self) -> None:
        """
        Clients join through it.
        """
        self.speak(self.site, self.server)

    def test_exactPath(self) -> None:
        """
        The path is compared exactly here too.
        """
        self.assertEqual(self.ask(self.site, upgradeRequest(path="/socketcluster/x"))[0], 400)

    def test_others(self) -> None:
        """
        Who asks for no upgrade is answered 501.
        """
        self.assertEqual(self.get(self.site, "/socketcluster/")[::2], (501, b"Not Implemented"))


class FactoryTests(SiteTestCase):
    """
    A port that is the server's, with a site behind it.
    """

    def test_behind(self) -> None:
        """
        Who asks for no upgrade gets to the site, and can go on with it on the same connection.
        """
        site = standaloneSite(self.server)
        factory = self.server.websocketFactory(site)
        self.server.start()
        client = RawClient(factory, self.clock)
        for _ in range(2):
            client.send(b"GET /health-check HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(b"200 OK", client.take())
        client.send(upgradeRequest())
        self.assertIn(b"101 Switching", client.take())
        client.lose()
        self.speak(factory, self.server)
        self.speak(WrappingFactory(factory), self.server)

    def test_wrapped(self) -> None:
        """
        So it is behind a wrapping factory.
        """
        self.server.start()
        factory = WrappingFactory(self.server.websocketFactory(standaloneSite(self.server)))
        self.assertEqual(self.get(factory, "/health-check")[::2], (200, b"OK"))


class StandaloneTests(SiteTestCase):
    """
    L{standaloneSite}: what a server comes with that has its port for itself.
    """

    def test_healthCheck(self) -> None:
        """
        C{/health-check} is C{OK} while the server is ready, for load balancers, and not to be kept.
        """
        site = standaloneSite(self.server)
        self.assertIs(self.server.httpServer, site)
        self.assertEqual(self.get(site, "/health-check")[::2], (503, b"Service Unavailable"))
        self.server.start()
        status, headers, body = self.get(site, "/health-check")
        self.assertEqual((status, body, headers["cache-control"]), (200, b"OK", "no-store"))
        self.server.close()
        self.assertEqual(self.get(site, "/health-check")[0], 503)

    def test_healthCheckHead(self) -> None:
        """
        A balancer that asks with HEAD gets the head of the same answer, and each time leaves no line in the log.
        """
        lines: list[Any] = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        site = standaloneSite(self.server)
        for status, length in ((503, "19"), (200, "2")):
            found, headers, body = self.get(site, "/health-check", "HEAD")
            self.assertEqual((found, headers["content-length"], body), (status, length, b""))
            self.assertEqual(headers["cache-control"], "no-store")
            self.server.start()
        self.assertEqual([line for line in lines if line["log_namespace"] == "twisted.web.server.Request"], [])

    def test_console(self) -> None:
        """
        The console page is at C{/}, with its files, and may load nothing from elsewhere.
        """
        site = standaloneSite(self.server)
        status, headers, body = self.get(site, "/")
        self.assertEqual((status, headers["content-type"].partition(";")[0]), (200, "text/html"))
        self.assertIn(b"<html", body.lower())
        self.assertIn("default-src 'self'", headers["content-security-policy"])
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        self.assertEqual(self.get(site, "/nothing")[0], 404)

    def test_noConsole(self) -> None:
        """
        Without the console there is one line of text.
        """
        site = standaloneSite(self.server, console=False)
        self.assertEqual(self.get(site, "/")[::2], (200, b"agtwisted: a SocketCluster server\n"))
        self.assertEqual(self.get(site, "/console/index.html")[0], 404)

    def test_static(self) -> None:
        """
        A team's own folder is served instead, beside the health check; nothing outside of it.
        """
        folder = Path(self.mktemp()) / "public"
        folder.mkdir(parents=True)
        (folder / "index.html").write_text("ours", encoding="utf-8")
        (folder.parent / "secret.txt").write_text("secret", encoding="utf-8")
        site = standaloneSite(self.server, static=str(folder))
        self.server.start()
        self.assertEqual(self.get(site, "/")[::2], (200, b"ours"))
        self.assertEqual(self.get(site, "/health-check")[0], 200)
        for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "//secret.txt"):
            self.assertEqual(self.get(site, path)[0], 404, path)

    def test_clients(self) -> None:
        """
        Clients join beside all that.
        """
        self.speak(standaloneSite(self.server), self.server)


class ListenTests(ServerTestCase):
    """
    L{listen}.
    """

    def setUp(self) -> None:
        """
        Have a reactor that listens in memory.
        """
        self.clock = self.reactor = MemoryReactorClock()

    def test_port(self) -> None:
        """
        A number is a TCP port; the server is ready and knows where it listens.
        """
        server = self.successResultOf(listen(8000, self.reactor, ackTimeout=5))
        self.assertEqual((server.isReady, server.ackTimeout), (True, 5))
        self.assertEqual((server.sourcePort, server.host, server.secure), (8000, "0.0.0.0", False))
        port, factory = self.reactor.tcpServers[0][:2]
        self.assertEqual((port, factory.agServer), (8000, server))
        self.assertEqual(server.listeningPort.getHost().port, 8000)

    def test_endpoint(self) -> None:
        """
        A text is the description of an endpoint.
        """
        server = self.successResultOf(listen("tcp:8001:interface=127.0.0.1", self.reactor))
        self.assertEqual((server.sourcePort, self.reactor.tcpServers[0][3]), (8001, "127.0.0.1"))
        server = self.successResultOf(listen("unix:/tmp/nowhere", self.reactor))
        self.assertEqual((server.sourcePort, server.host), (None, None))

    def test_plainHTTP(self) -> None:
        """
        Requests that ask for no WebSocket are answered 501.
        """
        self.successResultOf(listen(8000, self.reactor))
        client = RawClient(self.reactor.tcpServers[0][1], self.reactor)
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(client.take().startswith(b"HTTP/1.1 501 Not Implemented\r\n"))

    def test_fails(self) -> None:
        """
        A port that is taken, and an option that does not exist, are told.
        """

        def taken(*arguments: Any, **more: Any) -> None:
            raise CannotListenError("localhost", 8000, OSError("taken"))

        self.patch(self.reactor, "listenTCP", taken)
        self.failureResultOf(listen(8000, self.reactor), CannotListenError)
        self.assertRaises(InvalidOptionsError, listen, 8000, self.reactor, nonsense=1)

    def test_waitsForBroker(self) -> None:
        """
        It listens when the broker is ready, not before.
        """
        started: Deferred[None] = Deferred()

        class Engine:
            isReady = False

            def setCodecEngine(self, codec: object) -> None:
                """
                Do without.
                """

            def exchange(self) -> None:
                """
                Have none.
                """

            def start(self) -> Deferred[None]:
                return started

        listening = listen(8000, self.reactor, brokerEngine=Engine())
        self.assertEqual(self.reactor.tcpServers, [])
        started.callback(None)
        self.successResultOf(listening)
        self.assertEqual(len(self.reactor.tcpServers), 1)

    def test_remembered(self) -> None:
        """
        Of several places the first counts; TLS is known.
        """

        class Port:
            def __init__(self, address: Any) -> None:
                self.address = address

            def getHost(self) -> Any:
                return self.address

        class TLSPort(Port):
            _type = "TLS"

        server = AGServer(self.reactor)
        rememberPort(server, TLSPort(IPv4Address("TCP", "127.0.0.1", 443)))  # type: ignore[arg-type]
        rememberPort(server, Port(IPv4Address("TCP", "127.0.0.1", 80)))  # type: ignore[arg-type]
        self.assertEqual((server.sourcePort, server.host, server.secure), (443, "127.0.0.1", True))
        server = AGServer(self.reactor)
        rememberPort(server, Port(UNIXAddress("/x")))  # type: ignore[arg-type]
        self.assertEqual((server.sourcePort, server.secure), (None, False))

    def test_sameAsEndpoint(self) -> None:
        """
        The factory works with any endpoint; listening with it is enough to start the server.
        """
        server = AGServer(self.reactor)
        port = self.successResultOf(serverFromString(self.reactor, "tcp:8002").listen(server.websocketFactory()))
        self.assertEqual(port.getHost().port, 8002)
        self.assertIsInstance(self.reactor.tcpServers[0][1], Factory)
        self.reactor.tcpServers[0][1].doStart()
        self.assertTrue(server.isReady)
        self.assertIsInstance(server.websocketFactory().buildProtocol(None), Protocol)
