"""
How a server's socket takes what its client sends: in order, to the rule of each event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import length_hint
from typing import TYPE_CHECKING, Any

from orjson import loads
from twisted.internet.defer import Deferred

from agtwisted.errors import dehydrateError, hydrateError
from agtwisted.protocol.statuses import MESSAGE_BEFORE_HANDSHAKE, Disconnect
from agtwisted.server import authentication
from agtwisted.server.calllimit import ExcessCalls
from agtwisted.server.decoding import LONG, SLICE_TIME, DecodingSocket
from agtwisted.server.inbound import RULES, eventReceived, isCallId
from agtwisted.server.middleware import INBOUND
from agtwisted.sockets.request import AGRequest, WatchedRequest, makeRequest
from agtwisted.sockets.socket import CLOSED, CONNECTING, OPEN
from agtwisted.sockets.waiting import InOrder, Pending, Waiting
from agtwisted.speedups import inC
from agtwisted.streams.demux import DemuxedConsumableStream
from agtwisted.streams.stream import WritableConsumableStream

if TYPE_CHECKING:
    from agtwisted.server.serversocket import AGServerSocket

_new = object.__new__

#: Packets of a batch that are processed in one turn; every so many of them it is looked at the time.
_BATCH_SLICE = 128
_BATCH_LOOK = 16


class ReceivingSocket(DecodingSocket):
    """
    A socket of a server, as far as it receives.
    """

    __slots__ = ("_woken", "_callsWatched", "_excess")

    #: What the socket's last packet may have woken: the consumers of a stream, or any, in a round of wake-ups.
    _woken: WritableConsumableStream[Any] | int | None
    #: With so many unanswered calls, L{admitsCall} is asked and further ones are watched.
    _callsWatched: int
    #: There are too many unanswered calls.
    _excess: ExcessCalls | None

    @inC(InOrder, loads)
    def messageReceived(self, payload: bytes, isBinary: bool, heardAt: float | None = None) -> None:
        """
        Take a message: process it now, or behind those that have to wait.
        """
        # A message without content is a pong, as a rule.
        directLength = self._directLength
        if isBinary or not payload or not directLength or self._inbound.queue is not None:
            self._receive(payload, isBinary)
            return
        # The same in fewer steps, where nothing can come between a message and its packet.
        # (What an attribute holds is called sooner when it is in a variable.)
        self.lastHeard = self._seconds() if heardAt is None else heardAt
        self.inboundReceivedMessageCount += 1
        packet: Any = None
        if len(payload) <= directLength:
            try:
                packet = loads(payload)
            except ValueError:
                packet = None
        try:
            if packet.__class__ is not dict:
                isDecoded = packet.__class__ is list
                self._takeDecoded(packet if isDecoded else self.server.wire.decodeText(payload), payload)
            elif not self._deliverAtOnce(packet, payload):
                waiting = self._takePacket(packet, payload, False)
                if waiting is not None:
                    self._inbound.waitFor(waiting)
        except Exception as error:
            self._messageFailed(error)

    def messagesReceived(self, payloads: list[bytes]) -> None:
        """
        Take text messages that have come together.
        """
        if len(payloads) == 1:
            self.messageReceived(payloads[0], False)
            return
        rest = iter(payloads)
        for payload in rest:
            self.messageReceived(payload, False)
            if (
                self._woken is not None
                and self._procedureDemux is not None
                and self._directLength
                and self.server.requestCreator is None
                and self._inbound.queue is None
                and self.authentication.expiry is None
            ):
                self._takeCalls(rest, self._woken, self._procedureDemux.streams.get, payloads)

    def _takeCalls(
        self, rest: Iterator[bytes], woken: Any, streamOf: Callable[[str], Any], payloads: list[bytes]
    ) -> None:
        """
        Take the calls of a procedure that have come behind another one of it, in fewer steps: nobody gets to run in
        between, so that nothing changes. The first message that is something else is the last that is taken.
        """
        decode, directLength = self.server.wire.decodeText, self._directLength
        before, room = length_hint(rest), self._callsWatched - self.unansweredCount
        calls: list[AGRequest] = []
        try:
            try:
                for payload in rest:
                    try:
                        packet: Any = loads(payload) if len(payload) <= directLength else decode(payload)
                    except ValueError:
                        packet = None
                    if (
                        packet.__class__ is not dict
                        or (event := packet.get("event")).__class__ is not str
                        or streamOf(event) is not woken
                        or (callId := packet.get("cid")).__class__ is not int
                        or len(calls) >= room
                    ):
                        break
                    # As makeRequest, without the call.
                    request = _new(AGRequest)
                    request.socket = self
                    request.id = callId
                    request.procedure = event
                    request.data = packet.get("data")
                    request.sent = False
                    calls.append(request)
                else:
                    packet = payload = None
            finally:
                self.unansweredCount += len(calls)
                self.inboundReceivedMessageCount += before - length_hint(rest)
                backlog = woken.writeAll(calls) if calls else 0
            if backlog > 1:
                self.written(woken, backlog, max(map(len, payloads)))
            if payload is not None:
                isContainer = packet.__class__ is dict or packet.__class__ is list
                self._takeDecoded(packet if isContainer else decode(payload), payload)
        except Exception as error:
            self._messageFailed(error)

    def _takeDecoded(self, packet: Any, payload: bytes) -> None:
        """
        Take what has come out of a message, where nothing can come between the two.
        """
        if packet.__class__ is dict and self._deliverAtOnce(packet, payload):
            return
        waiting = self._takePacket(packet, payload, False)
        if waiting is not None:
            self._inbound.waitFor(waiting)

    def listener(self, eventName: str) -> DemuxedConsumableStream[Any]:
        """
        @return: the stream of that event.
        """
        if eventName == "message":
            self.takesNotDirectly()
        return super().listener(eventName)

    def _checkBatch(self, length: int) -> None:
        """
        A batch has come.

        @raise Disconnect: it is too long.
        """
        limit = self.server.options.maxBatchLength
        if limit and length > limit:
            raise self._pastLimit("maxBatchLength", f"A batch has {length} packets; it may have {limit}")

    def _decoded(self, packet: Any, payload: bytes, isBinary: bool) -> Waiting:
        if packet.__class__ is dict and self.state == OPEN and self._deliverAtOnce(packet, payload):
            return None
        return self._takePacket(packet, payload, isBinary)

    def _takePacket(self, packet: Any, payload: bytes, isBinary: bool) -> Waiting:
        """
        Take in hand what a message has turned out to be.
        """
        if packet.__class__ is list:
            self._checkBatch(len(packet))
            return self._batchReceived(iter(packet), payload, isBinary)
        if packet.__class__ is str:
            if payload == self._dialect.pong and not isBinary:
                self._pongReceived()
                return None
            if self._isPong(packet, payload):
                return None
        return self._packetReceived(packet, payload, isBinary)

    def _packetReceived(self, packet: Any, payload: bytes, isBinary: bool) -> Waiting:
        if packet.__class__ is dict:
            event = packet.get("event")
            if event.__class__ is str:
                self._wakeBefore(None)
                return None if self.state == CLOSED else eventReceived(self._whole, event, packet)
        if self.state == CONNECTING and self.server.strictHandshake:
            raise Disconnect(MESSAGE_BEFORE_HANDSHAKE)
        self._wakeBefore(None)
        if packet.__class__ is dict and isCallId(packet.get("rid")):
            if self._calls is not None:
                # As in JavaScript, a false or empty error is none.
                error = hydrateError(packet["error"]) if packet.get("error") else None
                self._calls.settle(packet["rid"], error, packet.get("data"))
        elif self._showsVersion(payload, isBinary):
            return None
        elif self._listenerDemux is not None and "raw" in self._listenerDemux.streams:
            self.emitEvent("raw", message=self.server.wire.text(payload, isBinary))
        return None

    def _deliverAtOnce(self, packet: dict[str, Any], payload: bytes) -> bool:
        """
        The short way of the most frequent case: an application's event comes through the open connection, it passes no
        middleware, and somebody listens.

        @return: whether it was the case.
        """
        event = packet.get("event")
        callId: Any = packet.get("cid")
        if event.__class__ is not str:
            return False
        isRPC = callId.__class__ is int or callId.__class__ is float
        demux = self._procedureDemux if isRPC else self._receiverDemux
        if demux is None or (stream := demux.streams.get(event)) is None:
            return False
        server = self.server
        if stream is not self._woken:
            # (Where there is middleware it never is.)
            if event in RULES or INBOUND in server.middleware:
                return False
            self._wakeBefore(stream)
            if self.state != OPEN:
                return False
        if self.authentication.expiry is not None and authentication.isExpired(self.authentication.token):
            return False
        value = packet.get("data")
        if isRPC:
            unanswered = self.unansweredCount
            if unanswered < self._callsWatched and server.requestCreator is None:
                self.unansweredCount = unanswered + 1
                value = makeRequest(self, callId, event, value)
            elif unanswered < self._callsWatched or self.admitsCall(callId):
                value = self.createRequest(self._whole, callId, event, value)
            else:
                return True
        backlog = stream.write(value)
        if backlog > 1 and (backlog > server.fewWaiting or len(payload) > server.fewBytes):
            self.written(stream, backlog, len(payload))
        return True

    def admitsCall(self, callId: Any, isReserved: bool = False) -> bool:
        """
        A call has come while there are half as many unanswered ones as may be, or more.

        @param isReserved: whether it is a call of the protocol, and not of the application.
        @return: whether it is to be served; if not, it has been answered.
        """
        limit = self.server.options.maxUnansweredCalls or 0
        if self.unansweredCount < limit:
            return True
        if self._excess is None:
            self.server.limitHit("maxUnansweredCalls", f"{limit} calls are unanswered and more come", self._whole)
            self._excess = ExcessCalls(self._whole, limit)
        if self._excess.admits(isReserved):
            return True
        error = self.server.limitHit("maxUnansweredCalls", "Too many calls are unanswered", self._whole)
        self.sendObject({"rid": callId, "error": dehydrateError(error)})
        return False

    def enoughAnswered(self) -> None:
        """
        The client may call again, or is gone.
        """
        excess, self._excess = self._excess, None
        if excess is not None:
            excess.end()

    def _wakeBefore(self, stream: WritableConsumableStream[Any] | None) -> None:
        """
        Let the consumers that earlier packets of this socket have woken run, before one that they do not have in their
        stream: what they do, such as kicking the client out or listening to more, is to come first. A run of packets
        for one stream wakes its consumer once.
        """
        woken, turns = self._woken, self.turns
        if woken is not None and (woken == turns.round if isinstance(woken, int) else woken.getBackpressure()):
            turns.wakeNow()
        self._woken = stream

    def hasWoken(self) -> None:
        """
        What the client has sent has perhaps woken consumers, of several streams: they are to run before its next packet.
        """
        turns = self.turns
        self._woken = turns.round if turns.wakeUps else None

    def _batchReceived(self, packets: Iterator[Any], payload: bytes, isBinary: bool) -> Waiting:
        waiting = self.turns.nextTurn() if len(payload) > LONG else self._takeSlice(packets, payload, isBinary)
        if waiting is None:
            return None
        return Deferred.fromCoroutine(self._finishBatch(waiting, packets, payload, isBinary))

    def _takeSlice(self, packets: Iterator[Any], payload: bytes, isBinary: bool) -> Waiting:
        """
        Take as many packets of a batch in hand as there is time for in one turn.

        @return: what the others have to wait for; C{None} if there are no others.
        """
        taken, deadline = 0, self._seconds() + SLICE_TIME
        for packet in packets:
            waiting = self._batchedPacketReceived(packet, payload, isBinary)
            if waiting is not None:
                return waiting
            taken += 1
            if taken % _BATCH_LOOK == 0 and (taken == _BATCH_SLICE or self._seconds() >= deadline):
                return self.turns.nextTurn()
        return None

    async def _finishBatch(
        self, first: Deferred[Any] | Pending, packets: Iterator[Any], payload: bytes, isBinary: bool
    ) -> None:
        waiting: Waiting = first
        try:
            while waiting is not None:
                await waiting
                waiting = self._takeSlice(packets, payload, isBinary)
        except Exception as error:
            self._messageFailed(error)

    def _batchedPacketReceived(self, packet: Any, payload: bytes, isBinary: bool) -> Waiting:
        if packet.__class__ is dict and self.state == OPEN and self._deliverAtOnce(packet, payload):
            return None
        return self._packetReceived(packet, payload, isBinary)

    def createRequest(self, socket: AGServerSocket, id: Any, procedureName: str, data: Any) -> Any:
        """
        Make the request of a call: by the option C{requestCreator} if given.
        """
        creator = self.server.requestCreator
        if creator is not None:
            return creator(socket, id, procedureName, data)
        if socket.unansweredCount >= socket._callsWatched:
            return WatchedRequest(socket, id, procedureName, data)
        socket.unansweredCount += 1
        return makeRequest(socket, id, procedureName, data)

    def defaultRequestCreator(self, socket: AGServerSocket, id: Any, procedureName: str, data: Any) -> AGRequest:
        """
        @return: an L{AGRequest}.
        """
        return AGRequest(socket, id, procedureName, data)
