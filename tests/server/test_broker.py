"""
Tests of L{agtwisted.server.broker}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from agtwisted import AGSimpleBroker
from agtwisted.brokers.hub import Hub
from agtwisted.streams.turns import Turns
from tests.server.support import ServerTestCase, names


class Subscriber:
    """
    Somebody who subscribes.
    """

    directOutbox = None

    def __init__(self, id: str) -> None:
        self.id = id
        self.received: list[Any] = []

    def publicationReceived(self, publication: Any) -> None:
        """
        Remember it.
        """
        self.received.append((publication.channel, publication.data))


class Broker:
    """
    An L{agtwisted.interfaces.IBroker} that remembers what it was asked.
    """

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.hub: Any = None
        self.answer: Any = None

    def _called(self, *call: object) -> Deferred[Any]:
        self.calls.append(call)
        return succeed(None) if self.answer is None else self.answer

    def start(self, hub: Hub) -> Deferred[Any]:
        """
        Remember the hub.
        """
        self.hub = hub
        return self._called("start")

    def stop(self) -> Deferred[Any]:
        """
        Stop.
        """
        return self._called("stop")

    def subscribe(self, channel: str) -> Deferred[Any]:
        """
        The first has come.
        """
        return self._called("subscribe", channel)

    def unsubscribe(self, channel: str) -> Deferred[Any]:
        """
        The last has gone.
        """
        return self._called("unsubscribe", channel)

    def publish(self, channel: str, data: object) -> Deferred[Any]:
        """
        Forward.
        """
        return self._called("publish", channel, data)


class BrokerTests(ServerTestCase):
    """
    L{AGSimpleBroker}.
    """

    def setUp(self) -> None:
        """
        Make one that reaches other processes through a double.
        """
        self.clock = Clock()
        self.other = Broker()
        self.broker = AGSimpleBroker(self.other, Turns(self.clock))

    def test_start(self) -> None:
        """
        It is ready when the way to the other processes is, and says so.
        """
        self.other.answer = Deferred()
        seen = self.record(self.broker, "ready")
        started = self.broker.start()
        self.assertFalse(self.broker.isReady)
        self.other.answer.callback(None)
        self.assertIsNone(self.successResultOf(started))
        self.settle()
        self.assertEqual((self.broker.isReady, names(seen)), (True, ["ready"]))

    def test_startFails(self) -> None:
        """
        It is not ready when that fails.
        """
        self.other.answer = fail(ZeroDivisionError())
        self.failureResultOf(self.broker.start(), ZeroDivisionError)
        self.assertFalse(self.broker.isReady)

    def test_stop(self) -> None:
        """
        Stopping waits for the way to the other processes to be closed.
        """
        self.successResultOf(self.broker.start())
        self.other.answer = Deferred()
        stopped = self.broker.stop()
        self.assertFalse(self.broker.isReady)
        self.assertNoResult(stopped)
        self.other.answer.callback(None)
        self.successResultOf(stopped)

    def test_firstAndLast(self) -> None:
        """
        Only a channel's first and last subscriber matter to other processes, and to listeners.
        """
        one, two = Subscriber("1"), Subscriber("2")
        seen = self.record(self.broker, "subscribe", "unsubscribe")
        for subscriber in (one, two, one):
            self.successResultOf(self.broker.subscribeClient(subscriber, "news"))
        self.assertEqual((self.broker.subscriptions(), self.broker.isSubscribed("news")), (["news"], True))
        for subscriber in (one, one, two, two):
            self.successResultOf(self.broker.unsubscribeClient(subscriber, "news"))
        self.settle()
        self.assertEqual(self.other.calls, [("subscribe", "news"), ("unsubscribe", "news")])
        self.assertEqual(
            [(name, event.channel) for name, event in seen], [("subscribe", "news"), ("unsubscribe", "news")]
        )
        self.assertEqual((self.broker.subscriptions(), self.broker.isSubscribed("news")), ([], False))
        self.successResultOf(self.broker.unsubscribeClient(one, "unknown"))

    def test_publish(self) -> None:
        """
        A publication reaches everyone here, is forwarded once, and is announced to listeners.
        """
        one, two, other = Subscriber("1"), Subscriber("2"), Subscriber("3")
        self.broker.subscribeSocket(one, "news")
        self.broker.subscribeSocket(two, "news")
        self.broker.subscribeSocket(other, "other")
        self.other.calls.clear()
        seen = self.record(self.broker, "publish")
        self.successResultOf(self.broker.invokePublish("news", 1))
        self.successResultOf(self.broker.transmitPublish("news"))
        self.settle()
        self.assertEqual((one.received, two.received, other.received), ([("news", 1), ("news", None)],) * 2 + ([],))
        self.assertEqual(self.other.calls, [("publish", "news", 1), ("publish", "news", None)])
        self.assertEqual([(event.channel, event.data) for _, event in seen], [("news", 1), ("news", None)])

    def test_nobodyHere(self) -> None:
        """
        What nobody here has subscribed to is forwarded all the same.
        """
        self.successResultOf(self.broker.invokePublish("news", 1))
        self.assertEqual(self.other.calls, [("publish", "news", 1)])

    def test_suppressed(self) -> None:
        """
        C{suppressEvent} leaves the announcement out.
        """
        seen = self.record(self.broker, "publish")
        self.broker.invokePublish("news", 1, True)
        self.settle()
        self.assertEqual((seen, len(self.other.calls)), ([], 1))

    def test_received(self) -> None:
        """
        What other processes publish reaches everyone here and is not forwarded.
        """
        subscriber = Subscriber("1")
        self.broker.start()
        self.broker.subscribeClient(subscriber, "news")
        self.other.calls.clear()
        self.other.hub.received("news", 1)
        self.other.hub.received("other", 2)
        self.assertEqual((subscriber.received, self.other.calls), ([("news", 1)], []))

    def test_notEncodable(self) -> None:
        """
        Data that cannot be encoded is an error of the broker; nobody gets it, here or elsewhere.
        """
        subscriber = Subscriber("1")
        self.broker.subscribeClient(subscriber, "news")
        self.other.calls.clear()
        errors = self.record(self.broker, "error")
        endless: list[Any] = []
        endless.append(endless)
        self.successResultOf(self.broker.invokePublish("news", endless))
        self.settle()
        self.assertEqual((subscriber.received, self.other.calls), ([], []))
        self.assertIsInstance(errors[0][1].error, Exception)

    def test_otherProcessesFail(self) -> None:
        """
        The publisher gets to know that forwarding has failed; everyone here has it.
        """
        subscriber = Subscriber("1")
        self.broker.subscribeClient(subscriber, "news")
        self.other.publish = lambda channel, data: 1 // 0  # type: ignore[assignment,method-assign]
        self.failureResultOf(self.broker.invokePublish("news", 1), ZeroDivisionError)
        self.assertEqual(subscriber.received, [("news", 1)])

    def test_codec(self) -> None:
        """
        Publications are encoded with the codec that was set last.
        """

        class Codec:
            def encode(self, value: object) -> str:
                return "encoded"

        messages: list[Any] = []
        subscriber = Subscriber("1")
        subscriber.publicationReceived = lambda publication: messages.append(publication.message)  # type: ignore[method-assign]
        self.broker.setCodecEngine(Codec())
        self.broker.subscribeClient(subscriber, "news")
        self.broker.invokePublish("news", 1)
        self.assertEqual(messages, [(b"encoded", False)])
