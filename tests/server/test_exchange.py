"""
Tests of L{agtwisted.server.exchange}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from tests.server.support import ServerTestCase, names


class ExchangeTests(ServerTestCase):
    """
    The server's own client for channels.
    """

    def setUp(self) -> None:
        """
        Make a server, and have its exchange at hand.
        """
        super().setUp()
        self.exchange: Any = self.server.exchange

    def test_consumers(self) -> None:
        """
        E84: C{subscribe} and C{channel} give independent consumers of the same data; each gets everything, in order.
        """
        client, _ = self.connect()
        one = self.values(self.exchange.subscribe("news"))
        two = self.values(self.exchange.channel("news"))
        for number in range(3):
            client.publish("news", number)
        self.exchange.transmitPublish("news", {"from": "here"})
        self.settle()
        self.assertEqual((one, two), ([0, 1, 2, {"from": "here"}],) * 2)

    def test_subscriptions(self) -> None:
        """
        E85: What the server itself is subscribed to is known at once.
        """
        self.assertEqual((self.exchange.subscriptions(), self.exchange.isSubscribed("news")), ([], False))
        channel = self.exchange.subscribe("news", {"waitForAuth": True})
        self.assertEqual((self.exchange.subscriptions(), self.exchange.subscriptions(True)), (["news"], ["news"]))
        self.assertTrue(self.exchange.isSubscribed("news") and self.exchange.isSubscribed("news", True))
        self.assertEqual((channel.name, channel.state, channel.options), ("news", "subscribed", {}))
        self.assertEqual(self.exchange.channel("other").state, "unsubscribed")
        self.assertFalse(self.exchange.isSubscribed("other", True))
        self.assertEqual(self.server.brokerEngine.subscriptions(), ["news"])

    def test_transmitPublish(self) -> None:
        """
        E86: What the server publishes reaches subscribed clients in order.
        """
        client, _ = self.connect()
        client.subscribe("news")
        for number in range(5):
            self.assertIsNone(self.successResultOf(self.exchange.transmitPublish("news", number)))
            self.assertIsNone(self.successResultOf(self.exchange.invokePublish("news", -number)))
        expected = [number for each in range(5) for number in (each, -each)]
        self.assertEqual(client.publications("news"), expected)

    def test_withoutData(self) -> None:
        """
        A publication without data has C{None} as data.
        """
        received = self.values(self.exchange.subscribe("news"))
        self.exchange.transmitPublish("news")
        self.settle()
        self.assertEqual(received, [None])

    def test_events(self) -> None:
        """
        Exchange and channel emit C{subscribe} and C{unsubscribe}, each once.
        """
        channel = self.exchange.channel("news")
        seen, channelSeen = (
            self.record(self.exchange, "subscribe", "unsubscribe"),
            self.record(channel, "subscribe", "unsubscribe"),
        )
        for _ in range(2):
            channel.subscribe()
        for _ in range(2):
            channel.unsubscribe()
        self.settle()
        self.assertEqual(
            [(name, event.channel) for name, event in seen], [("subscribe", "news"), ("unsubscribe", "news")]
        )
        self.assertEqual(names(channelSeen), ["subscribe", "unsubscribe"])
        self.assertIsNone(self.successResultOf(self.exchange.unsubscribe("news")))

    def test_unsubscribed(self) -> None:
        """
        Nothing comes after leaving, and again after coming back.
        """
        received = self.values(self.exchange.subscribe("news"))
        self.exchange.unsubscribe("news")
        self.exchange.transmitPublish("news", 1)
        self.settle()
        self.exchange.subscribe("news")
        self.exchange.transmitPublish("news", 2)
        self.settle()
        self.assertEqual((received, self.exchange.id), ([2], "exchange"))

    def test_prefix(self) -> None:
        """
        A channel called C{a/b} never answers for C{a}.
        """
        received = self.values(self.exchange.subscribe("a"))
        nested = self.record(self.exchange.channel("a"), "b/subscribe", "subscribe")
        self.exchange.subscribe("a/b")
        self.exchange.transmitPublish("a/b", 1)
        self.settle()
        self.assertEqual((received, nested), ([], []))

    def test_burst(self) -> None:
        """
        G128: A burst for a slow consumer arrives complete and in order, while its back-pressure falls.
        """
        measured: list[int] = []
        got: list[int] = []
        gates: list[Deferred[None]] = []
        channel = self.exchange.subscribe("news")
        consumer = channel.createConsumer()

        async def slow() -> None:
            async for data in consumer:
                got.append(data)
                measured.append(channel.getOutputBackpressure())
                gates.append(Deferred())
                await gates[-1]

        Deferred.fromCoroutine(slow())
        for number in range(50):
            self.exchange.transmitPublish("news", number)
        self.settle()
        for _ in range(49):
            gates[-1].callback(None)
            self.settle()
        self.assertEqual((got, measured), (list(range(50)), list(range(49, -1, -1))))

    def test_transmit(self) -> None:
        """
        A broker engine that treats all its subscribers alike can send to the exchange as to a socket.
        """
        received = self.values(self.exchange.subscribe("news"))
        self.exchange.transmit("#publish", {"channel": "news", "data": 1}, {"useCache": True})
        self.exchange.transmit("#publish", {"channel": "news"})
        self.exchange.transmit("#other", {"channel": "news"})
        self.settle()
        self.assertEqual(received, [1, None])

    def test_brokerFails(self) -> None:
        """
        When the broker fails to subscribe or leave, it emits that; when it fails to publish, the publisher knows.
        """
        broker = self.server.brokerEngine
        errors = self.record(broker, "error")
        for name in ("subscribeClient", "unsubscribeClient", "invokePublish", "transmitPublish"):
            setattr(broker, name, lambda *arguments: 1 // 0)
        self.exchange.subscribe("news")
        self.exchange.unsubscribe("news")
        self.settle()
        self.assertEqual([type(event.error) for _, event in errors], [ZeroDivisionError] * 2)
        self.failureResultOf(self.exchange.invokePublish("news", 1), ZeroDivisionError)
        self.failureResultOf(self.exchange.transmitPublish("news", 1), ZeroDivisionError)

    def test_destroy(self) -> None:
        """
        C{destroy} ends the loops over the broker's events.
        """
        ended = self.collect(self.server.brokerEngine.listener("publish"), lambda _: None)
        self.exchange.destroy()
        self.settle()
        self.successResultOf(ended)
