"""
Tests of L{agtwisted.server.middleware}.
"""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Any
from weakref import ref

from twisted.internet.defer import Deferred

from agtwisted.errors import InvalidActionError, SilentMiddlewareBlockedError
from agtwisted.server import inbound
from agtwisted.server.middleware import AGAction, Allowed, Blocked, MiddlewareStream
from agtwisted.server.serversocket import AGServerSocket
from agtwisted.testing import connect
from tests.server.support import Gate, ServerTestCase, decider, names


class ActionTests(ServerTestCase):
    """
    L{AGAction} by itself.
    """

    def test_types(self) -> None:
        """
        The constants are SocketCluster's.
        """
        self.assertEqual(
            (AGAction.HANDSHAKE_WS, AGAction.HANDSHAKE_SC, AGAction.MESSAGE, AGAction.TRANSMIT, AGAction.INVOKE),
            ("handshakeWS", "handshakeSC", "message", "transmit", "invoke"),
        )
        self.assertEqual(
            (AGAction.SUBSCRIBE, AGAction.PUBLISH_IN, AGAction.PUBLISH_OUT, AGAction.AUTHENTICATE),
            ("subscribe", "publishIn", "publishOut", "authenticate"),
        )

    def test_allow(self) -> None:
        """
        Allowing tells how it goes on; the outcome is known, and nothing can be decided twice.
        """
        action = AGAction(AGAction.INVOKE)
        self.assertIsNone(action.outcome)
        action.allow(data=5, options={"useCache": True})
        self.assertEqual(self.successResultOf(action.promise), Allowed(5, {"useCache": True}))
        self.assertEqual(action.outcome, "allowed")
        error = self.assertRaises(InvalidActionError, action.block)
        self.assertEqual(error.message, "AGAction invoke has already been allowed; cannot block")
        self.assertRaises(InvalidActionError, action.allow)

    def test_block(self) -> None:
        """
        So does blocking.
        """
        action, error = AGAction(AGAction.INVOKE), ValueError()
        action.block(error)
        self.assertIs(self.failureResultOf(action.promise, Blocked).value.error, error)
        self.assertEqual(action.outcome, "blocked")
        self.assertRaises(InvalidActionError, action.allow)

    def test_destructured(self) -> None:
        """
        F114: C{allow} and C{block} work when they are taken out of the action.
        """
        first, second = AGAction(AGAction.INVOKE), AGAction(AGAction.INVOKE)
        allow, block = first.allow, second.block
        allow()
        block()
        self.successResultOf(first.promise)
        self.failureResultOf(second.promise, Blocked)

    def test_notes(self) -> None:
        """
        Middleware can keep its own notes on an action.
        """
        action: Any = AGAction(AGAction.INVOKE)
        action.note = 1
        self.assertEqual(action.note, 1)


class MiddlewareTestCase(ServerTestCase):
    """
    Tests with one middleware function.
    """

    def hold(self, line: str, *types: str) -> Gate:
        """
        @return: a function for that line that holds actions.
        """
        gate = Gate(*types)
        self.server.setMiddleware(line, gate)
        return gate

    def decide(self, line: str, function: Any, *types: str) -> None:
        """
        Decide on actions by a plain function.
        """
        self.server.setMiddleware(line, decider(function, *types))


