"""
The end of a connection: the closing handshake, and who does not take part in it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from autobahn.websocket.protocol import WebSocketProtocol
from twisted.internet.defer import Deferred
from twisted.protocols.policies import ProtocolWrapper

from agtwisted.protocol.statuses import MESSAGE_TOO_BIG, NO_STATUS, closeFault
from agtwisted.sparinglog import SparingLogger
from agtwisted.websocket.frames import OPEN
from agtwisted.websocket.reading import ReadingProtocol

log = SparingLogger()

#: Seconds that a peer has to take what was sent last, and to end TLS.
_TIME_TO_LEAVE = 5.0

#: Seconds that a client which has been told off has to close its end; until then what it sends is thrown away.
_LINGER = 5

_CLOSING = WebSocketProtocol.STATE_CLOSING


class ClosingProtocol(ReadingProtocol):
    """
    Ends a connection.
    """

    #: Whether the connection is gone, and whether the socket and all others know.
    _isLost = False
    _isCleanedUp = False
    #: What fires when the connection is gone.
    _whenLost: Any = ()
    #: What this stage of the connection has to be over before.
    _timer: Any = None

    def close(self, code: int, reason: str | None) -> None:
        """
        Begin the closing handshake.
        """
        if self.state == OPEN:
            self.resumeReading()  # the peer's answer has to be read
            self._unregisterOutbox()
            self.sendCloseFrame(code=code, reasonUtf8=_closeReason(reason), isReply=False)

    def abort(self) -> None:
        """
        Drop the connection at once.
        """
        if self._isLost:
            return
        self._stopReadingDirectly()
        self._sendNotDirectly()
        self.wasClean = False
        self.wasNotCleanReason = "it was terminated"
        self._closeConnection(abort=True)

    def whenLost(self) -> Deferred[None]:
        """
        @return: fires when the connection is gone.
        """
        done: Deferred[None] = Deferred()
        if self._isCleanedUp:
            done.callback(None)
        else:
            self._whenLost = [*self._whenLost, done]
        return done

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> None:
        """
        The peer closes the connection, or answers our closing it. (Autobahn would drop the connection before our own
        close frame is out.)
        """
        if self.state == OPEN:
            fault = closeFault(code, reasonRaw)
            if fault is not None:
                self._fail_connection(fault)
                self.dropConnection(abort=False)  # both have sent a close frame: the rest is the server's to do
                return
            self.sendCloseFrame(code=code, reasonUtf8=reasonRaw, isReply=True)
            self._unregisterOutbox()
            self._tell(NO_STATUS if code is None else code, (reasonRaw or b"").decode("utf-8"))
        if self.closeHandshakeTimeoutCall is not None:
            self.closeHandshakeTimeoutCall.cancel()
            self.closeHandshakeTimeoutCall = None
        self.wasClean = True
        self.dropConnection(abort=False)

    def _fail_connection(self, code: int = 1001, reason: str = "going away") -> None:
        """
        The peer has broken the WebSocket protocol.
        """
        if self.state == OPEN:
            self.failedByMe = True
            self.resumeReading()  # to see the peer go
            self._unregisterOutbox()
            self.closeHandshakeTimeout = _LINGER
            self.sendCloseFrame(code=code, reasonUtf8=None, isReply=False)
            log.debug("A peer has broken the WebSocket protocol: {reason}", reason=reason)
            if code == MESSAGE_TOO_BIG:
                self.factory.agServer.limitHit("maxPayload", reason, self._receiver, isTold=True)
            self._tell(code, "")
            self._closeOurEnd()
        elif self.state == _CLOSING:
            self.dropConnection(abort=False)

    def _closeOurEnd(self) -> None:
        """
        Say nothing more. To close the connection at once, while the peer is still sending, would reset it, and the peer
        might never see the close frame.
        """
        if isinstance(self.transport, ProtocolWrapper):
            self.transport.loseConnection()  # TLS says its own goodbye, and waits for the peer's
        else:
            self.transport.loseWriteConnection()

    def _tell(self, code: int, reason: str) -> None:
        if self._receiver is not None:
            self._receiver.connectionLost(code, reason)

    def dropConnection(self, abort: bool = False) -> None:
        """
        Drop the connection, without a word in the log: clients come and go.
        """
        if self.state != WebSocketProtocol.STATE_CLOSED:
            self.droppedByMe = True
            self._unregisterOutbox()
            self.state = WebSocketProtocol.STATE_CLOSED
            self._cancelTimer()
            if not abort:
                # Neither a peer that does not read, nor one that does not take part in ending TLS, keeps its connection.
                self._timer = self.factory.agServer.wheel.schedule(_TIME_TO_LEAVE, partial(self._closeConnection, True))
            self._closeConnection(abort)

    def _cancelTimer(self) -> None:
        timer = self._timer
        if timer is not None:
            self._timer = None
            timer.cancel()


def _closeReason(reason: str | None) -> bytes | None:
    if reason is None:
        return None
    # A close frame has room for 123 bytes; a character must not be cut.
    return reason.encode("utf-8", "replace")[:123].decode("utf-8", "ignore").encode("utf-8")
