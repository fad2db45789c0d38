"""
Tests of L{agtwisted.streams.emitter}.
"""

from __future__ import annotations

import copy
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.streams.emitter import AsyncStreamEmitter, Event
from agtwisted.streams.stream import ConsumerStats
from agtwisted.streams.turns import Turns


class EventTests(SynchronousTestCase):
    """
    The values of events.
    """

    def test_fields(self) -> None:
        """
        An event has its fields as attributes, and says which they are when asked for another.
        """
        event = Event(code=1000, reason=None)
        self.assertEqual((event.code, event.reason), (1000, None))
        error = self.assertRaises(AttributeError, getattr, event, "socket")
        self.assertEqual(str(error), "This event has no 'socket'; it has code, reason")
        error = self.assertRaises(AttributeError, getattr, Event(), "code")
        self.assertEqual(str(error), "This event has no 'code'; it has no fields")

    def test_value(self) -> None:
        """
        An event can be compared and copied as a value.
        """
        event = Event(data=[1])
        copied = copy.deepcopy(event)
        self.assertEqual(event, copied)
        self.assertIsNot(event.data, copied.data)


class EmitterTests(SynchronousTestCase):
    """
    Events as streams.
    """

    def setUp(self) -> None:
        """
        Make an emitter on a clock.
        """
        self.clock = Clock()
        self.emitter = AsyncStreamEmitter(Turns(self.clock))

    def listen(self, name: str) -> tuple[list[Any], Deferred[None]]:
        """
        @return: what a loop over that event has got so far, and what fires when it ends.
        """
        got: list[Any] = []

        async def loop() -> None:
            async for value in self.emitter.listener(name):
                got.append(value)

        return got, Deferred.fromCoroutine(loop())

    def test_emit(self) -> None:
        """
        An event reaches those who listen to it at that moment, at the end of the turn.
        """
        self.emitter.emit("news", "before")
        got, _ = self.listen("news")
        other, _ = self.listen("__class__")
        self.emitter.emit("news", 1)
        self.emitter.emit("news")
        self.assertEqual(got, [])
        self.clock.advance(0)
        self.assertEqual((got, other), ([1, None], []))

    def test_emitEvent(self) -> None:
        """
        Events with fields are made for those who listen, and only for them.
        """
        self.emitter.emitEvent("news", first=1)
        got, _ = self.listen("news")
        self.emitter.emitEvent("other", first=1)
        self.emitter.emitEvent("news", first=1, second=2)
        self.emitter.emitEvent("news")
        self.clock.advance(0)
        self.assertEqual(got, [Event(first=1, second=2), Event()])

    def test_once(self) -> None:
        """
        C{once} resolves with the next event only.
        """
        event = self.emitter.listener("news").once()
        self.emitter.emit("news", 1)
        self.emitter.emit("news", 2)
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(event), 1)
        self.assertEqual(self.emitter.getAllListenersConsumerCount(), 0)

    def test_close(self) -> None:
        """
        C{closeListener} and C{closeAllListeners} end loops after what is buffered.
        """
        (first, firstEnd), (second, secondEnd) = self.listen("a"), self.listen("b")
        self.emitter.emit("a", 1)
        self.emitter.emit("b", 1)
        self.emitter.closeListener("a")
        self.clock.advance(0)
        self.assertEqual((first, second), ([1], [1]))
        self.assertEqual((firstEnd.called, secondEnd.called), (True, False))
        self.emitter.closeAllListeners()
        self.clock.advance(0)
        self.assertTrue(secondEnd.called)

    def test_kill(self) -> None:
        """
        C{killListener} and C{killAllListeners} end loops at once; C{killListenerConsumer} ends one.
        """
        loops = [self.listen(name) for name in "aabc"]
        for name in "abc":
            self.emitter.emit(name, 1)
        self.emitter.killListenerConsumer(1)
        self.assertEqual(self.emitter.getListenerConsumerCount("a"), 1)
        self.emitter.killListener("b")
        self.clock.advance(0)
        self.assertEqual([got for got, _ in loops], [[], [1], [], [1]])
        self.assertEqual([ended.called for _, ended in loops], [True, False, True, False])
        self.emitter.killAllListeners()
        self.assertEqual(self.emitter.getAllListenersConsumerCount(), 0)
        self.clock.advance(0)
        self.assertEqual([ended.called for _, ended in loops], [True] * 4)

    def test_remove(self) -> None:
        """
        C{removeListener} forgets a stream without ending its loops.
        """
        got, ended = self.listen("a")
        self.emitter.removeListener("a")
        self.emitter.emit("a", 1)
        self.clock.advance(0)
        self.assertEqual(got, [])
        self.assertNoResult(ended)

    def test_counters(self) -> None:
        """
        What is known of those who listen, by number, by event and in all.
        """
        emitter = self.emitter
        self.assertEqual(emitter.getAllListenersBackpressure(), 0)
        emitter.listener("a").createConsumer()
        emitter.listener("a").createConsumer(300)
        emitter.listener("b").createConsumer()
        emitter.emit("a", 1)
        emitter.emit("a", 2)
        emitter.emit("b", 1)
        stats = [ConsumerStats(1, 2, None, "a"), ConsumerStats(2, 2, 300, "a"), ConsumerStats(3, 1, None, "b")]
        self.assertEqual([emitter.getListenerConsumerStats(number) for number in (1, 2, 3, 4)], [*stats, None])
        self.assertEqual(emitter.getListenerConsumerStatsList("a"), stats[:2])
        self.assertEqual(emitter.getAllListenersConsumerStatsList(), stats)
        self.assertEqual([emitter.getListenerConsumerCount(name) for name in "abc"], [2, 1, 0])
        self.assertEqual(emitter.getAllListenersConsumerCount(), 3)
        self.assertEqual([emitter.getListenerBackpressure(name) for name in "abc"], [2, 1, 0])
        self.assertEqual(emitter.getAllListenersBackpressure(), 2)
        self.assertEqual([emitter.getListenerConsumerBackpressure(number) for number in (1, 3, 4)], [2, 1, 0])
        self.assertTrue(emitter.hasListenerConsumer("a", 1))
        self.assertFalse(emitter.hasListenerConsumer("a", 3))
        self.assertTrue(emitter.hasAnyListenerConsumer(3))
        self.assertFalse(emitter.hasAnyListenerConsumer(4))
