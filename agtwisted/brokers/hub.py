"""
The fan-out within one process.

A publication goes to all subscribers of its channel at once, as long as no more than L{SLICE} deliveries come together
in one turn of the reactor, and no more wait to be sent. What is beyond that waits for the next turns, a slice in each, so
that a publication to ten thousand subscribers holds nobody else up. Where it takes so long to hand publications out that a
slice would last longer than L{TIME}, slices are smaller. Within a channel the order is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from agtwisted.protocol.frames import messageOf
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.protocol.wire import Wire
from agtwisted.sparinglog import SparingLogger
from agtwisted.streams.turns import Turns

log = SparingLogger()

#: Deliveries that come together in one turn at most, and that one has room for in any case.
SLICE = 1024
LEAST = 128
#: Seconds that it may take to hand out a turn's deliveries.
TIME = 0.012
#: Deliveries of one channel before it is the next one's turn.
_PIECE = 64


class Subscriber(Protocol):
    """
    The type of an L{agtwisted.interfaces.ISubscriber}.
    """

    id: str
    directOutbox: Any

    def publicationReceived(self, publication: Publication) -> None:
        """
        Something was published in a channel that this subscriber is subscribed to.
        """


class Publication:
    """
    What travels to subscribers: data in a channel. It is encoded once, when the first subscriber needs it.

    @ivar channel: the channel's name.
    @ivar data: what was published; C{None} also if nothing was.
    @ivar hasData: whether anything was published, were it C{None}.
    @ivar finished: L{frame}, once it is made.
    """

    __slots__ = ("channel", "data", "hasData", "finished", "_wire", "_message")

    def __init__(self, channel: str, data: object, wire: Wire) -> None:
        """
        @param wire: encodes it.
        """
        self.channel = channel
        self.hasData = data is not NO_DATA
        self.data = data if self.hasData else None
        self._wire = wire
        self._message: tuple[bytes, bool] | None = None
        self.finished: bytes | None = None

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
            self._message = messageOf(self.frame)
        return self._message

    @property
    def frame(self) -> bytes:
        """
        The finished frame, for every connection that has agreed on nothing that changes frames.

        @raise Exception: whatever the codec raises for data that it cannot encode.
        """
        if self.finished is None:
            self.finished = self._wire.frame(self.packet)
        return self.finished


class _Delivery:
    """
    A publication on its way to those who were subscribed when it was published.
    """

    __slots__ = ("publication", "subscribers", "done")

    def __init__(self, publication: Publication, subscribers: Iterator[Subscriber]) -> None:
        self.publication = publication
        self.subscribers = subscribers
        self.done: Deferred[None] = Deferred()


class Hub:
    """
    Knows which subscribers of this process are subscribed to what.
    """

    __slots__ = ("_channels", "_publicationFor", "_turns", "_room", "_left", "_began", "_waiting", "_isStepping")

    def __init__(self, publicationFor: Callable[[str, object], Publication], turns: Turns) -> None:
        """
        @param publicationFor: makes the publication of data that comes from another process.
        @param turns: where slices are told from each other.
        """
        self._channels: dict[str, dict[str, Subscriber]] = {}
        self._publicationFor = publicationFor
        self._turns = turns
        #: Deliveries that a turn has room for, and that this one still has.
        self._room = self._left = SLICE
        #: When the first of this turn was made.
        self._began = 0.0
        #: What waits for the next turns, by channel.
        self._waiting: dict[str, deque[_Delivery]] = {}
        self._isStepping = False

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

    def deliver(self, publication: Publication) -> Deferred[None] | None:
        """
        Hand a publication to everyone who is subscribed to its channel now.

        @return: C{None} if everyone has it; else fires when everyone has.
        """
        channel = publication.channel
        subscribers = self._channels.get(channel)
        if subscribers is None:
            return None
        if channel not in self._waiting and len(subscribers) <= self._left and len(self._turns.deliveries) < SLICE:
            isFirst = self._left == self._room
            if isFirst:
                self._began = self._turns.seconds()
            self._left -= len(subscribers)
            _handOut(publication, tuple(subscribers.values()))
            if isFirst:
                self._turns.flush(self)  # behind those who have something to send now
            return None
        delivery = _Delivery(publication, iter(tuple(subscribers.values())))
        self._waiting.setdefault(channel, deque()).append(delivery)
        if not self._isStepping:
            self._isStepping = True
            self._stepLater()
        return delivery.done

    def flush(self) -> None:
        """
        The turn has ended: the next one has room again, for as many as there is time for.
        """
        delivered = self._room - self._left
        if delivered >= LEAST:
            took = self._turns.seconds() - self._began
            enough = int(TIME / took * delivered) if took > 0 else SLICE
            self._room = min(SLICE, max(LEAST, (self._room + enough) // 2))
        self._left = self._room

    def _step(self) -> None:
        """
        Deliver a slice, of each waiting channel in turn, and leave the rest for the next turns.
        """
        turns = self._turns
        self._began = turns.seconds()
        self._left = self._room
        while self._left > 0 and self._waiting and turns.seconds() - self._began < TIME:
            channel = next(iter(self._waiting))
            deliveries = self._waiting[channel]
            self._left -= self._deliverSlice(deliveries[0], min(self._left, _PIECE))
            if deliveries[0].done.called:
                deliveries.popleft()
            del self._waiting[channel]
            if deliveries:
                self._waiting[channel] = deliveries  # behind the others
        turns.flush(self)
        self._isStepping = bool(self._waiting)
        if self._isStepping:
            self._stepLater()

    def _stepLater(self) -> None:
        """
        Deliver the next slice in the next turn; or when no longer too many deliveries wait to be sent.
        """
        if len(self._turns.deliveries) < SLICE:
            self._turns.callLater(0, self._step)
        else:
            self._turns.whenFewer(SLICE, self._step)

    def _deliverSlice(self, delivery: _Delivery, count: int) -> int:
        publication = delivery.publication
        subscribed = self._channels.get(publication.channel, {})
        subscribers = [*islice(delivery.subscribers, count)]
        _handOut(publication, [each for each in subscribers if each.id in subscribed])
        if len(subscribers) < count:
            delivery.done.callback(None)
        return max(1, len(subscribers))

    def received(self, channel: str, data: object) -> None:
        """
        Another process has published.
        """
        if channel in self._channels:
            self.deliver(self._publicationFor(channel, data))


def _handOut(publication: Publication, subscribers: Sequence[Subscriber]) -> None:
    others: Iterable[Subscriber] = subscribers
    for subscriber in subscribers:
        if subscriber.directOutbox is not None:
            try:
                others = subscriber.directOutbox.deliverToAll(publication.finished or publication.frame, subscribers)
            except Exception:
                log.failure("A publication could not be sent.")
                others = [each for each in subscribers if each.directOutbox is None]
            break
    for subscriber in others:
        try:
            subscriber.publicationReceived(publication)
        except Exception:
            # Its own affair: neither the others nor the publisher have to do with it.
            log.failure("A subscriber has failed at a publication.")
