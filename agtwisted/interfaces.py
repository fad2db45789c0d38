"""
The plug points: what can be replaced, and what a replacement has to offer.
"""

from __future__ import annotations

from typing import Any

from zope.interface import Attribute, Interface


class ICodec(Interface):
    """
    Turns packets into messages and back. (C{codecEngine} in the reference.)
    """

    def encode(value: object) -> str | bytes:
        """
        @return: text, which travels in a text frame, or bytes, which travel in a binary frame.
        """

    def decode(message: str | bytes) -> object:
        """
        @return: the packet, or any other value for a message that is no packet (it is then raw).
        """


class ITextCodec(ICodec):
    """
    A codec that can work straight on UTF-8, which spares the text in between.
    """

    def encodeUTF8(value: object) -> bytes:
        """
        As L{ICodec.encode}, as UTF-8.
        """

    def decodeUTF8(payload: bytes) -> object:
        """
        As L{ICodec.decode}.

        @raise UnicodeDecodeError: the payload is not UTF-8.
        """


class ILimitingCodec(ICodec):
    """
    A codec of binary messages that can end when a message holds more than it may.
    """

    def decodeWithin(message: bytes, maxDepth: int | None, maxContainers: int | None) -> object:
        """
        As L{ICodec.decode}, for a binary message; the limits are options of the server, and C{None} or 0 if there is none.

        @param maxDepth: how many levels of lists and dicts the message may have.
        @param maxContainers: how many lists, dicts and other values that are dear to make it may hold.
        @raise agtwisted.protocol.depth.TooDeep: it has more levels.
        @raise agtwisted.protocol.depth.TooMany: it holds more.
        """


class IGradualCodec(ILimitingCodec):
    """
    A codec of binary messages that can decode a long one step by step. The server does as many steps in a turn of the
    reactor as there are milliseconds for; between two turns, everybody else is served.
    """

    def decodeGradually(message: bytes, maxDepth: int | None, maxContainers: int | None) -> Any:
        """
        As L{ILimitingCodec.decodeWithin}, for a message of more than 64 KiB.

        @return: a generator that yields after each step, raises what that one raises, and returns what that one returns.
        """


class IAuthEngine(Interface):
    """
    Signs and verifies tokens. (C{authEngine} in the reference.) Each method may answer with a value, a Deferred or a
    coroutine.
    """

    def signToken(data: dict[str, Any], key: Any, **options: Any) -> Any:
        """
        @param options: C{expiresIn} (seconds), C{algorithm} and whatever else C{setAuthToken} was given.
        @return: the signed token.
        """

    def verifyToken(signedToken: str | None, key: Any, **options: Any) -> Any:
        """
        @param options: C{algorithms}, and C{socket}, the socket that presented the token.
        @return: the token's data.
        @raise Exception: an exception whose C{name} is C{TokenExpiredError}, C{JsonWebTokenError} or C{NotBeforeError}
            becomes the error class that SocketCluster has for it; any other becomes an C{AuthTokenError}.
        """


class ISubscriber(Interface):
    """
    Receives publications: a socket, or the exchange.
    """

    id = Attribute("What tells this subscriber from all others.")
    directOutbox = Attribute(
        "The L{agtwisted.sockets.outbox.Outbox} that takes the frames of publications as they are, instead of"
        " L{publicationReceived}; C{None} if there is none."
    )

    def publicationReceived(publication: Any) -> None:
        """
        Something was published in a channel that this subscriber is subscribed to.

        @param publication: an L{agtwisted.brokers.hub.Publication}.
        """


class IBroker(Interface):
    """
    Carries publications between processes. Local subscribers have their publication already when it is asked to; so it
    forwards once, and drops its own echo.
    """

    def start(hub: Any) -> Any:
        """
        @param hub: the L{agtwisted.brokers.hub.Hub} to hand publications of other processes to (C{hub.received}).
        @return: a Deferred that fires when publications flow.
        """

    def stop() -> Any:
        """
        @return: a Deferred that fires when everything is closed.
        """

    def subscribe(channel: str) -> Any:
        """
        The first local subscriber of a channel has come.

        @return: a Deferred that fires once publications of other processes in that channel arrive here.
        """

    def unsubscribe(channel: str) -> Any:
        """
        The last local subscriber of a channel has gone.

        @return: a Deferred.
        """

    def publish(channel: str, data: object) -> Any:
        """
        Forward a publication to all other processes.

        @return: a Deferred that fires when the broker has it, or C{None} if it has it now.
        """


class ITransport(Interface):
    """
    What a socket sends through: the WebSocket connection, or a fake of it in tests.
    """

    isPlain = Attribute("Whether finished frames may be sent as they are: nothing was agreed on that changes them.")
    isOpen = Attribute("Whether messages can be sent.")
    request = Attribute("The upgrade request, an UpgradeRequest.")
    bytesReceived = Attribute("How many bytes have come from the peer.")

    def frame(payload: bytes, isBinary: bool) -> bytes:
        """
        @return: the message as the frame that this connection needs.
        """

    def write(data: bytes) -> None:
        """
        Send finished frames.
        """

    def pauseReading() -> None:
        """
        Let the peer wait.
        """

    def resumeReading() -> None:
        """
        Go on reading.
        """

    def readOnce() -> None:
        """
        While reading is paused: read what has come, once.
        """

    def registerOutbox(outbox: Any) -> None:
        """
        Tell C{outbox}, an L{twisted.internet.interfaces.IPushProducer}, when the peer does not read.
        """

    def handshakeCompleted() -> None:
        """
        The client has completed C{#handshake}.
        """

    def close(code: int, reason: str | None) -> None:
        """
        Begin the closing handshake; what was written before goes out first.
        """

    def abort() -> None:
        """
        Drop the connection at once.
        """

    def whenLost() -> Any:
        """
        @return: a Deferred that fires when the connection is gone.
        """


class IReceiver(Interface):
    """
    What a transport delivers to: a socket.
    """

    def messageReceived(payload: bytes, isBinary: bool, heardAt: float | None = None) -> None:
        """
        A whole message has come; a text message's payload may still be no UTF-8.

        @param heardAt: the reactor's seconds at which it came; C{None} for just now.
        """

    def messagesReceived(payloads: list[bytes]) -> None:
        """
        Several text messages have come together: as L{messageReceived} for each.
        """

    def flush() -> None:
        """
        Write what waits for the end of the turn now: the transport is about to send something of its own.
        """

    def connectionLost(code: int, reason: str) -> None:
        """
        The connection is gone.

        @param code: the close code that the peer gave, 1005 if it gave none, 1006 if it just went.
        """
