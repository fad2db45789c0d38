"""
Tests of L{agtwisted.v14.serversocket}: what a socket tells and does.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import SCServerSocket
from agtwisted.errors import AuthError, InvalidActionError
from tests.v14.support import Setting


class SocketTestCase(SynchronousTestCase):
    """
    A connected client and its socket.
    """

    #: Whether somebody listens to C{message}.
    hearsMessages = True

    def setUp(self) -> None:
        """
        Connect.
        """
        self.setting = Setting(self.hearsMessages, pubSubBatchDuration=100)
        self.client = self.setting.connect()
        [self.socket] = self.setting.sockets
        self.client.takePackets()
        self.setting.events.clear()
        self.called: list[tuple[Any, ...]] = []

    def callback(self, *arguments: Any) -> None:
        """
        Remember what it is called with.
        """
        self.called.append(arguments)


class StateTests(SocketTestCase):
    """
    What is known of a socket.
    """

    def test_states(self) -> None:
        """
        The states have their names, and a socket goes through them; C{active} ends with C{destroy}.
        """
        names = [getattr(SCServerSocket, name) for name in "CONNECTING OPEN CLOSED AUTHENTICATED UNAUTHENTICATED".split()]
        self.assertEqual(names, ["connecting", "open", "closed", "authenticated", "unauthenticated"])
        self.assertEqual((self.socket.state, self.socket.getState(), self.socket.active), ("open", "open", True))
        self.assertEqual((self.socket.authState, self.socket.authToken), ("unauthenticated", None))
        self.socket.destroy(4100, "for good")
        self.assertEqual((self.socket.state, self.socket.active), ("closed", False))
        self.assertEqual((self.client.closeCode, self.setting.server.clientsCount), (4100, 0))
        self.assertEqual(self.client.packets, [{"event": "#disconnect", "data": {"code": 4100, "data": "for good"}}])

    def test_whereFrom(self) -> None:
        """
        The client's address and request are known.
        """
        socket = self.socket
        self.assertEqual((socket.remoteAddress, socket.remotePort, socket.remoteFamily), ("127.0.0.1", 50000, "IPv4"))
        self.assertEqual((socket.request.url, socket.protocolVersion), ("/socketcluster/", 1))
        self.assertGreater(socket.getBytesReceived(), 20)


class EventTests(SocketTestCase):
    """
    What the client emits.
    """

    def test_respond(self) -> None:
        """
        A function answers with an error, with data, or with both, once.
        """
        responds: list[Any] = []
        self.socket.on("call", lambda data, respond: responds.append(respond))
        answers = [self.client.invoke("call", n) for n in range(3)]
        responds[0](None, {"a": 1})
        responds[1](AuthError("no"))
        responds[2](AuthError("half"), [1])
        self.client.settle()
        self.assertEqual(self.successResultOf(answers[0]), {"a": 1})
        self.assertEqual(self.failureResultOf(answers[1]).value.name, "AuthError")
        self.failureResultOf(answers[2])
        self.assertEqual(self.client.packets[-1]["data"], [1])
        error = self.assertRaises(InvalidActionError, responds[0], None, 2)
        self.assertEqual(error.message, f"Response {responds[0].id} has already been sent")

    def test_nobodyAsked(self) -> None:
        """
        Where no answer is wanted, answering does nothing, however often.
        """
        self.socket.on("tell", lambda data, respond: (respond(), respond("error")))
        self.client.transmit("tell", 1)
        self.assertEqual(self.client.takePackets(), [])

    def test_callIds(self) -> None:
        """
        A call id need not be a number; what is false in JavaScript is none.
        """
        self.socket.on("echo", lambda data, respond: respond(None, data))
        for callId in ("abc", 1.5, True, 0, "", None, False):
            self.client.send({"event": "echo", "data": 1, "cid": callId})
        self.assertEqual([packet["rid"] for packet in self.client.takePackets()], ["abc", 1.5, True])

    def test_missingData(self) -> None:
        """
        Missing data reads as C{None}.
        """
        self.socket.on("tell", self.callback)
        self.client.send({"event": "tell"})
        self.assertEqual(self.called[0][0], None)

    def test_localEvents(self) -> None:
        """
        A client cannot emit the socket's own events.
        """
        for name in ("connect", "disconnect", "error", "message", "authenticate"):
            self.client.transmit(name, "forged")
        self.assertEqual(set(self.setting.names()), {"socket.message"} if self.hearsMessages else set())

    def test_messageAndRaw(self) -> None:
        """
        C{message} tells every message, C{raw} those that are no packets.
        """
        self.client.send("just text", b"\x01", '{"event":"x"}')
        told = [(name, arguments[0]) for name, arguments in self.setting.events]
        expected = [
            ("socket.message", "just text"),
            ("socket.raw", "just text"),
            ("socket.message", b"\x01"),
            ("socket.raw", b"\x01"),
            ("socket.message", '{"event":"x"}'),
        ]
        self.assertEqual(told, [each for each in expected if self.hearsMessages or each[0] != "socket.message"])

    def test_streams(self) -> None:
        """
        Whoever consumes the stream of an event gets it behind the functions that wait for it: C{message} and the client's
        own events as well.
        """
        message = self.socket.listener("message").once()
        told = self.socket.listener("tell").once()
        self.socket.on("tell", lambda data: self.called.append((data, told.called)))
        self.client.send('{"event":"tell","data":1}')
        self.client.settle()
        self.assertEqual(self.called, [(1, False)])
        self.assertEqual(self.successResultOf(message).message, '{"event":"tell","data":1}')
        self.successResultOf(told)

    def test_whoHears(self) -> None:
        """
        Functions get as many arguments as they take; one that waits for a single event hears no other; the exception of one
        is logged, the others hear of the event all the same; what coroutines do is awaited by nobody.
        """
        answers: list[Any] = []

        async def later(data: Any, respond: Any) -> None:
            respond(None, data)

        self.socket.on("call", lambda: self.called.append(()))
        self.socket.once("call", lambda data, respond: self.called.append(("once", data)))
        self.socket.on("call", lambda data, respond: 1 / 0)
        self.socket.on("call", later)
        self.socket.on("call", lambda data: self.called.append((data,)))
        for n in range(2):
            self.client.invoke("call", n).addCallback(answers.append)
        self.client.settle()
        self.assertEqual(self.called, [(), ("once", 0), (0,), (), (1,)])
        self.assertEqual(answers, [0, 1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_middlewareComesAndGoes(self) -> None:
        """
        Middleware sees what comes from the moment it is added until it is removed.
        """
        server = self.setting.server

        def judge(request: Any, next: Any) -> None:
            self.called.append(("judged", request.data))
            next()

        self.socket.on("tell", lambda data: self.called.append((data,)))
        self.client.transmit("tell", 1)
        server.addMiddleware(server.MIDDLEWARE_EMIT, judge)
        self.client.transmit("tell", 2)
        server.removeMiddleware(server.MIDDLEWARE_EMIT, judge)
        self.client.transmit("tell", 3)
        self.assertEqual(self.called, [(1,), ("judged", 2), (2,), (3,)])

    def test_messagesThatCannotBe(self) -> None:
        """
        What is not UTF-8 ends the connection, and so does a batch that is too long or something that is nested too deeply.
        """
        self.setting.server.options.maxBatchLength = 2
        codes = []
        for message in (b'{"event":"\xff"}', b"[1,2,3]", b"[" * 2000 + b"]" * 2000):
            client = self.setting.connect()
            self.setting.sockets[-1].messageReceived(message, False)
            codes.append(client.closeCode)
        self.assertEqual(codes, [1007, 1008, 1008])

    def test_inputIsClosed(self) -> None:
        """
        Nothing is heard of what comes once the input is closed.
        """
        self.socket.on("tell", self.callback)
        self.socket.closeInput()
        self.client.transmit("tell", 1)
        self.assertEqual((self.called, self.setting.events), ([], []))

    def test_batches(self) -> None:
        """
        Each packet of a batch is one, until the connection is closed.
        """
        self.socket.on("note", lambda data: self.callback(data))
        self.client.send(
            [{"event": "note", "data": 1}, {"event": "#disconnect", "data": {"code": 1000}}, {"event": "note", "data": 2}]
        )
        self.assertEqual(self.called, [(1,)])

    def test_batchedAnswers(self) -> None:
        """
        Answers to subscriptions that ask for batches travel together after C{pubSubBatchDuration}.
        """
        for name in ("a", "b"):
            self.client.invoke("#subscribe", {"channel": name, "batch": True})
        self.assertEqual(self.client.takePackets(), [])
        self.setting.clock.advance(0.1)
        self.assertEqual([[each["rid"] for each in batch] for batch in self.client.takePackets()], [[2, 3]])

    def test_batchedAnswersOfTheGone(self) -> None:
        """
        Answers that wait when the connection goes are forgotten.
        """
        self.client.invoke("#subscribe", {"channel": "a", "batch": True}).addErrback(lambda _: None)
        self.client.disconnect()
        self.assertEqual([call for call in self.setting.clock.getDelayedCalls() if call.active()], [])

    def test_oncePerHandshake(self) -> None:
        """
        Only the first handshake counts.
        """
        answer = self.client.invoke("#handshake", {})
        self.assertNoResult(answer)
        self.assertEqual(self.setting.server.clientsCount, 1)


class UnheardMessagesTests(EventTests):
    """
    The same where nobody listens to the messages themselves, which then take fewer steps.
    """

    hearsMessages = False


class EmitTests(SocketTestCase):
    """
    What is emitted to the client.
    """

    def test_emit(self) -> None:
        """
        Data may be left out, which is something else than C{None}.
        """
        self.socket.emit("one")
        self.socket.emit("two", None)
        self.socket.emit("three", {"a": 1})
        self.assertEqual(
            self.client.takePackets(),
            [{"event": "one"}, {"event": "two", "data": None}, {"event": "three", "data": {"a": 1}}],
        )

    def test_callback(self) -> None:
        """
        A callback gets the answer's error or data.
        """
        self.client.procedures["add"] = lambda data: data[0] + data[1]
        self.client.procedures["refuse"] = lambda data: 1 / 0
        self.socket.emit("add", [2, 3], self.callback)
        self.socket.emit("refuse", None, self.callback)
        self.client.settle()
        self.assertEqual(self.called[0], (None, 5))
        self.assertEqual(self.called[1][0].name, "ZeroDivisionError")

    def test_timeout(self) -> None:
        """
        A callback gets an error when no answer comes in time, and nothing more when it comes late.
        """
        late: Deferred[int] = Deferred()
        self.client.procedures["slow"] = lambda data: late
        self.socket.emit("slow", 1, self.callback)
        self.client.settle()
        self.setting.clock.advance(10.1)
        late.callback(5)
        self.client.settle()
        [(error, _)] = self.called
        self.assertEqual((error.name, error.message), ("TimeoutError", "Event response for 'slow' timed out"))

    def test_connectionGoes(self) -> None:
        """
        A callback gets an error when the connection goes, and at once when it has gone.
        """
        self.socket.emit("slow", 1, self.callback)
        self.client.settle()
        self.client.disconnect()
        self.socket.emit("more", 1, self.callback)
        self.socket.emit("more", 1)
        self.assertEqual([error.name for error, _ in self.called], ["BadConnectionError"] * 2)

    def test_reservedNames(self) -> None:
        """
        The socket's own events cannot be sent; C{error} is emitted here.
        """
        self.socket.emit("message", 1)
        self.socket.emit("error", "home-made")
        first, second = (arguments[0] for name, arguments in self.setting.events if name == "socket.error")
        self.assertEqual(first.message, 'The "message" event is reserved and cannot be emitted on a server socket')
        self.assertEqual((second, self.client.takePackets()), ("home-made", []))
        self.assertEqual(self.setting.names(), ["warning", "socket.error"] * 2)

    def test_send(self) -> None:
        """
        C{send} sends a message as it is, C{useCache} one that was encoded before; through a closed connection nothing.
        """
        self.socket.send("just text")
        self.socket.emit("x", 1, None, {"useCache": True, "stringifiedData": '{"event":"y"}'})
        self.assertEqual(self.client.takePackets(), ["just text", {"event": "y"}])
        self.client.disconnect()
        self.setting.events.clear()
        self.socket.send("too late")
        self.assertEqual(self.setting.events, [])


class ChannelTests(SocketTestCase):
    """
    The channels of a socket.
    """

    def test_subscriptions(self) -> None:
        """
        A channel is subscribed to by its name alone or in an object; the socket knows its channels.
        """
        self.client.invoke("#subscribe", "a")
        self.client.subscribe("b")
        self.assertEqual((self.socket.subscriptions(), self.socket.channelSubscriptionsCount), (["a", "b"], 2))
        self.assertEqual((self.socket.isSubscribed("a"), self.socket.isSubscribed("c")), (True, False))
        self.assertEqual(list(self.socket.channelSubscriptions), ["a", "b"])
        self.assertEqual(self.setting.names("socket.subscribe", "subscription"), ["socket.subscribe", "subscription"] * 2)

    def test_kickOut(self) -> None:
        """
        C{kickOut} takes the client out of one channel, several or all, tells it, and calls back.
        """
        for name in "abcd":
            self.client.subscribe(name)
        self.client.takePackets()
        self.socket.kickOut("a", "go", self.callback)
        self.socket.kickOut(["b"], callback=self.callback)
        self.socket.kickOut(message="all", callback=self.callback)
        self.socket.kickOut(callback=self.callback)
        told = [packet["data"] for packet in self.client.takePackets()]
        self.assertEqual(
            told,
            [
                {"message": "go", "channel": "a"},
                {"channel": "b"},
                {"message": "all", "channel": "c"},
                {"message": "all", "channel": "d"},
            ],
        )
        self.assertEqual((self.called, self.socket.channelSubscriptionsCount), ([(None,)] * 4, 0))
        self.setting.server.exchange.publish("c", 1)
        self.assertEqual(self.client.takePackets(), [])

    def test_brokerFails(self) -> None:
        """
        A subscription that the broker refuses leaves no trace.
        """
        self.setting.server.brokerEngine.subscribeSocket = lambda socket, channel, callback: callback(AuthError("full"))
        error = self.failureResultOf(self.client.subscribe("a")).value
        self.assertEqual(error.message, "Failed to subscribe socket to the a channel - AuthError: full")
        self.assertEqual((self.socket.subscriptions(), self.setting.names("subscription")), ([], []))


class AuthenticationTests(SocketTestCase):
    """
    Tokens.
    """

    def test_setAuthToken(self) -> None:
        """
        The token is signed and sent first, then told; the callback comes when the client confirms.
        """
        self.socket.setAuthToken({"username": "ann"}, {"expiresIn": 60}, self.callback)
        self.assertEqual(self.socket.authToken["exp"] - self.socket.authToken["iat"], 60)
        self.assertEqual(
            self.setting.names(),
            [
                "socket.authTokenSigned",
                "socket.authStateChange",
                "authenticationStateChange",
                "socket.authenticate",
                "authentication",
            ],
        )
        self.assertEqual(self.setting.arguments("socket.authTokenSigned"), (self.socket.signedAuthToken,))
        self.assertEqual(self.called, [])
        self.client.settle()
        self.assertEqual((self.called, self.client.signedAuthToken), ([(None, None)], self.socket.signedAuthToken))

    def test_deauthenticate(self) -> None:
        """
        C{deauthenticate} tells the client, C{deauthenticateSelf} does not.
        """
        self.socket.setAuthToken({"username": "ann"})
        self.client.takePackets()
        self.socket.deauthenticate(self.callback)
        self.client.settle()
        self.assertEqual((self.called, self.client.isAuthenticated), ([(None, None)], False))
        self.client.takePackets()
        self.socket.deauthenticateSelf()
        self.assertEqual(self.client.takePackets(), [])

    def test_algorithm(self) -> None:
        """
        The algorithm is not chosen for a single token.
        """
        self.socket.setAuthToken({"username": "ann"}, {"algorithm": "none"})
        self.assertEqual(self.setting.arguments("socket.error")[0].name, "InvalidArgumentsError")
        self.assertTrue(self.socket.signedAuthToken)

    def test_signingFails(self) -> None:
        """
        When the token cannot be signed the connection is closed with 4002, the callback told, and nobody authenticated.
        """
        self.socket.setAuthToken({"iss": "a"}, {"issuer": "b"}, self.callback)
        self.client.settle()
        self.assertEqual((self.client.closeCode, self.socket.authState), (4002, "unauthenticated"))
        self.assertEqual(len(self.called), 1)
        self.assertEqual(self.setting.names("authentication", "socket.authenticate"), [])
        self.assertEqual(self.setting.arguments("closure")[1], 4002)

    def test_slowEngine(self) -> None:
        """
        An engine may take its time to sign: the client is authenticated at once and gets its token later.
        """
        signed: Deferred[str] = Deferred()

        class Engine:
            def signToken(self, *arguments: Any, **options: Any) -> Any:
                return signed

        self.setting.server.setAuthEngine(Engine())
        self.socket.setAuthToken({"username": "ann"})
        self.assertEqual(self.setting.names("authentication", "socket.authTokenSigned"), ["authentication"])
        signed.callback("a.b.c")
        self.assertEqual(self.client.takePackets(), [{"event": "#setAuthToken", "data": {"token": "a.b.c"}}])

    def test_authenticate(self) -> None:
        """
        The answer to C{#authenticate} carries the state, with the error as well when the token is bad.
        """
        self.socket.setAuthToken({"username": "ann"})
        self.assertEqual(
            self.successResultOf(self.client.authenticate(self.socket.signedAuthToken)),
            {"isAuthenticated": True, "authError": None},
        )
        self.client.takePackets()
        self.failureResultOf(self.client.authenticate("a.b.c"))
        removal, answer = self.client.takePackets()[:2]
        error = {"message": "invalid token", "name": "AuthTokenInvalidError"}
        self.assertEqual(removal, {"event": "#removeAuthToken", "data": None})
        self.assertEqual((answer["error"], answer["data"]), (error, {"isAuthenticated": False, "authError": error}))

    def test_setInHandshake(self) -> None:
        """
        A token set by handshake middleware counts.
        """
        setting = Setting()

        def function(request: Any, next: Any) -> None:
            request.socket.setAuthToken({"username": "ann"})
            next()

        setting.server.addMiddleware("handshakeSC", function)
        setting.connect()
        self.assertTrue(setting.arguments("connection")[1].isAuthenticated)

    def test_expiryAtPong(self) -> None:
        """
        A token that has expired is noticed at the next pong.
        """
        self.socket.setAuthToken({"username": "ann", "exp": 1000})
        self.client.send("#2")
        self.assertEqual(self.socket.authState, "unauthenticated")


class EndTests(SocketTestCase):
    """
    How connections end.
    """

    def test_disconnect(self) -> None:
        """
        The client is told why before the connection is closed; the state is closed at once.
        """
        self.socket.disconnect(4100, {"why": 1})
        self.assertEqual(self.socket.state, "closed")
        self.assertEqual(self.client.packets, [{"event": "#disconnect", "data": {"code": 4100, "data": {"why": 1}}}])
        self.assertEqual((self.client.closeCode, self.client.closeReason), (4100, None))
        self.assertEqual(self.setting.arguments("socket.close"), (4100, {"why": 1}))
        self.assertIn('reason: {"why":1}', self.setting.arguments("warning")[0].message)

    def test_codesThatAreNone(self) -> None:
        """
        A code that cannot be sent is an error, and 1000 is sent in its place.
        """
        for code in ("4000", 5, 1006, True):
            setting = Setting()
            client = setting.connect()
            setting.sockets[0].disconnect(code)
            self.assertEqual(client.closeCode, 1000)
            self.assertEqual(setting.arguments("socket.error")[0].name, "InvalidArgumentsError")

    def test_clientAnnounces(self) -> None:
        """
        C{#disconnect} of the client closes, with its code and its reason; hostile codes close with 1000.
        """
        for code, answered in ((4444, 4444), (None, 1000), ("x", 1000), (7, 1000), ([], 1000), (1e400, 1000)):
            setting = Setting()
            client = setting.connect()
            client.transmit("#disconnect", {"code": code, "data": "bye"})
            self.assertEqual(client.closeCode, answered)
            self.assertEqual(setting.arguments("socket.disconnect")[1], "bye")

    def test_terminate(self) -> None:
        """
        C{terminate} just drops the connection.
        """
        self.socket.terminate()
        self.client.settle()
        self.assertEqual(self.setting.arguments("disconnection")[1:], (1006, ""))

    def test_silence(self) -> None:
        """
        A silent client is closed with 4001, without an announcement.
        """
        self.client.answersPings = False
        self.setting.clock.advance(8.1)
        self.assertEqual(self.client.pingCount, 1)
        self.setting.clock.advance(12.1)
        self.assertEqual((self.client.closeCode, self.client.packets), (4001, []))
        self.assertEqual(self.setting.arguments("closure")[1:], (4001, None))

    def test_noHandshake(self) -> None:
        """
        Who does not shake hands is closed with 4005, who says something else before with 4009.
        """
        client, other = (self.setting.connect(handshake=False) for _ in range(2))
        other.send({"event": "#subscribe", "data": "a", "cid": 1})
        self.setting.clock.advance(10.1)
        self.assertEqual((client.closeCode, other.closeCode), (4005, 4009))
        self.assertEqual(client.packets, [{"event": "#disconnect", "data": {"code": 4005}}])

    def test_exceptions(self) -> None:
        """
        What an application does wrong in a function hurts neither the connection nor other functions.
        """
        self.socket.on("call", lambda data, respond: 1 / 0)
        self.socket.on("call", lambda data, respond: respond(None, "fine"))
        self.assertEqual(self.successResultOf(self.client.invoke("call")), "fine")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
