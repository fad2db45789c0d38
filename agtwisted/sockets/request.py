"""
A remote procedure call as the procedure sees it.

In the reference: C{ag-request}.
"""

from __future__ import annotations

from typing import Any

from agtwisted.errors import InvalidActionError, InvalidMessageError, dehydrateError
from agtwisted.protocol.nodata import NO_DATA

_new = object.__new__


class AGRequest:
    """
    One call by the other side, to be answered once.

    @ivar socket: the socket that it came through.
    @ivar id: the caller's number for it.
    @ivar procedure: the name that was called.
    @ivar data: what it was called with; C{None} if nothing.
    @ivar sent: whether it has been answered.
    """

    __slots__ = ("socket", "id", "procedure", "data", "sent", "__dict__")

    def __init__(self, socket: Any, id: float, procedureName: str, data: Any = None) -> None:
        self.socket = socket
        self.id = id
        self.procedure = procedureName
        self.data = data
        self.sent = False
        socket.unansweredCount += 1

    def end(self, data: object = NO_DATA, options: object = None) -> None:
        """
        Answer the call.

        @param data: what the caller gets; left out, the caller gets no data.
        @param options: accepted as in the reference, and without a meaning in it.
        @raise InvalidActionError: it has been answered.
        """
        if self.sent:
            raise self._sentError()
        self.sent = True
        # As callSettled, without the call: this is the way of nearly every answer.
        socket = self.socket
        unanswered = socket.unansweredCount = socket.unansweredCount - 1
        if data is NO_DATA:
            socket.sendObject({"rid": self.id})
        elif socket.sendObject({"rid": self.id, "data": data}) is False:
            failed = InvalidMessageError("The answer could not be encoded")
            socket.sendObject({"rid": self.id, "error": dehydrateError(failed)})
        if unanswered == socket.answersAwaited:
            socket.enoughAnswered()

    def error(self, error: object, options: object = None) -> None:
        """
        Fail the call.

        @param error: an exception, which reaches the caller with its name, its message and its public attributes; or
            any other value, which reaches the caller as it is.
        @param options: accepted as in the reference, and without a meaning in it.
        @raise InvalidActionError: it has been answered.
        """
        if self.sent:
            raise self._sentError()
        self.sent = True
        self.socket.sendObject({"rid": self.id, "error": dehydrateError(error)})
        self.socket.callSettled()

    def _sentError(self) -> InvalidActionError:
        return InvalidActionError(f"Response to request {self.id} has already been sent")


def makeRequest(socket: Any, id: float, procedureName: str, data: Any) -> AGRequest:
    """
    As L{AGRequest}, in half the time. The caller counts it as unanswered.
    """
    request = _new(AGRequest)
    request.socket = socket
    request.id = id
    request.procedure = procedureName
    request.data = data
    request.sent = False
    return request


class WatchedRequest(AGRequest):
    """
    A call that is no longer unanswered when the application has dropped it: nobody can answer it any more. Finding that
    out takes time, so that only the calls of a client that has many are watched.
    """

    __slots__ = ()

    def __del__(self) -> None:
        """
        Nobody has the call any more.
        """
        if not self.sent:
            self.socket.callSettled()


class NullReply:
    """
    The reply to a packet that expects none, so that nobody has to ask.
    """

    __slots__ = ()

    def end(self, data: object = NO_DATA, options: object = None) -> None:
        """
        Answer nothing.
        """

    def error(self, error: object, options: object = None) -> None:
        """
        Answer nothing.
        """


NULL_REPLY = NullReply()
