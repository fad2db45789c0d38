"""
How a server's socket sends: publications through outbound middleware, batches, and to clients that do not read.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from agtwisted.options import seconds
from agtwisted.protocol.copying import ownCopy
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.protocol.statuses import SLOW_CONSUMER, SLOW_CONSUMER_REASON
from agtwisted.server.middleware import OUTBOUND, AGAction, Blocked, Verdict
from agtwisted.server.receiving import ReceivingSocket
from agtwisted.sockets.socket import CLOSED, OPEN
from agtwisted.sockets.waiting import Waiting
from agtwisted.sockets.wheel import Timer
from agtwisted.sparinglog import SparingLogger

if TYPE_CHECKING:
    from agtwisted.brokers.hub import Publication

log = SparingLogger()

#: Seconds that a client which was too slow, with reading or with its handshake, has for the closing handshake.
_SLOW_CLOSING_TIME = 2.0


class SendingSocket(ReceivingSocket):
    """
    A socket of a server, as far as it receives and sends.
    """

    __slots__ = ("_batchOptions", "_graceTimer")

    #: The line of middleware that publications pass.
    _publishLine = OUTBOUND

    _batchOptions: dict[str, Any] | None
    _graceTimer: Timer | None

    def waysChanged(self) -> None:
        """
        The connection has opened; or middleware, or another codec, has come or gone.
        """
        # The stream of the last packet has no claim to the next any more: it is to be looked again at what comes between.
        self.hasWoken()
        server, isOpen = self.server, self.state == OPEN
        self._directLength = server.wire.shortLength if isOpen and self._mayTakeDirectly and server.takesDirectly else 0
        sendsDirectly = isOpen and self._maySendDirectly
        self._sendsJSON = sendsDirectly and server.wire.isJSON
        self.directOutbox = self._outbox if sendsDirectly and self._publishLine not in server.middleware else None

    def publicationReceived(self, publication: Publication) -> None:
        """
        Send a publication to the client, through whatever comes between. (Where nothing does, the hub knows it.)
        """
        if self.state != OPEN or self._isOutputClosed:
            return
        if self._outbound.isWaiting or OUTBOUND in self.server.middleware:
            self._inOrder(self._processPublication, publication)
        else:
            self._sendPublication(publication)

    def _processPublication(self, publication: Publication) -> Waiting:
        if self._isOutputKilled:
            return None
        if OUTBOUND not in self.server.middleware:
            self._sendPublication(publication)
            return None
        # Other recipients have the same data: what middleware does to it must reach nobody else.
        own, whole = ownCopy(publication.data), self._whole
        action = AGAction(AGAction.PUBLISH_OUT, whole, own)
        action.channel = publication.channel
        decided = partial(self._publicationDecided, publication, own)
        return self.server.askMiddleware(self._middlewareStream(OUTBOUND), action, whole, decided)

    def _publicationDecided(self, publication: Publication, own: object, verdict: Verdict) -> None:
        if not isinstance(verdict, Blocked) and self.state == OPEN and not self._isOutputKilled:
            # What cannot be changed and was not replaced is what it was: the frame that others get will do.
            isSame = verdict.data is NO_DATA and own is publication.data
            if isSame or (isinstance(verdict.options, dict) and verdict.options.get("useCache")):
                self._sendPublication(publication)
            else:
                data = publication.packet["data"]
                if verdict.data is not NO_DATA or publication.hasData:
                    data["data"] = own if verdict.data is NO_DATA else verdict.data
                super()._processTransmit("#publish", data, None)

    def _sendPublication(self, publication: Publication) -> None:
        """
        Send a publication as it is.
        """
        batching = self._batching
        if (batching is not None and batching.isBuffering) or self._outboundPacketStream is not None:
            super()._processTransmit("#publish", publication.packet["data"], None)
        elif self._transport.isPlain:
            self._outbox.deliver(publication.frame)
        else:
            self._outbox.deliver(self._transport.frame(*publication.message))

    def _processTransmit(self, event: str, data: object, cached: str | bytes | None) -> Waiting:
        if event != "#publish" or not self.server.hasMiddleware(OUTBOUND):
            return super()._processTransmit(event, data, cached)
        packet = dict(data) if isinstance(data, dict) else {}
        if "data" in packet:
            packet["data"] = ownCopy(packet["data"])
        action = AGAction(AGAction.PUBLISH_OUT, self._whole, packet.get("data"))
        action.channel = packet.get("channel")
        decided = partial(self._transmissionDecided, packet, cached)
        return self.server.askMiddleware(self._middlewareStream(OUTBOUND), action, self._whole, decided)

    def _transmissionDecided(self, packet: dict[str, Any], cached: str | bytes | None, verdict: Verdict) -> None:
        if not isinstance(verdict, Blocked) and self.state == OPEN:
            useCache = isinstance(verdict.options, dict) and verdict.options.get("useCache")
            if verdict.data is not NO_DATA:
                packet["data"] = verdict.data
            super()._processTransmit("#publish", packet, cached if useCache else None)

    def mayWait(self, waitingBytes: int) -> bool:
        """
        More is about to wait for the client to read. Past the limit it gets a grace time, past one and a half of it none.
        """
        limit = self.server.options.outboundBufferLimit
        if not limit or waitingBytes <= limit or self.state == CLOSED:
            return True
        if waitingBytes > limit * 1.5:
            self._tooSlow()
            return False
        if self._graceTimer is None:
            grace = seconds(self.server.options.outboundBufferGrace)
            self._graceTimer = self.server.wheel.schedule(grace, self._graceOver)
        return True

    def _graceOver(self) -> None:
        self._graceTimer = None
        if self._outbox.waitingBytes > (self.server.options.outboundBufferLimit or 0):
            self._tooSlow()

    def _tooSlow(self) -> None:
        """
        Give up a client that does not read: what waits for it is dropped, and nobody else notices.
        """
        waiting = self._outbox.waitingBytes
        limit = self.server.options.outboundBufferLimit
        text = "Closing {socketId}, which does not read: {bytes} bytes wait, and {limit} may."
        log.info(text, socketId=self.id, bytes=waiting, limit=limit)
        self.server.counters.slowConsumers += 1
        self.server.emitEvent("slowConsumer", socket=self, waitingBytes=waiting)
        self._outbox.clear()
        self._whole.end(SLOW_CONSUMER, SLOW_CONSUMER_REASON, SLOW_CONSUMER_REASON)
        self._abortSoon()

    def _abortSoon(self) -> None:
        """
        Drop the connection, unless the closing handshake is done by then.
        """
        timer = self.server.wheel.schedule(_SLOW_CLOSING_TIME, self._transport.abort)
        self._transport.whenLost().addCallback(lambda _: timer.cancel())

    def _batchOption(self, name: str) -> Any:
        if self._batchOptions is not None and name in self._batchOptions:
            return self._batchOptions[name]
        return getattr(self.server.options, name)

    def _setBatchOption(self, name: str, value: Any) -> None:
        if self._batchOptions is None:
            self._batchOptions = {}
        self._batchOptions[name] = value

    @property
    def batchOnHandshake(self) -> bool:
        """
        Whether this socket batches right after the handshake; the server's option unless set.
        """
        return bool(self._batchOption("batchOnHandshake"))

    @batchOnHandshake.setter
    def batchOnHandshake(self, value: bool) -> None:
        self._setBatchOption("batchOnHandshake", value)

    @property
    def batchOnHandshakeDuration(self) -> float:
        """
        How long that lasts, in milliseconds; the server's option unless set.
        """
        return float(self._batchOption("batchOnHandshakeDuration"))

    @batchOnHandshakeDuration.setter
    def batchOnHandshakeDuration(self, value: float) -> None:
        self._setBatchOption("batchOnHandshakeDuration", value)

    @property
    def batchInterval(self) -> float:
        """
        The time between batches, in milliseconds; the server's option unless set.
        """
        return float(self._batchOption("batchInterval"))

    @batchInterval.setter
    def batchInterval(self, value: float) -> None:
        self._setBatchOption("batchInterval", value)
        if self._batching is not None:
            self._batching.interval = seconds(value)

    @property
    def cloneData(self) -> bool:
        """
        The server's option C{cloneData}.
        """
        return self.server.options.cloneData

    def _batchingOptions(self) -> float:
        return seconds(self.batchInterval)

    def startBatchOnHandshake(self) -> None:
        """
        Batch for a while, as the option C{batchOnHandshake} wants it.
        """
        self._batch().startFor(seconds(self.batchOnHandshakeDuration))
