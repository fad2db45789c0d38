"""
The short way through TLS.

For everything that comes, Twisted's protocol for TLS asks OpenSSL a second time, to hear that there is no more, and then
whether it has anything to answer; what is sent it collects for the next turn, from where it goes through the poller twice.
Here records that have come whole are decrypted one by one, and what is sent is encrypted and offered to the kernel at
once. Everything unusual goes through Twisted's protocol as ever: the handshake, alerts, new keys, records in pieces,
whatever cannot be sent at once, the end.
"""

from __future__ import annotations

from errno import EAGAIN
from typing import Any, Protocol

from OpenSSL.SSL import Error
from twisted.internet.tcp import Connection
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOProtocol

#: The longest plain text of a record, and more than its cipher text can be longer (RFC 8446, section 5.2).
_LONGEST = 1 << 14
_READ_SIZE = _LONGEST + 1024
#: More than OpenSSL has to say at once, when it has been given no more than a record to send.
_WRITE_SIZE = 1 << 15

_APPLICATION_DATA = 23
#: Of a record: its kind, version and length.
_HEAD = 5

#: What Twisted's protocol has inside.
_NEEDED = ("_tlsConnection", "_handshakeDone", "_lostTLSConnection", "_appSendBuffer", "_flushReceiveBIO")

_KINDS = (TLSMemoryBIOProtocol, BufferingTLSTransport)


class Receiver(Protocol):
    """
    Who gets what has been decrypted.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        Something has come.
        """

    def notRead(self, error: OSError | None) -> Exception | None:
        """
        There is nothing to read, because the peer has hung up, or because of C{error}.

        @return: why the connection is gone, C{None} if it is not, or not yet.
        """


class DirectTLS:
    """
    The short way through the TLS of one connection.

    @ivar transport: the TCP connection below it.
    """

    __slots__ = ("_tls", "transport", "_collected", "_receiver", "_missing", "_head")

    def __init__(self, tls: Any, transport: Any, receiver: Receiver, collected: list[bytes]) -> None:
        """
        @param tls: Twisted's protocol for TLS; nothing has come through it yet.
        @param transport: the TCP connection below it.
        @param collected: where Twisted collects what is to be sent with the next turn.
        """
        self._tls = tls
        self.transport = transport
        self._receiver = receiver
        self._collected = collected
        #: How many bytes of the last record have not come yet; or else, of one whose head is not complete, those that have.
        self._missing = 0
        self._head = b""

    def read(self) -> Exception | None:
        """
        Take the place of the TCP connection's C{doRead}.

        @return: why the connection is gone, C{None} if it is not.
        """
        try:
            data = self.transport.socket.recv(_READ_SIZE)
        except OSError as error:
            return self._receiver.notRead(error)
        if not data:
            return self._receiver.notRead(None)
        count = self._wholeRecords(data)
        tls = self._tls
        if count and tls._handshakeDone and not tls._appSendBuffer:
            self._decrypt(data, count)
        else:
            tls.dataReceived(data)
        return None

    def _decrypt(self, data: bytes, count: int) -> None:
        tls = self._tls
        connection, most = tls._tlsConnection, len(data)
        connection.bio_write(data)
        plain: list[bytes] = []
        try:
            for _ in range(count):
                plain.append(connection.recv(most))
        except Error:
            # It was no data, or TLS has come to an end: Twisted's protocol finds out which, and deals with it.
            if plain:
                self._receiver.dataReceived(b"".join(plain))
            tls._flushReceiveBIO()
        else:
            self._receiver.dataReceived(plain[0] if count == 1 else b"".join(plain))

    def _wholeRecords(self, data: bytes) -> int:
        """
        Follow where records begin and end.

        @return: how many records of application data C{data} is; 0 if it is anything else as well.
        """
        if data[0] == _APPLICATION_DATA and not self._missing and not self._head:
            length = len(data)
            if length > _HEAD and data[3] << 8 | data[4] == length - _HEAD:
                return 1
        return self._follow(data)

    def _follow(self, data: bytes) -> int:
        isData = not self._missing and not self._head
        position, data = self._missing, self._head + data
        end, count = len(data), 0
        while position + _HEAD <= end:
            isData = isData and data[position] == _APPLICATION_DATA
            position += _HEAD + int.from_bytes(data[position + 3 : position + _HEAD], "big")
            count += 1
        self._missing = max(0, position - end)
        self._head = data[position:]
        return count if isData and position == end else 0

    def send(self, data: bytes) -> int:
        """
        Offer data to the kernel, as a socket's C{send}.

        @return: how many bytes have been taken.
        @raise BlockingIOError: it has to go the ordinary way, perhaps behind something else.
        """
        tls, transport = self._tls, self.transport
        if (
            tls._lostTLSConnection  # and perhaps not cleaned up after yet
            or tls._appSendBuffer
            or self._collected
            or transport.dataBuffer
            or transport._tempDataBuffer
            or len(data) > _LONGEST
        ):
            raise BlockingIOError(EAGAIN, "not to be sent directly")
        connection = tls._tlsConnection
        try:
            taken: int = connection.send(data)
        except Error as error:
            raise BlockingIOError(EAGAIN, "not to be encrypted now") from error
        encrypted = connection.bio_read(_WRITE_SIZE)
        try:
            sent = transport.socket.send(encrypted)
        except OSError:
            # Full, or broken: the transport finds out which, and deals with it.
            sent = 0
        if sent != len(encrypted):
            transport.write(encrypted[sent:])
        return taken


def directTLS(tls: object, receiver: Receiver) -> DirectTLS | None:
    """
    @param tls: the transport of a connection that has just been made.
    @return: the short way through it, if it is Twisted's TLS straight on top of TCP, with what this leans on.
    """
    if type(tls) not in _KINDS:
        return None
    transport: Any = getattr(tls, "transport", None)
    if not isinstance(transport, Connection) or transport.TLS or not all(hasattr(tls, name) for name in _NEEDED):
        return None
    collected: list[bytes] = []
    if isinstance(tls, BufferingTLSTransport):
        buffer = getattr(tls._aggregator, "_buffer", None)
        if buffer is None:
            return None
        collected = buffer
    return DirectTLS(tls, transport, receiver, collected)
