"""
The WebSocket layer: Autobahn's server protocol as the transport of sockets.

This is the only module that knows Autobahn. Its parser handles everything unusual; what is usual takes two short ways
round it:

  - I{in}: small, final, masked text frames that are complete in what was received are taken straight from there,
    several at a time. Anything else is handed to Autobahn from that byte on.
  - I{out}: frames are finished when they arrive here. If the TCP transport has nothing buffered, the kernel is offered
    them at once, which saves two rounds through the poller; what it does not take goes the ordinary way.

Both lean on internals of Autobahn and Twisted, which are checked when this module is imported; if one is missing, or if
L{agtwisted.shortcuts} says so, everything takes the ordinary way.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from errno import EAGAIN, EWOULDBLOCK
from functools import cached_property, partial
from hashlib import sha1
from http import HTTPStatus
from socket import AF_INET, AF_INET6
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept
from autobahn.websocket.protocol import WebSocketProtocol
from autobahn.websocket.utf8validator import Utf8Validator
from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IReactorTime
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.tcp import Connection
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import implementer

from agtwisted import shortcuts
from agtwisted.interfaces import ITransport
from agtwisted.protocol.floods import FloodGuard, FloodLimits
from agtwisted.protocol.frames import BINARY, PONG, TEXT, frame, textFrame
from agtwisted.protocol.httphead import MAXIMUM_HEAD, Head, checkUpgrade, parseHead
from agtwisted.protocol.masking import unmask
from agtwisted.protocol.statuses import HUNG_UP, MESSAGE_TOO_BIG, NO_STATUS, POLICY_VIOLATION, closeFault
from agtwisted.protocol.upgrade import HandshakeDenied, UpgradeRequest, forwardedFor
from agtwisted.sparinglog import SparingLogger

log = SparingLogger()

#: A frame that is not complete yet is kept for the fast path if its payload is at most this long.
_LONGEST_TAIL = 4096
#: The longest payload that the fast path unmasks; Autobahn's native masker is faster beyond.
_LONGEST_FAST = 16384

_SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)

#: Seconds that a client which is refused has to ask, so that it can be told.
_TIME_TO_ASK = 2.0

#: Seconds that a peer has to take what was sent last, and to end TLS.
_TIME_TO_LEAVE = 5.0

#: Bytes that are read at once. A buffer of the default size, 64 KiB, costs more to allocate than a small message to
#: process.
_READ_SIZE = 16384

#: Frames that Autobahn parses in one turn: thousands fit into what is received at once, and others are to get their turn
#: between them.
_FRAMES_A_TURN = 128

#: Seconds that a client which has been told off has to close its end; until then what it sends is thrown away.
_LINGER = 5

_NOTHING_THERE = (EAGAIN, EWOULDBLOCK)

_FINAL_TEXT = 0x81

_OPEN = WebSocketProtocol.STATE_OPEN
_CONNECTING = WebSocketProtocol.STATE_CONNECTING
_CLOSING = WebSocketProtocol.STATE_CLOSING


def _internalsAreThere() -> bool:
    """
    Whether Autobahn and Twisted have what the fast paths lean on.
    """
    connection = FileDescriptor(reactor=object())  # type: ignore[arg-type]
    parser = ("_dataReceived", "processData", "_connectionMade", "_fail_connection", "sendCloseFrame", "sendData")
    buffers = ("dataBuffer", "_tempDataBuffer")
    return (
        all(hasattr(WebSocketServerProtocol, name) for name in (*parser, "succeedHandshake", "_parseExtensionsHeader"))
        and all(hasattr(connection, name) for name in buffers)
        and hasattr(Connection, "TLS")
        and hasattr(Connection, "doRead")
    )


#: Whether the fast paths may be taken at all; tests switch it off to show that they change nothing.
fastPaths = shortcuts.mayBeTaken() and _internalsAreThere()
if shortcuts.mayBeTaken() and not fastPaths:
    log.warn("Autobahn or Twisted have changed inside: connections take the ordinary, slower path.")


@implementer(ITransport)
class AGServerProtocol(WebSocketServerProtocol):
    """
    One WebSocket connection: the transport of an L{agtwisted.AGServerSocket}.

    @ivar request: the upgrade request.
    @ivar bytesReceived: how many bytes have come from the peer.
    """

    #: What messages are delivered to, an L{agtwisted.interfaces.IReceiver}, once the connection is open.
    _receiver: Any = None
    #: Whether finished frames may be sent as they are.
    isPlain = True
    _isVerifying = False
    _isLost = False
    #: Whether the connection has been opened and nothing has come through it yet.
    _isNew = False
    #: Whether the next read is likely to be usual: nothing is unfinished, and nothing is to be done before it.
    _isUsual = False
    #: The longest payload of a message that is taken without further ado.
    _longestShort = 125
    #: Reading is paused, but for what comes next.
    _isReadingOnce = False
    #: The producer of what is sent, and whether the transport knows it.
    _outbox: Any = None
    _isOutboxRegistered = False
    #: What fires when the connection is gone.
    _whenLost: Any = ()
    #: The start of a frame that the fast path waits for the rest of.
    _tail = b""
    #: The socket to offer data to directly, if there is nothing between it and the transport.
    _directTransport: Any = None
    #: This connection as one of those that the server counts.
    _visit: Any = None
    request: Any = None
    transport: Any
    message_data: Any
    bytesReceived = 0
    current_frame: Any = None
    inside_message = False
    #: How many frames Autobahn's parser has begun with in this turn, and whether there is more for the next.
    _framesTaken = 0
    _isBehind = False
    #: Whether the socket wants the peer to wait.
    _isPaused = False

    def __init__(self) -> None:
        """
        Do nothing: what Autobahn would set in every instance is a default of the class (L{AGServerFactory}).
        """

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

    # ---- receiving

    def _read(self) -> Exception | None:
        """
        Take the place of the transport's C{doRead}, which takes more steps for the same.

        @return: why the connection is gone, C{None} if it is not.
        """
        if self._directTransport is None:
            return Connection.doRead(self.transport)
        try:
            data = self._directTransport.socket.recv(_READ_SIZE)
        except OSError as error:
            return None if error.errno in _NOTHING_THERE else CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        self.dataReceived(data)
        return None

    def dataReceived(self, data: bytes) -> None:
        """
        Take frames straight from what was received as far as they are usual, and leave the rest to Autobahn.
        """
        self.bytesReceived += len(data)
        length = len(data) - 6
        if (
            self._isUsual
            and self.state == _OPEN
            and 0 < length <= self._longestShort
            and data[0] == _FINAL_TEXT
            and data[1] == length + 128
        ):
            # The most usual of all: one short message and nothing else.
            self._receiver.messageReceived(unmask(data[2:6], data[6:]), False)
        else:
            self._takeUnusual(data)

    def _takeUnusual(self, data: bytes) -> None:
        """
        Take whatever has come, with what it completes.
        """
        if self._isNew:
            # Those who hear of the new socket are to listen when its first message is processed.
            self._isNew = False
            self.factory.agServer.turns.wakeNow()
        if self._isReadingOnce:
            self._isReadingOnce = False
            self.transport.pauseProducing()
        if self._tail:
            data, self._tail = self._tail + data, b""
        if self.state == _OPEN and self._isParserIdle():
            data = self._takeFrames(data)
        if data:
            self._dataReceived(data)
        self._isUsual = not self._tail and not self._isNew and self._isParserIdle()

    def _isParserIdle(self) -> bool:
        """
        @return: whether the fast path may be taken: Autobahn's parser is not in the middle of something.
        """
        return fastPaths and not self.data and self.current_frame is None and not self.inside_message

    def _takeFrames(self, data: bytes) -> bytes:
        """
        Deliver the usual frames at the start of C{data}.

        @return: what is left for Autobahn.
        """
        position, end = 0, len(data)
        receive = self._receiver.messageReceived
        longest = self.factory.longestFast
        while position + 6 <= end:
            if data[position] != _FINAL_TEXT:
                return data[position:]
            length = data[position + 1] - 128
            start = position + 6
            if length >= 126:
                if length == 127:
                    return data[position:]
                if end - position < 8:
                    break
                length = int.from_bytes(data[position + 2 : position + 4], "big")
                start = position + 8
                if length < 126:
                    return data[position:]
            if not 0 <= length <= longest:
                return data[position:]
            stop = start + length
            if stop > end:
                if length > _LONGEST_TAIL:
                    return data[position:]
                break
            position = stop
            receive(unmask(data[start - 4 : start], data[start:stop]), False)
            if self.state != _OPEN:
                return data[position:]
        if position < end and _isUnusual(data[position : position + 2]):
            return data[position:]
        self._tail = data[position:]
        return b""

    def _dataReceived(self, data: bytes) -> None:
        """
        Let Autobahn parse, unless the client has been told off: then nothing that it sends has a meaning any more.
        """
        if self.failedByMe:
            return
        self._framesTaken = 0
        super()._dataReceived(data)
        if self.failedByMe:
            self.data = b""
        elif self._framesTaken >= _FRAMES_A_TURN and self.data and not self._isBehind:
            self._isBehind = True
            self.transport.pauseProducing()
            self.factory.agServer.turns.callLater(0, self._catchUp)

    def _catchUp(self) -> None:
        """
        Go on with what was left for another turn.
        """
        self._isBehind = False
        if self.state != WebSocketProtocol.STATE_CLOSED:
            if not self._isPaused:
                self.transport.resumeProducing()
            self._dataReceived(b"")

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
        if self.state == _OPEN:
            self.factory.agServer.limitHit(limit, message, self._receiver)
        self._fail_connection(POLICY_VIOLATION, message)

    def onPing(self, payload: bytes) -> None:
        """
        Answer a ping, if the client reads the answers.
        """
        if self.state != _OPEN:
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

    # ---- sending

    @property
    def isOpen(self) -> bool:
        """
        Whether messages can be sent.
        """
        return bool(self.state == _OPEN)

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
        if self.state != _OPEN and self.state != _CONNECTING:
            return
        transport = self._directTransport
        if transport is None or transport.dataBuffer or transport._tempDataBuffer:
            self._writeBehind(data)
            return
        try:
            sent = transport.socket.send(data)
        except OSError:
            # Full, or broken: the transport finds out which, and deals with it.
            sent = 0
        if sent != len(data):
            self._writeBehind(data[sent:])

    def _writeBehind(self, data: bytes) -> None:
        """
        Send data the ordinary way, behind what waits.
        """
        if self._outbox is not None and not self._isOutboxRegistered:
            self._isOutboxRegistered = True
            self.transport.registerProducer(self._outbox, True)
        self.transport.write(data)

    def registerOutbox(self, outbox: Any) -> None:
        """
        Tell C{outbox} when the peer does not read. (The transport gets to know it when it first has to keep something.)
        """
        self._outbox = outbox

    def _unregisterOutbox(self) -> None:
        self._outbox = None
        if self._isOutboxRegistered:
            self._isOutboxRegistered = False
            self.transport.unregisterProducer()

    def pauseReading(self) -> None:
        """
        Let the peer wait.
        """
        self._isReadingOnce = False
        if self.state == _OPEN:
            self._isPaused = True
            self.transport.pauseProducing()

    def resumeReading(self) -> None:
        """
        Go on reading.
        """
        self._isReadingOnce = self._isPaused = False
        if self.state == _OPEN and not self._isBehind:
            self.transport.resumeProducing()

    def readOnce(self) -> None:
        """
        While reading is paused: read what has come, once.
        """
        if self.state == _OPEN:
            self.transport.resumeProducing()
            self._isReadingOnce = True
            self._isUsual = False

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """
        Autobahn sends something itself (the 101 response, a pong, a close frame): behind what the socket has sent.
        """
        if self._receiver is not None:
            self._receiver.flush()
        self.write(data)

    # ---- the WebSocket handshake

    def processHandshake(self) -> None:
        """
        Read the upgrade request, once it is complete; answer it, or hand the connection to the web site.
        """
        if self._isVerifying:
            if len(self.data) > 2 * MAXIMUM_HEAD:
                self._refuseHead(HandshakeDenied(431, "Too much has come before the answer to the upgrade request"))
            return
        end = self.data.find(b"\r\n\r\n")
        if end < 0 or end > MAXIMUM_HEAD:
            if len(self.data) > MAXIMUM_HEAD:
                self._refuseHead(HandshakeDenied(431, "The request's head is too large"))
            return
        if self._visit.denied is not None:
            self._refuse(self._visit.denied)
            return
        pacer = self.factory.agServer.pacer
        if pacer.mayGoOn():
            self._upgrade(end)
        else:
            self._isVerifying = True
            pacer.wait(lambda: self._upgradeNow(end))

    def _upgradeNow(self, end: int) -> None:
        """
        There is time now to look at the request.
        """
        self._isVerifying = False
        if self.state == _CONNECTING:
            self._upgrade(end)

    def _upgrade(self, end: int) -> None:
        """
        Read the upgrade request and answer it.

        @param end: where it ends.
        """
        try:
            head = parseHead(self.data[:end])
            if not head.wantsWebSocket:
                self._serveHTTP()
                return
            checkUpgrade(head)
            self.request = self._requestFrom(head)
            if self.request.path not in self.factory.paths:
                raise HandshakeDenied(400, "There is no WebSocket endpoint at this path")
        except HandshakeDenied as denied:
            self._refuseHead(denied)
            return
        try:
            self._visit.asked(self.request)
        except HandshakeDenied as denied:
            self._refuse(denied)
            return
        self.data = self.data[end + 4 :]
        self._adopt(head)
        server = self.factory.agServer
        if server.verifiesHandshakeAtOnce(self.request):
            self._accept(None)
        else:
            self._isVerifying = True
            done = Deferred.fromCoroutine(server.verifyHandshake(self.request))
            done.addCallbacks(self._accept, self._denied)
            done.addErrback(lambda failure: log.failure("Opening a connection has failed.", failure))

    def _requestFrom(self, head: Head) -> UpgradeRequest:
        peer = self.transport.getPeer()
        host, port = getattr(peer, "host", None), getattr(peer, "port", None)
        family = None if host is None else "IPv6" if isinstance(peer, IPv6Address) else "IPv4"
        forwarded = forwardedFor(head.headers, self.factory.agServer.options.forwardedForHops)
        return UpgradeRequest(head.method, head.target, head.headers, host, port, family, forwarded)

    def _adopt(self, head: Head) -> None:
        """
        Give Autobahn what it would have read from the request itself.
        """
        self._wskey = head.headers["sec-websocket-key"]
        self.websocket_version = int(head.headers["sec-websocket-version"])
        offered = head.headers.get("sec-websocket-protocol", "")
        self.websocket_protocols = [each.strip() for each in offered.split(",") if each.strip()]
        extensions = head.headers.get("sec-websocket-extensions")
        self.websocket_extensions = []
        if extensions is not None:
            self.websocket_extensions = self._parseExtensionsHeader(extensions)  # type: ignore[no-untyped-call]

    def _accept(self, _: object) -> None:
        self._isVerifying = False
        if self.state != _CONNECTING:
            return
        if self.factory.agServer.perMessageDeflate and self.websocket_extensions:
            self.is_open = Deferred()  # Autobahn fires it
            self.succeedHandshake(self._subprotocol())
        else:
            self._succeedPlainly(self._subprotocol())

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: object = None) -> None:
        """
        Autobahn cannot make sense of the extensions that are offered. (It would say so with the client's own words.)
        """
        self._refuse(HandshakeDenied(400, "The extensions that are offered are not valid"))

    def _succeedPlainly(self, subprotocol: str | None) -> None:
        """
        As Autobahn's C{succeedHandshake}, where there is no extension to agree on.
        """
        accepted = b64encode(sha1(self._wskey.encode("ascii") + self._WS_MAGIC).digest())
        chosen = b"" if subprotocol is None else b"\r\nSec-WebSocket-Protocol: " + subprotocol.encode("latin-1")
        self.write(_SWITCHING + accepted + chosen + b"\r\n\r\n")
        self.websocket_protocol_in_use = subprotocol
        self.state = _OPEN
        self.onOpen()
        if self.data:
            # It came while the handshake was being verified.
            data, self.data = self.data, b""
            self.dataReceived(data)

    def _subprotocol(self) -> str | None:
        offered: list[str] = self.websocket_protocols
        choose = self.factory.agServer.options.handleProtocols
        if not offered:
            return None
        if choose is None:
            return offered[0]
        chosen = choose(offered, self.request)
        return chosen if chosen in offered else None

    def _denied(self, failure: Failure) -> None:
        self._isVerifying = False
        if self.state != _CONNECTING:
            return
        if failure.check(HandshakeDenied):
            self._refuse(failure.value)  # type: ignore[arg-type]
        else:
            log.failure("Verifying a handshake has failed.", failure)
            self._refuse(HandshakeDenied(500, "The handshake could not be verified"))

    def _refuseHead(self, denied: HandshakeDenied) -> None:
        """
        The request is no clean upgrade, or its head is too large.
        """
        limit = "httpHead" if denied.status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE else "upgradeRequest"
        self.factory.agServer.limitHit(limit, f"The request of a client was refused: {denied.text}")
        self._refuse(denied)

    def _refuse(self, denied: HandshakeDenied) -> None:
        self.wasClean = True  # nothing for Autobahn to warn of
        self.data = b""
        self.sendData(_refusal(denied))
        self.dropConnection(abort=False)

    def _turnAway(self) -> None:
        """
        There are too many connections. If this one may ask, it has a short time to, and is told; else it is dropped.
        """
        self.wasClean = True
        if self._visit.mayAsk:
            self._timer = self.factory.agServer.wheel.schedule(_TIME_TO_ASK, self._dropUnasked)
        elif self._directTransport is None:
            self.dropConnection(abort=True)
        else:
            # At once: when descriptors run out, the end of the turn may be too late.
            self.write(_refusal(self._visit.denied))
            self.state = WebSocketProtocol.STATE_CLOSED
            self.transport.connectionLost(Failure(ConnectionAborted()))

    def _dropUnasked(self) -> None:
        if self.state == _CONNECTING:
            self.dropConnection(abort=True)

    def _serveHTTP(self) -> None:
        """
        Somebody wants a page: hand the connection, with what has come through it, to the web site.
        """
        site = self.factory.site
        if site is None:
            self._refuse(HandshakeDenied(501, "Not Implemented"))
            return
        data, self.data = self.data, b""
        self._leave()
        transport = self.transport
        channel: Any = SiteConnection(site.buildProtocol(transport.getPeer()), self._visit)
        if isinstance(transport, ProtocolWrapper):
            transport.wrappedProtocol = channel
        else:
            transport.protocol = channel
        channel.makeConnection(transport)
        channel.dataReceived(data)

    def _leave(self) -> None:
        """
        This protocol is done with the connection, which goes on without it.
        """
        self.state = WebSocketProtocol.STATE_CLOSED
        self._stopReadingDirectly()
        self.factory.countConnections -= 1
        self._cancelTimer()
        self._visit.completed()

    def _stopReadingDirectly(self) -> None:
        if self._directTransport is not None:
            self._directTransport.__dict__.pop("doRead", None)
            self._directTransport = None

    def connectionMade(self) -> None:
        """
        A client has connected; it has some time to ask for an upgrade.
        """
        self.factory.countConnections += 1
        transport = self.transport
        transport.bufferSize = _READ_SIZE
        if isinstance(transport, Connection):
            _sendWithoutDelay(transport)
            if fastPaths and not transport.TLS:
                self._directTransport = transport
                transport.doRead = self._read  # type: ignore[assignment]
        self._visit = visit = self.factory.agServer.admission.enterThrough(transport)
        if visit.denied is None:
            self._timer = self.factory.startTimer(self._upgradeTimedOut)
        else:
            self._turnAway()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        self.factory.countConnections -= 1
        self._visit.left()
        self._cancelTimer()
        if self.closeHandshakeTimeoutCall is not None:
            self.closeHandshakeTimeoutCall.cancel()
        self.state = WebSocketProtocol.STATE_CLOSED
        self._tell(HUNG_UP, "")
        self._receiver = None
        self._stopReadingDirectly()
        self._isLost = True
        waiting, self._whenLost = self._whenLost, ()
        for done in waiting:
            if not done.called:
                done.callback(None)

    def _onOpen(self) -> None:
        self.onOpen()

    def _upgradeTimedOut(self) -> None:
        if self.state == _CONNECTING:
            self.factory.agServer.limitHit("handshakeTimeout", "A client has not asked for WebSocket in time")
            self.wasClean = True
            self.dropConnection(abort=True)

    def _cancelTimer(self) -> None:
        timer = self.__dict__.pop("_timer", None)
        if timer is not None:
            timer.cancel()

    def onOpen(self) -> None:
        """
        The WebSocket connection is open.
        """
        self._cancelTimer()
        self.isPlain = self._perMessageCompress is None
        self._isNew = True
        self._receiver = self.factory.agServer.socketOpened(self)

    def handshakeCompleted(self) -> None:
        """
        The client has completed C{#handshake}.
        """
        self._visit.completed()

    # ---- the end

    def close(self, code: int, reason: str | None) -> None:
        """
        Begin the closing handshake.
        """
        if self.state == _OPEN:
            self.resumeReading()  # the peer's answer has to be read
            self._unregisterOutbox()
            self.sendCloseFrame(code=code, reasonUtf8=_closeReason(reason), isReply=False)

    def abort(self) -> None:
        """
        Drop the connection at once.
        """
        self._stopReadingDirectly()
        self.wasClean = False
        self.wasNotCleanReason = "it was terminated"
        self._closeConnection(abort=True)

    def whenLost(self) -> Deferred[None]:
        """
        @return: fires when the connection is gone.
        """
        done: Deferred[None] = Deferred()
        if self._isLost:
            done.callback(None)
        else:
            self._whenLost = [*self._whenLost, done]
        return done

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> None:
        """
        The peer closes the connection, or answers our closing it. (Autobahn would drop the connection before our own
        close frame is out.)
        """
        if self.state == _OPEN:
            fault = closeFault(code, reasonRaw)
            if fault is not None:
                self._fail_connection(fault)
                self.dropConnection(abort=False)  # both have sent a close frame: the rest is the server's to do
                return
            self.sendCloseFrame(code=code, reasonUtf8=reasonRaw, isReply=True)
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
        if self.state == _OPEN:
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


class SiteConnection(Protocol):
    """
    A connection that a web site has now, and that counts as one of the server's all the same.
    """

    def __init__(self, channel: Any, visit: Any) -> None:
        """
        @param channel: the web site's protocol.
        """
        self._channel = channel
        self._visit = visit

    def connectionMade(self) -> None:
        """
        The site takes over.
        """
        self._channel.makeConnection(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """
        Something for the site has come.
        """
        self._channel.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        self._visit.left()
        self._channel.connectionLost(reason)

    def replaced(self) -> None:
        """
        It goes on with WebSocket after all, and is counted as that.
        """
        self._visit.left()


def _refusal(denied: HandshakeDenied) -> bytes:
    """
    @return: what is answered.
    """
    body = denied.text.encode("utf-8", "replace")
    again = "" if denied.retryAfter is None else f"Retry-After: {denied.retryAfter}\r\n"
    head = (
        f"HTTP/1.1 {denied.status} {HTTPStatus(denied.status).phrase}\r\nConnection: close\r\n{again}"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def _isUnusual(head: bytes) -> bool:
    # Of a frame of which the first byte or two have come: it is no final text, or not masked.
    return head[0] != _FINAL_TEXT or (len(head) == 2 and head[1] < 0x80)


def _sendWithoutDelay(transport: Any) -> None:
    # A UNIX socket has no delay to switch off.
    if transport.socket.family in (AF_INET, AF_INET6):
        transport.setTcpNoDelay(True)


def _closeReason(reason: str | None) -> bytes | None:
    if reason is None:
        return None
    # A close frame has room for 123 bytes; a character must not be cut.
    return reason.encode("utf-8", "replace")[:123].decode("utf-8", "ignore").encode("utf-8")


class _WheelTimers:
    """
    Where Autobahn's timers go: the server's own wheel, instead of a clock of the whole process.
    """

    __slots__ = ("_wheel",)

    def __init__(self, wheel: Any) -> None:
        self._wheel = wheel

    def call_later(self, delay: float, function: Callable[..., Any], *arguments: Any) -> Any:
        """
        @return: what cancels it.
        """
        return self._wheel.schedule(delay, lambda: function(*arguments))


class AGServerFactory(WebSocketServerFactory):
    """
    Makes the WebSocket protocols of a server; any endpoint may listen with it.

    @ivar agServer: the server.
    @ivar site: the L{twisted.web.server.Site} that gets everybody who does not ask for WebSocket; C{None} answers 501.
    """

    noisy = False

    def __init__(self, agServer: Any, reactor: IReactorTime, site: Any = None) -> None:
        """
        @param agServer: an L{agtwisted.AGServer}.
        """
        super().__init__(server=None, reactor=reactor)  # type: ignore[no-untyped-call]
        self.agServer = agServer
        self.site = site
        self.paths = agServer.paths
        agServer.admission.measure()
        self._batched_timer = _WheelTimers(agServer.wheel)
        self._setProtocolOptions()
        self.protocol: Any = type("AGServerProtocol", (AGServerProtocol,), self._defaults())

    def _defaults(self) -> dict[str, Any]:
        """
        What Autobahn would set in every new connection, to be defaults of a class instead: options, and the state of a
        connection that has just been made. It is found out by letting Autobahn set up one.
        """
        model = WebSocketServerProtocol()
        model.factory = self
        WebSocketProtocol._connectionMade(model)
        defaults = dict(vars(model))
        for name in ("factory", "is_open", "is_closed", "utf8validator"):
            del defaults[name]
        defaults["_longestShort"] = min(self.longestFast, AGServerProtocol._longestShort)
        defaults["perMessageCompressionAccept"] = staticmethod(self.perMessageCompressionAccept)
        return defaults

    def _setProtocolOptions(self) -> None:
        limit = self.agServer.options.maxPayload or 0
        self.longestFast = min(limit or _LONGEST_FAST, _LONGEST_FAST)
        self.maxMessagePayloadSize = limit
        self.maxFramePayloadSize = limit
        options = self.agServer.options
        self.floodLimits = FloodLimits(options.maxSmallFragments, options.maxControlFrames, options.maxWaitingPongs)
        self.failByDrop = False
        self.echoCloseCodeReason = True
        self.openHandshakeTimeout = 0
        self.closeHandshakeTimeout = 30
        self.webStatus = False
        self.allowNullOrigin = True
        deflate = self.agServer.options.perMessageDeflate
        if deflate:
            settings = deflate if isinstance(deflate, dict) else {}
            self.perMessageCompressionAccept = lambda offers: _acceptDeflate(offers, limit, settings)

    def startTimer(self, function: Callable[[], None]) -> Any:
        """
        Give a client its time for the upgrade request.
        """
        server = self.agServer
        return server.wheel.schedule(server.handshakeTimeout / 1000, function)

    def doStart(self) -> None:
        """
        Somebody listens with this factory: the server has to be ready.
        """
        super().doStart()  # type: ignore[no-untyped-call]
        self.agServer.start().addErrback(
            lambda failure: log.failure("The server could not be started.", failure)
        )


def _acceptDeflate(offers: list[Any], limit: int, settings: dict[str, Any]) -> Any:
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer):
            return PerMessageDeflateOfferAccept(offer, max_message_size=limit or None, **settings)
    return None
