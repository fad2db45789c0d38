"""
The examples of C{docs/topics/lifecycle.rst}.
"""

from __future__ import annotations

from tests.docs.support import ExampleTestCase


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
