"""
What goes out of a connection by the name of an event: C{transmit}, and C{invoke} with the answers that it awaits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from agtwisted.errors import BadConnectionError, InvalidMessageError
from agtwisted.protocol.copying import ownCopy
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.sockets.calls import Calls
from agtwisted.sockets.outbound import OPEN, OutboundSocket, Surroundings
from agtwisted.sockets.waiting import Waiting


class CallingSocket(OutboundSocket):
    """
    One end of a connection, as far as it sends and calls.
    """

    __slots__ = ("_calls",)

    def __init__(self, id: str, transport: Any, surroundings: Surroundings) -> None:
        """
        @param transport: an L{agtwisted.interfaces.ITransport}.
        """
        super().__init__(id, transport, surroundings)
        self._calls: Calls | None = None

    @property
    def cloneData(self) -> bool:
        """
        Whether data is copied when it is to be sent, so that it may be changed at once. Only what waits for middleware or
        for a batch could show such a change.
        """
        return False

    def transmit(
        self, event: str, data: object = NO_DATA, *, useCache: bool = False, stringifiedData: str | bytes | None = None
    ) -> Deferred[None]:
        """
        Send an event that expects no answer.

        @param data: what goes with it; left out, nothing does.
        @param useCache: whether C{stringifiedData}, if given, is sent as it is.
        @param stringifiedData: the whole packet, already encoded.
        @return: has fired. If the socket is not open it emits a L{BadConnectionError}; the Deferred does not fail.
        """
        if self.state != OPEN:
            self.emitError(self._notOpen("transmit", event))
        else:
            data = ownCopy(data) if self.cloneData else data
            self._transmit(event, data, stringifiedData if useCache else None)
        return succeed(None)

    def invoke(
        self,
        event: str,
        data: object = NO_DATA,
        ackTimeout: float | None = None,
        *,
        useCache: bool = False,
        stringifiedData: str | bytes | None = None,
    ) -> Deferred[Any]:
        """
        Call a procedure of the other side.

        @param data: what it is called with; left out, with nothing.
        @param ackTimeout: milliseconds the answer may take; the option C{ackTimeout} if not given.
        @param useCache: whether C{stringifiedData}, if given, is sent as it is.
        @param stringifiedData: the whole packet, already encoded.
        @return: fires with the data of the answer; fails with the error of the answer, with L{TimeoutError}, or with
            L{BadConnectionError} when the socket is not open or closes meanwhile.
        """
        if self.state != OPEN or self._isOutputClosed:
            error = self._notOpen("invoke", event)
            self.emitError(error)
            return fail(error)
        data = ownCopy(data) if self.cloneData else data
        seconds = self._surroundings.ackTimeoutSeconds if ackTimeout is None else ackTimeout / 1000
        cached = stringifiedData if useCache else None
        if not self._outbound.isWaiting:
            return self._invoke(event, data, seconds, cached)
        answered: Deferred[Any] = Deferred()
        self._outbound.run(partial(self._invokeLater, answered, event, data, seconds, cached))
        return answered

    def _transmit(self, event: str, data: object, cached: str | bytes | None = None) -> None:
        self._inOrder(self._processTransmit, event, data, cached)

    def _inOrder(self, step: Callable[..., Waiting], *arguments: Any) -> None:
        """
        Let something that sends take its turn.
        """
        if self._isOutputClosed:
            return
        if self._outbound.isWaiting:
            self._outbound.run(partial(step, *arguments))
            return
        waiting = step(*arguments)
        if waiting is not None:
            self.sendsNotDirectly()
            self._outbound.waitFor(waiting)

    def _processTransmit(self, event: str, data: object, cached: str | bytes | None) -> Waiting:
        if self._isOutputKilled:
            return None
        if cached is not None:
            self.send(cached)
            return None
        packet = {"event": event} if data is NO_DATA else {"event": event, "data": data}
        if self._outboundPacketStream is not None:
            self._outboundPacketStream.write(packet)
        self.sendObject(packet)
        return None

    def _invoke(self, event: str, data: object, seconds: float, cached: str | bytes | None) -> Deferred[Any]:
        if self._isOutputKilled:
            return fail(self._notOpen("invoke", event))
        if self._calls is None:
            self._calls = Calls(self._surroundings.wheel, self.turns)
        callId, answered = self._calls.open(event, seconds)
        if self._flow is not None:
            self._flow.awaitAnswers(True)
            answered.addBoth(self._answered)
        if cached is not None:
            self.send(cached)
            return answered
        packet: dict[str, object] = {"event": event, "cid": callId}
        if data is not NO_DATA:
            packet["data"] = data
        if self._outboundPacketStream is not None:
            self._outboundPacketStream.write(packet)
        if not self.sendObject(packet):
            self._calls.settle(callId, InvalidMessageError(f"The data of the {event} call could not be encoded"), None)
        return answered

    def _answered(self, result: Any) -> Any:
        if self._flow is not None and not self._calls:
            self._flow.awaitAnswers(False)
        return result

    def _invokeLater(self, answered: Deferred[Any], *arguments: Any) -> Waiting:
        self._invoke(*arguments).chainDeferred(answered)
        return None

    @staticmethod
    def _notOpen(what: str, event: str) -> BadConnectionError:
        return BadConnectionError(
            f"Socket {what} {event} event was aborted due to a bad connection", "connectAbort"
        )
