"""
Tests of L{agtwisted.brokers.hub}.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.brokers.hub import LEAST, SLICE, TIME, Hub, Publication
from agtwisted.protocol.codecs import JSONCodec
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.protocol.wire import Wire
from agtwisted.streams.turns import PORTION, Turns


class CountingCodec(JSONCodec):
    """
    A codec that counts what it encodes.
    """

    encoded = 0

    def encodeUTF8(self, value: object) -> bytes:
        """
        As JSON.
        """
        self.encoded += 1
        return super().encodeUTF8(value)


class BinaryCodec:
    """
    A codec that writes bytes.
    """

    def encode(self, value: object) -> bytes:
        """
        Always the same.
        """
        return b"\x01\x02"


class Reader:
    """
    A subscriber that keeps what it gets, or fails at it.
    """

    directOutbox: Any = None

    def __init__(self, id: str, fails: bool = False) -> None:
        self.id = id
        self.fails = fails
        self.got: list[Any] = []

    def publicationReceived(self, publication: Publication) -> None:
        """
        Keep a publication's data.
        """
        if self.fails:
            raise KeyError(self.id)
        self.got.append(publication.data)


class PublicationTests(SynchronousTestCase):
    """
    What travels to subscribers.
    """

    def test_madeOnce(self) -> None:
        """
        However many subscribers need message and frame, each is made once.
        """
        codec = CountingCodec()
        publication = Publication("news", {"a": 1}, Wire(codec))
        text = b'{"event":"#publish","data":{"channel":"news","data":{"a":1}}}'
        for _ in range(3):
            self.assertEqual(publication.message, (text, False))
            self.assertEqual(publication.frame, b"\x81" + bytes((len(text),)) + text)
        self.assertIs(publication.frame, publication.frame)
        self.assertEqual(codec.encoded, 1)

    def test_binary(self) -> None:
        """
        A codec that writes bytes makes binary frames.
        """
        self.assertEqual(Publication("news", 1, Wire(BinaryCodec())).frame, b"\x82\x02\x01\x02")

    def test_packet(self) -> None:
        """
        Each asker gets a packet of its own; no data is something else than None.
        """
        publication = Publication("news", None, Wire(JSONCodec()))
        self.assertEqual(publication.packet, {"event": "#publish", "data": {"channel": "news", "data": None}})
        self.assertIsNot(publication.packet["data"], publication.packet["data"])
        nothing = Publication("news", NO_DATA, Wire(JSONCodec()))
        self.assertEqual(nothing.packet, {"event": "#publish", "data": {"channel": "news"}})


class HubTests(SynchronousTestCase):
    """
    Who gets what.
    """

    def setUp(self) -> None:
        """
        Make a hub on a clock.
        """
        self.clock = Clock()
        self.wire = Wire(JSONCodec())
        self.turns = Turns(self.clock)
        self.hub = Hub(lambda channel, data: Publication(channel, data, self.wire), self.turns)

    def publish(self, channel: str, data: object) -> Any:
        """
        Deliver data.
        """
        return self.hub.deliver(Publication(channel, data, self.wire))

    def readers(self, count: int, channel: str = "news") -> list[Reader]:
        """
        @return: subscribers of a channel.
        """
        readers = [Reader(f"{channel} {number}") for number in range(count)]
        for reader in readers:
            self.hub.subscribe(reader, channel)
        return readers

    def test_firstAndLast(self) -> None:
        """
        The hub tells when a channel gets its first and loses its last subscriber.
        """
        first, second = Reader("1"), Reader("2")
        self.assertFalse(self.hub.unsubscribe(first, "news"))
        self.assertTrue(self.hub.subscribe(first, "news"))
        self.assertFalse(self.hub.subscribe(first, "news"))
        self.assertFalse(self.hub.subscribe(second, "news"))
        self.assertTrue(self.hub.subscribe(second, "other"))
        self.assertEqual(self.hub.channels(), ["news", "other"])
        self.assertFalse(self.hub.unsubscribe(first, "news"))
        self.assertFalse(self.hub.unsubscribe(first, "news"))
        self.assertTrue(self.hub.isSubscribed("news"))
        self.assertTrue(self.hub.unsubscribe(second, "news"))
        self.assertFalse(self.hub.isSubscribed("news"))
        self.assertEqual(self.hub.channels(), ["other"])

    def test_names(self) -> None:
        """
        Channels may be called anything, and none is taken for another.
        """
        names = ("a", "a/b", "", "__class__", "constructor", "*")
        for name in names:
            self.readers(1, name)
        self.assertEqual(self.hub.channels(), list(names))
        reader = Reader("x")
        self.hub.subscribe(reader, "a/b")
        for name in names:
            self.publish(name, name)
        self.assertEqual(reader.got, ["a/b"])

    def test_deliver(self) -> None:
        """
        A publication reaches everyone who is subscribed at that moment, once, in the publisher's order.
        """
        first, second = self.readers(2)
        self.assertIsNone(self.publish("nobody", 0))
        self.assertIsNone(self.publish("news", 1))
        self.hub.unsubscribe(first, "news")
        self.hub.subscribe(second, "news")
        self.publish("news", 2)
        self.assertEqual((first.got, second.got), ([1], [1, 2]))

    def test_directOutbox(self) -> None:
        """
        A subscriber through whose connection nothing comes between gets the finished frame, for as long as that is so.
        """
        frames: list[bytes] = []
        direct, other = Reader("direct"), Reader("other")

        def deliverToAll(frame: bytes, recipients: Any) -> list[Any]:
            frames.append(frame)
            return [each for each in recipients if each.directOutbox is None]

        direct.directOutbox = SimpleNamespace(deliverToAll=deliverToAll)
        for each in (direct, other):
            self.hub.subscribe(each, "news")
        self.publish("news", 1)
        self.assertEqual((direct.got, other.got), ([], [1]))
        direct.directOutbox = None
        self.publish("news", 2)
        self.assertEqual((direct.got, other.got), ([2], [1, 2]))
        self.assertEqual(frames, [Publication("news", 1, self.wire).frame])

    def test_failingSubscriber(self) -> None:
        """
        A subscriber that fails is logged; the others and the publisher are not concerned.
        """
        before, failing, after = Reader("a"), Reader("b", fails=True), Reader("c")
        for reader in (before, failing, after):
            self.hub.subscribe(reader, "news")
        self.publish("news", 1)
        self.assertEqual((before.got, after.got), ([1], [1]))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_received(self) -> None:
        """
        What another process publishes is made a publication only if somebody here wants it.
        """
        made: list[object] = []

        def publicationFor(channel: str, data: object) -> Publication:
            made.append(data)
            return Publication(channel, data, self.wire)

        hub = Hub(publicationFor, Turns(self.clock))
        reader = Reader("1")
        hub.subscribe(reader, "news")
        hub.received("other", 1)
        hub.received("news", 2)
        self.assertEqual((made, reader.got), ([2], [2]))

    def test_slices(self) -> None:
        """
        A publication to very many is delivered over several turns, everyone gets it once; what is published meanwhile
        in the same channel comes after it, and in another channel need not wait for it.
        """
        many, few = self.readers(3 * SLICE), self.readers(2, "few")
        first, second = self.publish("news", 1), self.publish("news", 2)
        self.assertIsNone(self.publish("few", "a"))
        self.assertEqual(few[0].got, ["a"])
        counts = []
        while self.clock.getDelayedCalls():
            before = sum(len(reader.got) for reader in many)
            self.turn()
            counts.append(sum(len(reader.got) for reader in many) - before)
        self.assertLessEqual(max(counts), SLICE)
        self.assertEqual({tuple(reader.got) for reader in many}, {(1, 2)})
        self.successResultOf(first)
        self.successResultOf(second)

    def test_slow(self) -> None:
        """
        Where deliveries take long, a turn has fewer of them, down to some that it always has; where they no longer do, it
        has more again.
        """
        many = self.readers(8 * SLICE)
        cost = [TIME / 512]
        receive = Reader.publicationReceived

        def received(reader: Reader, publication: Publication) -> None:
            self.clock.rightNow += cost[0]
            receive(reader, publication)

        self.patch(Reader, "publicationReceived", received)
        for seconds, expected in ((TIME / 512, 512), (TIME, LEAST // 2), (0.0, SLICE)):
            cost[0] = seconds
            counts = []
            done = self.publish("news", seconds)
            while self.clock.getDelayedCalls():
                before = sum(len(reader.got) for reader in many)
                self.turn()
                counts.append(sum(len(reader.got) for reader in many) - before)
            self.successResultOf(done)
            self.assertTrue(0.9 * expected <= counts[len(counts) // 2] <= 1.1 * expected, (seconds, counts))
        self.assertEqual({len(reader.got) for reader in many}, {3})

    def test_unsubscribedMeanwhile(self) -> None:
        """
        Who unsubscribes before its slice gets nothing any more; who subscribes after the publication does not get it.
        """
        many = self.readers(2 * SLICE)
        done = self.publish("news", 1)
        late = Reader("late")
        self.hub.subscribe(late, "news")
        self.hub.unsubscribe(many[-1], "news")
        self.clock.advance(0)
        self.successResultOf(done)
        self.assertEqual((many[0].got, many[-2].got, many[-1].got, late.got), ([1], [1], [], []))

    def test_everyoneLeavesMeanwhile(self) -> None:
        """
        A publication whose channel has been left by all ends, and with it the work.
        """
        many = self.readers(2 * SLICE)
        done = self.publish("news", 1)
        for reader in many:
            self.hub.unsubscribe(reader, "news")
        self.clock.advance(0)
        self.successResultOf(done)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failingInSlice(self) -> None:
        """
        A subscriber that fails in a slice does not stop the others, nor any later publication.
        """
        many = self.readers(2 * SLICE)
        many[SLICE // 2].fails = True
        for data in (1, 2):
            done = self.publish("news", data)
            self.clock.advance(0)
            self.successResultOf(done)
        self.assertEqual({tuple(reader.got) for reader in many if not reader.fails}, {(1, 2)})
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 2)

    def test_roomOfATurn(self) -> None:
        """
        Many publications of one turn count together; the next turn has room again.
        """
        readers = self.readers(SLICE // 2)
        waiting = [self.publish("news", number) for number in range(3)]
        self.assertEqual([each is None for each in waiting], [True, True, False])
        self.clock.advance(0)
        self.assertEqual(readers[0].got, [0, 1, 2])
        self.assertIsNone(self.publish("news", 3))

    def test_manyWaitToBeSent(self) -> None:
        """
        While many deliveries have been handed out and not been sent, publications wait here: with them, others would wait
        for as long. Nobody spins meanwhile.
        """
        readers = self.readers(2)
        self.turns.isPolled = True  # the turns do not end by themselves
        self.turns.deliveries = [SimpleNamespace(flushAll=lambda outboxes: None)] * (SLICE + 2 * PORTION)
        first, second = self.publish("news", 1), self.publish("news", 2)
        for expected in ([], [], [1, 2]):
            self.assertEqual((readers[0].got, self.clock.getDelayedCalls()), ([], []))
            self.turns.begin()
            self.turns.end()
            self.assertEqual(readers[0].got, expected)
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertIsNone(self.publish("news", 3))
        self.assertEqual(readers[0].got, [1, 2, 3])

    def turn(self) -> None:
        """
        Run what is due now, and not what that schedules.
        """
        for call in list(self.clock.getDelayedCalls()):
            self.clock.calls.remove(call)  # type: ignore[arg-type]
            call.called = 1  # type: ignore[attr-defined]
            call.func(*call.args, **call.kw)  # type: ignore[attr-defined]
