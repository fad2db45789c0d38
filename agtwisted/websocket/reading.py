"""
Reading straight from the kernel: what comes through a connection, alone or together with others, and how that ends.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from errno import EAGAIN, EWOULDBLOCK
from typing import Any

from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure

from agtwisted.protocol.masking import unmask
from agtwisted.sparinglog import SparingLogger
from agtwisted.speedups import inC
from agtwisted.websocket.frames import OPEN, SHORT_FRAME, SHORT_FRAMES, FrameProtocol

log = SparingLogger()

#: Bytes that are read at once. A buffer of the default size, 64 KiB, costs more to allocate than a small message to
#: process.
READ_SIZE = 16384
#: Bytes that are read at once from those who never send more. For more than that Python asks the C library for memory,
#: which takes longer.
READ_SHORT = 479

#: How connections end, as Twisted tells protocols.
_ENDS: dict[Exception, Failure] = {why: Failure(why) for why in (CONNECTION_DONE, CONNECTION_LOST)}

_NOTHING_THERE = (EAGAIN, EWOULDBLOCK)


class ReadingProtocol(FrameProtocol):
    """
    Reads without what Twisted does in between, where that is possible.
    """

    __slots__ = ("_descriptor", "_receive", "_readSize")

    #: The connection's descriptor, if it is read together with others.
    _descriptor: int | None
    #: Takes from the kernel what has come through it; as a socket's C{recv}.
    _receive: Callable[[int], bytes]
    #: How many bytes are read at once.
    _readSize: int
    #: Whether there is time to clean up after it, once it is gone.
    _hasTime = False

    def __init__(self) -> None:
        """
        Nothing has been connected yet.
        """
        super().__init__()
        self._descriptor = None
        self._receive = _nothingMore
        self._readSize = READ_SIZE

    def _goDirectly(self, transport: Any, read: Callable[[], Exception | None], offer: Callable[[bytes], int]) -> None:
        """
        Read from and send to a TCP connection without what Twisted does in between.

        @param read: takes the place of the connection's C{doRead}.
        @param offer: takes the place of its socket's C{send}.
        """
        self._directTransport = transport
        self._offer = offer
        transport.doRead = read

    def _readDirectly(self, transport: Any) -> None:
        """
        L{_goDirectly}, where nothing is between the connection and this protocol. If turns are polls, it is read together
        with others.
        """
        self._receive = transport.socket.recv
        self._goDirectly(transport, self._read, transport.socket.send)
        readers = self.factory.agServer.turns.readers
        if readers is not None:
            self._descriptor = transport.fileno()
            readers[self._descriptor] = self

    @inC(socket.SocketType, OPEN)
    @staticmethod
    def readAll(protocols: list[ReadingProtocol]) -> None:
        """
        Read from many connections, and then take what has come: as L{_read} for each, but quicker, because the processor
        goes on with what it has just done. For turns that are polls.
        """
        if len(protocols) == 1:
            protocols[0]._readAlone()
            return
        received: list[Any] = []
        for protocol in protocols:
            # (What an attribute holds is called sooner when it is in a variable.)
            receive = protocol._receive
            try:
                received.append(receive(protocol._readSize))
            except Exception as error:
                # Whatever it is, nothing is lost that has been read from others.
                received.append(error)
        now = protocols[0].factory.agServer.wheel.seconds()
        for protocol, data in zip(protocols, received, strict=True):
            try:
                length = len(data) if data.__class__ is bytes else SHORT_FRAME + 1
                if length <= protocol._usualLength and protocol.state == OPEN:
                    # As dataReceived, without the call.
                    takeApart, usualHead = SHORT_FRAMES[length]
                    head, mask, masked = takeApart(data)
                    if head == usualHead:
                        protocol.bytesReceived += length
                        protocol._receiver.messageReceived(unmask(masked, mask), False, now)
                        continue
                protocol._taken(data)
            except Exception as error:
                # Its own affair: what the others have said is to be heard.
                protocol._failed(error)

    def _readAlone(self) -> None:
        try:
            self._read()
        except Exception as error:
            self._failed(error)

    def _read(self) -> Exception | None:
        """
        Take the place of the transport's C{doRead}, which takes more steps for the same.

        @return: why the connection is gone, C{None} if it is not.
        """
        receive = self._receive
        try:
            data = receive(self._readSize)
        except OSError as error:
            return self.notRead(error)
        return self._taken(data)

    def _taken(self, data: bytes | Exception) -> Exception | None:
        """
        Deal with what was read.

        @param data: or why nothing was.
        @return: why the connection is gone, C{None} if it is not.
        @raise Exception: what nobody has reckoned with.
        """
        if self._directTransport is None:
            # It was given up after it was read.
            return None
        if isinstance(data, OSError):
            return self.notRead(data)
        if isinstance(data, Exception):
            raise data
        if not data:
            return self.notRead(None)
        if len(data) == READ_SHORT:
            # It sends much at once, and may do so again.
            self._readSize = READ_SIZE
        self.dataReceived(data)
        return None

    def _failed(self, error: Exception) -> None:
        """
        What has come could not be dealt with: as Twisted's reactors, end the connection.
        """
        log.failure("Reading from a connection has failed.", Failure(error))
        transport = self._directTransport
        if transport is not None:
            transport.connectionLost(Failure(error))

    def _readNoMore(self) -> None:
        """
        The connection is gone, or given up: what has been read of it is of no account.
        """
        self._receive = _nothingMore
        self._usualLength = 0
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            del self.factory.agServer.turns.readers[descriptor]

    def notRead(self, error: OSError | None) -> Exception | None:
        """
        There is nothing to read, because the peer has hung up, or because of C{error}.

        @return: why the connection is gone, C{None} if it is not, or not yet.
        """
        if error is None:
            return self._hungUp(CONNECTION_DONE)
        return None if error.errno in _NOTHING_THERE else self._hungUp(CONNECTION_LOST)

    def _hungUp(self, why: Exception) -> Exception | None:
        """
        The peer is gone. When thousands go at once, they are cleaned up after in slices.

        @return: why, if there is time for that in this turn; else it happens in a later one.
        """
        server = self.factory.agServer
        cleaning, transport = server.cleaning, self._directTransport
        self._hasTime = True
        if cleaning.mayGoOn():
            if not server.turns.isPolled:
                return why
            # The reactor would look first whether the connection can be half closed.
            transport.connectionLost(_ENDS[why])
            return None
        transport.stopReading()
        self._sendNotDirectly()
        self.__dict__["write"] = _throwAway
        cleaning.wait(lambda: transport.connectionLost(_ENDS[why]))
        return None

    def _stopReadingDirectly(self) -> None:
        if self._directTransport is not None:
            self._directTransport.__dict__.pop("doRead", None)
            self._readNoMore()
            self._directTransport = self._offer = None


def _throwAway(data: bytes) -> None:
    # Nobody is there to read it.
    pass


def _nothingMore(size: int) -> bytes:
    raise BlockingIOError(EAGAIN, "the connection is gone")
