"""
The examples of C{docs/howto/middleware.rst}.
"""

from __future__ import annotations

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
