"""
The broker engine that a C{SCServer} has by default, with the documented interface of version 14.

In the reference: C{sc-simple-broker}. Behind its face it is the broker engine of the core.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from agtwisted.brokers.hub import Subscriber
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.server.broker import AGSimpleBroker
from agtwisted.streams.turns import Turns
from agtwisted.v14.callbacks import Callback
from agtwisted.v14.emitter import CallbackEmitter
from agtwisted.v14.exchange import SCExchange, settle


class SCSimpleBroker(CallbackEmitter):
    """
    The default broker engine.

    Events: C{ready}; C{message} with the channel and the data of what was published in this process, as a mapping.
    """

    def __init__(self, broker: Any = None, turns: Turns | None = None) -> None:
        """
        @param broker: the L{agtwisted.interfaces.IBroker} that reaches other processes, or a whole L{AGSimpleBroker}; by
            default there are no other processes.
        """
        self._callbacks = None
        self._engine = broker if isinstance(broker, AGSimpleBroker) else AGSimpleBroker(broker, turns)
        self._exchange = SCExchange(self)
        self.emitEvent = self._engine.emitEvent
        self.listener = self._engine.listener
        self.setCodecEngine = self._engine.setCodecEngine
        self.subscribeClient = self._engine.subscribeClient
        self.unsubscribeClient = self._engine.unsubscribeClient
        self.subscriptions = self._engine.subscriptions
        self.isSubscribed = self._engine.isSubscribed
        self.stop = self._engine.stop

    @property
    def isReady(self) -> bool:
        """
        Whether publications flow.
        """
        return self._engine.isReady

    def start(self) -> Deferred[None]:
        """
        Let publications flow.

        @return: fires when they do.
        """
        return self._engine.start().addCallback(lambda _: self.notify("ready"))

    def exchange(self) -> SCExchange:
        """
        @return: the server's own client for channels.
        """
        return self._exchange

    def subscribeSocket(self, socket: Subscriber, channelName: str, callback: Callback | None = None) -> None:
        """
        Let a socket have what is published in a channel.

        @param callback: called with the error, C{None} if there is none, once it does.
        """
        settle(self._engine.subscribeClient(socket, channelName), callback)

    def unsubscribeSocket(self, socket: Subscriber, channelName: str, callback: Callback | None = None) -> None:
        """
        Take a socket out of a channel. It gets nothing more from the moment of the call.

        @param callback: called with the error, C{None} if there is none, once the other processes know.
        """
        settle(self._engine.unsubscribeClient(socket, channelName), callback)

    def publish(self, channelName: str, data: object = NO_DATA, callback: Callback | None = None) -> None:
        """
        Publish: to everyone here, then to the other processes.

        @param callback: called with the error, C{None} if there is none, once the other processes' broker has it.
        """
        done = self._engine.transmitPublish(channelName, data)
        if self.hasListeners("message"):
            self.notify("message", {"channel": channelName, "data": None if data is NO_DATA else data})
        settle(done, callback)
