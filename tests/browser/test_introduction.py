"""Tests for the page that the documentation's introduction makes."""

from __future__ import annotations

import shutil
from pathlib import Path

from twisted.internet.defer import Deferred

from tests.browser.support import ROOT, BrowserTestCase

EXAMPLE = ROOT / "docs" / "examples" / "introduction"
CLIENT = ROOT / "tests" / "docs" / "node_modules" / "socketcluster-client" / "socketcluster-client.min.js"


class IntroductionTests(BrowserTestCase):
    """The introduction's server and page, with the official client beside it."""

    def setUp(self) -> Deferred[None]:
        """Put the page and the client into one folder, as the introduction says."""
        folder = Path(self.mktemp()).resolve()
        shutil.copytree(EXAMPLE / "public", folder)
        shutil.copy(CLIENT, folder)
        self.serverArguments = ("--app", "docs.examples.introduction.hello:start", "--static", str(folder))
        return super().setUp()

    async def test_greeting(self) -> None:
        """A greeting is answered to the page that asks, and every page sees it."""
        output = await self.runScript("introduction.mjs")
        self.assertIn("passed: a greeting is answered, and every page sees it", output)
