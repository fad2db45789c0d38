"""
What is unusual on an open connection: Autobahn's parser, and what guards it against floods.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from autobahn.websocket.protocol import WebSocketProtocol
from autobahn.websocket.utf8validator import Utf8Validator

from agtwisted.protocol.floods import FloodGuard
from agtwisted.protocol.frames import PONG, frame
from agtwisted.protocol.statuses import POLICY_VIOLATION
from agtwisted.websocket.closing import ClosingProtocol
from agtwisted.websocket.frames import OPEN

#: Frames that Autobahn parses in one turn: thousands fit into what is received at once, and others are to get their turn
#: between them.
_FRAMES_A_TURN = 128

#: What a close frame begins with.
_GOODBYE = b"\x88"
#: Bytes that it has at most.
_LONGEST_GOODBYE = 131


class ParsingProtocol(ClosingProtocol):
    """
    Lets Autobahn parse, so much in a turn, and ends floods.
    """

    #: How many frames Autobahn's parser has begun with in this turn.
    _framesTaken = 0
    #: Whether a close frame has come, which there was no time for yet.
    _isLeaving = False
    message_data: Any

    @cached_property
    def utf8validator(self) -> Any:  # type: ignore[override]
        """
        Autobahn's validator, made when its parser first needs one.
        """
        return Utf8Validator()

    @cached_property
    def _floodGuard(self) -> FloodGuard:
        """
        What counts unusual frames, made with the first.
        """
        return FloodGuard(self.factory.floodLimits)

    def _dataReceived(self, data: bytes) -> None:
        """
        Let Autobahn parse, unless the client has been told off: then nothing that it sends has a meaning any more.
        """
        if self.failedByMe:
            return
        if self._isLeaving:
            if len(self.data) < _LONGEST_GOODBYE:
                self.data += data  # what comes behind a close frame has no meaning any more
            return
        server = self.factory.agServer
        if data[:1] == _GOODBYE and self.current_frame is None and not self.data and not server.cleaning.mayGoOn():
            # When thousands go at once, they are let go in slices.
            self.data = data
            self._isBehind = self._isLeaving = True
            server.cleaning.wait(self._catchUp)
            return
        self._framesTaken = 0
        super()._dataReceived(data)
        if self.failedByMe:
            self.data = b""
        elif self._framesTaken >= _FRAMES_A_TURN and self.data and not self._isBehind:
            self._fallBehind()

    def _fallBehind(self) -> None:
        """
        Leave what there is for another turn.
        """
        self._isBehind = True
        self.transport.pauseProducing()
        self.factory.agServer.turns.callLater(0, self._catchUp)

    def _catchUp(self) -> None:
        """
        Go on with what was left for another turn.
        """
        self._isBehind = self._isLeaving = False
        if self.state == WebSocketProtocol.STATE_CLOSED:
            return
        if self._tail:
            self._takeUnusual(b"")
        else:
            self._dataReceived(b"")
        if not self._isPaused and not self._isBehind:
            self.transport.resumeProducing()

    def processData(self) -> bool:
        """
        Take the next part of a frame.

        @return: whether to go on now.
        """
        if self.failedByMe or (self._framesTaken >= _FRAMES_A_TURN and self.current_frame is None):
            return False
        return bool(super().processData())

    def onFrameBegin(self) -> None:
        """
        The head of a frame has come through Autobahn's parser. Floods end here.
        """
        self._framesTaken += 1
        frame = self.current_frame
        if frame.opcode > 7:
            if self._floodGuard.controlFrame(self.factory.agServer.wheel.seconds()):
                self._limitPassed("maxControlFrames", "The client sends too many pings or pongs")
                return
        elif not (frame.fin and frame.opcode) and self._floodGuard.fragment(frame.length, bool(frame.opcode)):
            self._limitPassed("maxSmallFragments", "The client sends a message in too many small fragments")
            return
        super().onFrameBegin()

    def _limitPassed(self, limit: str, message: str) -> None:
        if self.state == OPEN:
            self.factory.agServer.limitHit(limit, message, self._receiver)
        self._fail_connection(POLICY_VIOLATION, message)

    def onPing(self, payload: bytes) -> None:
        """
        Answer a ping, if the client reads the answers.
        """
        if self.state != OPEN:
            return
        if self._floodGuard.pong(self._outbox is None or not self._outbox.isPaused):
            self._limitPassed("maxWaitingPongs", "The client sends pings and does not read the pongs")
        else:
            self.sendData(frame(PONG, payload))

    def onMessageEnd(self) -> None:
        """
        A whole message has come through Autobahn's parser.
        """
        if not self.failedByMe and self._receiver is not None:
            self._receiver.messageReceived(b"".join(self.message_data), self.message_is_binary)
        self.message_data = None
