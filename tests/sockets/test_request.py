"""
Tests of L{agtwisted.sockets.request}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agtwisted.errors import InvalidActionError, SCError
from agtwisted.sockets.request import NULL_REPLY, AGRequest


class Socket:
    """
    A socket that keeps what is sent.
    """

    def __init__(self) -> None:
        self.unansweredCount = 0
        self.answersAwaited = -1
        self.sent: list[Any] = []

    def sendObject(self, packet: object) -> bool:
        """
        Keep a packet.
        """
        self.sent.append(packet)
        return True

    def callSettled(self) -> None:
        """
        Count a call as answered.
        """
        self.unansweredCount -= 1


class RequestTests(SynchronousTestCase):
    """
    One call, answered once.
    """

    def setUp(self) -> None:
        """
        Make a call.
        """
        self.socket = Socket()
        self.request = AGRequest(self.socket, 7, "add", {"a": 1})

    def test_attributes(self) -> None:
        """
        A request says what was called and with what; an application may put more on it.
        """
        self.assertEqual((self.request.id, self.request.procedure, self.request.data), (7, "add", {"a": 1}))
        self.assertIs(self.request.socket, self.socket)
        self.assertFalse(self.request.sent)
        self.assertIsNone(AGRequest(self.socket, 1, "add").data)
        self.request.user = "Bob"
        self.assertEqual(self.request.user, "Bob")

    def test_end(self) -> None:
        """
        The answer has data, also when it is false or None, or no data at all.
        """
        for data in (0, None, "", False, [1]):
            AGRequest(self.socket, 7, "add").end(data)
            self.assertEqual(self.socket.sent.pop(), {"rid": 7, "data": data})
        self.request.end()
        self.assertEqual(self.socket.sent, [{"rid": 7}])
        self.assertTrue(self.request.sent)

    def test_error(self) -> None:
        """
        An error crosses with its name, its message and its public attributes.
        """
        error = SCError("No")
        error.name = "CustomError"
        self.request.error(error, {"any": "options"})
        self.assertEqual(self.socket.sent, [{"rid": 7, "error": {"message": "No", "name": "CustomError"}}])
        self.assertTrue(self.request.sent)

    def test_once(self) -> None:
        """
        A second answer of either kind is refused and not sent.
        """
        answers: list[Any] = [lambda request: request.end(1), lambda request: request.error("No")]
        for first in answers:
            for second in answers:
                request = AGRequest(self.socket, 7, "add")
                first(request)
                error = self.assertRaises(InvalidActionError, second, request)
                self.assertEqual(str(error), "Response to request 7 has already been sent")
        self.assertEqual(len(self.socket.sent), 4)

    def test_nullReply(self) -> None:
        """
        The reply to what expects none can be given any number of times.
        """
        for _ in range(2):
            self.assertIsNone(NULL_REPLY.end("data"))  # type: ignore[func-returns-value]
            self.assertIsNone(NULL_REPLY.error(SCError("No")))  # type: ignore[func-returns-value]
