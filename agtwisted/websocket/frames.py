"""
What is usual on an open connection: small messages that come, finished frames that go.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.protocol import WebSocketProtocol

from agtwisted import websocket
from agtwisted.protocol.frames import BINARY, TEXT, frame, textFrame
from agtwisted.protocol.masking import unmask

#: A frame that is not complete yet is kept for the fast path if its payload is at most this long.
_LONGEST_TAIL = 4096
#: The longest payload that the fast path takes: not much longer ones come in one piece.
LONGEST_FAST = 16384

#: Bytes after which it is looked at the time, and seconds that may pass until the rest is left for another turn: thousands
#: of messages fit into what is read at once.
_PORTION = 1024
_TIME_A_TURN = 0.005

_FINAL_TEXT = 0x81
#: The longest masked frame whose length is in one byte.
SHORT_FRAME = 6 + 125
_LONG_HEAD = bytes((_FINAL_TEXT, 0x80 | 126))


def _noFrame(data: bytes) -> tuple[int, bytes, bytes]:
    return 0, b"", b""


def _shortFrame(length: int) -> tuple[Callable[[bytes], tuple[int, bytes, bytes]], int]:
    """
    @return: for a frame that is so long: what takes it apart into its first two bytes, its mask and its payload; and those
        two bytes, if it is a masked final text.
    """
    return Struct(f"<H4s{length - 6}s").unpack, int.from_bytes((_FINAL_TEXT, 0x80 | length - 6), "little")


#: By length; what is too short to be a frame has no head.
SHORT_FRAMES = (*[(_noFrame, -1)] * 6, *map(_shortFrame, range(6, SHORT_FRAME + 1)))
#: The lengths of short payloads, by a frame's first two bytes.
SHORT_LENGTHS = {bytes((_FINAL_TEXT, 0x80 | length)): length for length in range(126)}

OPEN = WebSocketProtocol.STATE_OPEN
CONNECTING = WebSocketProtocol.STATE_CONNECTING


class FrameProtocol(WebSocketServerProtocol):
    """
    Receives usual frames, and leaves the rest to Autobahn; sends frames.

    @ivar bytesReceived: how many bytes have come from the peer.
    """

    # What every message asks for. Python finds a slot several times faster than what has a default in the class.
    __slots__ = ("state", "bytesReceived", "_receiver", "_usualLength", "_directTransport", "_offer")

    #: Autobahn's.
    state: Any
    bytesReceived: int
    #: What messages are delivered to, an L{agtwisted.interfaces.IReceiver}, once the connection is open.
    _receiver: Any
    #: How long a frame may be to be taken without further ado, if its head is short; 0 while something is unfinished or is
    #: to be done before it.
    _usualLength: int
    #: The TCP connection that is read from and sent to directly, if that is possible.
    _directTransport: Any
    #: Offers data to the kernel through it, which says how much of it it has taken; as a socket's C{send}.
    _offer: Callable[[bytes], int] | None
    #: Whether finished frames may be sent as they are.
    isPlain = True
    #: Whether the connection has been opened and nothing unusual has come through it yet.
    _isNew = False
    #: The longest payload that the fast path takes, the longest frame, and the longest with a short head; and the lengths of
    #: the payloads of those.
    _longestFast = LONGEST_FAST
    _shortLengths = SHORT_LENGTHS
    _longestFrame = 8 + LONGEST_FAST
    _longestShort = SHORT_FRAME
    #: The start of a frame that the fast path waits for the rest of.
    _tail = b""
    #: Whether the socket wants the peer to wait.
    _isPaused = False
    #: Reading is paused, but for what comes next.
    _isReadingOnce = False
    #: Whether there is more than is taken in one turn.
    _isBehind = False
    #: The producer of what is sent, and whether the transport knows it.
    _outbox: Any = None
    _isOutboxRegistered = False
    #: Leaves what there is for another turn.
    _fallBehind: Callable[[], None]
    transport: Any
    data: bytes
    current_frame: Any = None
    inside_message = False

    def __init__(self) -> None:
        """
        Do nothing but what slots need: whatever Autobahn would set is a default of the class (L{AGServerFactory}).
        """
        self.state = CONNECTING
        self.bytesReceived = self._usualLength = 0
        self._receiver = self._directTransport = self._offer = None

    # ---- receiving

    def dataReceived(self, data: bytes) -> None:
        """
        Take frames straight from what was received as far as they are usual, and leave the rest to Autobahn.
        """
        length = len(data)
        self.bytesReceived += length
        if self._usualLength and self.state == OPEN:
            # The most usual of all: one message and nothing else.
            if length <= self._usualLength:
                takeApart, usualHead = SHORT_FRAMES[length]
                head, mask, masked = takeApart(data)
                if head == usualHead:
                    self._receiver.messageReceived(unmask(masked, mask), False)
                    return
            elif data[:2] == _LONG_HEAD and 134 <= length <= self._longestFrame and data[2:4] == (length - 8).to_bytes(2):
                self._receiver.messageReceived(unmask(data[8:], data[4:8]), False)
                return
        self._takeUnusual(data)

    def _takeUnusual(self, data: bytes) -> None:
        """
        Take whatever has come, with what it completes.
        """
        if self.state == CONNECTING and websocket.fastPaths:
            # As Autobahn, in fewer steps.
            self.data += data
            self.processHandshake()
            return
        if self._isNew:
            # Those who hear of the new socket are to listen to it before anything comes of what it receives. (When a
            # usual message comes first, the socket sees to that.)
            self._isNew = False
            self.factory.agServer.turns.wakeNow()
        if self._isReadingOnce:
            self._isReadingOnce = False
            self.transport.pauseProducing()
        if self._tail:
            data, self._tail = self._tail + data, b""
            if self._isBehind:
                self._tail = data
                return
        if self.state == OPEN and self._isParserIdle():
            data = self._takeFrames(data)
        if data:
            self._dataReceived(data)
        self._setUsualLength()

    def _setUsualLength(self) -> None:
        """
        Take what comes next as a usual frame, if it is one and nothing is in its way.
        """
        self._usualLength = self._longestShort if not self._tail and self._isParserIdle() else 0

    def _isParserIdle(self) -> bool:
        """
        @return: whether the fast path may be taken: Autobahn's parser is not in the middle of something.
        """
        return websocket.fastPaths and not self.data and self.current_frame is None and not self.inside_message

    def _takeFrames(self, data: bytes) -> bytes:
        """
        Deliver the usual frames at the start of C{data}.

        @return: what is left for Autobahn.
        """
        end = len(data)
        position, last, portion = 0, end - 6, _PORTION
        lengthOf = self._shortLengths.get
        payloads: list[bytes] = []
        deadline = 0.0
        while position <= last:
            if position > portion:
                self._receiver.messagesReceived(payloads)
                if self.state != OPEN:
                    return data[position:]
                payloads = []
                now = self.factory.agServer.wheel.seconds()
                deadline = deadline or now + _TIME_A_TURN
                if now >= deadline:
                    self._fallBehind()
                    break
                portion = position + _PORTION
            length = lengthOf(data[position : position + 2])
            if length is not None:
                start = position + 6
                stop = start + length
                if stop > end:
                    break
            else:
                start = position + 8
                stop = self._endOfLongFrame(data, position)
                if not stop:
                    break
            payloads.append(unmask(data[start:stop], data[start - 4 : start]))
            position = stop
        if payloads:
            self._receiver.messagesReceived(payloads)
        rest = data[position:]
        if self.state != OPEN or (rest and not self._isBehind and self._isForParser(rest)):
            return rest
        self._tail = rest
        return b""

    def _endOfLongFrame(self, data: bytes, position: int) -> int:
        """
        @return: where the frame at C{position} ends, if it is usual, has two bytes for its length and is complete; else 0.
        """
        if data[position : position + 2] != _LONG_HEAD:
            return 0
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        stop = position + 8 + length
        return stop if 126 <= length <= self._longestFast and stop <= len(data) else 0

    def _isForParser(self, rest: bytes) -> bool:
        """
        @param rest: what a frame begins with that was not taken.
        @return: whether it is unusual; else it is only not complete.
        """
        if rest[0] != _FINAL_TEXT:
            return True
        if len(rest) == 1:
            return False
        length = rest[1] - 0x80
        if length != _LONG_HEAD[1] - 0x80:
            return not 0 <= length <= min(125, self._longestFast)
        return len(rest) >= 4 and not 126 <= int.from_bytes(rest[2:4], "big") <= min(_LONGEST_TAIL, self._longestFast)

    def _sendNotDirectly(self) -> None:
        if self._outbox is not None:
            self._outbox.send = None

    # ---- sending

    @property
    def isOpen(self) -> bool:
        """
        Whether messages can be sent.
        """
        return bool(self.state == OPEN)

    def frame(self, payload: bytes, isBinary: bool) -> bytes:
        """
        @return: the message as the frame that this connection needs; deflated, if that was agreed on.
        """
        compression = self._perMessageCompress
        if compression is None:
            return frame(BINARY, payload) if isBinary else textFrame(payload)
        compression.start_compress_message()
        deflated = compression.compress_message_data(payload) + compression.end_compress_message()
        return frame(BINARY if isBinary else TEXT, deflated, compressed=True)

    def write(self, data: bytes) -> None:
        """
        Send finished frames: offer them to the kernel at once, if nothing waits for it, else to the transport.
        """
        if self.state != OPEN and self.state != CONNECTING:
            return
        transport, offer = self._directTransport, self._offer
        if offer is None or transport.dataBuffer or transport._tempDataBuffer:
            self._writeBehind(data)
            return
        try:
            sent = offer(data)
        except OSError:
            # Full, or broken: the transport finds out which, and deals with it.
            sent = 0
        if sent != len(data):
            self._writeBehind(data[sent:])
        elif self._outbox is not None:
            self._outbox.send = offer

    def _writeBehind(self, data: bytes) -> None:
        """
        Send data the ordinary way, behind what waits.
        """
        outbox = self._outbox
        if outbox is not None:
            outbox.send = None
            if not self._isOutboxRegistered:
                self._isOutboxRegistered = True
                self.transport.registerProducer(outbox, True)
        self.transport.write(data)

    def registerOutbox(self, outbox: Any) -> None:
        """
        Tell C{outbox} when the peer does not read. (The transport gets to know it when it first has to keep something.)
        """
        self._outbox = outbox
        transport, offer = self._directTransport, self._offer
        if offer is not None and not (transport.dataBuffer or transport._tempDataBuffer):
            outbox.send = offer

    def _unregisterOutbox(self) -> None:
        self._sendNotDirectly()
        self._outbox = None
        if self._isOutboxRegistered:
            self._isOutboxRegistered = False
            self.transport.unregisterProducer()

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """
        Autobahn sends something itself (the 101 response, a pong, a close frame): behind what the socket has sent.
        """
        if self._receiver is not None:
            self._receiver.flush()
        self.write(data)

    # ---- letting the peer wait

    def pauseReading(self) -> None:
        """
        Let the peer wait.
        """
        self._isReadingOnce = False
        if self.state == OPEN:
            self._isPaused = True
            self.transport.pauseProducing()

    def resumeReading(self) -> None:
        """
        Go on reading.
        """
        self._isReadingOnce = self._isPaused = False
        if self.state == OPEN and not self._isBehind:
            self.transport.resumeProducing()

    def readOnce(self) -> None:
        """
        While reading is paused: read what has come, once.
        """
        if self.state == OPEN:
            self.transport.resumeProducing()
            self._isReadingOnce = True
            self._usualLength = 0
