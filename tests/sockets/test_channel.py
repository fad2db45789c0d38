"""
Tests of L{agtwisted.sockets.channel} and L{agtwisted.sockets.channelstreams}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.sockets.channel import AGChannel
from agtwisted.sockets.channelstreams import ChannelStreams
from agtwisted.streams.emitter import Event
from agtwisted.streams.stream import ConsumerStats
from agtwisted.streams.turns import Turns
from tests.sockets.test_socketstreams import ended

#: Channel names, each of which a careless composition of names would take for a part of another.
NAMES = ("a", "a/b", "a/", "/a", "", "/", "a%2Fb", "a%", "%2F", "__class__", "constructor", "subscribe")


class Exchange(ChannelStreams):
    """
    Channels, and what was asked of them.
    """

    def __init__(self) -> None:
        super().__init__(Turns(Clock()))
        self.asked: list[tuple[Any, ...]] = []

    def subscribe(self, channelName: str, options: object = None) -> object:
        """
        Note it.
        """
        self.asked.append(("subscribe", channelName, options))
        return None

    def unsubscribe(self, channelName: str) -> object:
        """
        Note it.
        """
        self.asked.append(("unsubscribe", channelName))
        return None

    def isSubscribed(self, channelName: str, includePending: bool = False) -> bool:
        """
        @return: whether C{includePending}.
        """
        return includePending

    def getChannelState(self, channelName: str) -> str:
        """
        @return: what tells the channel.
        """
        return f"state of {channelName}"

    def getChannelOptions(self, channelName: str) -> dict[str, Any]:
        """
        @return: what tells the channel.
        """
        return {"of": channelName}

    def transmitPublish(self, channelName: str, data: object = None) -> Deferred[None]:
        """
        Note it.
        """
        self.asked.append(("transmitPublish", channelName, data))
        return succeed(None)

    def invokePublish(self, channelName: str, data: object = None) -> Deferred[None]:
        """
        Note it.
        """
        self.asked.append(("invokePublish", channelName, data))
        return succeed(None)

    def published(self, channelName: str, data: object) -> None:
        """
        Something was published.
        """
        self._channelData.write(channelName, data)

    def happened(self, channelName: str, eventName: str, **fields: object) -> None:
        """
        A channel has an event.
        """
        self._channelEventHappened(channelName, eventName, **fields)


class ChannelTestCase(SynchronousTestCase):
    """
    An exchange with consumers: 1 and 2 read the data of C{a}, 3 that of C{a/b}; of events, 1 reads C{subscribe} and
    2 C{kickOut} of C{a}, 3 C{subscribe} of C{a/b}.

    Waiting for C{a}: two publications, one C{subscribe}, three C{kickOut}; for C{a/b}: one of each that it has.
    """

    def setUp(self) -> None:
        """
        Prepare it.
        """
        self.exchange = Exchange()
        self.channel = AGChannel("a", self.exchange)
        self.other = AGChannel("a/b", self.exchange)
        self.data = [self.channel.createConsumer(), self.channel.createConsumer(300), self.other.createConsumer()]
        self.events = [
            self.channel.listener("subscribe").createConsumer(),
            self.channel.listener("kickOut").createConsumer(),
            self.other.listener("subscribe").createConsumer(),
        ]
        for name in ("a", "a", "a/b"):
            self.exchange.published(name, 1)
        for name, event in (("a", "subscribe"), *[("a", "kickOut")] * 3, ("a/b", "subscribe")):
            self.exchange.happened(name, event)

    dataStats = [ConsumerStats(1, 2, None, "a"), ConsumerStats(2, 2, 300, "a"), ConsumerStats(3, 1, None, "a/b")]

    def eventStats(self) -> list[ConsumerStats]:
        """
        @return: what should be known of the consumers of events.
        """
        names = ("a/subscribe", "a/kickOut", "a%2Fb/subscribe")
        return [ConsumerStats(index + 1, (1, 3, 1)[index], None, name) for index, name in enumerate(names)]


class ChannelTests(ChannelTestCase):
    """
    A channel as its subscribers see it.
    """

    def test_asksItsExchange(self) -> None:
        """
        What a channel is asked for goes to its exchange or client under its name.
        """
        self.assertEqual((self.channel.name, self.channel.client), ("a", self.exchange))
        self.assertEqual((self.channel.state, self.channel.options), ("state of a", {"of": "a"}))
        self.assertEqual((self.channel.isSubscribed(), self.channel.isSubscribed(True)), (False, True))
        self.channel.subscribe({"data": 1})
        self.channel.unsubscribe()
        self.successResultOf(self.channel.transmitPublish(1))
        self.successResultOf(self.channel.invokePublish(2))
        expected = [("subscribe", "a", {"data": 1}), ("unsubscribe", "a")]
        self.assertEqual(self.exchange.asked, [*expected, ("transmitPublish", "a", 1), ("invokePublish", "a", 2)])
        self.assertEqual((AGChannel.SUBSCRIBED, AGChannel.PENDING), ("subscribed", "pending"))
        self.assertEqual(AGChannel.UNSUBSCRIBED, "unsubscribed")

    def test_independentConsumers(self) -> None:
        """
        All consumers of a channel, through whichever object, get all data in order.
        """
        consumers = [AGChannel("n", self.exchange).createConsumer(), AGChannel("n", self.exchange).createConsumer()]
        for number in range(3):
            self.exchange.published("n", number)
        for consumer in consumers:
            self.assertEqual([self.successResultOf(consumer.next()).value for _ in range(3)], [0, 1, 2])

    def test_names(self) -> None:
        """
        No channel answers for another one, whatever they and their events are called.
        """
        exchange = Exchange()
        channels = {name: AGChannel(name, exchange) for name in NAMES}
        data = {name: channel.createConsumer() for name, channel in channels.items()}
        events = {
            (name, event): channel.listener(event).createConsumer()
            for name, channel in channels.items()
            for event in ("subscribe", "b/subscribe", "/", "__class__")
        }
        for name, event in events:
            exchange.happened(name, event, of=(name, event))
            exchange.published(name, name)
        for name, consumer in data.items():
            self.assertEqual(consumer.getBackpressure(), 4)
            self.assertEqual(self.successResultOf(consumer.next()).value, name)
        for key, consumer in events.items():
            self.assertEqual(consumer.getBackpressure(), 1, key)
            self.assertEqual(self.successResultOf(consumer.next()).value, Event(of=key))
        for name, channel in channels.items():
            channel.kill()
            alive = {key[0] for key, consumer in events.items() if consumer.isAlive}
            self.assertNotIn(name, alive)
            self.assertEqual(alive, {each for each in NAMES if data[each].isAlive})

    def test_endings(self) -> None:
        """
        Closing leaves what is buffered, killing drops it; no other channel is concerned.
        """
        none = [None] * 3
        table: list[tuple[str, tuple[Any, ...], list[int | None], list[int | None]]] = [
            ("close", (), [2, 2, None], [1, 3, None]),
            ("kill", (), [0, 0, None], [0, 0, None]),
            ("closeOutput", (), [2, 2, None], none),
            ("killOutput", (), [0, 0, None], none),
            ("closeListener", ("kickOut",), none, [None, 3, None]),
            ("killListener", ("kickOut",), none, [None, 0, None]),
            ("closeAllListeners", (), none, [1, 3, None]),
            ("killAllListeners", (), none, [0, 0, None]),
            ("killOutputConsumer", (2,), [None, 0, None], none),
            ("killOutputConsumer", (3,), none, none),
            ("killListenerConsumer", (2,), none, [None, 0, None]),
            ("killListenerConsumer", (3,), none, none),
        ]
        for method, arguments, data, events in table:
            self.setUp()
            getattr(self.channel, method)(*arguments)
            self.assertEqual([ended(self, each) for each in self.data], data, method)
            self.assertEqual([ended(self, each) for each in self.events], events, method)

    def test_counters(self) -> None:
        """
        What a channel knows of its consumers, and only of its own.
        """
        data, events = self.dataStats, self.eventStats()
        table: list[tuple[str, tuple[Any, ...], Any]] = [
            ("getBackpressure", (), 3),
            ("getOutputBackpressure", (), 2),
            ("getListenerBackpressure", ("subscribe",), 1),
            ("getListenerBackpressure", ("other",), 0),
            ("getAllListenersBackpressure", (), 3),
            ("getOutputConsumerBackpressure", (2,), 2),
            ("getOutputConsumerBackpressure", (3,), 0),
            ("getListenerConsumerBackpressure", (2,), 3),
            ("getListenerConsumerBackpressure", (3,), 0),
            ("getOutputConsumerStats", (2,), data[1]),
            ("getOutputConsumerStats", (3,), None),
            ("getListenerConsumerStats", (1,), events[0]),
            ("getListenerConsumerStats", (3,), None),
            ("getOutputConsumerStatsList", (), data[:2]),
            ("getListenerConsumerStatsList", ("kickOut",), events[1:2]),
            ("getAllListenersConsumerStatsList", (), events[:2]),
            ("hasOutputConsumer", (1,), True),
            ("hasOutputConsumer", (3,), False),
            ("hasListenerConsumer", ("kickOut", 2), True),
            ("hasListenerConsumer", ("subscribe", 2), False),
            ("hasAnyListenerConsumer", (2,), True),
            ("hasAnyListenerConsumer", (3,), False),
        ]
        for method, arguments, expected in table:
            self.assertEqual(getattr(self.channel, method)(*arguments), expected, (method, arguments))


class ChannelStreamsTests(ChannelTestCase):
    """
    All channels of an exchange or client.
    """

    def test_counters(self) -> None:
        """
        What is known of the consumers of all channels.
        """
        self.exchange.listener("subscribe").createConsumer()
        for _ in range(4):
            self.exchange.emit("subscribe", 1)
        table: list[tuple[str, tuple[Any, ...], Any]] = [
            ("getBackpressure", (), 4),
            ("getAllChannelsBackpressure", (), 3),
            ("getAllChannelOutputsBackpressure", (), 2),
            ("getAllChannelListenersBackpressure", (), 3),
            ("getAllChannelOutputsConsumerStatsList", (), self.dataStats),
            ("getAllChannelListenersConsumerStatsList", (), self.eventStats()),
            ("hasAnyChannelOutputConsumer", (3,), True),
            ("hasAnyChannelOutputConsumer", (4,), False),
            ("hasAnyChannelListenerConsumer", (3,), True),
            ("hasAnyChannelListenerConsumer", (4,), False),
            ("getChannelBackpressure", ("a/b",), 1),
            ("getChannelBackpressure", ("c",), 0),
        ]
        for method, arguments, expected in table:
            self.assertEqual(getattr(self.exchange, method)(*arguments), expected, (method, arguments))

    def test_endings(self) -> None:
        """
        All channels can be closed or killed at once, their data, their events or both.
        """
        none = [None] * 3
        table: list[tuple[str, list[int | None], list[int | None]]] = [
            ("closeAllChannels", [2, 2, 1], [1, 3, 1]),
            ("killAllChannels", [0, 0, 0], [0, 0, 0]),
            ("closeAllChannelOutputs", [2, 2, 1], none),
            ("killAllChannelOutputs", [0, 0, 0], none),
            ("closeAllChannelListeners", none, [1, 3, 1]),
            ("killAllChannelListeners", none, [0, 0, 0]),
        ]
        for method, data, events in table:
            self.setUp()
            getattr(self.exchange, method)()
            self.assertEqual([ended(self, each) for each in self.data], data, method)
            self.assertEqual([ended(self, each) for each in self.events], events, method)

    def test_abstract(self) -> None:
        """
        What a channel is, subclasses have to say.
        """
        streams = ChannelStreams(Turns(Clock()))
        for method in (
            streams.subscribe,
            streams.unsubscribe,
            streams.isSubscribed,
            streams.getChannelState,
            streams.getChannelOptions,
            streams.transmitPublish,
            streams.invokePublish,
        ):
            self.assertRaises(NotImplementedError, method, "a")
