"""
Tests of L{agtwisted.server.subscriptions}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from agtwisted.errors import BrokerError, InvalidActionError, describe
from tests.server.support import ServerTestCase, names


class SubscribeTests(ServerTestCase):
    """
    How a client gets into channels.
    """

    def test_subscribe(self) -> None:
        """
        A subscription is answered without data; socket and server emit it with its options.
        """
        client, socket = self.connect()
        seen, serverSeen = self.record(socket, "subscribe"), self.record(self.server, "subscription")
        client.subscribe("news", {"token": 1})
        self.assertEqual(client.packets[-1], {"rid": 2})
        self.assertEqual(vars(seen[0][1]), {"channel": "news", "subscriptionOptions": {"data": {"token": 1}}})
        self.assertEqual(
            vars(serverSeen[0][1]),
            {"socket": socket, "channel": "news", "subscriptionOptions": {"data": {"token": 1}}},
        )
        self.assertEqual((socket.subscriptions(), socket.channelSubscriptions), (["news"], {"news": True}))
        self.assertEqual((socket.isSubscribed("news"), socket.isSubscribed("other")), (True, False))
        self.assertEqual(socket.channelSubscriptionsCount, 1)

    def test_none(self) -> None:
        """
        A socket without subscriptions says so.
        """
        _, socket = self.connect()
        self.assertEqual(
            (socket.subscriptions(), socket.isSubscribed("x"), socket.channelSubscriptionsCount), ([], False, 0)
        )
        self.assertEqual(socket.channelSubscriptions, {})

    def test_ownPublication(self) -> None:
        """
        E71: A subscription is in force before the publication behind it, and the publisher gets its own message.
        """
        client, _ = self.connect()
        client.send(
            {"event": "#subscribe", "data": {"channel": "news"}, "cid": 5},
            {"event": "#publish", "data": {"channel": "news", "data": 1}, "cid": 6},
        )
        self.assertEqual(client.publications("news"), [1])

    def test_slowBroker(self) -> None:
        """
        E71: So it is with a broker that takes its time: the packets of that socket wait, others do not.
        """
        subscribed: Deferred[None] = Deferred()
        self.patch(self.server.brokerEngine._broker, "subscribe", lambda channel: subscribed)
        client, socket = self.connect()
        received = self.values(socket.receiver("x"))
        answer = client.subscribe("news")
        client.transmit("x", 1)
        self.assertNoResult(answer)
        self.assertEqual(received, [])
        subscribed.callback(None)
        self.settle()
        self.successResultOf(answer)
        self.assertEqual(received, [1])

    def test_order(self) -> None:
        """
        E73: What others publish arrives complete and in order.
        """
        client, _ = self.connect()
        other, _ = self.connect()
        client.subscribe("news")
        data = ["text", {"an": "object"}, None, 5, [], True]
        for each in data:
            other.publish("news", each)
            other.transmit("#publish", {"channel": "news", "data": each})
        self.assertEqual(client.publications("news"), [each for each in data for _ in range(2)])

    def test_twice(self) -> None:
        """
        Subscribing again is answered as the first time; what is published comes once.
        """
        client, socket = self.connect()
        client.subscribe("news")
        self.successResultOf(client.subscribe("news"))
        client.publish("news", 1)
        self.assertEqual((client.publications("news"), socket.channelSubscriptionsCount), ([1], 1))

    def test_names(self) -> None:
        """
        A channel may be called anything.
        """
        client, socket = self.connect()
        channels = ["__proto__", "constructor", "__class__", "", "a/b", "a", "#x", "\u00e4\U0001f600", " "]
        for channel in channels:
            client.subscribe(channel)
            client.publish(channel, 1)
            self.assertEqual(client.publications(channel), [1], channel)
        self.assertEqual(socket.subscriptions(), channels)

    def test_limit(self) -> None:
        """
        A socket may have as many channels as the limit says, and the server goes on; no limit is none.
        """
        self.server.socketChannelLimit = 2
        client, socket = self.connect()
        errors = self.record(socket, "error")
        for channel in ("a", "b"):
            self.successResultOf(client.subscribe(channel))
        error = self.failureResultOf(client.subscribe("c"), BrokerError).value
        self.assertEqual(
            error.message,
            "Failed to subscribe socket to the c channel - InvalidActionError: "
            f"Socket {socket.id} tried to exceed the channel subscription limit of 2",
        )
        self.assertEqual((len(errors), socket.subscriptions()), (1, ["a", "b"]))
        for channel in ("a",):
            self.successResultOf(client.unsubscribe(channel))
        self.successResultOf(client.subscribe("c"))
        self.server.socketChannelLimit = None
        self.successResultOf(client.subscribe("d"))

    def test_brokerFails(self) -> None:
        """
        A subscription that fails is none, is answered with a BrokerError, and does not disturb the count.
        """
        client, socket = self.connect()
        broker = self.server.brokerEngine
        broker.subscribeSocket = lambda socket, channel: 1 // 0
        error = self.failureResultOf(client.subscribe("news"), BrokerError).value
        self.assertTrue(
            error.message.startswith("Failed to subscribe socket to the news channel - ZeroDivisionError: "),
            error.message,
        )
        self.assertEqual((socket.subscriptions(), socket.channelSubscriptionsCount), ([], 0))
        del broker.subscribeSocket
        self.successResultOf(client.subscribe("news"))
        broker.subscribeSocket = lambda socket, channel: 1 // 0
        self.failureResultOf(client.subscribe("news"), BrokerError)
        self.assertEqual(socket.subscriptions(), ["news"])

    def test_leavesMeanwhile(self) -> None:
        """
        A client that leaves while the broker is busy with its subscription leaves nothing behind in the broker.
        """
        subscribed: Deferred[None] = Deferred()
        broker = self.server.brokerEngine
        self.patch(broker._broker, "subscribe", lambda channel: subscribed)
        seen = self.record(self.server, "subscription", "unsubscription", "warning")
        client, socket = self.connect()
        client.send({"event": "#subscribe", "data": {"channel": "news"}, "cid": 5})
        client.disconnect()
        # A broker that knows the socket only now is told to forget it once more.
        broker._hub.subscribe(socket, "news")
        subscribed.callback(None)
        self.settle()
        self.assertEqual((broker.subscriptions(), socket.subscriptions()), ([], []))
        self.assertNotIn("subscription", names(seen))
        self.assertEqual([str(event.warning) for name, event in seen if name == "warning"], [])


class UnsubscribeTests(ServerTestCase):
    """
    How a client gets out of them.
    """

    def test_unsubscribe(self) -> None:
        """
        Leaving is answered and emitted; nothing comes afterwards.
        """
        client, socket = self.connect()
        client.subscribe("news")
        seen, serverSeen = self.record(socket, "unsubscribe"), self.record(self.server, "unsubscription")
        self.successResultOf(client.unsubscribe("news"))
        client.publish("news", 1)
        self.assertEqual((client.publications("news"), socket.subscriptions()), ([], []))
        self.assertEqual(vars(seen[0][1]), {"channel": "news"})
        self.assertEqual(vars(serverSeen[0][1]), {"socket": socket, "channel": "news"})

    def test_notSubscribed(self) -> None:
        """
        E78: Leaving a channel that one is not in is answered with a BrokerError, and emits exactly one error.
        """
        client, socket = self.connect()
        errors = self.record(socket, "error")
        error = self.failureResultOf(client.unsubscribe("news"), BrokerError).value
        self.assertEqual(
            error.message,
            "Failed to unsubscribe socket from the news channel - InvalidActionError: "
            f"Socket {socket.id} tried to unsubscribe from a channel which it is not subscribed to",
        )
        self.assertEqual([type(event.error) for _, event in errors], [BrokerError])

    def test_brokerFails(self) -> None:
        """
        When the broker fails the socket emits a BrokerError and stays subscribed; the client's call ends normally.
        """
        client, socket = self.connect()
        client.subscribe("news")
        errors = self.record(socket, "error")
        self.server.brokerEngine.unsubscribeSocket = lambda socket, channel: 1 // 0
        self.successResultOf(client.unsubscribe("news"))
        self.assertEqual(
            ([type(event.error) for _, event in errors], socket.subscriptions()), ([BrokerError], ["news"])
        )

    def test_twiceAtOnce(self) -> None:
        """
        Of two that take a socket out of a channel at the same time one emits it.
        """
        client, socket = self.connect()
        client.subscribe("news")
        left: Deferred[None] = Deferred()
        self.server.brokerEngine.unsubscribeSocket = lambda socket, channel: left
        seen = self.record(socket, "unsubscribe")
        first, second = socket.kickOut("news"), socket.kickOut("news")
        left.callback(None)
        self.settle()
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(len(seen), 1)


class LeavingTests(ServerTestCase):
    """
    What becomes of the channels when the connection ends.
    """

    def leave(self) -> list[Any]:
        """
        @return: the events of a client with two channels that leaves.
        """
        client, socket = self.connect()
        client.subscribe("a")
        client.subscribe("b")
        seen = self.record(socket, "unsubscribe", "close", "disconnect", "end")
        client.disconnect()
        return seen

    def test_order(self) -> None:
        """
        E79, E81: C{disconnect}, then C{close}, then one C{unsubscribe} for each channel, then C{end}.
        """
        seen = self.leave()
        self.assertEqual(names(seen), ["disconnect", "close", "unsubscribe", "unsubscribe", "end"])
        self.assertEqual([event.channel for name, event in seen if name == "unsubscribe"], ["a", "b"])
        self.assertEqual(self.server.brokerEngine.subscriptions(), [])

    def test_slowBroker(self) -> None:
        """
        E80, E83: So it is when the broker's C{unsubscribeSocket}, replaced on the instance, takes its time.
        """
        left: Deferred[None] = Deferred()
        called: list[Any] = []

        def unsubscribeSocket(socket: Any, channel: str) -> Deferred[None]:
            called.append((socket.id, channel))
            mine: Deferred[None] = Deferred()
            left.addCallback(lambda _: mine.callback(None))
            return mine

        self.server.brokerEngine.unsubscribeSocket = unsubscribeSocket
        seen = self.leave()
        self.assertEqual((names(seen), [channel for _, channel in called]), (["disconnect", "close"], ["a", "b"]))
        left.callback(None)
        self.settle()
        self.assertEqual(names(seen), ["disconnect", "close", "unsubscribe", "unsubscribe", "end"])

    def test_publishedWhileLeaving(self) -> None:
        """
        E82: What an C{unsubscribe} handler publishes does not reach the socket that has just left, even with a broker
        that is slow.
        """
        client, socket = self.connect()
        client.subscribe("news")
        left: Deferred[None] = Deferred()
        original = self.server.brokerEngine.unsubscribeSocket

        def slow(socket: Any, channel: str) -> Deferred[None]:
            return left.addCallback(lambda _: original(socket, channel))

        self.server.brokerEngine.unsubscribeSocket = slow
        self.collect(
            socket.listener("unsubscribe"), lambda event: self.server.exchange.transmitPublish(event.channel, "gone")
        )
        answer = client.unsubscribe("news")
        left.callback(None)
        self.settle()
        self.successResultOf(answer)
        self.assertEqual(client.publications("news"), [])

    def test_brokerFails(self) -> None:
        """
        A broker that fails does not keep the socket from ending.
        """
        self.server.brokerEngine.unsubscribeSocket = lambda socket, channel: 1 // 0
        self.assertEqual(names(self.leave()), ["disconnect", "close", "end"])


class KickOutTests(ServerTestCase):
    """
    C{socket.kickOut}.
    """

    def kicked(self, *arguments: Any) -> tuple[Any, Any]:
        """
        @return: a client that was kicked out, and its socket.
        """
        client, socket = self.connect()
        for channel in ("a", "b", "c"):
            client.subscribe(channel)
        client.takePackets()
        errors = self.record(socket, "error")
        self.successResultOf(socket.kickOut(*arguments))
        client.settle()
        self.assertEqual(errors, [])
        return client, socket

    def test_one(self) -> None:
        """
        E87: From one channel, at once, with a message for the client.
        """
        client, socket = self.kicked("a", "bad words")
        self.assertEqual((socket.subscriptions(), socket.channelSubscriptionsCount), (["b", "c"], 2))
        self.assertEqual(client.packets, [{"event": "#kickOut", "data": {"channel": "a", "message": "bad words"}}])
        self.server.exchange.transmitPublish("a", 1)
        self.assertEqual(client.publications("a"), [])

    def test_several(self) -> None:
        """
        From several; without a message there is none.
        """
        client, socket = self.kicked(["a", "c"])
        self.assertEqual(socket.subscriptions(), ["b"])
        self.assertEqual(client.packets, [{"event": "#kickOut", "data": {"channel": each}} for each in ("a", "c")])

    def test_all(self) -> None:
        """
        E88: Without a name, from all.
        """
        client, socket = self.kicked()
        self.assertEqual((socket.subscriptions(), len(client.packets)), ([], 3))
        self.successResultOf(socket.kickOut())

    def test_notSubscribed(self) -> None:
        """
        From a channel that it is not in: the Deferred fails.
        """
        _, socket = self.connect()
        self.failureResultOf(socket.kickOut("a"), InvalidActionError)


class DescribeTests(ServerTestCase):
    """
    L{describe}.
    """

    def test_describe(self) -> None:
        """
        An error in a text is its name and its message, if it has one.
        """
        self.assertEqual(describe(InvalidActionError("no")), "InvalidActionError: no")
        self.assertEqual(describe(ValueError("no")), "ValueError: no")
        self.assertEqual(describe(ValueError()), "ValueError")
