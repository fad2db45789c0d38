"""
Tests of L{agtwisted.brokers.memory}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from agtwisted.brokers.hub import Hub
from agtwisted.brokers.memory import MemoryBroker
from agtwisted.interfaces import IBroker
from agtwisted.streams.turns import Turns


class MemoryBrokerTests(SynchronousTestCase):
    """
    The broker of a server that is alone.
    """

    def test_interface(self) -> None:
        """
        It is a broker.
        """
        self.assertTrue(verifyObject(IBroker, MemoryBroker()))

    def test_nobodyElse(self) -> None:
        """
        All that it is asked for is done at once, and nothing comes back.
        """

        def never(channel: str, data: object) -> Any:
            raise AssertionError("Nothing comes from another process")

        hub = Hub(never, Turns(Clock()))
        broker = MemoryBroker()
        methods: list[tuple[Any, ...]] = [
            (broker.start, hub),
            (broker.subscribe, "news"),
            (broker.publish, "news", 1),
            (broker.unsubscribe, "news"),
            (broker.stop,),
        ]
        for method in methods:
            self.assertIsNone(self.successResultOf(maybeDeferred(*method)))
