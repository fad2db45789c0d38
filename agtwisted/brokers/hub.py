"""
The fan-out within one process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from agtwisted.protocol.frames import BINARY, frame, textFrame
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.protocol.wire import Wire


class Subscriber(Protocol):
    """
    The type of an L{agtwisted.interfaces.ISubscriber}.
    """

    id: str

    def publicationReceived(self, publication: Publication) -> None:
        """
        Something was published in a channel that this subscriber is subscribed to.
        """


class Publication:
    """
    What travels to subscribers: data in a channel. Its encoded message and its finished frame are each made once, when
    the first subscriber needs them.

    @ivar channel: the channel's name.
    @ivar data: what was published; C{None} also if nothing was.
    @ivar hasData: whether anything was published, were it C{None}.
    """

    __slots__ = ("channel", "data", "hasData", "_wire", "_message", "_frame")

    def __init__(self, channel: str, data: object, wire: Wire) -> None:
        """
        @param wire: encodes it.
        """
        self.channel = channel
        self.hasData = data is not NO_DATA
        self.data = data if self.hasData else None
        self._wire = wire
        self._message: tuple[bytes, bool] | None = None
        self._frame: bytes | None = None

    @property
    def packet(self) -> dict[str, Any]:
        """
        The packet that clients get, a new one each time.
        """
        if not self.hasData:
            return {"event": "#publish", "data": {"channel": self.channel}}
        return {"event": "#publish", "data": {"channel": self.channel, "data": self.data}}

    @property
    def message(self) -> tuple[bytes, bool]:
        """
        The encoded packet, and whether it is binary.

        @raise Exception: whatever the codec raises for data that it cannot encode.
        """
        if self._message is None:
            self._message = self._wire.encode(self.packet)
        return self._message

    @property
    def frame(self) -> bytes:
        """
        The finished frame, for every connection that has agreed on nothing that changes frames.
        """
        if self._frame is None:
            payload, isBinary = self.message
            self._frame = frame(BINARY, payload) if isBinary else textFrame(payload)
        return self._frame


class Hub:
    """
    Knows which subscribers of this process are subscribed to what.
    """

    __slots__ = ("_channels", "_publicationFor")

    def __init__(self, publicationFor: Callable[[str, object], Publication]) -> None:
        """
        @param publicationFor: makes the publication of data that comes from another process.
        """
        self._channels: dict[str, dict[str, Subscriber]] = {}
        self._publicationFor = publicationFor

    def subscribe(self, subscriber: Subscriber, channel: str) -> bool:
        """
        @return: whether this is the first subscriber of the channel.
        """
        subscribers = self._channels.get(channel)
        if subscribers is None:
            self._channels[channel] = {subscriber.id: subscriber}
            return True
        subscribers[subscriber.id] = subscriber
        return False

    def unsubscribe(self, subscriber: Subscriber, channel: str) -> bool:
        """
        @return: whether the last subscriber of the channel has gone with it.
        """
        subscribers = self._channels.get(channel)
        if subscribers is None or subscribers.pop(subscriber.id, None) is None or subscribers:
            return False
        del self._channels[channel]
        return True

    def channels(self) -> list[str]:
        """
        @return: the names of the channels that have subscribers.
        """
        return list(self._channels)

    def isSubscribed(self, channel: str) -> bool:
        """
        @return: whether the channel has a subscriber.
        """
        return channel in self._channels

    def deliver(self, publication: Publication) -> None:
        """
        Hand a publication to everyone who is subscribed to its channel now.
        """
        subscribers = self._channels.get(publication.channel)
        if subscribers is not None:
            for subscriber in tuple(subscribers.values()):
                subscriber.publicationReceived(publication)

    def received(self, channel: str, data: object) -> None:
        """
        Another process has published.
        """
        if channel in self._channels:
            self.deliver(self._publicationFor(channel, data))
