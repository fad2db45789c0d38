"""
What an event's function answers with.

In the reference: C{response.js}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agtwisted.errors import InvalidActionError, dehydrateError
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.speedups import inC
from agtwisted.v14.text import isTrue

if TYPE_CHECKING:
    from agtwisted.v14.serversocket import SCServerSocket

_new = object.__new__

#: What this package has in C.
EXTENSION = "agtwisted.v14._inC"


class Response:
    """
    The answer to one event: C{respond(error, data)}. To an event that expects none it does nothing.

    @ivar id: the caller's number for its call, which need not be a number; C{None} if it expects no answer.
    @ivar sent: whether it has been given.
    """

    __slots__ = ("_socket", "id", "sent")

    def __init__(self, socket: SCServerSocket, id: Any) -> None:
        self._socket = socket
        self.id = id
        self.sent = False

    @inC(NO_DATA, extension=EXTENSION)
    def __call__(self, error: object = None, data: object = NO_DATA, options: object = None) -> None:
        """
        Answer.

        @param error: what went wrong, if anything did: an exception, which reaches the client with its name, its message and
            its public attributes, or any other value, which reaches it as it is.
        @param data: what the client gets, with an error as well; left out, it gets no data.
        @param options: C{{"batch": True}} lets the answer travel with others, a little later.
        @raise InvalidActionError: it has been answered.
        """
        if error is None and options is None and not self.sent and (callId := self.id) is not None:
            # The most frequent case, in short.
            self.sent = True
            self._socket.sendObjectSingle({"rid": callId} if data is NO_DATA else {"rid": callId, "data": data})
        elif isTrue(error):
            self.error(error, data, options)
        else:
            self.end(data, options)

    def end(self, data: object = NO_DATA, options: object = None) -> None:
        """
        Answer that all is well.

        @raise InvalidActionError: it has been answered.
        """
        if self.id is not None:
            self._send({"rid": self.id}, data, options)

    def error(self, error: object, data: object = NO_DATA, options: object = None) -> None:
        """
        Answer that something went wrong.

        @raise InvalidActionError: it has been answered.
        """
        if self.id is not None:
            self._send({"rid": self.id, "error": dehydrateError(error)}, data, options)

    def _send(self, packet: dict[str, Any], data: object, options: object) -> None:
        if self.sent:
            raise InvalidActionError(f"Response {self.id} has already been sent")
        self.sent = True
        if data is not NO_DATA:
            packet["data"] = data
        self._socket.sendObject(packet, options)

    def hold(self) -> None:
        """
        What could have answered at once has not: from now on this counts as an unanswered call of the socket's, until it
        is answered or nobody has it any more.
        """
        if self.id is not None and not self.sent:
            self.__class__ = HeldResponse
            self._socket.unansweredCount += 1


def makeResponse(socket: SCServerSocket, id: Any) -> Response:
    """
    As L{Response}, in half the time.
    """
    response = _new(Response)
    response._socket = socket
    response.id = id
    response.sent = False
    return response


class HeldResponse(Response):
    """
    The answer to a call that the application takes its time with.
    """

    __slots__ = ()

    def __call__(self, error: object = None, data: object = NO_DATA, options: object = None) -> None:
        """
        Answer.
        """
        if isTrue(error):
            self.error(error, data, options)
        else:
            self.end(data, options)

    def __del__(self) -> None:
        """
        Nobody will answer any more.
        """
        if not self.sent:
            self._socket.callSettled()

    def _send(self, packet: dict[str, Any], data: object, options: object) -> None:
        super()._send(packet, data, options)
        self._socket.callSettled()
