"""
The broker of a server that is alone: there is nobody else to tell.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from agtwisted.brokers.hub import Hub
from agtwisted.interfaces import IBroker


@implementer(IBroker)
class MemoryBroker:
    """
    Carries nothing anywhere; also the double to test with.
    """

    def start(self, hub: Hub) -> Deferred[None]:
        """
        @return: has fired.
        """
        return succeed(None)

    def stop(self) -> Deferred[None]:
        """
        @return: has fired.
        """
        return succeed(None)

    def subscribe(self, channel: str) -> Deferred[None]:
        """
        @return: has fired.
        """
        return succeed(None)

    def unsubscribe(self, channel: str) -> Deferred[None]:
        """
        @return: has fired.
        """
        return succeed(None)

    def publish(self, channel: str, data: object) -> None:
        """
        There is nobody to tell.
        """
