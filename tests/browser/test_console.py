"""Tests for the console page that a server without an application shows."""

from __future__ import annotations

from tests.browser.support import BrowserTestCase


class ConsoleTests(BrowserTestCase):
    """The console page of an ordinary server, in two tabs."""

    async def test_everyStep(self) -> None:
        """
        Two visitors see each other's publications, call procedures, get their mistakes explained, and stay connected
        over a restart of the server, on a desktop as on a phone.
        """
        output = await self.runScript("console.mjs")
        self.assertIn("passed: two tabs connect and subscribe to the lobby by themselves", output)
        self.assertIn("passed: the page survives a server that goes away and comes back", output)
