"""
A channel as the server's own exchange knows it.

In the reference: C{sc-channel}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agtwisted.protocol.nodata import NO_DATA
from agtwisted.sockets.channel import PENDING, SUBSCRIBED, UNSUBSCRIBED
from agtwisted.v14.callbacks import Callback
from agtwisted.v14.emitter import CallbackEmitter

if TYPE_CHECKING:
    from agtwisted.v14.exchange import SCExchange

__all__ = ["PENDING", "SUBSCRIBED", "UNSUBSCRIBED", "SCChannel"]


class SCChannel(CallbackEmitter):
    """
    One channel.

    Events: C{subscribe} and C{unsubscribe}, each with the channel's name.

    @ivar name: its name.
    @ivar state: one of the constants.
    @ivar client: the exchange.
    @ivar options: always empty on the server.
    @ivar waitForAuth: always false on the server.
    @ivar batch: always false on the server.
    """

    PENDING = PENDING
    SUBSCRIBED = SUBSCRIBED
    UNSUBSCRIBED = UNSUBSCRIBED

    def __init__(self, name: str, client: SCExchange) -> None:
        self._callbacks = None
        self.name = name
        self.client = client
        self.state = UNSUBSCRIBED
        self.options: dict[str, Any] = {}
        self.waitForAuth = False
        self.batch = False

    def getState(self) -> str:
        """
        @return: the state.
        """
        return self.state

    def subscribe(self, options: object = None) -> None:
        """
        Subscribe the server to this channel.
        """
        self.client.subscribe(self.name, options)

    def unsubscribe(self) -> None:
        """
        Leave this channel.
        """
        self.client.unsubscribe(self.name)

    def isSubscribed(self, includePending: bool = False) -> bool:
        """
        @return: whether the server is subscribed to this channel.
        """
        return self.client.isSubscribed(self.name, includePending)

    def publish(self, data: object = NO_DATA, callback: Callback | None = None) -> None:
        """
        Publish in this channel.

        @param callback: see L{SCExchange.publish<agtwisted.v14.exchange.SCExchange.publish>}.
        """
        self.client.publish(self.name, data, callback)

    def watch(self, function: Callback) -> None:
        """
        Call C{function} with the data of everything that is published in this channel.
        """
        self.client.watch(self.name, function)

    def unwatch(self, function: Callback | None = None) -> None:
        """
        Stop calling C{function}, or all functions.
        """
        self.client.unwatch(self.name, function)

    def watchers(self) -> list[Callback]:
        """
        @return: the functions that watch this channel.
        """
        return self.client.watchers(self.name)

    def destroy(self) -> None:
        """
        Leave this channel, and forget it and who watches it.
        """
        self.client.destroyChannel(self.name)
