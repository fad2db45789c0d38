"""Tests for the chat example: its application and its page."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.browser.support import ROOT, BrowserTestCase


class ChatTests(BrowserTestCase):
    """The chat, run by the command that its README gives."""

    serverArguments = ("--app", "examples.chat.server:setup", "--static", "examples/chat/public")

    async def test_everyStep(self) -> None:
        """
        Two people log in, talk, move between rooms, reload, log out and live through a restart; visitors read the
        lobby only, and every refusal is told.
        """
        output = await self.runScript("chat.mjs")
        self.assertIn("passed: a reload stays logged in, shows the history once, and is not announced", output)


class ClientCopyTests(SynchronousTestCase):
    """The example's copy of the client."""

    def test_sameAsTheConsoles(self) -> None:
        """The example can be copied away as it is, so it brings the client along: the same one as the console's."""
        copy = ROOT / "examples" / "chat" / "public" / "client.js"
        self.assertEqual(copy.read_text(), (ROOT / "agtwisted" / "console" / "client.js").read_text())
