"""
Tests of the order in which what a server sends leaves it.
"""

from __future__ import annotations

from typing import Any

from agtwisted import AGServerSocket
from agtwisted.streams.turns import PORTION
from agtwisted.testing import FakeClient, FakeTransport
from tests.server.support import ServerTestCase, decider

PUBLISH = b'{"event":"#publish","data":{"channel":"news","data":%d},"cid":99}'
CALL = b'{"event":"hello","cid":98}'
ANSWERS = ({"rid": 98, "data": "hello"}, {"rid": 99})


class DeliveriesTests(ServerTestCase):
    """
    Publications on their way out, and what comes between them.
    """

    def setUp(self) -> None:
        """
        Make a publisher and more subscribers than get a publication in one turn, and note who is written to.
        """
        super().setUp()
        self.makeClients()

    def makeClients(self) -> None:
        """
        Connect them, to the server that there is now.
        """
        self.publisher, self.publishing = self.connect()
        self.subscribers: list[FakeClient] = []
        self.sockets: list[AGServerSocket] = []
        for _ in range(2 * PORTION):
            client, socket = self.connect()
            client.subscribe("news")
            self.collect(socket.procedure("hello"), lambda request: request.end("hello"))
            self.subscribers.append(client)
            self.sockets.append(socket)
        self.settle()
        written: list[Any] = []
        self.written = written
        write = FakeTransport.write

        def noted(transport: FakeTransport, data: bytes) -> None:
            written.append(transport._client)
            write(transport, data)

        self.patch(FakeTransport, "write", noted)
        self.server.turns.isPolled = True

    def turn(self, *messages: tuple[AGServerSocket, bytes]) -> list[Any]:
        """
        One turn in which messages come.

        @return: who has been written to at its end.
        """
        self.server.turns.begin()
        for socket, message in messages:
            socket.messageReceived(message, False)
        self.written.clear()
        self.server.turns.end()
        return self.written[:]

    def test_answersFirst(self) -> None:
        """
        The publisher has its answer first; then the subscribers have the publication, some in each turn.
        """
        self.assertEqual(self.turn((self.publishing, PUBLISH % 1)), [self.publisher, *self.subscribers[:PORTION]])
        self.assertEqual(self.turn(), self.subscribers[PORTION:])
        self.assertEqual(self.turn(), [])
        self.assertEqual({tuple(client.publications("news")) for client in self.subscribers}, {(1,)})

    def test_together(self) -> None:
        """
        What is published before a publication has left leaves with it, in order.
        """
        self.turn((self.publishing, PUBLISH % 1))
        order = self.turn((self.publishing, PUBLISH % 2))
        self.assertEqual(order, [self.publisher, *self.subscribers[PORTION:]])
        self.assertEqual(self.turn(), self.subscribers[:PORTION])
        self.assertEqual({tuple(client.publications("news")) for client in self.subscribers}, {(1, 2)})

    def test_calledMeanwhile(self) -> None:
        """
        Whoever calls while a publication is on its way to it gets the answer at once, behind the publication.
        """
        self.turn((self.publishing, PUBLISH % 1))
        *others, client = self.subscribers[PORTION:]
        self.assertEqual(self.turn((self.sockets[-1], CALL)), [client, *others])
        self.assertEqual(client.packets[-2:], [{"event": "#publish", "data": {"channel": "news", "data": 1}}, ANSWERS[0]])
        self.assertEqual(self.turn((self.sockets[-1], CALL)), [client])

    def test_subscribesItself(self) -> None:
        """
        A subscriber that publishes gets its own publication before the answer, and both at once.
        """
        client, *others = self.subscribers
        self.assertEqual(self.turn((self.sockets[0], PUBLISH % 1)), [client, *others[: PORTION - 1]])
        self.assertEqual(client.packets[-2:], [{"event": "#publish", "data": {"channel": "news", "data": 1}}, ANSWERS[1]])

    def test_closedMeanwhile(self) -> None:
        """
        Whoever is disconnected while a publication is on its way to it gets it before the end; the others do not notice.
        """
        self.turn((self.publishing, PUBLISH % 1))
        self.sockets[-1].disconnect(1000)
        self.assertEqual((self.subscribers[-1].publications("news"), self.subscribers[-1].closeCode), ([1], 1000))
        self.turn()
        self.assertEqual({tuple(client.publications("news")) for client in self.subscribers}, {(1,)})

    def test_framedForEach(self) -> None:
        """
        The same order where connections make frames of their own.
        """
        self.patch(FakeTransport, "isPlain", False)
        self.server = self.makeServer()
        self.makeClients()
        self.test_answersFirst()

    def test_throughMiddleware(self) -> None:
        """
        The same order for what passes outbound middleware unchanged.
        """
        self.server.setMiddleware("outbound", decider(lambda action: action.allow()))
        self.settle()
        self.test_answersFirst()
