"""
Tests of L{agtwisted.service}.
"""

from __future__ import annotations

import gc
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from agtwisted import AGServer
from agtwisted.admin import AdminSite
from agtwisted.server.stalls import PERIOD, StallWatch
from agtwisted.service import AGService
from agtwisted.testing import FakeClient, connect
from tests.wire import RawClient


class Port:
    """
    What an endpoint listens with.
    """

    def __init__(self, steps: list[Any], name: str) -> None:
        self.steps = steps
        self.name = name
        self.stopped: Any = None

    def getHost(self) -> str:
        """
        @return: an address without a port.
        """
        return self.name

    def stopListening(self) -> Any:
        """
        @return: what the test has prepared.
        """
        self.steps.append(f"stop {self.name}")
        return self.stopped


class Endpoint:
    """
    An endpoint that tells when it listens.
    """

    def __init__(self, steps: list[Any], name: str, result: Any = None) -> None:
        self.steps = steps
        self.port = Port(steps, name)
        self.result = result

    def listen(self, factory: Any) -> Any:
        """
        @return: fires with the port, or what the test has prepared.
        """
        self.steps.append(f"listen {self.port.name}")
        self.factory = factory
        return succeed(self.port) if self.result is None else self.result


class ServiceTests(SynchronousTestCase):
    """
    L{AGService}.
    """

    def setUp(self) -> None:
        """
        Make a server that tells what happens to it.
        """
        self.reactor = MemoryReactorClock()
        self.server = AGServer(self.reactor)
        self.steps: list[Any] = []
        self.brokerStarted: Any = succeed(None)
        self.brokerStopped: Any = succeed(None)
        broker = self.server.brokerEngine._broker
        self.patch(broker, "start", lambda hub: self.step("start broker", self.brokerStarted))
        self.patch(broker, "stop", lambda: self.step("stop broker", self.brokerStopped))

    def step(self, name: str, result: Any = None) -> Any:
        """
        Remember that something has happened.
        """
        self.steps.append(name)
        return result

    def service(self, *endpoints: Any, **more: Any) -> AGService:
        """
        @return: a service of the server.
        """
        return AGService(self.server, endpoints, **more)

    def test_interface(self) -> None:
        """
        It is a service.
        """
        self.assertTrue(verifyObject(IService, self.service()))

    def test_order(self) -> None:
        """
        First the application, then the broker, then listening, each after the one before is done; the other way round
        to stop.
        """
        application: Deferred[None] = Deferred()
        self.brokerStarted = Deferred()
        listening: Deferred[Any] = Deferred()
        one, two = Endpoint(self.steps, "one", listening), Endpoint(self.steps, "two")
        service = self.service(one, two, application=lambda server: self.step("application", application))
        started = service.startService()
        self.assertTrue(service.running)
        self.assertEqual(self.steps, ["application"])
        application.callback(None)
        self.assertEqual(self.steps[1:], ["start broker"])
        self.brokerStarted.callback(None)
        self.assertEqual(self.steps[2:], ["listen one"])
        self.assertNoResult(started)
        listening.callback(one.port)
        self.assertEqual(self.steps[3:], ["listen two"])
        self.successResultOf(started)
        self.assertEqual(service.ports, [one.port, two.port])
        self.assertIs(self.server.listeningPort, one.port)

        self.steps.clear()
        one.port.stopped, self.brokerStopped = Deferred(), Deferred()
        stopped = service.stopService()
        self.assertEqual(self.steps, ["stop one", "stop two"])
        one.port.stopped.callback(None)
        self.assertEqual(self.steps[2:], ["stop broker"])
        self.assertNoResult(stopped)
        self.brokerStopped.callback(None)
        self.successResultOf(stopped)
        self.assertEqual((service.running, service.ports, self.server.isReady), (0, [], False))

    def test_descriptions(self) -> None:
        """
        Endpoints may be given as descriptions.
        """
        service = self.service("tcp:8000", "tcp:8001")
        self.successResultOf(service.startService())
        self.assertEqual([server[0] for server in self.reactor.tcpServers], [8000, 8001])
        self.assertEqual(self.server.sourcePort, 8000)

    def test_site(self) -> None:
        """
        The site gets everybody who asks for no upgrade.
        """
        site, endpoint = object(), Endpoint(self.steps, "one")
        self.successResultOf(self.service(endpoint, site=site).startService())
        self.assertIs(endpoint.factory.site, site)

    def test_application(self) -> None:
        """
        The application gets the server; it may be a coroutine function, or one that returns nothing.
        """
        seen: list[Any] = []

        async def application(server: AGServer) -> None:
            seen.append(server)

        self.successResultOf(self.service(application=application).startService())
        self.successResultOf(self.service(application=seen.append).startService())
        self.assertEqual(seen, [self.server, self.server])

    def test_applicationFails(self) -> None:
        """
        When the application fails nothing is listened at, and the failure is the caller's.
        """
        service = self.service(Endpoint(self.steps, "one"), application=lambda server: fail(ZeroDivisionError()))
        self.failureResultOf(service.startService(), ZeroDivisionError)
        self.assertEqual(self.steps, [])
        self.successResultOf(service.stopService())

    def test_brokerFails(self) -> None:
        """
        So it is when the broker fails.
        """
        self.brokerStarted = fail(ZeroDivisionError())
        service = self.service(Endpoint(self.steps, "one"))
        self.failureResultOf(service.startService(), ZeroDivisionError)
        self.assertEqual(self.steps, ["start broker"])

    def test_listeningFails(self) -> None:
        """
        When one place cannot be listened at, none is.
        """
        taken = fail(CannotListenError("localhost", 8000, OSError("taken")))
        service = self.service(Endpoint(self.steps, "one"), Endpoint(self.steps, "two", taken))
        self.failureResultOf(service.startService(), CannotListenError)
        self.assertEqual(self.steps, ["start broker", "listen one", "listen two", "stop one"])
        self.assertEqual(service.ports, [])

    def test_stoppedWhileStarting(self) -> None:
        """
        Stopping a service that is still starting ends the start.
        """
        service = self.service(Endpoint(self.steps, "one"), application=lambda server: Deferred())
        started = service.startService()
        self.successResultOf(service.stopService())
        self.failureResultOf(started, CancelledError)
        self.assertEqual(self.steps, ["stop broker"])

    def test_neverStarted(self) -> None:
        """
        Stopping a service that was never started does no harm.
        """
        self.successResultOf(self.service().stopService())

    def test_startedAgain(self) -> None:
        """
        A service can be started again.
        """
        service = self.service(Endpoint(self.steps, "one"))
        for _ in range(2):
            self.steps.clear()
            self.successResultOf(service.startService())
            self.successResultOf(service.stopService())
            self.assertEqual(self.steps, ["start broker", "listen one", "stop one", "stop broker"])

    def ask(self, path: str) -> bytes:
        """
        @return: the answer at the place for the operator.
        """
        client = RawClient(self.admin.factory, self.reactor)
        client.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return client.take()

    def withAdmin(self, *endpoints: Any, **more: Any) -> AGService:
        """
        @return: a service that shows its figures.
        """
        self.admin = Endpoint(self.steps, "admin")
        return self.service(*endpoints, adminEndpoint=self.admin, **more)

    def test_admin(self) -> None:
        """
        The pages for the operator are there before anything else, and until nothing else is left; they say whether the
        server is ready.
        """
        ready: Deferred[None] = Deferred()
        service = self.withAdmin(Endpoint(self.steps, "one"), application=lambda server: ready)
        service.startService()
        self.assertIs(service.adminPort, self.admin.port)
        self.assertIn(b" 503 ", self.ask("/health-check"))
        ready.callback(None)
        self.assertIn(b" 200 ", self.ask("/health-check"))
        self.assertIn(b'"connections": 0', self.ask("/stats"))
        self.assertIsNot(self.server.listeningPort, self.admin.port)
        self.brokerStopped = Deferred()
        stopped = service.stopService()
        self.assertIn(b" 503 ", self.ask("/health-check"))
        self.brokerStopped.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.steps[-3:], ["stop one", "stop broker", "stop admin"])
        self.assertEqual((self.steps[0], service.adminPort), ("listen admin", None))

    def test_adminDescription(self) -> None:
        """
        Their place may be given as a description, such as that of a Unix socket.
        """
        for description, servers in (
            ("tcp:9000:interface=127.0.0.1", self.reactor.tcpServers),
            ("unix:admin.sock", self.reactor.unixServers),
        ):
            service = self.service("tcp:8000", adminEndpoint=description)
            self.successResultOf(service.startService())
            found = [server for server in servers if isinstance(server[1], AdminSite)]
            self.assertIn(str(found[0][0]), description)
            self.assertEqual(self.server.sourcePort, 8000)
            self.successResultOf(service.stopService())

    def test_adminWithoutStart(self) -> None:
        """
        When starting fails they go as well, and when they cannot be there, nothing starts.
        """
        service = self.withAdmin(application=lambda server: fail(ZeroDivisionError()))
        self.failureResultOf(service.startService(), ZeroDivisionError)
        self.assertEqual(self.steps, ["listen admin", "stop admin"])
        self.steps.clear()
        service = self.withAdmin(Endpoint(self.steps, "one"))
        self.admin.result = fail(CannotListenError("localhost", 9000, OSError("taken")))
        self.failureResultOf(service.startService(), CannotListenError)
        self.assertEqual(self.steps, ["listen admin"])

    def test_adminStopsAnyway(self) -> None:
        """
        They go also when stopping the broker fails.
        """
        service = self.withAdmin()
        service.startService()
        self.brokerStopped = fail(ZeroDivisionError())
        self.failureResultOf(service.stopService(), ZeroDivisionError)
        self.assertEqual(self.steps[-1], "stop admin")

    def test_stalls(self) -> None:
        """
        While the service runs it watches for stalls of the reactor, and afterwards nothing waits.
        """
        self.server.stalls = StallWatch(self.reactor, self.reactor)
        service = self.service()
        self.assertIsNone(self.server.stats()["longestStall"])
        service.startService()
        self.reactor.advance(0)
        self.reactor.advance(PERIOD + 0.3)
        self.assertAlmostEqual(self.server.stats()["longestStall"], 0.3)
        self.successResultOf(service.stopService())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def client(self, **how: Any) -> FakeClient:
        """
        @return: a client of the server.
        """
        return connect(self.server, **how)

    def test_goingAway(self) -> None:
        """
        Clients, pending ones too, are closed with 1001, which official clients take for a reason to come back; stopping
        waits for them.
        """
        service = self.service(Endpoint(self.steps, "one"))
        service.startService()
        clients = [self.client(), self.client(handshake=False)]
        self.successResultOf(service.stopService())
        self.assertEqual([client.closeCode for client in clients], [1001, 1001])
        self.assertEqual(self.server.clientsCount + self.server.pendingClientsCount, 0)

    def test_stuckClient(self) -> None:
        """
        A client that does not answer the close is waited for for a while, then dropped; the broker stops after that,
        and nothing is logged as an error.
        """
        service = self.service(Endpoint(self.steps, "one"))
        service.startService()
        stuck, other = self.client(), self.client()
        assert stuck.socket is not None
        transport: Any = stuck.socket.socket
        aborted: list[bool] = []
        transport.close = lambda code, reason: None
        transport.whenLost = Deferred
        transport.abort = lambda: aborted.append(True)
        self.steps.clear()
        stopped = service.stopService()
        self.assertEqual((self.steps, aborted), (["stop one"], []))
        self.reactor.advance(1.9)
        self.assertNoResult(stopped)
        self.reactor.advance(0.2)
        self.successResultOf(stopped)
        self.assertEqual((self.steps, aborted, other.closeCode), (["stop one", "stop broker"], [True], 1001))
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_inTree(self) -> None:
        """
        It works in a tree of services: stopping the tree waits for it.
        """
        tree = MultiService()
        service = self.service(Endpoint(self.steps, "one"))
        service.setServiceParent(tree)
        tree.startService()
        self.brokerStopped = Deferred()
        stopped = tree.stopService()
        self.assertNoResult(stopped)
        self.brokerStopped.callback(None)
        self.successResultOf(stopped)


