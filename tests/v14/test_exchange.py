"""
Tests of L{agtwisted.v14.exchange}, L{agtwisted.v14.channel} and L{agtwisted.v14.broker}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.brokers.memory import MemoryBroker
from agtwisted.v14.broker import SCSimpleBroker
from tests.v14.support import Setting


class ExchangeTests(SynchronousTestCase):
    """
    Publish and subscribe from within the server.
    """

    def setUp(self) -> None:
        """
        Make a server, and a place for what was heard.
        """
        self.setting = Setting()
        self.exchange = self.setting.server.exchange
        self.heard: list[Any] = []

    def test_publish(self) -> None:
        """
        Clients and watchers get publications, and the callback no error.
        """
        client = self.setting.connect()
        client.subscribe("news")
        self.exchange.subscribe("news")
        self.exchange.watch("news", lambda data: self.heard.append(data))
        self.exchange.publish("news", {"a": 1}, lambda error: self.heard.append(error))
        client.publish("news", 2)
        self.assertEqual(self.heard, [{"a": 1}, None, 2])
        self.assertEqual(client.publications("news"), [{"a": 1}, 2])

    def test_withoutData(self) -> None:
        """
        A publication without data has none on the wire either, and reads as C{None}.
        """
        client = self.setting.connect()
        client.subscribe("news")
        self.exchange.subscribe("news").watch(lambda data: self.heard.append(data))
        client.takePackets()
        self.exchange.publish("news")
        self.assertEqual(client.takePackets(), [{"event": "#publish", "data": {"channel": "news"}}])
        self.assertEqual(self.heard, [None])

    def test_subscribe(self) -> None:
        """
        Subscribing is told once, and watchers hear nothing before and after.
        """
        self.exchange.on("subscribe", lambda name: self.heard.append(("subscribe", name)))
        self.exchange.on("unsubscribe", lambda name: self.heard.append(("unsubscribe", name)))
        self.exchange.watch("news", lambda data: self.heard.append(data))
        self.exchange.publish("news", "too early")
        channel = self.exchange.subscribe("news")
        self.assertIs(self.exchange.subscribe("news"), channel)
        self.assertEqual((self.exchange.subscriptions(), self.exchange.isSubscribed("news")), (["news"], True))
        self.exchange.publish("news", 1)
        self.exchange.unsubscribe("news")
        self.exchange.unsubscribe("news")
        self.exchange.unsubscribe("other")
        self.exchange.publish("news", "too late")
        self.assertEqual((self.exchange.subscriptions(True), self.exchange.isSubscribed("news", True)), ([], False))
        self.assertEqual(self.heard, [("subscribe", "news"), 1, ("unsubscribe", "news")])

    def test_watchers(self) -> None:
        """
        Watchers can be listed and taken off, one or all.
        """
        one, two = (lambda data: self.heard.append(1)), (lambda data: self.heard.append(2))
        self.exchange.subscribe("news")
        for function in (one, two):
            self.exchange.watch("news", function)
        self.assertEqual(self.exchange.watchers("news"), [one, two])
        self.exchange.unwatch("news", one)
        self.exchange.publish("news")
        self.exchange.unwatch("news")
        self.exchange.publish("news")
        self.assertEqual((self.heard, self.exchange.watchers("news")), ([2], []))

    def test_channel(self) -> None:
        """
        A channel does all that for its name, with events of its own.
        """
        channel = self.exchange.channel("news")
        channel.on("subscribe", lambda name: self.heard.append(name))
        channel.once("unsubscribe", lambda: self.heard.append("gone"))
        self.assertEqual((channel.state, channel.getState(), channel.name), (channel.UNSUBSCRIBED,) * 2 + ("news",))
        channel.subscribe()
        self.assertEqual((channel.state, channel.isSubscribed()), (channel.SUBSCRIBED, True))
        channel.watch(self.heard.append)
        channel.publish(5, lambda error: self.heard.append(error))
        self.assertEqual(len(channel.watchers()), 1)
        channel.unwatch()
        channel.unsubscribe()
        self.assertEqual(self.heard, ["news", 5, None, "gone"])
        self.assertEqual((channel.options, channel.client), ({}, self.exchange))

    def test_destroyChannel(self) -> None:
        """
        A destroyed channel is left and forgotten, with its watchers.
        """
        channel = self.exchange.subscribe("news")
        channel.watch(self.heard.append)
        channel.destroy()
        self.exchange.destroyChannel("news")
        self.assertEqual((self.exchange.subscriptions(), self.exchange.watchers("news")), ([], []))
        self.assertIsNot(self.exchange.channel("news"), channel)
        self.exchange.subscribe("other")
        self.exchange.destroy()
        self.assertEqual(self.exchange.subscriptions(), [])


class BrokerTests(SynchronousTestCase):
    """
    The default broker engine with the interface of version 14.
    """

    def test_message(self) -> None:
        """
        C{ready} and C{message} are told.
        """
        setting = Setting()
        heard: list[Any] = []
        broker = setting.server.brokerEngine
        broker.on("ready", lambda: heard.append("ready"))
        broker.on("message", heard.append)
        setting.server.start()
        broker.publish("news", 1)
        broker.publish("news")
        self.assertEqual(heard, ["ready", {"channel": "news", "data": 1}, {"channel": "news", "data": None}])
        self.assertTrue(broker.isReady)

    def test_callbacks(self) -> None:
        """
        Callbacks come when the broker behind has done, with its error if it fails.
        """
        waiting: Deferred[None] = Deferred()

        class Broker(MemoryBroker):
            def subscribe(self, channel: str) -> Deferred[None]:
                return waiting

            def publish(self, channel: str, data: object) -> Deferred[None]:
                return fail(ValueError("no way out"))

        setting = Setting(brokerEngine=SCSimpleBroker(Broker()))
        client = setting.connect()
        subscribed = client.subscribe("news")
        self.assertNoResult(subscribed)
        waiting.callback(None)
        client.settle()
        self.successResultOf(subscribed)
        self.assertEqual(self.failureResultOf(client.publish("news", 1)).value.message, "no way out")
        self.assertEqual(client.publications("news"), [1])

    def test_goneMeanwhile(self) -> None:
        """
        A client that goes while the broker subscribes it is subscribed to nothing afterwards.
        """
        waiting: Deferred[None] = Deferred()

        class Broker(MemoryBroker):
            def subscribe(self, channel: str) -> Deferred[None]:
                return waiting

        setting = Setting(brokerEngine=SCSimpleBroker(Broker()))
        client = setting.connect()
        client.subscribe("news").addErrback(lambda _: None)
        client.disconnect()
        waiting.callback(None)
        self.assertFalse(setting.server.brokerEngine.isSubscribed("news"))
        self.assertEqual(setting.names("subscription"), [])
