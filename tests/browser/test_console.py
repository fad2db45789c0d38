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

    async def test_client(self) -> None:
        """
        The page's client holds to the protocol with a server that is played frame by frame: tokens, kick-outs,
        batches, refusals, silence and rubbish.
        """
        output = await self.runScript("client.mjs")
        self.assertIn("passed: a server that sends a client away for good is obeyed", output)
