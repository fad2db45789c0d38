"""
The example of C{docs/howto/codecs.rst}.
"""

from __future__ import annotations

from tests.docs.support import ExampleTestCase


class CodecTests(ExampleTestCase):
    """
    The MessagePack codec.
    """

    page = "codecs"

    async def test_example(self) -> None:
        """
        Client and server understand each other, bytes included, with the options on the page.
        """
        await self.check("server.py", "client.mjs", "output.txt", **self.load("server.py").options)
