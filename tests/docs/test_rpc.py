"""
The examples of C{docs/howto/rpc.rst}.
"""

from __future__ import annotations

from tests.docs.support import ExampleTestCase


class RPCTests(ExampleTestCase):
    """
    Calls and messages in both directions.
    """

    page = "rpc"

    async def test_calls(self) -> None:
        """
        Each call, failure, late answer and batch ends as the page says.
        """
        await self.check("server.py", "client.mjs", "output.txt")

    async def test_raw(self) -> None:
        """
        A raw message reaches the listener of C{raw}, and one comes back.
        """
        await self.check("raw_server.py", "raw_client.mjs", "raw_output.txt")
