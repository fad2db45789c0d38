"""
The receivers and procedures of a socket, and how to manage their streams.
"""

from __future__ import annotations

from typing import Any

from agtwisted.streams.demux import DemuxedConsumableStream, StreamDemux
from agtwisted.streams.emitter import AsyncStreamEmitter
from agtwisted.streams.stream import ConsumerStats
from agtwisted.streams.turns import Turns


class SocketStreams(AsyncStreamEmitter):
    """
    Something that events arrive at: transmitted ones at receivers, invoked ones at procedures. The streams are made
    when somebody asks for them.
    """

    __slots__ = ("_receiverDemux", "_procedureDemux")

    def __init__(self, turns: Turns) -> None:
        """
        @param turns: where consumers are woken.
        """
        super().__init__(turns)
        self._receiverDemux: StreamDemux[Any] | None = None
        self._procedureDemux: StreamDemux[Any] | None = None

    @property
    def _receivers(self) -> StreamDemux[Any]:
        if self._receiverDemux is None:
            self._receiverDemux = StreamDemux(self.turns)
        return self._receiverDemux

    @property
    def _procedures(self) -> StreamDemux[Any]:
        if self._procedureDemux is None:
            self._procedureDemux = StreamDemux(self.turns)
        return self._procedureDemux

    # ---- receivers

    def receiver(self, receiverName: str) -> DemuxedConsumableStream[Any]:
        """
        @return: the stream of what the other side transmits under that name.
        """
        return self._receivers.stream(receiverName)

    def closeReceiver(self, receiverName: str) -> None:
        """
        End the loops over that receiver, each once it has taken what is buffered for it.
        """
        self._receivers.close(receiverName)

    def closeAllReceivers(self) -> None:
        """
        End the loops over every receiver, each once it has taken what is buffered for it.
        """
        if self._receiverDemux is not None:
            self._receiverDemux.closeAll()

    def killReceiver(self, receiverName: str) -> None:
        """
        End the loops over that receiver at once and drop what is buffered for them.
        """
        self._receivers.kill(receiverName)

    def killAllReceivers(self) -> None:
        """
        End the loops over every receiver at once and drop what is buffered for them.
        """
        if self._receiverDemux is not None:
            self._receiverDemux.killAll()

    def killReceiverConsumer(self, consumerId: int) -> None:
        """
        End one consumer's loop at once.
        """
        self._receivers.killConsumer(consumerId)

    def getReceiverConsumerStats(self, consumerId: int) -> ConsumerStats | None:
        """
        @return: what is known of that consumer, C{None} if there is none.
        """
        return self._receivers.getConsumerStats(consumerId)

    def getReceiverConsumerStatsList(self, receiverName: str) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of that receiver.
        """
        return self._receivers.getConsumerStatsList(receiverName)

    def getAllReceiversConsumerStatsList(self) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of every receiver.
        """
        return self._receivers.getConsumerStatsListAll()

    def getReceiverBackpressure(self, receiverName: str) -> int:
        """
        @return: how many values wait for that receiver's consumer that is furthest behind.
        """
        return self._receivers.getBackpressure(receiverName)

    def getAllReceiversBackpressure(self) -> int:
        """
        @return: how many values wait for the consumer that is furthest behind.
        """
        return 0 if self._receiverDemux is None else self._receiverDemux.getBackpressureAll()

    def getReceiverConsumerBackpressure(self, consumerId: int) -> int:
        """
        @return: how many values wait for that consumer; 0 if there is none.
        """
        return self._receivers.getConsumerBackpressure(consumerId)

    def hasReceiverConsumer(self, receiverName: str, consumerId: int) -> bool:
        """
        @return: whether that consumer reads that receiver.
        """
        return self._receivers.hasConsumer(receiverName, consumerId)

    def hasAnyReceiverConsumer(self, consumerId: int) -> bool:
        """
        @return: whether that consumer reads any receiver.
        """
        return self._receivers.hasConsumerAll(consumerId)

    # ---- procedures

    def procedure(self, procedureName: str) -> DemuxedConsumableStream[Any]:
        """
        @return: the stream of the requests of those who invoke that name.
        """
        return self._procedures.stream(procedureName)

    def closeProcedure(self, procedureName: str) -> None:
        """
        End the loops over that procedure, each once it has taken what is buffered for it.
        """
        self._procedures.close(procedureName)

    def closeAllProcedures(self) -> None:
        """
        End the loops over every procedure, each once it has taken what is buffered for it.
        """
        if self._procedureDemux is not None:
            self._procedureDemux.closeAll()

    def killProcedure(self, procedureName: str) -> None:
        """
        End the loops over that procedure at once and drop what is buffered for them.
        """
        self._procedures.kill(procedureName)

    def killAllProcedures(self) -> None:
        """
        End the loops over every procedure at once and drop what is buffered for them.
        """
        if self._procedureDemux is not None:
            self._procedureDemux.killAll()

    def killProcedureConsumer(self, consumerId: int) -> None:
        """
        End one consumer's loop at once.
        """
        self._procedures.killConsumer(consumerId)

    def getProcedureConsumerStats(self, consumerId: int) -> ConsumerStats | None:
        """
        @return: what is known of that consumer, C{None} if there is none.
        """
        return self._procedures.getConsumerStats(consumerId)

    def getProcedureConsumerStatsList(self, procedureName: str) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of that procedure.
        """
        return self._procedures.getConsumerStatsList(procedureName)

    def getAllProceduresConsumerStatsList(self) -> list[ConsumerStats]:
        """
        @return: what is known of every consumer of every procedure.
        """
        return self._procedures.getConsumerStatsListAll()

    def getProcedureBackpressure(self, procedureName: str) -> int:
        """
        @return: how many requests wait for that procedure's consumer that is furthest behind.
        """
        return self._procedures.getBackpressure(procedureName)

    def getAllProceduresBackpressure(self) -> int:
        """
        @return: how many requests wait for the consumer that is furthest behind.
        """
        return 0 if self._procedureDemux is None else self._procedureDemux.getBackpressureAll()

    def getProcedureConsumerBackpressure(self, consumerId: int) -> int:
        """
        @return: how many requests wait for that consumer; 0 if there is none.
        """
        return self._procedures.getConsumerBackpressure(consumerId)

    def hasProcedureConsumer(self, procedureName: str, consumerId: int) -> bool:
        """
        @return: whether that consumer reads that procedure.
        """
        return self._procedures.hasConsumer(procedureName, consumerId)

    def hasAnyProcedureConsumer(self, consumerId: int) -> bool:
        """
        @return: whether that consumer reads any procedure.
        """
        return self._procedures.hasConsumerAll(consumerId)
