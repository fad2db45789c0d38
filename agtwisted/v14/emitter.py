"""
Events as callbacks: the base of servers, sockets, exchanges and channels in version 14.

In the reference: Node's C{EventEmitter} for servers and exchanges, C{component-emitter} for sockets and channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from twisted.python.failure import Failure

from agtwisted.sparinglog import SparingLogger
from agtwisted.streams.demux import StreamDemux
from agtwisted.streams.emitter import Event
from agtwisted.v14.callbacks import Callback, roomFor, watch

log = SparingLogger()

#: What is logged when one fails.
COMPLAINT = "A function that was called back for an event has failed."


def complain(error: Exception) -> None:
    """
    Log how one has failed.
    """
    log.failure(COMPLAINT, Failure(error))


class Listener:
    """
    A function that waits for an event.

    @ivar function: the function, as it was given.
    @ivar room: how many arguments it takes.
    @ivar isOnce: whether it waits for one event only.
    @ivar isUsual: whether it takes two arguments or more, again and again.
    """

    __slots__ = ("function", "isOnce", "room", "isUsual")

    def __init__(self, function: Callback, isOnce: bool) -> None:
        self.function = function
        self.room = roomFor(function)
        self.isOnce = isOnce
        self.isUsual = self.room >= 2 and not isOnce


class CallbackEmitter:
    """
    Something that calls functions back, synchronously and in the order in which they came. Those that come or go while an
    event is on its way change nothing for this event. The exception of one is logged and does not keep the event from the
    others. A function may be a coroutine function.
    """

    #: The listeners by event; replaced, never changed, so that an event on its way is not disturbed.
    _callbacks: dict[str, tuple[Listener, ...]] | None

    def on(self, event: str, function: Callback) -> None:
        """
        Call C{function} with the arguments of each C{event}, or with as many of them as it takes.
        """
        self._listen(event, Listener(function, False))

    def once(self, event: str, function: Callback) -> None:
        """
        Call C{function} with the arguments of the next C{event}.
        """
        self._listen(event, Listener(function, True))

    def off(self, event: str | None = None, function: Callback | None = None) -> None:
        """
        Stop calling back.

        @param event: the event; all events if not given.
        @param function: the function; all of that event's functions if not given.
        """
        if event is None or self._callbacks is None:
            self._callbacks = None
        elif function is None:
            self._callbacks.pop(event, None)
        else:
            self._keep(event, tuple(each for each in self._callbacks.get(event, ()) if each.function != function))

    def removeListener(self, eventName: str, function: Callback | None = None) -> None:
        """
        As L{off}.
        """
        self.off(eventName, function)

    def removeAllListeners(self, event: str | None = None) -> None:
        """
        As L{off} without a function.
        """
        self.off(event)

    def listeners(self, event: str) -> list[Callback]:
        """
        @return: the functions that wait for that event.
        """
        return [each.function for each in (self._callbacks or {}).get(event, ())]

    def listenerCount(self, event: str) -> int:
        """
        @return: how many functions wait for that event.
        """
        return len((self._callbacks or {}).get(event, ()))

    def hasListeners(self, event: str) -> bool:
        """
        @return: whether a function waits for that event.
        """
        return self._callbacks is not None and event in self._callbacks

    def notify(self, event: str, *arguments: object) -> None:
        """
        Call back whoever waits for this event.
        """
        callbacks = self._callbacks
        if callbacks is not None and (listeners := callbacks.get(event)) is not None:
            self._callBack(event, listeners, arguments)

    def _callBack(self, event: str, listeners: tuple[Listener, ...], arguments: tuple[object, ...]) -> None:
        for listener in listeners:
            if listener.isOnce:
                self._forget(event, listener)
            room = listener.room
            try:
                result = listener.function(*(arguments if room >= len(arguments) else arguments[:room]))
            except Exception as error:
                complain(error)
                continue
            if result is not None:
                watch(result, COMPLAINT)

    def _listen(self, event: str, listener: Listener) -> None:
        if self._callbacks is None:
            self._callbacks = {}
        self._callbacks[event] = (*self._callbacks.get(event, ()), listener)

    def _forget(self, event: str, listener: Listener) -> None:
        if self._callbacks is not None:
            self._keep(event, tuple(each for each in self._callbacks.get(event, ()) if each is not listener))

    def _keep(self, event: str, listeners: tuple[Listener, ...]) -> None:
        if self._callbacks is None:
            return
        if listeners:
            self._callbacks[event] = listeners
        else:
            self._callbacks.pop(event, None)


class TwofoldEmitter(CallbackEmitter):
    """
    A server or socket, which stands on the core's emitter of streams: whoever consumes those gets events, too, with the
    arguments as attributes.
    """

    #: The names of each event's arguments.
    _argumentNames: ClassVar[Mapping[str, tuple[str, ...]]]
    _listenerDemux: StreamDemux[Any] | None

    def notify(self, event: str, *arguments: object) -> None:
        """
        Call back whoever waits for this event, then give it to those who consume its stream.
        """
        callbacks, demux = self._callbacks, self._listenerDemux
        if callbacks is not None and (listeners := callbacks.get(event)) is not None:
            self._callBack(event, listeners, arguments)
        if demux is not None and event in demux.streams:
            demux.write(event, Event(**dict(zip(self._argumentNames.get(event, ()), arguments, strict=False))))

    def hasListeners(self, event: str) -> bool:
        """
        @return: whether a function waits for that event, or somebody consumes its stream.
        """
        demux = self._listenerDemux
        return super().hasListeners(event) or (demux is not None and event in demux.streams)

    def hears(self, eventName: str) -> bool:
        """
        @return: whether anybody gets to know of that event, as L{hasListeners}, which is the reference's name for it.
        """
        return self.hasListeners(eventName)

    def emitEvent(self, eventName: str, **fields: object) -> None:
        """
        Emit an event of the core: its fields are arguments here.
        """
        self.notify(eventName, *fields.values())
