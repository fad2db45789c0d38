"""
The broker engine that a server has by default, with SocketCluster's documented interface.

In the reference: C{ag-simple-broker}. Behind its face it is the hub, which fans out within the process, and an
L{agtwisted.interfaces.IBroker}, which reaches other processes.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, fail, maybeDeferred, succeed

from agtwisted.brokers.hub import Hub, Publication, Subscriber
from agtwisted.brokers.memory import MemoryBroker
from agtwisted.protocol.codecs import JSONCodec
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.protocol.wire import Wire
from agtwisted.server.exchange import AGExchange
from agtwisted.streams.emitter import AsyncStreamEmitter
from agtwisted.streams.turns import Turns


class AGSimpleBroker(AsyncStreamEmitter):
    """
    The default broker engine.

    Events: C{ready}; C{error} with C{error}; C{subscribe} and C{unsubscribe} with C{channel}, when a channel gets its
    first and loses its last subscriber; C{publish} with C{channel} and C{data}.

    @ivar isReady: whether publications flow.
    """

    def __init__(self, broker: Any = None, turns: Turns | None = None) -> None:
        """
        @param broker: the L{agtwisted.interfaces.IBroker} that reaches other processes; by default there are none.
        """
        super().__init__(turns)
        self.isReady = False
        self._broker = broker if broker is not None else MemoryBroker()
        self._wire = Wire(JSONCodec())
        self._hub = Hub(self._publicationFor, self.turns)
        self._exchange = AGExchange(self, turns)

    def start(self) -> Deferred[None]:
        """
        Let publications flow.

        @return: fires when they do.
        """

        def started(_: object) -> None:
            self.isReady = True
            self.emitEvent("ready")

        done: Deferred[Any] = maybeDeferred(self._broker.start, self._hub)
        return done.addCallback(started)

    def stop(self) -> Deferred[None]:
        """
        @return: fires when the connections to other processes are closed.
        """
        self.isReady = False
        return maybeDeferred(self._broker.stop)

    def exchange(self) -> AGExchange:
        """
        @return: the server's own client for channels.
        """
        return self._exchange

    def setCodecEngine(self, codec: Any) -> None:
        """
        Encode publications with C{codec} from now on.
        """
        self._wire = Wire(codec)

    def subscribeClient(self, client: Subscriber, channelName: str) -> Deferred[None]:
        """
        @return: fires when C{client}, a socket or the exchange, gets what is published in the channel.
        """
        if not self._hub.subscribe(client, channelName):
            return succeed(None)
        self.emitEvent("subscribe", channel=channelName)
        return maybeDeferred(self._broker.subscribe, channelName)

    def unsubscribeClient(self, client: Subscriber, channelName: str) -> Deferred[None]:
        """
        @return: fires when C{client} has left the channel; it gets nothing more from the moment of the call.
        """
        if not self._hub.unsubscribe(client, channelName):
            return succeed(None)
        self.emitEvent("unsubscribe", channel=channelName)
        return maybeDeferred(self._broker.unsubscribe, channelName)

    subscribeSocket = subscribeClient
    unsubscribeSocket = unsubscribeClient

    def subscriptions(self) -> list[str]:
        """
        @return: the names of the channels that have subscribers.
        """
        return self._hub.channels()

    def isSubscribed(self, channelName: str) -> bool:
        """
        @return: whether the channel has a subscriber.
        """
        return self._hub.isSubscribed(channelName)

    def transmitPublish(self, channelName: str, data: object = NO_DATA, suppressEvent: bool = False) -> Deferred[None]:
        """
        Publish: to everyone here, then to the other processes.

        @param suppressEvent: whether not to emit C{publish}.
        @return: fires when everyone here has it, and the other processes' broker.
        """
        publication = self._publicationFor(channelName, data)
        delivered: Deferred[None] | None = None
        if self._hub.isSubscribed(channelName):
            try:
                _ = publication.frame
            except Exception as error:
                self.emitEvent("error", error=error)
                return succeed(None)
            delivered = self._hub.deliver(publication)
        if not suppressEvent and self.hears("publish"):
            self.emitEvent("publish", channel=channelName, data=None if data is NO_DATA else data)
        try:
            forwarded = self._broker.publish(channelName, publication.data)
        except Exception:
            forwarded = fail()
        if delivered is None:
            return succeed(None) if forwarded is None else ensureDeferred(forwarded)
        return delivered.addCallback(lambda _: forwarded)

    invokePublish = transmitPublish

    def _publicationFor(self, channelName: str, data: object) -> Publication:
        return Publication(channelName, data, self._wire)
