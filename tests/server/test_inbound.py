"""
Tests of L{agtwisted.server.inbound}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import succeed
from twisted.internet.task import deferLater

from agtwisted import AGRequest
from agtwisted.errors import InvalidActionError
from agtwisted.server.inbound import RULES, isCallId
from tests.server.support import ServerTestCase

#: A value of every JSON type.
VALUES: tuple[Any, ...] = (None, True, False, 0, 5, 1.5, "", "text", [], ["x"], {}, {"channel": None})


class ApplicationEventTests(ServerTestCase):
    """
    Events of the application: calls and what expects no answer.
    """

    def test_call(self) -> None:
        """
        D56, D57, D58: A procedure yields requests; an answer, an empty answer and an error reach the caller.
        """
        client, socket = self.connect()
        requests = self.values(socket.procedure("x"))
        for data in (0, None, "", False, {"a": [1]}):
            answer = client.invoke("x", data)
            request = requests.pop()
            self.assertEqual((request.data, request.procedure, request.socket), (data, "x", socket))
            request.end(data)
            self.settle()
            self.assertEqual(self.successResultOf(answer), data)
        answer = client.invoke("x")
        requests.pop().end()
        self.settle()
        self.assertEqual(client.packets[-1], {"rid": 7})
        self.assertIsNone(self.successResultOf(answer))
        answer = client.invoke("x")

        class CustomError(Exception):
            pass

        error = CustomError("text")
        error.code = 7  # type: ignore[attr-defined]
        requests.pop().error(error)
        self.settle()
        failed = self.failureResultOf(answer).value
        self.assertEqual((failed.name, failed.message, failed.code), ("CustomError", "text", 7))

    def test_answeredLater(self) -> None:
        """
        D59, D60: Requests can be answered later, in any order, and do not hold up each other; a name that nobody serves
        is never answered.
        """
        client, socket = self.connect()
        requests = self.values(socket.procedure("x"))
        answers = [client.invoke("x", number) for number in range(3)]
        unserved = client.invoke("y")
        for request in reversed(requests):
            request.end(request.data)
        self.settle()
        self.assertEqual([self.successResultOf(answer) for answer in answers], [0, 1, 2])
        self.clock.advance(20)
        self.assertNoResult(unserved)
        self.assertEqual(client.state, "open")

    def test_once(self) -> None:
        """
        D60: C{once} takes one request only.
        """
        client, socket = self.connect()
        first = socket.procedure("x").once()
        client.invoke("x", 1)
        client.invoke("x", 2)
        self.assertEqual(self.successResultOf(first).data, 1)
        self.assertEqual(socket.getProcedureConsumerStatsList("x"), [])

    def test_transmit(self) -> None:
        """
        D61, D68: A receiver yields what is transmitted, in order, falsy data as it is, C{None} for none.
        """
        client, socket = self.connect()
        received = self.values(socket.receiver("x"))
        for data in (0, "", False, None, [], {"a": 1}):
            client.transmit("x", data)
        client.transmit("x")
        self.assertEqual(received, [0, "", False, None, [], {"a": 1}, None])

    def test_callIds(self) -> None:
        """
        Any number is a call id and comes back as it was; with anything else the packet is a transmit.
        """
        client, socket = self.connect()
        requests, received = self.values(socket.procedure("x")), self.values(socket.receiver("x"))
        for callId in (0, -1, 1.5, 2**60):
            client.takePackets()
            client.send({"event": "x", "cid": callId})
            requests.pop().end()
            self.assertEqual(client.takePackets(), [{"rid": callId}])
        for callId in ("1", None, True, [], {}):
            client.send({"event": "x", "cid": callId, "data": 1})
        self.assertEqual((requests, received), ([], [1] * 5))
        self.assertEqual([isCallId(each) for each in (1, 1.0, True, "1", None)], [True, True, False, False, False])

    def test_names(self) -> None:
        """
        Names that mean something elsewhere are ordinary names here, for receivers and procedures.
        """
        client, socket = self.connect()
        for name in ("__proto__", "constructor", "toString", "hasOwnProperty", "__class__", "__init__", "", "#other"):
            received, requests = self.values(socket.receiver(name)), self.values(socket.procedure(name))
            client.transmit(name, 1)
            client.invoke(name, 2)
            self.assertEqual((received, [request.data for request in requests]), ([1], [2]), name)

    def test_reservedToo(self) -> None:
        """
        Reserved events reach the application's receivers and procedures as well, behind their effect.
        """
        client, socket = self.connect()
        received, requests = self.values(socket.receiver("#publish")), self.values(socket.procedure("#subscribe"))
        self.successResultOf(client.subscribe("news"))
        client.transmit("#publish", {"channel": "news", "data": 1})
        self.assertEqual(received, [{"channel": "news", "data": 1}])
        self.assertEqual([request.data for request in requests], [{"channel": "news"}])
        self.assertRaises(InvalidActionError, requests[0].end)

    def test_lateListener(self) -> None:
        """
        A packet gives those who were woken before it in this turn the chance to listen to it.
        """
        client, socket = self.connect()
        received: list[Any] = []
        self.collect(socket.receiver("first"), lambda _: self.collect(socket.receiver("second"), received.append))
        client.send({"event": "first"}, {"event": "second", "data": 1}, {"event": "second", "data": 2})
        self.assertEqual(received, [1, 2])
        self.assertEqual(socket.getInboundBackpressure(), 0)

    def test_heardBeforeTheNext(self) -> None:
        """
        Who hears of something that a client has sent runs before its next packet is processed, were both there in one
        turn.
        """
        data = {"channel": "x", "data": 1}
        ways: list[tuple[dict[str, Any], Callable[[Any], Any]]] = [
            ({"event": "#subscribe", "data": data, "cid": 5}, lambda socket: self.server.listener("subscription")),
            ({"event": "#publish", "data": data, "cid": 5}, lambda socket: self.server.exchange.subscribe("x")),
            ({"event": "#publish", "data": data}, lambda socket: self.server.exchange.subscribe("x")),
            ({"event": "note"}, lambda socket: socket.receiver("note")),
            ({"event": "ask", "cid": 5}, lambda socket: socket.procedure("ask")),
        ]
        published = self.values(self.server.exchange.subscribe("y"))
        for packet, heard in ways:
            client, socket = self.connect()
            self.collect(heard(socket), lambda _, socket=socket: socket.disconnect())
            client.send(packet, {"event": "#publish", "data": {"channel": "y"}})
            self.assertEqual((published, socket.state), ([], "closed"), packet)

    def test_notHeardEarly(self) -> None:
        """
        Who hears of others does not run before that, but when the turn ends; whether the client's last packet, in an
        earlier turn, was heard or not.
        """
        for isHeard in (False, True):
            if isHeard:
                self.values(self.server.exchange.subscribe("x"))
            client, socket = self.connect()
            _, other = self.connect()
            seen = self.values(other.receiver("note"))
            client.publish("x", 1)
            other.messageReceived(b'{"event":"note"}', False)
            socket.messageReceived(b'{"event":"#publish","data":{"channel":"x"},"cid":9}', False)
            self.assertEqual(seen, [], isHeard)
            self.settle()
            self.assertEqual(seen, [None])


class MalformedTests(ServerTestCase):
    """
    Reserved events with wrong data.
    """

    def check(self, event: str, values: tuple[Any, ...], message: str, wrong: str = "InvalidActionError") -> None:
        """
        Send an event with wrong data, as a call and not as a call.
        """
        client, socket = self.connect()
        errors = self.record(socket, "error")
        for data in values:
            client.takePackets()
            errors.clear()
            client.send({"event": event, "data": data, "cid": 5}, {"event": event, "data": data})
            answers = client.takePackets()
            self.assertEqual([answer["rid"] for answer in answers], [5], data)
            self.assertEqual((answers[0]["error"]["name"], answers[0]["error"]["message"]), (wrong, message), data)
            self.assertEqual([type(error.error).__name__ for _, error in errors], [wrong] * 2, data)
        self.successResultOf(client.subscribe("good"))
        self.successResultOf(client.publish("good", 1))
        self.assertEqual(client.publications("good"), [1])

    def test_subscribe(self) -> None:
        """
        E74, E77: C{#subscribe} needs an object with a channel's name; the connection is good afterwards.
        """
        self.check("#subscribe", (*VALUES, {"channel": {}}, {"channel": 5}), "Subscribe channel name was malformatted")

    def test_publish(self) -> None:
        """
        E76, E77: So does C{#publish}.
        """
        self.check("#publish", (*VALUES, {"channel": {}}, {"channel": []}), "Publish channel name was malformatted")

    def test_unsubscribe(self) -> None:
        """
        E75, E77: C{#unsubscribe} needs the name itself.
        """
        values = tuple(value for value in VALUES if not isinstance(value, str))
        self.check("#unsubscribe", values, "Unsubscribe channel name was malformatted")

    def test_noData(self) -> None:
        """
        No data at all is as wrong.
        """
        client, _ = self.connect()
        for number, event in enumerate(("#subscribe", "#publish", "#unsubscribe")):
            client.send({"event": event, "cid": number})
            self.assertEqual(client.takePackets()[-1]["error"]["name"], "InvalidActionError")

    def test_publishingDisabled(self) -> None:
        """
        Without C{allowClientPublish} nobody may publish; the server itself may.
        """
        client, _ = self.connect()
        client.subscribe("news")
        self.server.allowClientPublish = False
        error = self.failureResultOf(client.publish("news", 1), InvalidActionError).value
        self.assertEqual(error.message, "Client publish feature is disabled")
        self.server.exchange.transmitPublish("news", 2)
        self.assertEqual(client.publications("news"), [2])

    def test_brokerFails(self) -> None:
        """
        When the broker fails, the publisher gets its error, and the socket emits it.
        """
        client, socket = self.connect()
        errors = self.record(socket, "error")
        self.patch(self.server.brokerEngine, "invokePublish", lambda channel, data: 1 // 0)
        self.assertEqual(self.failureResultOf(client.publish("news", 1)).value.name, "ZeroDivisionError")
        client.transmit("#publish", {"channel": "news"})
        self.assertEqual([type(event.error) for _, event in errors], [ZeroDivisionError] * 2)


class PublishingTests(ServerTestCase):
    """
    Calls to publish, which usually take a short way: a request of the application's own kind makes them take the long
    one.
    """

    ways: tuple[dict[str, Any], ...] = ({}, {"requestCreator": lambda *request: AGRequest(*request)})

    def both(self, carry: Callable[..., Any], **options: Any) -> list[Any]:
        """
        Publish, then call, in one turn and in a batch.

        @param carry: what the exchange does to publish.
        @return: what comes of it: what the client gets, what the socket and the server emit, and what the client gets when
            time goes by. It is the same both ways.
        """
        outcomes = []
        for way in self.ways:
            server = self.makeServer(**way, **options)
            client, socket = self.connect(server)
            events = self.record(socket, "error")
            self.collect(socket.procedure("echo"), lambda request: request.end(request.data))
            self.patch(server.exchange, "invokePublish", carry)
            client.takePackets()
            packets = [
                {"event": "#publish", "data": {"channel": "news", "data": 1}, "cid": 5},
                {"event": "echo", "data": 2, "cid": 6},
            ]
            got = []
            for messages in (packets, [packets]):
                client.send(*messages)
                got.append((client.takePackets(), socket.unansweredCount, socket.getInboundBackpressure()))
                self.clock.advance(1)
                got.append((client.takePackets(), socket.unansweredCount, socket.getInboundBackpressure()))
            outcomes.append((got, [(name, repr(event.error)) for name, event in events]))
        self.assertEqual(outcomes[0], outcomes[1])
        return outcomes[0][0]

    def test_atOnce(self) -> None:
        """
        What is carried at once is answered at once, whatever the exchange answers with.
        """
        for carried in (None, 7, succeed("done")):
            first, later, *_ = self.both(lambda channel, data, carried=carried: carried)
            self.assertEqual(first, ([{"rid": 5}, {"rid": 6, "data": 2}], 0, 0))
            self.assertEqual(later, ([], 0, 0))

    def test_later(self) -> None:
        """
        What takes its time is answered when it is done, and what comes behind it waits.
        """

        async def slowly(channel: str, data: object) -> None:
            await deferLater(self.clock, 1)  # type: ignore[arg-type]

        first, later, *_ = self.both(slowly)
        self.assertEqual(first, ([], 1, 1))
        self.assertEqual(later, ([{"rid": 5}, {"rid": 6, "data": 2}], 0, 0))

    def test_failing(self) -> None:
        """
        What fails is an error of the caller's and of the socket's, at once or later.
        """

        async def fail(channel: str, data: object) -> None:
            await deferLater(self.clock, 1)  # type: ignore[arg-type]
            raise ValueError("no")

        def failAtOnce(channel: str, data: object) -> None:
            raise ValueError("no")

        for carry in (fail, failAtOnce):
            first, later, *_ = self.both(carry)
            errors = [packet.get("error", {}).get("message") for packet in first[0] + later[0]]
            self.assertEqual(errors, ["no", None])

    def test_names(self) -> None:
        """
        A name that is too long is refused both ways, one that is as long as it may be is not.
        """
        for limit, answer in ((4, {"rid": 5}), (3, None)):
            first, *_ = self.both(lambda channel, data: None, maxChannelNameLength=limit)
            self.assertEqual(first[0][0] == {"rid": 5}, answer is not None)

    def test_heard(self) -> None:
        """
        Who consumes the procedure C{#publish}, gets the calls.
        """
        client, socket = self.connect()
        requests = self.values(socket.procedure("#publish"))
        self.assertIsNone(self.successResultOf(client.publish("news", 1)))
        self.assertEqual([(request.data, request.sent) for request in requests], [({"channel": "news", "data": 1}, True)])


class OddFrameTests(ServerTestCase):
    """
    Messages that are no packets.
    """

    def test_raw(self) -> None:
        """
        What is neither an event nor an answer is raw; the application gets it as it came.
        """
        client, socket = self.connect()
        seen = self.record(socket, "raw", "message")
        odd = ("text", "5", "null", '"x"', '{"event":5}', '{"rid":"1"}', "{}", "{broken", b"\x00\xff", "#1", "#2")
        for message in odd:
            seen.clear()
            client.send(message)
            self.assertEqual([(name, event.message) for name, event in seen], [("message", message), ("raw", message)])
        self.assertEqual(client.state, "open")

    def test_emptyBatch(self) -> None:
        """
        An empty array is a batch of nothing.
        """
        client, socket = self.connect()
        seen = self.record(socket, "raw", "error")
        client.send("[]")
        self.assertEqual((seen, client.state), ([], "open"))

    def test_nestedBatch(self) -> None:
        """
        Batches inside batches are ignored, as is whatever else is no packet; the rest of the batch is processed.
        """
        client, socket = self.connect()
        received = self.values(socket.receiver("x"))
        client.send([[{"event": "x", "data": 1}], 5, None, "y", {"event": "x", "data": 2}, {}])
        self.assertEqual((received, client.state), ([2], "open"))

    def test_unknownAnswers(self) -> None:
        """
        Answers that nobody waits for are ignored, also before the server has ever called.
        """
        client, socket = self.connect()
        seen = self.record(socket, "raw", "error")
        client.send({"rid": 1, "data": 1})
        answer = socket.invoke("x")
        client.send({"rid": 77}, {"rid": -1, "error": {}}, {"rid": 1.5}, {"rid": 2**70})
        self.assertNoResult(answer)
        client.send({"rid": 1, "data": "yes"}, {"rid": 1, "data": "no"})
        self.assertEqual((self.successResultOf(answer), seen), ("yes", []))

    def test_duplicateKeys(self) -> None:
        """
        Of duplicate keys the last one counts.
        """
        client, socket = self.connect()
        received = self.values(socket.receiver("y"))
        client.send('{"event":"x","event":"y","data":1,"data":2}')
        self.assertEqual(received, [2])

    def test_binaryJSON(self) -> None:
        """
        Packets in binary messages are served.
        """
        client, socket = self.connect()
        received = self.values(socket.receiver("x"))
        client.send(b'{"event":"x","data":1}')
        self.assertEqual(received, [1])

    def test_loneSurrogates(self) -> None:
        """
        Lone surrogates come back as they were sent.
        """
        client, socket = self.connect()
        self.collect(socket.procedure("x"), lambda request: request.end(request.data))
        client.send('{"event":"x","cid":1,"data":"\\ud800"}')
        self.assertEqual(client.packets[-1], {"rid": 1, "data": "\ud800"})
        self.assertEqual(client.state, "open")

    def test_invalidUTF8(self) -> None:
        """
        Text that is no UTF-8 closes with 1007, after the handshake and before it, with and without raw middleware.
        """
        for isOpen in (True, False):
            for hasMiddleware in (True, False):
                server = self.makeServer()
                if hasMiddleware:
                    server.setMiddleware(server.MIDDLEWARE_INBOUND_RAW, self.allowAll)
                client, socket = self.connect(server, handshake=isOpen)
                socket.messageReceived(b"\xff\xfe", False)
                self.assertEqual((client.closeCode, socket.state), (1007, "closed"))

    @staticmethod
    async def allowAll(stream: Any) -> None:
        """
        Allow all.
        """
        async for action in stream:
            action.allow()

    def test_codecFails(self) -> None:
        """
        What the codec cannot decode is an error of the socket; before the handshake it is a message before the
        handshake.
        """

        class Picky:
            def encode(self, value: object) -> str:
                return "{}"

            def decode(self, message: object) -> object:
                if message == "named":
                    raise InvalidActionError("mine")
                raise ValueError("unreadable")

        client, socket = self.connect()
        self.server.setCodecEngine(Picky())
        errors = self.record(socket, "error")
        client.send("x", "named")
        self.assertEqual(
            [(event.error.name, event.error.message) for _, event in errors],
            [("InvalidMessageError", "unreadable"), ("InvalidActionError", "mine")],
        )
        self.assertEqual(client.state, "open")
        early, _ = self.connect(handshake=False)
        early.send("x")
        self.assertEqual(early.closeCode, 4009)

    def test_bug(self) -> None:
        """
        An exception that nobody has foreseen is logged and costs that connection only.
        """

        def create(socket: Any, id: Any, procedure: str, data: Any) -> Any:
            if procedure == "bad":
                raise ZeroDivisionError
            return socket.defaultRequestCreator(socket, id, procedure, data)

        server = self.makeServer(requestCreator=create)
        bad, good = {"event": "bad", "cid": 1}, {"event": "#subscribe", "data": {"channel": "x"}, "cid": 2}
        for message in (bad, [good, bad]):
            client, _ = self.connect(server)
            other, _ = self.connect(server)
            client.send(message)
            self.assertEqual((client.closeCode, other.state), (1011, "open"))
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class RulesTests(ServerTestCase):
    """
    The table.
    """

    def test_reserved(self) -> None:
        """
        These are SocketCluster's reserved events that clients send.
        """
        self.assertEqual(
            set(RULES),
            {"#handshake", "#authenticate", "#removeAuthToken", "#publish", "#subscribe", "#unsubscribe"},
        )

    def test_onlyHandshakeEarly(self) -> None:
        """
        Only the handshake may come before the handshake, and only it and C{#authenticate} have to be calls.
        """
        self.assertEqual([name for name, rule in RULES.items() if rule.beforeHandshake], ["#handshake"])
        self.assertEqual([name for name, rule in RULES.items() if rule.notRPC], ["#handshake", "#authenticate"])
