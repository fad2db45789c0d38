"""
The examples of C{docs/howto/middleware.rst}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import AGAction, AGServer
from agtwisted.testing import connect
from tests.docs.support import ExampleTestCase


class MiddlewareTests(ExampleTestCase):
    """
    The four lines.
    """

    page = "middleware"

    async def test_lines(self) -> None:
        """
        Each line allows, changes and blocks as the page says.
        """
        await self.check("server.py", "client.mjs", "output.txt")


class BlockTests(SynchronousTestCase):
    """
    What the page says of blocks, beyond its example.
    """

    def setUp(self) -> None:
        """
        Make a server whose inbound middleware blocks what the test wants it to.
        """
        self.clock = Clock()
        self.server = AGServer(reactor=self.clock)

    def block(self, type: str, error: Any) -> None:
        """
        Block every action of one type.
        """

        async def function(stream: Any) -> None:
            async for action in stream:
                if action.type == type:
                    action.block(error)
                else:
                    action.allow()

        self.server.setMiddleware(self.server.MIDDLEWARE_INBOUND, function)

    def test_transmit(self) -> None:
        """
        A message that was blocked gets no answer, and reaches no receiver.
        """
        self.block(AGAction.TRANSMIT, PermissionError("no"))
        client = connect(self.server)
        assert client.socket is not None
        received = client.socket.receiver("anything").once()
        client.takePackets()
        client.transmit("anything", 1)
        self.assertEqual(client.takePackets(), [])
        self.assertNoResult(received)

    def test_authenticate(self) -> None:
        """
        A client whose authentication was blocked is nobody, and forgets its token if the error says so.
        """
        error = PermissionError("no")
        self.block(AGAction.AUTHENTICATE, error)
        signed = self.successResultOf(self.server.auth.signToken({"name": "ada"}, self.server.signatureKey))
        client = connect(self.server, authToken=signed)
        self.assertEqual((client.authError.name, client.isAuthenticated), ("PermissionError", False))  # type: ignore
        self.assertNotIn({"event": "#removeAuthToken"}, client.packets)
        error.isBadToken = True  # type: ignore[attr-defined]
        self.assertIn({"event": "#removeAuthToken"}, connect(self.server, authToken=signed).packets)

    def test_silent(self) -> None:
        """
        An error with C{silent} is not shown to the client.
        """
        error = PermissionError("a secret")
        error.silent = True  # type: ignore[attr-defined]
        self.block(AGAction.INVOKE, error)
        failure = self.failureResultOf(connect(self.server).invoke("anything"))
        self.assertEqual(failure.value.name, "SilentMiddlewareBlockedError")
        self.assertNotIn("secret", failure.value.message)

    def test_fault(self) -> None:
        """
        A function that raises blocks from then on, for this socket only.
        """

        async def function(stream: Any) -> None:
            async for action in stream:
                if action.data == "fault":
                    raise RuntimeError("a fault")
                action.allow()

        self.server.setMiddleware(self.server.MIDDLEWARE_INBOUND, function)
        client, other = connect(self.server), connect(self.server)
        for data in ("fault", "fine"):
            failure = self.failureResultOf(client.publish("news", data))
            self.assertEqual(failure.value.name, "InvalidActionError")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.successResultOf(other.publish("news", "fine"))