class DrainTests(SynchronousTestCase):
    """
    How a service stops while clients are there.
    """

    def setUp(self) -> None:
        """
        Make a service that listens, whose server has a procedure that answers when the test says so.
        """
        self.reactor = MemoryReactorClock()
        self.server = AGServer(self.reactor, drainDelay=3000, drainTimeout=5000)
        self.requests: list[Any] = []
        self.steps: list[Any] = []
        self.endpoint = Endpoint(self.steps, "one")
        self.service = AGService(self.server, [self.endpoint])
        self.successResultOf(self.service.startService())
        self.client = connect(self.server)
        Deferred.fromCoroutine(self.serve(self.client.socket))

    async def serve(self, socket: Any) -> None:
        """
        Take calls without answering them.
        """
        async for request in socket.procedure("slow"):
            self.requests.append(request)

    def pass_(self, seconds: float) -> None:
        """
        Let time pass in small steps, as it does.
        """
        for _ in range(round(seconds / 0.1)):
            self.reactor.advance(0.1)

    def test_balancersFirst(self) -> None:
        """
        For the drain delay the server is not ready any more, and still listens.
        """
        stopped = self.service.stopService()
        self.assertFalse(self.server.isReady)
        self.pass_(2.9)
        self.assertEqual((self.steps, self.client.state), (["listen one"], "open"))
        self.pass_(1)
        self.assertEqual((self.steps[1:], self.client.closeCode), (["stop one"], 1001))
        self.successResultOf(stopped)

    def test_notReady(self) -> None:
        """
        From the beginning of the end the server is not ready any more, also without a drain delay.
        """
        self.server.options.drainDelay = 0
        answer = self.client.invoke("slow")
        self.server.turns.run()
        stopped = self.service.stopService()
        self.pass_(1)
        self.assertFalse(self.server.isReady)
        self.assertEqual((self.steps[1:], self.client.state), (["stop one"], "open"))
        self.requests[0].end()
        self.pass_(0.2)
        self.successResultOf(stopped)
        self.successResultOf(answer)

    def test_callsAreAnswered(self) -> None:
        """
        A call that a procedure has taken is answered before its client is told to go.
        """
        answer = self.client.invoke("slow")
        self.server.turns.run()
        stopped = self.service.stopService()
        self.pass_(4)
        self.assertEqual((self.steps[1:], self.client.state), (["stop one"], "open"))
        self.requests[0].end("at last")
        self.pass_(0.2)
        self.assertEqual(self.successResultOf(answer), "at last")
        self.assertEqual(self.client.closeCode, 1001)
        self.successResultOf(stopped)

    def test_notForEver(self) -> None:
        """
        A call that is not answered in time does not keep the service from stopping.
        """
        answer = self.client.invoke("slow")
        self.server.turns.run()
        stopped = self.service.stopService()
        self.pass_(7.9)
        self.assertEqual(self.client.state, "open")
        self.pass_(0.5)
        self.assertEqual(self.client.closeCode, 1001)
        self.successResultOf(stopped)
        self.failureResultOf(answer)

    def test_unservedCalls(self) -> None:
        """
        A call that nobody serves is nothing to wait for.
        """
        answer = self.client.invoke("nobody")
        stopped = self.service.stopService()
        self.pass_(3.5)
        self.assertEqual(self.client.closeCode, 1001)
        self.successResultOf(stopped)
        self.failureResultOf(answer)

    def test_manyClients(self) -> None:
        """
        Many clients are told to go a hundred at a time.
        """
        clients = [connect(self.server) for _ in range(250)]
        stopped = self.service.stopService()
        self.pass_(2.9)
        for _ in range(100):
            self.reactor.advance(0.005)
            if any(client.closeCode for client in clients):
                break
        self.assertEqual(sum(client.closeCode == 1001 for client in [self.client, *clients]), 100)
        self.pass_(0.3)
        self.assertTrue(all(client.closeCode == 1001 for client in clients))
        self.successResultOf(stopped)
