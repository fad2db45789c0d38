"""
Tests of L{agtwisted.streams.demux}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.errors import TimeoutError
from agtwisted.streams.demux import StreamDemux
from agtwisted.streams.stream import ConsumerStats, IterationResult
from agtwisted.streams.turns import Turns

#: Names that are something else in Python or JavaScript, or would be, were names composed carelessly.
NAMES = ("a", "a/b", "a/", "/", "", "__class__", "__dict__", "constructor", "prototype", "toString", "%2F", "é\u2028😀")


class DemuxTests(SynchronousTestCase):
    """
    Many named streams behind one writer.
    """

    def setUp(self) -> None:
        """
        Make a demux on a clock.
        """
        self.clock = Clock()
        self.demux: StreamDemux[Any] = StreamDemux(Turns(self.clock))

    def read(self, name: str) -> tuple[list[Any], Deferred[None]]:
        """
        @return: what a loop over that stream has got so far, and what fires when it ends.
        """
        got: list[Any] = []

        async def loop() -> None:
            async for value in self.demux.stream(name):
                got.append(value)

        return got, Deferred.fromCoroutine(loop())

    def test_names(self) -> None:
        """
        Names are data: what is written to one stream reaches that one only, whatever they are called.
        """
        for name in NAMES:
            self.demux.write(name, "before anybody listens")
        loops = {name: self.read(name)[0] for name in NAMES}
        for name in NAMES:
            self.demux.write(name, name)
        self.clock.advance(0)
        self.assertEqual(loops, {name: [name] for name in NAMES})

    def test_streamsComeAndGo(self) -> None:
        """
        A stream exists while it has consumers, and no longer.
        """
        stream = self.demux.stream("a")
        self.assertEqual(stream.name, "a")
        self.assertEqual(self.demux.streams, {})
        first, second = stream.createConsumer(), stream.createConsumer()
        self.assertEqual(list(self.demux.streams), ["a"])
        first.kill()
        self.assertEqual(list(self.demux.streams), ["a"])
        second.return_()
        self.assertEqual(self.demux.streams, {})

    def test_ids(self) -> None:
        """
        Consumers are numbered across all streams, also over streams that have gone.
        """
        first = self.demux.createConsumer("a")
        first.kill()
        ids = [self.demux.createConsumer(name).id for name in ("b", "a", "b")]
        self.assertEqual([first.id, *ids], [1, 2, 3, 4])
        self.assertEqual(self.demux.generateConsumerId(), 5)

    def test_once(self) -> None:
        """
        A named stream offers C{once} and C{next} as any stream, with timeouts, and they leave nothing behind.
        """
        value, late = self.demux.stream("a").once(), self.demux.stream("b").next(100)
        self.demux.write("a", 1)
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(value), 1)
        self.failureResultOf(late, TimeoutError)
        self.assertEqual(self.demux.streams, {})

    def test_closeAndKillOne(self) -> None:
        """
        Closing lets a stream's loops take what is buffered, killing does not; other streams go on.
        """
        loops = {name: self.read(name) for name in ("closed", "killed", "other")}
        for name in loops:
            self.demux.write(name, 1)
        self.demux.close("closed", "x")
        self.demux.kill("killed", "x")
        self.demux.close("unknown")
        self.demux.kill("unknown")
        self.clock.advance(0)
        self.assertEqual({name: got for name, (got, _) in loops.items()}, {"closed": [1], "killed": [], "other": [1]})
        self.assertEqual([ended.called for _, ended in loops.values()], [True, True, False])
        self.assertEqual(list(self.demux.streams), ["other"])

    def test_closeAndKillAll(self) -> None:
        """
        The same for all streams at once, with the value that ends them.
        """
        for method, expected in ((self.demux.closeAll, [1, 1]), (self.demux.killAll, [])):
            consumers = [self.demux.createConsumer(name) for name in ("a", "b")]
            self.demux.write("a", 1)
            self.demux.write("b", 1)
            method("over")
            steps = [self.successResultOf(each.next()) for each in consumers]
            self.assertEqual([step.value for step in steps if not step.done], expected)
            for each, step in zip(consumers, steps, strict=True):
                end = step if step.done else self.successResultOf(each.next())
                self.assertEqual(end, IterationResult("over", True))
            self.assertEqual(self.demux.streams, {})

    def test_oneConsumer(self) -> None:
        """
        One consumer, whatever its stream, can be written to, closed or killed by its number.
        """
        first, second = self.demux.createConsumer("a"), self.demux.createConsumer("a")
        third = self.demux.createConsumer("b")
        self.demux.writeToConsumer(2, "only you")
        self.demux.closeConsumer(2, "closed")
        self.demux.killConsumer(3, "killed")
        for unknown in (self.demux.writeToConsumer, self.demux.closeConsumer, self.demux.killConsumer):
            unknown(99, "nobody")
        self.assertEqual(first.getBackpressure(), 0)
        steps = [self.successResultOf(second.next()) for _ in range(2)]
        self.assertEqual(steps, [IterationResult("only you", False), IterationResult("closed", True)])
        self.assertEqual(self.successResultOf(third.next()), IterationResult("killed", True))
        self.assertEqual(self.demux.getConsumerCountAll(), 1)

    def test_unstream(self) -> None:
        """
        A stream can be forgotten; its consumers are not told, and what they do later harms no new stream of that name.
        """
        old = self.demux.createConsumer("a")
        self.demux.unstream("a")
        self.demux.unstream("never there")
        new = self.demux.createConsumer("a")
        self.demux.write("a", 1)
        self.assertTrue(old.isAlive)
        self.assertEqual((old.getBackpressure(), new.getBackpressure()), (0, 1))
        old.kill()
        self.assertTrue(self.demux.hasConsumer("a", new.id))
        self.assertEqual(list(self.demux.streams), ["a"])

    def test_forgottenStream(self) -> None:
        """
        The last consumer of a forgotten stream may leave.
        """
        consumer = self.demux.createConsumer("a")
        self.demux.unstream("a")
        consumer.kill()
        self.assertEqual(self.demux.streams, {})

    def test_counters(self) -> None:
        """
        What is known of consumers, by number, by stream and in all.
        """
        self.demux.createConsumer("a")
        self.demux.createConsumer("a", 500)
        self.demux.createConsumer("b")
        self.demux.write("a", 1)
        self.demux.write("a", 2)
        self.demux.write("b", 1)
        self.demux.writeToConsumer(2, 3)
        stats = [ConsumerStats(1, 2, None, "a"), ConsumerStats(2, 3, 500, "a"), ConsumerStats(3, 1, None, "b")]
        self.assertEqual([self.demux.getConsumerStats(number) for number in (1, 2, 3, 4)], [*stats, None])
        self.assertEqual(self.demux.getConsumerStatsList("a"), stats[:2])
        self.assertEqual(self.demux.getConsumerStatsList("c"), [])
        self.assertEqual(self.demux.getConsumerStatsListAll(), stats)
        self.assertEqual([self.demux.getBackpressure(name) for name in "abc"], [3, 1, 0])
        self.assertEqual(self.demux.getBackpressureAll(), 3)
        self.assertEqual([self.demux.getConsumerBackpressure(number) for number in (1, 2, 3, 4)], [2, 3, 1, 0])
        self.assertEqual([self.demux.getConsumerCount(name) for name in "abc"], [2, 1, 0])
        self.assertEqual(self.demux.getConsumerCountAll(), 3)
        self.assertEqual([self.demux.hasConsumer("a", number) for number in (1, 2, 3, 4)], [True, True, False, False])
        self.assertFalse(self.demux.hasConsumer("c", 1))
        self.assertEqual([self.demux.hasConsumerAll(number) for number in (1, 2, 3, 4)], [True, True, True, False])

    def test_empty(self) -> None:
        """
        A demux without consumers has nothing waiting.
        """
        self.assertEqual((self.demux.getBackpressureAll(), self.demux.getConsumerCountAll()), (0, 0))
        self.assertEqual(self.demux.getConsumerStatsListAll(), [])
