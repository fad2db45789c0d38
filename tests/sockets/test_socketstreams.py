"""
Tests of L{agtwisted.sockets.socketstreams}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.sockets.socketstreams import SocketStreams
from agtwisted.streams.stream import ConsumerStats, IterationResult
from agtwisted.streams.turns import Turns


class SocketStreamsTests(SynchronousTestCase):
    """
    Receivers and procedures; both are managed alike, by methods that differ in their names.
    """

    kinds = (("Receiver", "_receivers"), ("Procedure", "_procedures"))

    def setUp(self) -> None:
        """
        Make the streams of a socket.
        """
        self.streams = SocketStreams(Turns(Clock()))

    def test_untouched(self) -> None:
        """
        A socket that nobody listens to has no streams, and asking about all of them makes none.
        """
        for kind in ("Receivers", "Procedures"):
            for method in (f"closeAll{kind}", f"killAll{kind}"):
                getattr(self.streams, method)()
            self.assertEqual(getattr(self.streams, f"getAll{kind}Backpressure")(), 0)
        self.assertEqual((self.streams._receiverDemux, self.streams._procedureDemux), (None, None))

    def test_apart(self) -> None:
        """
        A receiver, a procedure and a listener of one name are three streams.
        """
        consumers = [
            stream("add").createConsumer()
            for stream in (self.streams.receiver, self.streams.procedure, self.streams.listener)
        ]
        self.streams._receivers.write("add", "transmitted")
        self.streams._procedures.write("add", "invoked")
        self.streams.emit("add", "emitted")
        values = [self.successResultOf(consumer.next()).value for consumer in consumers]
        self.assertEqual(values, ["transmitted", "invoked", "emitted"])
        self.assertEqual([consumer.getBackpressure() for consumer in consumers], [0, 0, 0])

    def prepared(self, kind: str, demuxName: str) -> Any:
        """
        @return: the method of a given name of this kind, once there are three consumers, two of C{a} and one of C{b},
            with two values waiting for C{a} and one for C{b}.
        """
        self.setUp()
        stream = getattr(self.streams, kind.lower())
        stream("a").createConsumer()
        stream("a").createConsumer(300)
        stream("b").createConsumer()
        demux = getattr(self.streams, demuxName)
        for name in "aab":
            demux.write(name, 1)
        return lambda method, *arguments: getattr(self.streams, method.format(kind))(*arguments)

    def test_counters(self) -> None:
        """
        What is known of consumers, by number, by name and in all.
        """
        stats = [ConsumerStats(1, 2, None, "a"), ConsumerStats(2, 2, 300, "a"), ConsumerStats(3, 1, None, "b")]
        table: list[tuple[str, tuple[Any, ...], Any]] = [
            ("get{}ConsumerStats", (3,), stats[2]),
            ("get{}ConsumerStats", (4,), None),
            ("get{}ConsumerStatsList", ("a",), stats[:2]),
            ("getAll{}sConsumerStatsList", (), stats),
            ("get{}Backpressure", ("a",), 2),
            ("get{}Backpressure", ("c",), 0),
            ("getAll{}sBackpressure", (), 2),
            ("get{}ConsumerBackpressure", (3,), 1),
            ("get{}ConsumerBackpressure", (4,), 0),
            ("has{}Consumer", ("a", 1), True),
            ("has{}Consumer", ("b", 1), False),
            ("hasAny{}Consumer", (3,), True),
            ("hasAny{}Consumer", (4,), False),
        ]
        for kind, demuxName in self.kinds:
            call = self.prepared(kind, demuxName)
            for method, arguments, expected in table:
                self.assertEqual(call(method, *arguments), expected, (kind, method, arguments))

    def test_endings(self) -> None:
        """
        Closing leaves what is buffered, killing drops it; one, all of a name, or all.
        """
        table: list[tuple[str, tuple[Any, ...], list[int | None]]] = [
            # Values that each of the three consumers still gets before its end, None for no end.
            ("close{}", ("a",), [2, 2, None]),
            ("kill{}", ("a",), [0, 0, None]),
            ("closeAll{}s", (), [2, 2, 1]),
            ("killAll{}s", (), [0, 0, 0]),
            ("kill{}Consumer", (2,), [None, 0, None]),
        ]
        for kind, demuxName in self.kinds:
            for method, arguments, expected in table:
                call = self.prepared(kind, demuxName)
                demux = getattr(self.streams, demuxName)
                consumers = [each for stream in demux.streams.values() for each in stream.getConsumerList()]
                call(method, *arguments)
                self.assertEqual([ended(self, consumer) for consumer in consumers], expected, (kind, method))


def ended(case: SynchronousTestCase, consumer: Any) -> int | None:
    """
    @return: how many values C{consumer} gets before its end; C{None} if it has none.
    """
    for count in range(10):
        step = consumer.next()
        if not step.called:
            return None
        result: IterationResult = case.successResultOf(step)
        if result.done:
            return count
    raise AssertionError("It never ends")
