"""
The examples of C{docs/howto/channels.rst}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from agtwisted import AGServer
from agtwisted.testing import connect
from tests.docs.support import ExampleTestCase


class ChannelTests(ExampleTestCase):
    """
    Publishing, subscribing, limits, brokers and codecs.
    """

    page = "channels"

    async def test_exchange(self) -> None:
        """
        The server's own subscription hears what clients publish, and answers in another channel; a kick-out is told.
        """
        await self.check("server.py", "client.mjs", "output.txt")

    async def test_limits(self) -> None:
        """
        The options on the page forbid clients to publish and to subscribe to too many channels.
        """
        module = self.load("limits_server.py")
        server = await self.serve(module.start, **module.options)
        self.assertEqual(await self.runClient("limits_client.mjs", server), self.read("limits_output.txt"))

    async def test_codec(self) -> None:
        """
        Both sides understand each other with the page's codec.
        """
        await self.check("codec.py", "codec_client.mjs", "codec_output.txt")

    def test_codecLimit(self) -> None:
        """
        What inflates to more than the codec's limit is refused.
        """
        module = self.load("codec.py")
        bomb = module.zlib.compress(b"0" * (module.LONGEST + 1))
        self.assertRaises(ValueError, module.CompressingCodec().decode, bomb)

    def test_ticker(self) -> None:
        """
        The time is published at once and then every second.
        """
        clock = Clock()
        server = AGServer(clock)
        self.load("ticker.py").start(server)
        client = connect(server)
        client.subscribe("time")
        clock.pump([1.0, 1.0, 1.0])
        self.assertEqual(len(client.publications("time")), 3)

    def test_broker(self) -> None:
        """
        What is published at one server reaches the clients of the other, once, and its own clients once.
        """
        module = self.load("broker.py")
        bus = module.Bus()
        clients: list[Any] = [connect(module.makeServer(bus, reactor=Clock())) for _ in range(2)]
        for client in clients:
            client.subscribe("news")
        clients[0].publish("news", "Hello")
        self.assertEqual([client.publications("news") for client in clients], [["Hello"], ["Hello"]])
