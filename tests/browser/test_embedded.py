"""Tests for the example of a server inside a web site: its page, and its server."""

from __future__ import annotations

import sys

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import AGServer
from agtwisted.testing import connect
from examples.embedded.server import StatusPublisher
from tests.browser.support import ROOT, BrowserTestCase


class EmbeddedTests(BrowserTestCase):
    """The example, run by the command that its README gives."""

    def serverCommand(self) -> list[str]:
        """The README's command, on this test's port."""
        return [sys.executable, "-m", "examples.embedded.server", str(self.port)]

    async def test_everyStep(self) -> None:
        """Two pages see the status grow and each other's announcements; the site's own resources go on as before."""
        output = await self.runScript("embedded.mjs")
        self.assertIn("passed: the site's own resource is served as before", output)


class StatusPublisherTests(SynchronousTestCase):
    """The publisher on a timer."""

    def test_publish(self) -> None:
        """The status is published every second to those who are subscribed, until the publisher is stopped."""
        clock = Clock()
        server = AGServer(clock)
        publisher = StatusPublisher(server, clock)
        publisher.start()
        client = connect(server)
        client.subscribe("status")
        clock.pump([1.0, 1.0])
        self.assertEqual(client.publications("status"), [{"clients": 1, "uptime": 1}, {"clients": 1, "uptime": 2}])
        publisher.stop()
        clock.advance(5.0)
        self.assertEqual(len(client.publications("status")), 2)


class ClientCopyTests(SynchronousTestCase):
    """The example's copy of the client."""

    def test_sameAsTheConsoles(self) -> None:
        """The example can be copied away as it is, so it brings the client along: the same one as the console's."""
        copy = ROOT / "examples" / "embedded" / "public" / "client.js"
        self.assertEqual(copy.read_text(), (ROOT / "agtwisted" / "console" / "client.js").read_text())
