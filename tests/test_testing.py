"""
Tests of L{agtwisted.testing}.
"""

from __future__ import annotations

import inspect
import unittest
from textwrap import dedent
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from agtwisted import AGServer, testing
from agtwisted.errors import BadConnectionError, InvalidActionError
from agtwisted.interfaces import ITransport
from agtwisted.protocol.upgrade import HandshakeDenied
from agtwisted.testing import FakeClient, connect


class ExampleTests(SynchronousTestCase):
    """
    The example in the module's docstring.
    """

    def test_example(self) -> None:
        """
        It runs as it stands there, and its tests pass.
        """
        documentation = inspect.getdoc(testing)
        assert documentation is not None
        source = dedent(documentation.partition("::\n")[2].rpartition("\n\nDeadlines")[0])
        names: dict[str, Any] = {"__name__": "example"}
        exec(compile(source, "example", "exec"), names)
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(names["LoginTests"]).run(result)
        self.assertEqual(result.testsRun, 3)
        self.assertEqual([text for _, text in result.errors + result.failures], [])


class ClientTests(SynchronousTestCase):
    """
    What a fake client does.
    """

    def setUp(self) -> None:
        """
        Make a server.
        """
        self.clock = Clock()
        self.server = AGServer(reactor=self.clock)

    def serve(self, client: FakeClient, name: str) -> list[Any]:
        """
        @return: the requests that come for a procedure of one client.
        """
        requests: list[Any] = []

        async def loop() -> None:
            assert client.socket is not None
            async for request in client.socket.procedure(name):
                requests.append(request)

        Deferred.fromCoroutine(loop())
        return requests

    def test_realReactor(self) -> None:
        """
        A server whose time cannot be moved is refused, with a word on what to do.
        """

        class Reactor:
            callLater = seconds = None

        self.assertIn("reactor=Clock()", str(self.assertRaises(TypeError, connect, AGServer(reactor=Reactor()))))

    def test_connect(self) -> None:
        """
        A client that has connected is open at both ends, and the server has been started.
        """
        client = connect(self.server, url="/socketcluster/?room=1", headers={"User-Agent": "x"}, remoteAddress="::1")
        socket = client.socket
        assert socket is not None
        self.assertTrue(self.server.isReady)
        self.assertEqual((client.state, socket.state, client.id), ("open", "open", socket.id))
        self.assertEqual((socket.request.url, socket.request.headers["user-agent"]), ("/socketcluster/?room=1", "x"))
        self.assertEqual(socket.remoteAddress, "::1")
        self.assertIsNone(client.connectError)
        self.assertIsNone(client.authError)
        self.assertFalse(client.isAuthenticated)

    def test_transport(self) -> None:
        """
        What the server's socket sends through is what it expects of a WebSocket connection.
        """
        client = connect(self.server)
        assert client.socket is not None
        self.assertTrue(verifyObject(ITransport, client.socket.socket))
        before = client.socket.getBytesReceived()
        client.send("four")
        self.assertEqual(client.socket.getBytesReceived() - before, 4)

    def test_refused(self) -> None:
        """
        A client that the server refuses is closed, and knows the HTTP status.
        """
        server = AGServer(reactor=self.clock, origins="good.example:*")
        client = connect(server, headers={"Origin": "http://bad.example"})
        assert isinstance(client.connectError, HandshakeDenied)
        self.assertEqual((client.state, client.connectError.status, client.socket), ("closed", 403, None))
        client.disconnect()
        client.send("nothing comes of it")
        self.failureResultOf(client.invoke("nothing"), BadConnectionError)

    def test_rejected(self) -> None:
        """
        A client whose C{#handshake} is rejected knows the error and how the connection was closed.
        """

        async def rejectAll(stream: Any) -> None:
            async for action in stream:
                if action.type == action.HANDSHAKE_SC:
                    action.block(InvalidActionError("Not you"))
                else:
                    action.allow()

        self.server.setMiddleware(self.server.MIDDLEWARE_HANDSHAKE, rejectAll)
        client = connect(self.server)
        assert isinstance(client.connectError, InvalidActionError)
        self.assertEqual((client.state, client.closeCode), ("closed", 4008))

    def test_slowMiddleware(self) -> None:
        """
        While middleware takes its time the client is connecting; it may leave meanwhile.
        """
        actions: list[Any] = []

        async def collect(stream: Any) -> None:
            async for action in stream:
                actions.append(action)

        self.server.setMiddleware(self.server.MIDDLEWARE_HANDSHAKE, collect)
        staying, leaving = connect(self.server, handshake=False), connect(self.server)
        self.assertEqual((staying.state, staying.socket), ("connecting", None))
        leaving.disconnect()
        for action in actions:
            action.allow()
        self.server.turns.run()
        self.assertEqual((staying.state, leaving.state), ("connecting", "closed"))
        self.assertIsNotNone(staying.socket)
        self.assertEqual((leaving.socket, self.server.pendingClientsCount), (None, 1))

    def test_handshakeByHand(self) -> None:
        """
        A client can be told not to go on with C{#handshake} by itself.
        """
        client = connect(self.server, handshake=False)
        self.assertEqual((client.state, self.server.pendingClientsCount), ("connecting", 1))
        status = self.successResultOf(client.handshake())
        self.assertEqual(status, {"id": client.id, "pingTimeout": 30000, "isAuthenticated": False})
        self.assertEqual((client.state, self.server.clientsCount), ("open", 1))

    def test_tokens(self) -> None:
        """
        A client keeps the token that it gets, presents one, drops one, and forgets one when it is told to.
        """
        client = connect(self.server)
        assert client.socket is not None
        self.successResultOf(client.socket.setAuthToken({"name": "bob"}, rejectOnFailedDelivery=False))
        client.settle()
        token = client.signedAuthToken
        assert token is not None
        client.deauthenticate()
        self.assertFalse(client.isAuthenticated)
        self.assertIsNone(client.socket.authToken)
        self.successResultOf(client.authenticate(token))
        self.assertEqual((client.signedAuthToken, client.socket.authToken["name"]), (token, "bob"))
        self.successResultOf(client.socket.deauthenticate())
        client.settle()
        self.assertFalse(client.isAuthenticated)
        self.failureResultOf(client.authenticate("rubbish"))
        self.assertFalse(client.isAuthenticated)

    def test_badToken(self) -> None:
        """
        A client that connects with a bad token knows what was wrong with it, and has forgotten it.
        """
        client = connect(self.server, authToken="rubbish")
        self.assertEqual(str(client.authError), "jwt malformed")
        self.assertIsNone(client.signedAuthToken)

    def test_notActiveToken(self) -> None:
        """
        A token that is only refused for now does not make the client authenticated.
        """
        token = self.successResultOf(self.server.auth.signToken({"nbf": 1e10}, self.server.signatureKey))
        client = connect(self.server)
        self.assertFalse(self.successResultOf(client.authenticate(token))["isAuthenticated"])
        self.assertFalse(client.isAuthenticated)

    def test_calls(self) -> None:
        """
        A call fires with the answer's data, fails with its error, and fails when the connection goes.
        """
        client = connect(self.server)
        requests = self.serve(client, "sum")
        calls = [client.invoke("sum", [1, 2]), client.invoke("sum"), client.invoke("sum")]
        self.assertEqual([request.data for request in requests], [[1, 2], None, None])
        requests[0].end(3)
        requests[1].error(InvalidActionError("No numbers"))
        client.settle()
        self.assertEqual(self.successResultOf(calls[0]), 3)
        self.assertEqual(str(self.failureResultOf(calls[1], InvalidActionError).value), "No numbers")
        self.assertNoResult(calls[2])
        client.disconnect()
        self.failureResultOf(calls[2], BadConnectionError)
        self.failureResultOf(client.invoke("sum"), BadConnectionError)

    def test_serverCalls(self) -> None:
        """
        The server's calls are answered by the functions the test has given the client, and others not at all.
        """
        client = connect(self.server)
        client.procedures["double"] = lambda number: succeed(2 * number)
        client.procedures["fail"] = lambda data: 1 // 0
        assert client.socket is not None
        calls = [client.socket.invoke(name, 21) for name in ("double", "fail", "unknown")]
        client.settle()
        self.assertEqual(self.successResultOf(calls[0]), 42)
        self.assertEqual(self.failureResultOf(calls[1]).value.name, "ZeroDivisionError")
        self.assertNoResult(calls[2])
        client.disconnect()
        self.failureResultOf(calls[2], BadConnectionError)

    def test_channels(self) -> None:
        """
        A client subscribes, publishes and leaves; what it has got of a channel can be asked for, batches included.
        """
        client = connect(self.server)
        client.subscribe("news", {"reason": "test"})
        client.subscribe("other")
        client.publish("news", 1)
        client.publish("other", 2)
        assert client.socket is not None
        client.socket.startBatch()
        client.publish("news", [3])
        client.publish("news")
        client.socket.flushBatch()
        self.successResultOf(client.unsubscribe("news"))
        client.publish("news", 4)
        self.assertEqual(client.publications("news"), [1, [3], None])
        self.assertEqual(client.publications("other"), [2])

    def test_packets(self) -> None:
        """
        What has come can be looked at, and taken away.
        """
        client = connect(self.server)
        client.takePackets()
        assert client.socket is not None
        client.socket.transmit("hello", "x" * 200)
        client.socket.transmit("hello", "x" * 70000)
        client.socket.send("raw")
        self.assertEqual(client.packets, [])
        hello = [{"event": "hello", "data": "x" * 200}, {"event": "hello", "data": "x" * 70000}]
        self.assertEqual(client.takePackets(), [*hello, "raw"])
        self.assertEqual(client.takePackets(), [])

    def test_binary(self) -> None:
        """
        Bytes travel in binary messages, in both directions, if the server's codec is a binary one.
        """

        class Reversed:
            def encode(self, value: object) -> bytes:
                return repr(value).encode()[::-1]

            def decode(self, message: str | bytes) -> object:
                return message if isinstance(message, str) else eval(message[::-1])

        client = connect(AGServer(reactor=self.clock, codecEngine=Reversed()))
        requests = self.serve(client, "x")
        answer = client.invoke("x", (1, 2))
        requests[0].end({3})
        client.settle()
        self.assertEqual((requests[0].data, self.successResultOf(answer)), ((1, 2), {3}))
        client.send(repr({"event": "x", "cid": 99}).encode()[::-1])
        self.assertEqual(len(requests), 2)

    def test_oneTurn(self) -> None:
        """
        Several messages can come in one turn, before anyone is woken.
        """
        client = connect(self.server)
        waiting: list[int] = []

        async def loop() -> None:
            assert client.socket is not None
            async for _ in client.socket.receiver("x"):
                waiting.append(client.socket.getAllReceiversBackpressure())

        Deferred.fromCoroutine(loop())
        client.send({"event": "x"}, {"event": "x"}, {"event": "x"})
        client.send({"event": "x"})
        self.assertEqual(waiting, [2, 1, 0, 0])

    def pings(self, version: int, ping: str) -> None:
        """
        Check the pings of one version of the protocol.
        """
        client = connect(AGServer(reactor=self.clock, protocolVersion=version))
        for _ in range(9):
            self.clock.advance(8.1)
        self.assertEqual((client.pingCount, client.state, len(client.packets)), (9, "open", 1))
        client.answersPings = False
        self.clock.advance(31)
        self.assertEqual((client.state, client.closeCode, client.closeReason), ("closed", 4001, None))

    def test_pings(self) -> None:
        """
        Pings are answered, unless the client has fallen silent, and are no packets.
        """
        self.pings(2, "")

    def test_oldPings(self) -> None:
        """
        A server of version 1 of the protocol gets a client of version 1.
        """
        self.pings(1, "#1")

    def test_closedByServer(self) -> None:
        """
        The client knows the code and reason that the server has closed with, and is not there any more.
        """
        client = connect(self.server)
        assert client.socket is not None
        gone = client.socket.socket.whenLost()
        client.socket.transmit("last")
        self.assertNoResult(gone)
        client.socket.disconnect(4321, "enough")
        self.assertEqual((client.closeCode, client.closeReason, client.state), (4321, "enough", "closed"))
        self.assertEqual(client.takePackets()[-1], {"event": "last"})
        self.successResultOf(gone)
        self.successResultOf(client.socket.socket.whenLost())
        client.socket.socket.close(1000, None)
        client.socket.terminate()
        self.assertEqual(client.closeCode, 4321)

    def test_dropped(self) -> None:
        """
        A connection that the server drops ends with 1006 on both sides.
        """
        client = connect(self.server)
        assert client.socket is not None
        closed = client.socket.listener("close").once()
        client.socket.terminate()
        self.assertEqual((client.closeCode, client.socket.state), (1006, "open"))
        client.settle()
        self.assertEqual(self.successResultOf(closed).code, 1006)

    def test_disconnect(self) -> None:
        """
        The server gets the code and reason that the client closes with.
        """
        client = connect(self.server)
        assert client.socket is not None
        closed = client.socket.listener("close").once()
        client.disconnect(4444, "bye")
        event = self.successResultOf(closed)
        self.assertEqual((event.code, event.reason, client.closeCode), (4444, "bye", None))

    def test_brokerFails(self) -> None:
        """
        A server that cannot be started is told of in the log, which fails the test unless it expects that.
        """

        class Broken:
            def setCodecEngine(self, codec: object) -> None:
                """
                Do without.
                """

            def exchange(self) -> None:
                """
                Have none.
                """

            isReady = False

            def start(self) -> None:
                raise ZeroDivisionError

        connect(AGServer(reactor=self.clock, brokerEngine=Broken()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
