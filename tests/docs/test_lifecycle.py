"""
The examples of C{docs/topics/lifecycle.rst}.
"""

from __future__ import annotations

import re

from twisted.internet.defer import ensureDeferred

from agtwisted import AGServer
from agtwisted.protocol.statuses import isSendable
from tests.docs.support import DOCS, HERE, ExampleTestCase


class LifecycleTests(ExampleTestCase):
    """
    The order of events.
    """

    page = "lifecycle"

    async def test_order(self) -> None:
        """
        The events of one connection come in the order that the page shows.
        """
        server = await self.serve(self.load("server.py").start)
        closed = server.listener("closure").once()
        await self.runClient("client.mjs", server)
        await closed
        await server.turns.settled()
        self.assertEqual("\n".join([*self.printed, ""]), self.read("output.txt"))

    async def test_reactions(self) -> None:
        """
        The official client reacts to each close code that a server can send as the page's table says.
        """
        expected = {}
        for line in (DOCS / "topics" / "lifecycle.rst").read_text(encoding="utf-8").splitlines():
            for code in re.findall(r"\b\d{4}\b", line[:22]):
                if isSendable(int(code)):
                    expected[code] = "stays away" if line.endswith("never comes back") else line[-26:].strip()
        server = await self.serve(lambda server: ensureDeferred(closeAsTold(server)) and None)
        script = (HERE / "reactions.mjs").read_text(encoding="utf-8")
        output = await self.runNode(script, server.sourcePort, *expected)
        self.assertEqual(dict(line.split(" ", 1) for line in output.splitlines()), expected)


async def closeAsTold(server: AGServer) -> None:
    """
    Close each connection with the code that its client names.
    """
    async for event in server.listener("connection"):
        code = event.socket.receiver("close").once()
        code.addCallback(event.socket.disconnect)
