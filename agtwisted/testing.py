"""
Clients in memory, to test an application with: no network, no waiting, and time that the test itself moves on.

A test makes its server with a L{Clock<twisted.internet.task.Clock>} as the reactor and lets L{connect} bring it
clients. What a client does has happened when the call returns, answers included, unless it waits for time or for
something that the application awaits::

    from twisted.internet.defer import Deferred
    from twisted.internet.task import Clock
    from twisted.trial.unittest import SynchronousTestCase

    from agtwisted import AGServer
    from agtwisted.testing import connect

    async def serveLogins(server):
        async for event in server.listener("connection"):
            Deferred.fromCoroutine(serveLogin(event.socket))

    async def serveLogin(socket):
        async for request in socket.procedure("login"):
            await socket.setAuthToken({"name": request.data})
            socket.exchange.transmitPublish("news", f"{request.data} is here")
            request.end(len(socket.server.clients))

    class LoginTests(SynchronousTestCase):
        def setUp(self):
            self.clock = Clock()
            self.server = AGServer(reactor=self.clock)
            Deferred.fromCoroutine(serveLogins(self.server))

        def test_login(self):
            alice, bob = connect(self.server), connect(self.server)
            alice.subscribe("news")

            answer = bob.invoke("login", "Bob")

            self.assertEqual(self.successResultOf(answer), 2)
            self.assertTrue(bob.isAuthenticated)
            self.assertEqual(alice.publications("news"), ["Bob is here"])

        def test_comingBack(self):
            bob = connect(self.server)
            bob.invoke("login", "Bob")
            bob.disconnect()

            again = connect(self.server, authToken=bob.signedAuthToken)

            self.assertEqual(again.socket.authToken["name"], "Bob")

        def test_silence(self):
            bob = connect(self.server)
            bob.answersPings = False
            self.clock.advance(31)
            self.assertEqual(bob.closeCode, 4001)

Deadlines (pings, timeouts) may come up to 50 ms late, so let a test advance its clock by a little more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from agtwisted.errors import BadConnectionError, dehydrateError, hydrateError
from agtwisted.interfaces import ITransport
from agtwisted.protocol.dialects import V1, V2
from agtwisted.protocol.frames import BINARY, frame, textFrame
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.protocol.statuses import HUNG_UP, NORMAL
from agtwisted.protocol.upgrade import HandshakeDenied, UpgradeRequest
from agtwisted.protocol.wire import Wire
from agtwisted.server.server import AGServer
from agtwisted.server.serversocket import AGServerSocket
from agtwisted.sockets.outbox import Outbox
from agtwisted.sockets.socket import CLOSED, CONNECTING, OPEN
from agtwisted.sparinglog import forgetLines

__all__ = ["FakeClient", "FakeTransport", "connect"]

log = Logger()


def connect(
    server: AGServer,
    *,
    url: str | None = None,
    headers: Mapping[str, str] | None = None,
    remoteAddress: str = "127.0.0.1",
    authToken: str | None = None,
    handshake: bool = True,
    protocolVersion: int | None = None,
) -> FakeClient:
    """
    Let a client connect: first the WebSocket handshake, with its middleware and origins, then SocketCluster's own.

    @param server: a server that was made with C{reactor=Clock()}. It is started, as by whatever else listens for it.
    @param url: the path and query that the client asks for; the server's own path if not given.
    @param headers: what else the upgrade request says, e.g. C{{"origin": "https://example.com"}}.
    @param remoteAddress: where the client connects from.
    @param authToken: the signed token that the client presents.
    @param handshake: whether the client goes on with C{#handshake} once its WebSocket connection is open; if not, the
        test lets it do so (L{FakeClient.handshake}).
    @param protocolVersion: the version of the protocol that the client speaks; the server's if not given, and 2 if that
        takes both.
    @return: the client. It is still connecting when middleware takes its time, and closed when it was refused.
    @raise TypeError: the server's time is not the test's to move.
    """
    if not hasattr(server.reactor, "advance"):
        raise TypeError("A fake client needs a server that was made with reactor=Clock(), of twisted.internet.task")
    names = {name.lower(): value for name, value in (headers or {}).items()}
    request = UpgradeRequest("GET", url or server.getPath(), names, remoteAddress, 50000, "IPv4")
    forgetLines()
    server.start().addErrback(lambda failure: log.failure("The server could not be started.", failure))
    client = FakeClient(server, request, protocolVersion)
    client._connect(authToken, handshake)
    return client


@implementer(ITransport)
class FakeTransport:
    """
    A WebSocket connection that ends in memory: what a server's socket sends through it goes to a L{FakeClient}.

    @ivar isPlain: whether finished frames may be sent as they are.
    @ivar isOpen: whether messages can be sent.
    @ivar isReading: whether the server reads; while it does not, a client's messages wait (L{FakeClient} delivers all
        the same).
    @ivar request: the upgrade request.
    @ivar bytesReceived: how many bytes of messages have come from the client.
    @ivar visit: the connection as one of those that the server counts.
    """

    isPlain = True

    def __init__(self, request: UpgradeRequest, client: FakeClient) -> None:
        """
        @param client: who is at the other end.
        """
        self.isOpen = True
        self.isReading = True
        self.request = request
        self.bytesReceived = 0
        self.visit = client._server.admission.enter(request.remoteAddress)
        self._client = client
        self._whenLost: list[Deferred[None]] = []

    def registerOutbox(self, outbox: Outbox) -> None:
        """
        Remember who is to be told when the client does not read: call C{outbox.pauseProducing()} to play that.
        """
        self.outbox = outbox

    def pauseReading(self) -> None:
        """
        Let the client wait.
        """
        self.isReading = False

    def resumeReading(self) -> None:
        """
        Go on reading.
        """
        self.isReading = True

    def readOnce(self) -> None:
        """
        Nothing waits in a fake connection.
        """

    def frame(self, payload: bytes, isBinary: bool) -> bytes:
        """
        @return: the message as a frame.
        """
        return frame(BINARY, payload) if isBinary else textFrame(payload)

    def write(self, data: bytes) -> None:
        """
        Deliver finished frames.
        """
        while data and self.isOpen:
            payload, isBinary, data = _firstFrame(data)
            self._client._messageReceived(payload, isBinary)

    def handshakeCompleted(self) -> None:
        """
        The client is not pending any more.
        """
        self.visit.completed()

    def close(self, code: int, reason: str | None) -> None:
        """
        The server closes the connection.
        """
        if self.isOpen:
            self._client._closed(code, reason)

    def abort(self) -> None:
        """
        The server drops the connection, and gets to know that it has gone a moment later.
        """
        if self.isOpen:
            self._client._hungUp()

    def whenLost(self) -> Deferred[None]:
        """
        @return: fires when the connection is gone.
        """
        done: Deferred[None] = Deferred()
        if self.isOpen:
            self._whenLost.append(done)
        else:
            done.callback(None)
        return done

    def lost(self) -> None:
        """
        The connection is gone.
        """
        self.isOpen = False
        self.visit.left()
        waiting, self._whenLost = self._whenLost, []
        for done in waiting:
            done.callback(None)


class FakeClient:
    """
    A client of a server in the same process. L{connect} makes it.

    It speaks the version of the protocol that its server speaks (if that takes both, the one it is told), keeps the
    token that it is given, and answers pings.

    @ivar socket: the server's end of the connection, C{None} until the WebSocket connection is open.
    @ivar state: C{"connecting"}, C{"open"} once the server has accepted C{#handshake}, or C{"closed"}.
    @ivar id: the id that the server has given it.
    @ivar connectError: what the attempt to connect failed with: a
        L{HandshakeDenied<agtwisted.protocol.upgrade.HandshakeDenied>}, with the HTTP C{status}, or the error that the
        server has answered C{#handshake} with.
    @ivar authError: what was wrong with the token that it presented in its handshake, C{None} if nothing was.
    @ivar signedAuthToken: the token that it holds.
    @ivar packets: every message that has come, decoded; a batch is one list. Pings are not among them.
    @ivar pingCount: how many pings have come.
    @ivar answersPings: whether it answers pings. Set it to C{False} for a client that has fallen silent.
    @ivar procedures: what the server can call, by name: functions that get the data and return the answer, or a
        Deferred that fires with it. What they raise is the answer's error. Calls of other names stay unanswered.
    @ivar closeCode: what the connection was closed with: by the server's code, or 1006 if it was dropped; C{None} while
        it is open and when the client itself has closed it.
    @ivar closeReason: the reason that the server has given, C{None} if none.
    """

    def __init__(self, server: AGServer, request: UpgradeRequest, protocolVersion: int | None = None) -> None:
        """
        @param request: what it asks the server with.
        @param protocolVersion: the version of the protocol that it speaks.
        """
        self.socket: AGServerSocket | None = None
        self.state = CONNECTING
        self.id: str | None = None
        self.connectError: Exception | None = None
        self.authError: Exception | None = None
        self.signedAuthToken: str | None = None
        self.packets: list[Any] = []
        self.pingCount = 0
        self.answersPings = True
        self.procedures: dict[str, Callable[[Any], Any]] = {"#setAuthToken": lambda data: None}
        self.procedures["#removeAuthToken"] = lambda data: None
        self.closeCode: int | None = None
        self.closeReason: str | None = None
        self._server = server
        version = server.protocolVersion if protocolVersion is None else protocolVersion
        self._dialect = V1 if version == 1 else V2
        self._transport = FakeTransport(request, self)
        self._calls: dict[int, tuple[str, Deferred[Any]]] = {}
        self._lastCallId = 0

    @property
    def isAuthenticated(self) -> bool:
        """
        Whether it holds a token.
        """
        return self.signedAuthToken is not None

    # ---- what a test lets it do

    def handshake(self, authToken: str | None = None) -> Deferred[Any]:
        """
        Introduce itself, as L{connect} lets it do unless told otherwise.

        @param authToken: the signed token that it presents.
        @return: fires with the status that the server answers; fails with the error that it answers.
        """
        self.signedAuthToken = authToken
        data = {} if authToken is None else {"authToken": authToken}
        return self.invoke("#handshake", data).addCallbacks(self._accepted, self._rejected)

    def authenticate(self, signedAuthToken: str) -> Deferred[Any]:
        """
        Present a token on an open connection.

        @return: fires with C{isAuthenticated} and C{authError}; fails with the error of a token that the client is to
            forget.
        """
        return self.invoke("#authenticate", signedAuthToken).addCallback(self._authenticated, signedAuthToken)

    def deauthenticate(self) -> None:
        """
        Drop its token, and tell the server so.
        """
        self.signedAuthToken = None
        self.transmit("#removeAuthToken")

    def invoke(self, event: str, data: object = NO_DATA) -> Deferred[Any]:
        """
        Call a procedure of the server.

        @param data: what it is called with; left out, with nothing.
        @return: fires with the answer's data; fails with its error, or with L{BadConnectionError} when the connection
            is gone. There is no timeout: a call that nobody answers has no result. A failure that the test does not
            look at makes it fail.
        """
        if not self._transport.isOpen:
            return fail(self._aborted(event))
        self._lastCallId += 1
        answered: Deferred[Any] = Deferred()
        self._calls[self._lastCallId] = (event, answered)
        self.send(self._packet(event, data, cid=self._lastCallId))
        return answered

    def transmit(self, event: str, data: object = NO_DATA) -> None:
        """
        Send an event that expects no answer.
        """
        self.send(self._packet(event, data))

    def subscribe(self, channel: str, data: object = NO_DATA) -> Deferred[Any]:
        """
        Subscribe to a channel.

        @param data: what middleware gets to see.
        @return: see L{invoke}.
        """
        return self.invoke("#subscribe", self._channelData(channel, data))

    def unsubscribe(self, channel: str) -> Deferred[Any]:
        """
        Leave a channel.

        @return: see L{invoke}.
        """
        return self.invoke("#unsubscribe", channel)

    def publish(self, channel: str, data: object = NO_DATA) -> Deferred[Any]:
        """
        Publish in a channel.

        @return: see L{invoke}.
        """
        return self.invoke("#publish", self._channelData(channel, data))

    def send(self, *messages: object) -> None:
        """
        Send messages, all in one turn, and let the server handle them.

        @param messages: text and bytes are sent as they are; anything else is a packet, or a batch of packets, to
            encode.
        """
        for message in messages:
            if self.socket is None or not self._transport.isOpen:
                return
            payload, isBinary = self._encode(message)
            self._transport.bytesReceived += len(payload)
            self.socket.messageReceived(payload, isBinary)
        self.settle()

    def disconnect(self, code: int = NORMAL, reason: str = "") -> None:
        """
        Close the connection.

        @param code: the close code that the server gets: 1005 is a client that gave none, 1006 one that just went.
        """
        self._lost()
        if self.socket is not None:
            self.socket.connectionLost(code, reason)
        self.settle()

    def settle(self) -> None:
        """
        Let everything happen that waits for the end of the reactor's turn. What a client does ends with it; when a
        test has the server do something, it calls this itself.
        """
        self._server.reactor.advance(0)  # type: ignore[attr-defined]

    # ---- what has come

    def takePackets(self) -> list[Any]:
        """
        @return: the messages that have come since this was last called, decoded, when everything has settled.
        """
        self.settle()
        taken, self.packets = self.packets, []
        return taken

    def publications(self, channel: str) -> list[Any]:
        """
        @return: what was published in a channel and has come, of L{packets}.
        """
        self.settle()
        published = [
            packet["data"]
            for message in self.packets
            for packet in (message if isinstance(message, list) else [message])
            if isinstance(packet, dict) and packet.get("event") == "#publish"
        ]
        return [data.get("data") for data in published if data["channel"] == channel]

    # ---- connecting

    def _connect(self, authToken: str | None, handshake: bool) -> None:
        verified = Deferred.fromCoroutine(self._verify(self._transport.request))
        verified.addCallbacks(lambda _: self._opened(authToken, handshake), self._refused)
        verified.addErrback(lambda failure: log.failure("A fake client could not connect.", failure))
        self.settle()

    async def _verify(self, request: UpgradeRequest) -> None:
        self._transport.visit.asked(request)
        await self._server.verifyHandshake(request)

    def _opened(self, authToken: str | None, handshake: bool) -> None:
        if not self._transport.isOpen:
            return  # it has gone while middleware took its time
        self.socket = self._server.socketOpened(self._transport)
        if handshake:
            # It comes in a later turn, as from a client that has to be told first that the connection is open.
            self._server.reactor.callLater(0, self._introduce, authToken)

    def _introduce(self, authToken: str | None) -> None:
        if self._transport.isOpen:
            self.handshake(authToken).addErrback(lambda _: None)  # remembered as connectError

    def _refused(self, failure: Failure) -> None:
        failure.trap(HandshakeDenied)
        self.connectError = failure.value  # type: ignore[assignment]
        self._lost()

    def _accepted(self, status: Any) -> Any:
        self.state, self.id = OPEN, status["id"]
        self.authError = hydrateError(status.get("authError"))
        if not status["isAuthenticated"]:
            self.signedAuthToken = None
        return status

    def _rejected(self, failure: Failure) -> Failure:
        self.connectError = failure.value  # type: ignore[assignment]
        return failure

    def _authenticated(self, status: Any, signedAuthToken: str) -> Any:
        if status["isAuthenticated"]:
            self.signedAuthToken = signedAuthToken
        return status

    # ---- sending

    @staticmethod
    def _packet(event: str, data: object, **more: object) -> dict[str, object]:
        packet: dict[str, object] = {"event": event} if data is NO_DATA else {"event": event, "data": data}
        return packet | more

    @staticmethod
    def _channelData(channel: str, data: object) -> dict[str, object]:
        return {"channel": channel} if data is NO_DATA else {"channel": channel, "data": data}

    def _encode(self, message: object) -> tuple[bytes, bool]:
        if isinstance(message, str):
            return message.encode(), False
        if isinstance(message, bytes):
            return message, True
        return self._server.wire.encode(message)

    # ---- receiving

    def _messageReceived(self, payload: bytes, isBinary: bool) -> None:
        signal = self._server.wire.signal
        if (payload, isBinary) == signal(self._dialect.ping):
            self.pingCount += 1
            if self.answersPings:
                pong, isBinary = signal(self._dialect.pong or b"")
                self.send(pong if isBinary else pong.decode())
            return
        message = Wire(self._server.codec).decode(payload, isBinary)
        self.packets.append(message)
        for packet in message if isinstance(message, list) else [message]:
            if isinstance(packet, dict):
                self._packetReceived(packet)

    def _packetReceived(self, packet: dict[str, Any]) -> None:
        event, data = packet.get("event"), packet.get("data")
        if event is None:
            self._answerReceived(packet)
            return
        if event == "#setAuthToken":
            self.signedAuthToken = data["token"]  # type: ignore[index]
        elif event == "#removeAuthToken":
            self.signedAuthToken = None
        if "cid" in packet and event in self.procedures:
            answer = maybeDeferred(self.procedures[event], data)
            answer.addCallbacks(lambda data: {"data": data}, lambda failure: {"error": dehydrateError(failure.value)})
            answer.addCallback(lambda answer: self.send({"rid": packet["cid"], **answer}))

    def _answerReceived(self, packet: dict[str, Any]) -> None:
        call = self._calls.pop(packet["rid"], None) if "rid" in packet else None
        if call is not None:
            error = hydrateError(packet.get("error"))
            call[1].callback(packet.get("data") if error is None else Failure(error))

    # ---- the end

    def _closed(self, code: int, reason: str | None) -> None:
        self.closeCode, self.closeReason = code, reason
        self._lost()

    def _hungUp(self) -> None:
        self._closed(HUNG_UP, None)
        if self.socket is not None:
            self._server.reactor.callLater(0, self.socket.connectionLost, HUNG_UP, "")

    def _lost(self) -> None:
        self.state = CLOSED
        self._transport.lost()
        while self._calls:
            event, answered = self._calls.pop(next(iter(self._calls)))
            answered.errback(self._aborted(event))

    @staticmethod
    def _aborted(event: str) -> BadConnectionError:
        return BadConnectionError(f"Event {event} was aborted due to a bad connection", "disconnect")


def _firstFrame(data: bytes) -> tuple[bytes, bool, bytes]:
    """
    @return: the first frame's payload, whether it is binary, and what follows the frame.
    """
    length, start = data[1], 2
    if length > 125:
        start = 4 if length == 126 else 10
        length = int.from_bytes(data[2:start], "big")
    return data[start : start + length], data[0] & 0x0F == BINARY, data[start + length :]