class QuestionTests(MiddlewareTestCase):
    """
    What follows from a decision.
    """

    def test_whenReturned(self) -> None:
        """
        It comes when the function has returned from C{allow} and waits for the next action, not in the middle of it.
        """
        client, socket = self.connect()
        subscribed = []

        def decide(action: AGAction) -> None:
            action.allow()
            subscribed.append(socket.isSubscribed("c"))

        self.decide("inbound", decide)
        client.subscribe("c")
        self.assertEqual((subscribed, socket.isSubscribed("c")), ([False], True))

    def test_forgotten(self) -> None:
        """
        An action that was decided on is kept by nobody.
        """

        class Note:
            pass

        notes = []

        def decide(action: Any) -> None:
            action.note = Note()
            notes.append(ref(action.note))
            action.allow()

        client, _ = self.connect()
        self.decide("inbound", decide)
        gc.disable()
        self.addCleanup(gc.enable)
        client.transmit("x")
        client.invoke("y")
        # The function's loop has the last one until the next comes.
        self.assertEqual([note() is None for note in notes], [True, False])

    def test_fails(self) -> None:
        """
        If that fails, it is logged, and what comes behind it goes on all the same.
        """
        client, socket = self.connect()
        received = self.values(socket.receiver("x"))
        self.decide("inbound", lambda action: action.allow())

        def fail(socket: Any, call: Any) -> None:
            raise ZeroDivisionError

        self.patch(inbound, "APPLICATION", replace(inbound.APPLICATION, effect=fail))
        client.transmit("x", 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.patch(inbound, "APPLICATION", replace(inbound.APPLICATION, effect=lambda socket, call: None))
        client.transmit("x", 2)
        self.assertEqual(received, [2])


class InboundTests(MiddlewareTestCase):
    """
    The inbound line.
    """

    def test_actions(self) -> None:
        """
        F103, F107, F110, E89: Each action has its type, its socket, the upgrade request (F97) and what it is about.
        """
        gate = self.hold("inbound")
        client, socket = self.connect(url="/socketcluster/?a=1")
        for event, callId, data, expected in (
            ("x", None, 1, ("transmit", "x", None, None, 1)),
            ("x", 5, {"a": 1}, ("invoke", None, "x", None, {"a": 1})),
            ("x", 5, None, ("invoke", None, "x", None, None)),
            ("#subscribe", 5, {"channel": "c", "data": 7}, ("subscribe", None, None, "c", 7)),
            ("#publish", 5, {"channel": "c", "data": 8}, ("publishIn", None, None, "c", 8)),
            ("#publish", None, {"channel": "c"}, ("publishIn", None, None, "c", None)),
        ):
            packet = {"event": event, "data": data} | ({} if callId is None else {"cid": callId})
            client.send(packet)
            action = gate.actions.pop()
            found = (action.type, action.receiver, action.procedure, action.channel, action.data)
            self.assertEqual(found, expected)
            self.assertIs(action.socket, socket)
            self.assertEqual(action.socket.request.url, "/socketcluster/?a=1")
            self.assertIs(action.request, socket.request)
            action.allow()
            self.settle()

    def test_notAsked(self) -> None:
        """
        Nobody is asked about C{#unsubscribe}, C{#removeAuthToken}, answers and raw messages.
        """
        client, socket = self.connect()
        client.subscribe("c")
        gate = self.hold("inbound")
        answer = socket.invoke("x")
        client.send({"event": "#removeAuthToken"}, "raw", {"rid": 1}, {"event": "#unsubscribe", "data": "c", "cid": 9})
        self.successResultOf(answer)
        self.assertEqual((gate.actions, socket.subscriptions()), ([], []))

    def test_ownOrder(self) -> None:
        """
        F98, F95: An action that is not decided on holds up its own socket's later packets, and nobody else's.
        """
        gate = self.hold("inbound", AGAction.TRANSMIT)
        client, socket = self.connect()
        other, otherSocket = self.connect()
        received = self.values(socket.receiver("x"))
        requests, otherRequests = self.values(socket.procedure("y")), self.values(otherSocket.procedure("y"))
        client.send({"event": "x", "data": 1}, {"event": "y", "cid": 1}, {"event": "x", "data": 2})
        other.invoke("y")
        self.assertEqual((received, requests, len(otherRequests), len(gate.actions)), ([], [], 1, 1))
        gate.actions[0].allow()
        self.settle()
        self.assertEqual((received, len(requests), len(gate.actions)), ([1], 1, 2))
        gate.actions[1].allow()
        self.settle()
        self.assertEqual((received, len(gate.streams)), ([1, 2], 2))

    def test_oneStream(self) -> None:
        """
        F95: The function is called once for each socket, with a stream that knows its line.
        """
        gate = self.hold("inbound", "nothing")
        client, _ = self.connect()
        client.transmit("x")
        client.transmit("x")
        self.connect()
        self.assertEqual([stream.type for stream in gate.streams], ["inbound", "inbound"])

    def test_allowed(self) -> None:
        """
        F103: What is allowed goes on with its data unchanged.
        """
        self.decide("inbound", lambda action: action.allow())
        client, socket = self.connect()
        requests = self.values(socket.procedure("x"))
        client.invoke("x", {"a": [1]})
        self.assertEqual(requests[0].data, {"a": [1]})

    def test_blocked(self) -> None:
        """
        F104: What is blocked fails with the error's name; no request reaches the procedure; the socket emits the error.
        """

        class Custom(Exception):
            """
            An application's own.
            """

        error = Custom("no")
        self.decide("inbound", lambda action: action.block(error))
        client, socket = self.connect()
        requests, received = self.values(socket.procedure("x")), self.values(socket.receiver("x"))
        errors = self.record(socket, "error")
        failed = self.failureResultOf(client.invoke("x")).value
        client.transmit("x")
        self.assertEqual((failed.name, failed.message, requests, received), ("Custom", "no", [], []))
        self.assertEqual([event.error for _, event in errors], [error, error])

    def test_silently(self) -> None:
        """
        A block without an error, or with one that is silent, tells the client no more than that it was blocked.
        """
        secret = InvalidActionError("secret")
        secret.silent = True  # type: ignore[attr-defined]
        verdicts = iter((None, secret))
        self.decide("inbound", lambda action: action.block(next(verdicts)))
        client, socket = self.connect()
        errors = self.record(socket, "error")
        for _ in range(2):
            failed = self.failureResultOf(client.invoke("x"), SilentMiddlewareBlockedError).value
            message = "The invoke AGAction was blocked by inbound middleware"
            self.assertEqual((failed.message, failed.type), (message, "inbound"))
        self.assertIsInstance(errors[0][1].error, SilentMiddlewareBlockedError)
        self.assertIs(errors[1][1].error, secret)

    def test_noFailures(self) -> None:
        """
        Without C{middlewareEmitFailures} a block emits nothing; the client gets its error all the same.
        """
        self.server.middlewareEmitFailures = False
        self.decide("inbound", lambda action: action.block(InvalidActionError("no")))
        client, socket = self.connect()
        seen, warnings = self.record(socket, "error"), self.record(self.server, "warning")
        self.failureResultOf(client.invoke("x"), InvalidActionError)
        self.assertEqual((seen, warnings), ([], []))

    def test_replacedData(self) -> None:
        """
        F109: C{allow(data=…)} replaces the data: of calls, of what is transmitted, of publications and subscriptions,
        also by C{None}.
        """
        self.decide("inbound", lambda action: action.allow(data=None if action.data == 0 else [action.data]))
        client, socket = self.connect()
        received, requests = self.values(socket.receiver("x")), self.values(socket.procedure("x"))
        subscribed = self.record(socket, "subscribe")
        client.transmit("x", 1)
        client.transmit("x", 0)
        client.invoke("x", 2)
        self.assertEqual((received, requests[0].data), ([[1], None], [2]))
        client.subscribe("c", 3)
        self.assertEqual(subscribed[0][1].subscriptionOptions, {"data": [3]})
        client.publish("c", 4)
        client.transmit("#publish", {"channel": "c", "data": 5})
        self.assertEqual(client.publications("c"), [[4], [5]])

    def test_publishBlockedLate(self) -> None:
        """
        F108: A publication that is blocked in the end fails with the error's name, and reaches nobody.
        """
        client, _ = self.connect()
        client.subscribe("c")
        gate = self.hold("inbound", AGAction.PUBLISH_IN)
        published = client.publish("c", 1)
        self.clock.advance(1)
        self.assertNoResult(published)
        gate.actions[0].block(InvalidActionError("no"))
        self.settle()
        self.failureResultOf(published, InvalidActionError)
        self.assertEqual(client.publications("c"), [])

    def test_subscribeLate(self) -> None:
        """
        F111: A subscription that takes its time keeps the order: the publication behind it reaches the subscriber.
        """
        gate = self.hold("inbound")
        client, _ = self.connect()
        subscribe = {"event": "#subscribe", "data": {"channel": "c"}, "cid": 11}
        client.send(subscribe, {"event": "#publish", "data": {"channel": "c", "data": 1}, "cid": 12})
        self.clock.advance(0.5)
        types = [gate.actions[0].type]
        gate.actions[0].allow()
        self.settle()
        types.append(gate.actions[1].type)
        gate.actions[1].allow()
        self.settle()
        self.assertEqual((types, len(gate.actions)), (["subscribe", "publishIn"], 2))
        self.assertEqual(client.publications("c"), [1])

    def test_subscribeBlocked(self) -> None:
        """
        E94: A blocked subscription fails with the error's name, and is none.
        """
        self.decide("inbound", lambda action: action.block(InvalidActionError("no")), AGAction.SUBSCRIBE)
        client, socket = self.connect()
        seen = self.record(self.server, "subscription")
        self.failureResultOf(client.subscribe("c"), InvalidActionError)
        self.assertEqual((seen, socket.subscriptions()), ([], []))

    def test_batch(self) -> None:
        """
        H129, H132, H133: Every packet of a batch passes by itself, in order; one that is blocked does not affect the
        others.
        """
        seen: list[str] = []

        def decide(action: AGAction) -> None:
            seen.append(str(action.channel))
            if action.channel == "c3":
                action.block(InvalidActionError("not this"))
            else:
                action.allow()

        self.decide("inbound", decide)
        client, socket = self.connect()
        client.takePackets()
        client.send(
            [{"event": "#subscribe", "cid": 10 + n, "data": {"channel": f"c{n}"}} for n in range(6)]
            + [{"event": "#publish", "data": {"channel": "c5", "data": "there"}}]
        )
        self.assertEqual(seen, ["c0", "c1", "c2", "c3", "c4", "c5", "c5"])
        self.assertEqual(socket.subscriptions(), ["c0", "c1", "c2", "c4", "c5"])
        self.assertEqual(client.publications("c5"), ["there"])
        failed = [packet["rid"] for packet in client.takePackets() if "error" in packet]
        self.assertEqual(failed, [13])

    def test_batchAndNext(self) -> None:
        """
        A batch that waits holds up the messages behind it; one that ends the connection ends it.
        """
        gate = self.hold("inbound", AGAction.TRANSMIT)
        client, socket = self.connect()
        received = self.values(socket.receiver("x"))
        client.send([{"event": "x", "data": 1}, {"event": "x", "data": 2}], {"event": "x", "data": 3})
        for expected in ([1], [1, 2], [1, 2, 3]):
            gate.actions.pop().allow()
            self.settle()
            self.assertEqual(received, expected)
        client.send([{"event": "x"}, {"event": "#authenticate"}])
        gate.actions.pop().allow()
        self.settle()
        self.assertEqual(client.closeCode, 4008)

    def test_leavesMeanwhile(self) -> None:
        """
        A client that has left: what is decided on late has no effect on anybody, and is no error.
        """
        gate = self.hold("inbound", AGAction.PUBLISH_IN, AGAction.INVOKE)
        client, _ = self.connect()
        other, _ = self.connect()
        other.subscribe("c")
        warnings = self.record(self.server, "warning")
        client.transmit("#publish", {"channel": "c", "data": 1})
        client.disconnect()
        gate.actions[0].allow()
        self.settle()
        self.assertEqual((other.publications("c"), warnings), ([], []))

    def test_setAndRemoved(self) -> None:
        """
        F115, F116: Middleware can be removed, and set again, on a running server and for open connections; where there
        is none everything is allowed.
        """
        client, socket = self.connect()
        received = self.values(socket.receiver("x"))
        client.transmit("x", 1)
        self.decide("inbound", lambda action: action.block())
        client.transmit("x", 2)
        self.server.removeMiddleware("inbound")
        client.transmit("x", 3)
        self.decide("inbound", lambda action: action.allow(data="new"))
        client.transmit("x", 4)
        self.assertEqual(received, [1, 3, "new"])

    def test_publicationsBetween(self) -> None:
        """
        Publications pass the outbound line of open connections from the moment that it is set until it is removed,
        whatever lines come and go besides. They go straight to the outbox else, until one has had to wait for a decision;
        and not to those that are gone.
        """
        client, socket = self.connect()
        client.subscribe("c")
        seen = []
        for lines in ((), ("inbound",), ("inbound", "outbound"), ("outbound",), ()):
            for line in set(lines) - set(self.server.middleware):
                self.decide(line, lambda action: action.allow(data=(action.data or 0) + 1))
            for line in set(self.server.middleware) - set(lines):
                self.server.removeMiddleware(line)
            self.server.exchange.transmitPublish("c", 1)
            self.settle()
            seen.append((client.publications("c").pop(), socket.directOutbox is not None))
        self.assertEqual(seen, [(1, True), (1, True), (2, False), (2, False), (1, False)])
        client.disconnect(1000)
        self.server.setMiddleware("outbound", decider(lambda action: action.allow()))
        self.server.removeMiddleware("outbound")
        self.assertIsNone(socket.directOutbox)

    def test_removedMeanwhile(self) -> None:
        """
        An action that waits in a function that was replaced is still that function's to decide on.
        """
        gate = self.hold("inbound", AGAction.TRANSMIT)
        client, socket = self.connect()
        received = self.values(socket.receiver("x"))
        client.transmit("x", 1)
        self.server.removeMiddleware("inbound")
        client.transmit("x", 2)
        self.assertEqual(received, [])
        gate.actions[0].allow()
        self.settle()
        self.assertEqual(received, [1, 2])


class RawTests(MiddlewareTestCase):
    """
    The raw inbound line.
    """

    def test_all(self) -> None:
        """
        F113: It sees every message, the handshake included, one action each, as it came.
        """
        seen: list[Any] = []

        def decide(action: AGAction) -> None:
            seen.append((action.type, action.data))
            action.allow()

        self.decide("inboundRaw", decide)
        client, socket = self.connect()
        client.send("raw", b"\x01", '[{"event":"x"},{"event":"y"}]', "")
        handshake = '{"event":"#handshake","data":{},"cid":1}'
        messages = [handshake, "raw", b"\x01", '[{"event":"x"},{"event":"y"}]', ""]
        self.assertEqual(seen, [("message", message) for message in messages])

    def test_blocked(self) -> None:
        """
        A blocked message is not processed; the socket emits why; later messages go on.
        """
        self.decide("inboundRaw", lambda action: action.block() if "bad" in action.data else action.allow())
        client, socket = self.connect()
        received, errors = self.values(socket.receiver("x")), self.record(socket, "error")
        client.transmit("x", "good")
        client.transmit("x", "bad")
        client.transmit("x", "fine")
        self.assertEqual(received, ["good", "fine"])
        self.assertEqual(errors[0][1].error.message, "The message AGAction was blocked by inboundRaw middleware")
        self.assertEqual(socket.getInboundBackpressure(), 0)

    def test_replaced(self) -> None:
        """
        A message can be replaced, by text or bytes.
        """
        verdicts = iter(('{"event":"x","data":1}', b'{"event":"x","data":2}', bytearray(b'{"event":"x","data":3}')))
        client, socket = self.connect()
        received = self.values(socket.receiver("x"))
        self.decide("inboundRaw", lambda action: action.allow(data=next(verdicts)))
        client.send("a", "b", "c")
        self.assertEqual(received, [1, 2, 3])

    def test_replacedByNoMessage(self) -> None:
        """
        By anything else it cannot: the application is told, and what comes behind it goes on.
        """
        client, socket = self.connect()
        received, errors = self.values(socket.receiver("x")), self.record(socket, "error")
        verdicts: Any = iter((5, {"event": "x"}, None, '{"event":"x","data":1}'))
        self.decide("inboundRaw", lambda action: action.allow(data=next(verdicts)))
        client.send("a", "b", "c", "d")
        self.assertEqual((received, client.closeCode), ([1], None))
        messages = [event.error.message for _, event in errors]
        expected = "A message can be replaced by text or bytes, not by"
        self.assertEqual(messages, [f"{expected} int", f"{expected} dict", f"{expected} NoneType"])

    def test_replacedByPacketThatWaits(self) -> None:
        """
        Raw and inbound middleware together: the message counts as being processed until both have decided.
        """
        gate = self.hold("inbound")
        self.decide("inboundRaw", lambda action: action.allow())
        client, socket = self.connect()
        received = self.values(socket.receiver("x"))
        client.send({"event": "x", "data": 1}, {"event": "x", "data": 2})
        self.assertEqual(len(gate.actions), 1)
        for expected in ([1], [1, 2]):
            gate.actions.pop().allow()
            self.settle()
            self.assertEqual(received, expected)

    def test_closesConnection(self) -> None:
        """
        A message that ends the connection does so behind raw middleware as well.
        """
        self.decide("inboundRaw", lambda action: action.allow())
        client, _ = self.connect(handshake=False)
        client.send("raw")
        self.assertEqual(client.closeCode, 4009)

    def test_backpressure(self) -> None:
        """
        G124: While a message is in raw middleware it counts; every further one adds to that.
        """
        client, socket = self.connect()
        gate = self.hold("inboundRaw")
        client.send("a")
        self.assertEqual(socket.getInboundBackpressure(), 1)
        client.send("b", "c")
        self.assertEqual((socket.getInboundBackpressure(), socket.getBackpressure()), (3, 3))
        for expected in (2, 1, 0):
            gate.actions.pop().allow()
            self.settle()
            self.assertEqual(socket.getInboundBackpressure(), expected)


class OutboundTests(MiddlewareTestCase):
    """
    The outbound line.
    """

    def test_actions(self) -> None:
        """
        F112: It runs for each receiving socket, with channel and data; nothing else that is sent passes it.
        """
        one, oneSocket = self.connect()
        two, twoSocket = self.connect()
        one.subscribe("c")
        two.subscribe("c")
        gate = self.hold("outbound")
        oneSocket.transmit("x")
        one.publish("c", {"a": 1})
        self.assertEqual([action.socket for action in gate.actions], [oneSocket, twoSocket])
        action = gate.actions[0]
        self.assertEqual((action.type, action.channel, action.data), ("publishOut", "c", {"a": 1}))
        self.assertEqual((one.publications("c"), two.publications("c")), ([], []))
        action.allow()
        self.settle()
        self.assertEqual((one.publications("c"), two.publications("c")), ([{"a": 1}], []))
        gate.actions[1].allow()
        self.assertEqual(two.publications("c"), [{"a": 1}])

    def test_blocked(self) -> None:
        """
        A publication that is blocked for one socket reaches the others; that socket emits why.
        """
        one, oneSocket = self.connect()
        two, _ = self.connect()
        one.subscribe("c")
        two.subscribe("c")
        errors = self.record(oneSocket, "error")
        self.decide("outbound", lambda action: action.block() if action.socket is oneSocket else action.allow())
        two.publish("c", 1)
        self.assertEqual((one.publications("c"), two.publications("c")), ([], [1]))
        self.assertIsInstance(errors[0][1].error, SilentMiddlewareBlockedError)

    def test_isolated(self) -> None:
        """
        What is put in place for one recipient reaches nobody else.
        """
        clients = [connect(self.server) for _ in range(3)]
        for client in clients:
            client.subscribe("c")
        self.decide("outbound", lambda action: action.allow(data=f"for {action.socket.id}"))
        clients[0].publish("c", "for all")
        self.assertEqual([client.publications("c") for client in clients], [[f"for {client.id}"] for client in clients])

    def test_options(self) -> None:
        """
        C{allow(options={"useCache": True})} is accepted; what is sent is the same.
        """
        client, _ = self.connect()
        client.subscribe("c")
        self.decide("outbound", lambda action: action.allow(options={"useCache": True}))
        client.publish("c", 1)
        self.assertEqual(client.publications("c"), [1])

    def test_cached(self) -> None:
        """
        With C{useCache}, what was published is sent, whatever else the function says: as in the reference, it is encoded
        already.
        """
        client, _ = self.connect()
        client.subscribe("c")
        self.decide("outbound", lambda action: action.allow("other", {"useCache": action.data != "one"}))
        for data in ("one", "two", {"three": 3}):
            client.publish("c", data)
        self.assertEqual(client.publications("c"), ["other", "two", {"three": 3}])

    def test_encodedOnce(self) -> None:
        """
        What cannot be changed, and was not replaced, is encoded once for everybody, as without middleware; what was
        changed in place is sent to its recipient so, and to nobody else.
        """
        clients = [self.connect() for _ in range(3)]
        for client, _ in clients:
            client.subscribe("c")
        first = clients[0][1]

        def change(action: Any) -> None:
            if action.socket is first and isinstance(action.data, list):
                action.data.append("changed")
            action.allow()

        self.decide("outbound", change)
        encoded = []
        send = AGServerSocket.sendObject

        def sendObject(socket: AGServerSocket, packet: Any) -> bool:
            encoded.append(packet.get("event"))
            return send(socket, packet)

        self.patch(AGServerSocket, "sendObject", sendObject)
        clients[0][0].publish("c", "text")
        self.assertEqual(encoded.count("#publish"), 0)
        clients[0][0].publish("c", ["list"])
        self.assertEqual(encoded.count("#publish"), 3)
        got = [client.publications("c") for client, _ in clients]
        self.assertEqual(got, [["text", ["list", "changed"]]] + [["text", ["list"]]] * 2)

    def test_absent(self) -> None:
        """
        A publication without data comes without data, unless the function gives it some.
        """
        client, _ = self.connect()
        client.subscribe("c")
        decisions: list[tuple[Any, ...]] = [(), (5,)]
        self.decide("outbound", lambda action: action.allow(*decisions.pop(0)))
        for expected in ({"channel": "c"}, {"channel": "c", "data": 5}):
            client.takePackets()
            client.send({"event": "#publish", "data": {"channel": "c"}})
            self.settle()
            self.assertEqual([packet["data"] for packet in client.takePackets()], [expected])

    def test_transmitted(self) -> None:
        """
        A publication that the application itself transmits to one socket passes the line as well; the application's own
        data stays as it is.
        """
        client, socket = self.connect()

        def decide(action: AGAction) -> None:
            if action.data == "block":
                action.block()
            elif isinstance(action.data, list):
                action.data.append("seen")
                action.allow()
            else:
                action.allow(*() if action.data is None else ("replaced",))

        self.decide("outbound", decide)
        own = ["own"]
        for data in ({"channel": "c", "data": own}, {"channel": "c", "data": "block"}, {"channel": "c", "data": 1}, "odd"):
            socket.transmit("#publish", data)
            self.settle()
        self.assertEqual(own, ["own"])
        sent = [packet["data"] for packet in client.takePackets() if packet.get("event") == "#publish"]
        self.assertEqual(sent, [{"channel": "c", "data": ["own", "seen"]}, {"channel": "c", "data": "replaced"}, {}])

    def test_removed(self) -> None:
        """
        What has queued behind a publication that the function holds is sent without it, once the function is gone.
        """
        client, _ = self.connect()
        client.subscribe("c")
        gate = self.hold("outbound")
        for number in (1, 2, 3):
            client.publish("c", number)
        self.assertEqual((len(gate.actions), client.publications("c")), (1, []))
        self.server.removeMiddleware("outbound")
        gate.actions.pop().allow()
        self.settle()
        self.assertEqual(client.publications("c"), [1, 2, 3])

    def test_killed(self) -> None:
        """
        Once a socket's output is killed, a publication that waits for the function is not sent, nor what has queued.
        """
        for data in ("text", ["list"]):
            client, socket = self.connect()
            client.subscribe("c")
            gate = self.hold("outbound")
            client.publish("c", data)
            client.publish("c", data)
            socket.killOutput()
            gate.actions.pop().allow()
            self.settle()
            self.assertEqual(client.publications("c"), [])
            self.server.removeMiddleware("outbound")

    def test_closedOutput(self) -> None:
        """
        A socket whose output is closed gets no publications, with middleware or without.
        """
        for isAsked in (False, True):
            client, socket = self.connect()
            client.subscribe("c")
            if isAsked:
                self.decide("outbound", lambda action: action.allow())
            socket.closeOutput()
            self.server.exchange.transmitPublish("c", 1)
            self.settle()
            self.assertEqual(client.publications("c"), [])

    def test_order(self) -> None:
        """
        What is sent behind a publication that waits comes behind it, C{invoke} and C{transmit} alike; answers do not
        wait.
        """
        client, socket = self.connect()
        client.subscribe("c")
        gate = self.hold("outbound")
        client.takePackets()
        client.procedures["call"] = lambda data: data
        client.publish("c", 1)
        socket.transmit("x")
        answer = socket.invoke("call", 2)
        self.settle()
        self.assertEqual([packet.get("event") for packet in client.packets], [None])
        gate.actions.pop().allow()
        self.settle()
        self.assertEqual([packet.get("event") for packet in client.takePackets()], [None, "#publish", "x", "call"])
        self.assertEqual(self.successResultOf(answer), 2)

    def test_backpressure(self) -> None:
        """
        G125: While outbound middleware holds, the outbound back-pressure grows; it falls when that decides.
        """
        client, socket = self.connect()
        client.subscribe("c")
        gate = self.hold("outbound")
        for number in range(1, 4):
            self.server.exchange.transmitPublish("c", number)
            self.settle()
            self.assertEqual((socket.getOutboundBackpressure(), socket.getBackpressure()), (number, number))
        for expected in (2, 1, 0):
            gate.actions.pop().allow()
            self.settle()
            self.assertEqual(socket.getOutboundBackpressure(), expected)
        self.assertEqual(client.publications("c"), [1, 2, 3])

    def test_leavesMeanwhile(self) -> None:
        """
        A publication that is allowed for a client that has left is dropped without a word.
        """
        client, socket = self.connect()
        client.subscribe("c")
        gate = self.hold("outbound")
        self.server.exchange.transmitPublish("c", 1)
        self.settle()
        warnings = self.record(self.server, "warning")
        client.disconnect()
        gate.actions[0].allow()
        self.settle()
        self.assertEqual(warnings, [])


class StreamTests(MiddlewareTestCase):
    """
    What functions do that are not as they should be.
    """

    def test_fails(self) -> None:
        """
        A function that fails is logged; what it has not decided on, and all that follows, is blocked.
        """

        async def fail(stream: MiddlewareStream) -> None:
            async for _ in stream:
                raise ZeroDivisionError

        client, socket = self.connect()
        errors = self.record(socket, "error")
        self.server.setMiddleware("inbound", fail)
        for _ in range(2):
            error = self.failureResultOf(client.invoke("x"), InvalidActionError).value
            self.assertEqual(error.message, "The inbound middleware function has ended")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((client.state, names(errors)), ("open", ["error", "error"]))

    def test_ends(self) -> None:
        """
        So is everything once a function has returned.
        """

        async def first(stream: MiddlewareStream) -> None:
            async for action in stream:
                action.allow()
                return

        client, socket = self.connect()
        received = self.values(socket.receiver("x"))
        self.server.setMiddleware("inbound", first)
        client.transmit("x", 1)
        self.failureResultOf(client.invoke("x"), InvalidActionError)
        self.assertEqual(received, [1])

    def test_plainFunction(self) -> None:
        """
        A function need not be a coroutine; one that fails at once blocks everything.
        """

        def fail(stream: MiddlewareStream) -> None:
            raise ZeroDivisionError

        self.server.setMiddleware("inbound", fail)
        client, _ = self.connect()
        self.failureResultOf(client.invoke("x"), InvalidActionError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_late(self) -> None:
        """
        A function that begins to read late finds the actions that wait.
        """
        streams: list[MiddlewareStream] = []

        async def late(stream: MiddlewareStream) -> None:
            streams.append(stream)
            await started
            async for action in stream:
                action.allow()

        started: Deferred[None] = Deferred()
        client, socket = self.connect()
        received = self.values(socket.receiver("x"))
        self.server.setMiddleware("inbound", late)
        client.transmit("x", 1)
        self.assertEqual(received, [])
        started.callback(None)
        self.settle()
        self.assertEqual(received, [1])

    def test_decidedBehindTheLoop(self) -> None:
        """
        A function may decide on an action after it has read the next one, or just before it ends.
        """
        held: list[AGAction] = []

        async def last(stream: MiddlewareStream) -> None:
            async for action in stream:
                held.append(action)
                break
            held[0].allow()

        client, socket = self.connect()
        received = self.values(socket.receiver("x"))
        self.server.setMiddleware("inbound", last)
        client.transmit("x", 1)
        self.assertEqual(received, [1])

    def test_close(self) -> None:
        """
        Closing a socket's middleware streams ends the loops behind what they have; killing ends them at once.
        """
        ended: list[str] = []

        async def middleware(stream: MiddlewareStream) -> None:
            async for action in stream:
                action.allow()
            ended.append(str(stream.type))

        for line in ("inboundRaw", "inbound", "outbound"):
            self.server.setMiddleware(line, middleware)
        client, socket = self.connect()
        other, otherSocket = self.connect()
        socket.closeAllMiddlewares()
        otherSocket.killAllMiddlewares()
        self.settle()
        self.assertEqual(sorted(ended), sorted(["inboundRaw", "inbound", "outbound"] * 2))
        for each in (socket, otherSocket):
            self.assertEqual(
                [each.middlewareInboundRawStream.type, each.middlewareInboundStream.type], ["inboundRaw", "inbound"]
            )
            self.assertEqual(
                [each.middlewareOutboundStream.type, each.middlewareHandshakeStream.type], ["outbound", "handshake"]
            )
        _, third = self.connect(self.makeServer())
        third.closeAllMiddlewares()
        third.killAllMiddlewares()
