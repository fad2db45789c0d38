"""
Tests of L{agtwisted.server.authentication}.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.defer import Deferred

from agtwisted.errors import (
    AuthError,
    AuthTokenError,
    AuthTokenExpiredError,
    AuthTokenInvalidError,
    AuthTokenNotBeforeError,
    BadConnectionError,
    InvalidActionError,
    InvalidArgumentsError,
)
from agtwisted.server.authentication import NOBODY, Authentication, isExpired, tokenError
from agtwisted.server.middleware import AGAction
from agtwisted.testing import connect
from tests.server.support import Gate, ServerTestCase, decider, names

SOCKET_EVENTS = ("connect", "authStateChange", "authenticate", "deauthenticate", "badAuthToken", "authTokenSigned")
SERVER_EVENTS = (
    "connection",
    "authenticationStateChange",
    "authentication",
    "deauthentication",
    "badSocketAuthToken",
)


class SlowEngine:
    """
    An auth engine that takes its time.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[Any, Any, dict[str, Any]]] = []
        self.answer: Deferred[Any] = Deferred()

    def verifyToken(self, signedToken: Any, key: Any, **options: Any) -> Deferred[Any]:
        """
        @return: fires when the test wants it to.
        """
        self.calls.append((signedToken, key, options))
        return self.answer

    signToken = verifyToken


class HandshakeTokenTests(ServerTestCase):
    """
    Tokens that come with the handshake.
    """

    def test_valid(self) -> None:
        """
        C25, C26: A valid token makes the socket authenticated, in the status as well; it can come again and again.
        """
        token = self.sign({"name": "bob"})
        for _ in range(2):
            client, socket = self.connect(authToken=token)
            self.assertTrue(client.packets[0]["data"]["isAuthenticated"])
            self.assertNotIn("authError", client.packets[0]["data"])
            self.assertEqual((socket.authState, socket.authToken["name"]), ("authenticated", "bob"))
            self.assertEqual((socket.signedAuthToken, socket.getAuthToken()), (token, socket.authToken))
            client.disconnect()

    def test_events(self) -> None:
        """
        C32, C33: C{authenticate} comes after C{connect}, so that who listens because of the connection gets it; the
        change of state comes once, on socket and server.
        """
        seen: list[Any] = []

        def listen(event: Any) -> None:
            for name in ("authStateChange", "authenticate"):
                self.collect(event.socket.listener(name), lambda event, name=name: seen.append((name, vars(event))))

        self.collect(self.server.listener("connection"), listen)
        serverSeen = self.record(self.server, *SERVER_EVENTS)
        _, socket = self.connect(authToken=self.sign({"name": "bob"}))
        change = {"oldAuthState": "unauthenticated", "newAuthState": "authenticated", "authToken": socket.authToken}
        self.assertEqual(seen, [("authStateChange", change), ("authenticate", {"authToken": socket.authToken})])
        self.assertEqual(names(serverSeen), ["connection", "authenticationStateChange", "authentication"])
        self.assertEqual(vars(serverSeen[1][1]), {**change, "socket": socket})
        self.assertEqual(vars(serverSeen[2][1]), {"authToken": socket.authToken, "socket": socket})

    def test_otherKey(self) -> None:
        """
        C27, C28: A token of another key is an auth error of a connection that succeeds; the client is told to forget
        it.
        """
        seen = self.record(self.server, *SERVER_EVENTS, "warning")
        token = self.sign({"name": "bob"}, "other")
        client, socket = self.connect(authToken=token)
        self.assertIsInstance(client.authError, AuthTokenInvalidError)
        self.assertEqual((socket.authState, socket.authToken, socket.signedAuthToken), ("unauthenticated", None, None))
        self.assertEqual(client.packets[1], {"event": "#removeAuthToken"})
        self.assertIsNone(client.signedAuthToken)
        self.assertEqual(names(seen), ["warning", "badSocketAuthToken", "deauthentication", "connection"])
        self.assertEqual((seen[1][1].signedAuthToken, seen[1][1].authError.isBadToken), (token, True))

    def test_notActive(self) -> None:
        """
        A token whose time has not come is an auth error, and is not to be forgotten.
        """
        token = self.sign({"nbf": int(time.time()) + 1000})
        client, socket = self.connect(authToken=token)
        self.assertIsInstance(client.authError, AuthTokenNotBeforeError)
        self.assertEqual(len(client.packets), 1)
        self.assertEqual(socket.authState, "unauthenticated")

    def test_notText(self) -> None:
        """
        A token that is no text is an AuthTokenError.
        """
        client, _ = self.connect(authToken=5)
        self.assertIsInstance(client.authError, AuthTokenError)
        self.assertEqual(str(client.authError), "Invalid token format - Token must be a string")

    def test_engine(self) -> None:
        """
        C46: The engine gets token, key and options with the socket; it may be slow.
        """
        engine = SlowEngine()
        server = self.makeServer(authEngine=engine, authAlgorithm="HS384")
        client, socket = self.connect(server, authToken="token")
        self.assertEqual(engine.calls, [("token", "secret", {"algorithms": ["HS384"], "socket": socket})])
        self.assertEqual(client.state, "connecting")
        engine.answer.callback({"name": "bob"})
        self.settle()
        self.assertEqual((client.state, socket.authToken), ("open", {"name": "bob"}))


class AuthenticateTests(ServerTestCase):
    """
    Tokens that come over an open connection.
    """

    def test_valid(self) -> None:
        """
        C48: A valid token authenticates; the answer says so and has no error.
        """
        client, socket = self.connect()
        seen = self.record(socket, *SOCKET_EVENTS)
        token = self.sign({"name": "bob"})
        answer = self.successResultOf(client.authenticate(token))
        self.assertEqual(answer, {"isAuthenticated": True, "authError": None})
        self.assertEqual(names(seen), ["authStateChange", "authenticate"])
        self.assertEqual((socket.authToken["name"], socket.signedAuthToken), ("bob", token))

    def test_invalid(self) -> None:
        """
        C49: A bad token is answered with the error, the client told to forget it, and the socket is nobody, once.
        """
        client, socket = self.connect(authToken=self.sign({"name": "bob"}))
        seen = self.record(socket, *SOCKET_EVENTS)
        client.takePackets()
        error = self.failureResultOf(client.authenticate("rubbish"), AuthTokenInvalidError).value
        self.assertEqual(error.message, "jwt malformed")
        self.assertEqual([packet.get("event") for packet in client.takePackets()], [None, "#removeAuthToken"])
        self.assertEqual(names(seen), ["badAuthToken", "deauthenticate"])
        self.assertEqual((socket.authState, socket.authToken), ("unauthenticated", None))
        self.assertFalse(client.isAuthenticated)

    def test_notActive(self) -> None:
        """
        A token whose time has not come ends the call normally, with the error in the answer.
        """
        client, socket = self.connect()
        answer = self.successResultOf(client.authenticate(self.sign({"nbf": int(time.time()) + 1000})))
        self.assertFalse(answer["isAuthenticated"])
        self.assertEqual(answer["authError"]["name"], "AuthTokenNotBeforeError")
        self.assertEqual(len(client.packets), 2)

    def test_empty(self) -> None:
        """
        No token, or an empty one, is an error too; the client is told to forget what it has.
        """
        for data in ({}, {"data": None}, {"data": ""}):
            client, socket = self.connect()
            seen = self.record(socket, "badAuthToken", "error")
            client.takePackets()
            client.send({"event": "#authenticate", "cid": 9, **data})
            answer, removal = client.takePackets()
            self.assertEqual(
                (answer["rid"], answer["error"]["name"], answer["error"]["message"]),
                (9, "AuthTokenInvalidError", "jwt must be provided"),
            )
            self.assertEqual(removal, {"event": "#removeAuthToken"})
            self.assertEqual(bool(seen), data.get("data") == "", data)

    def test_otherUser(self) -> None:
        """
        C50: Another user's token changes the token and not the state.
        """
        client, socket = self.connect(authToken=self.sign({"name": "bob"}))
        seen = self.record(socket, *SOCKET_EVENTS)
        self.successResultOf(client.authenticate(self.sign({"name": "alice"})))
        self.assertEqual((names(seen), socket.authToken["name"]), (["authenticate"], "alice"))

    def test_withoutCallId(self) -> None:
        """
        C51: C{#authenticate} without a numeric call id is malformed: 4008, with an error on the socket.
        """
        client, socket = self.connect()
        errors = self.record(socket, "error")
        client.send({"event": "#authenticate", "data": "x"})
        self.assertEqual((client.closeCode, socket.state), (4008, "closed"))
        self.assertEqual(errors[0][1].error.message, "Authenticate request was malformatted")

    def test_leavesMeanwhile(self) -> None:
        """
        C53: A client that leaves while its token is verified fails with the connection; nothing is harmed.
        """
        client, socket = self.connect()
        engine = SlowEngine()
        self.server.setAuthEngine(engine)
        answer = client.authenticate("token")
        client.disconnect()
        self.failureResultOf(answer, BadConnectionError)
        engine.answer.errback(ValueError("no"))
        self.settle()
        self.assertEqual((socket.state, client.isAuthenticated), ("closed", False))

    def test_remove(self) -> None:
        """
        C34, C35, C36: A client drops its token: one change of state, then C{deauthenticate} with the very same token.
        """
        client, socket = self.connect(authToken=self.sign({"name": "bob"}))
        seen, serverSeen = self.record(socket, *SOCKET_EVENTS), self.record(self.server, *SERVER_EVENTS)
        token = socket.authToken
        client.deauthenticate()
        self.assertEqual(names(seen), ["authStateChange", "deauthenticate"])
        change = {"oldAuthState": "authenticated", "newAuthState": "unauthenticated"}
        self.assertEqual(vars(seen[0][1]), change)
        self.assertIs(seen[1][1].oldAuthToken, token)
        self.assertEqual(names(serverSeen), ["authenticationStateChange", "deauthentication"])
        self.assertEqual(vars(serverSeen[0][1]), {**change, "socket": socket})
        self.assertEqual(vars(serverSeen[1][1]), {"oldAuthToken": token, "socket": socket})
        self.assertEqual((socket.authToken, socket.signedAuthToken), (None, None))

    def test_removeNothing(self) -> None:
        """
        Dropping a token that one does not have changes no state; a call gets its answer from the application only.
        """
        client, socket = self.connect()
        seen = self.record(socket, *SOCKET_EVENTS)
        client.deauthenticate()
        self.assertEqual(names(seen), ["deauthenticate"])


class MiddlewareTests(ServerTestCase):
    """
    The action C{AUTHENTICATE}.
    """

    def use(self, middleware: Any) -> None:
        """
        Set it.
        """
        self.server.setMiddleware(self.server.MIDDLEWARE_INBOUND, middleware)

    def test_onlyWithToken(self) -> None:
        """
        F105, F106: It runs when there is a good token, with both its forms, and not when there is none or a bad one.
        """
        gate = Gate()
        self.use(gate)
        connect(self.server)
        connect(self.server, authToken="rubbish")
        self.assertEqual(gate.actions, [])
        token = self.sign({"name": "bob"})
        client, socket = self.connect(authToken=token)
        action = gate.actions[0]
        self.assertEqual((action.type, action.socket, action.request), ("authenticate", socket, socket.request))
        self.assertEqual((action.signedAuthToken, action.authToken["name"], action.data), (token, "bob", None))
        action.allow()
        self.settle()
        self.assertTrue(client.isAuthenticated)

    def block(self, isBadToken: bool) -> InvalidActionError:
        """
        Block every token.

        @return: the error.
        """
        error = InvalidActionError("Not you")
        error.isBadToken = isBadToken  # type: ignore[attr-defined]
        self.use(decider(lambda action: action.block(error), AGAction.AUTHENTICATE))
        return error

    def test_blockedAtHandshake(self) -> None:
        """
        C55: Blocking gives a connection that succeeds, not authenticated, with the error as auth error; the token is
        not to be forgotten unless the error says so.
        """
        error = self.block(isBadToken=False)
        warnings = self.record(self.server, "warning")
        client, socket = self.connect(authToken=self.sign({"name": "bob"}))
        status = client.packets[0]["data"]
        self.assertEqual((status["isAuthenticated"], status["authError"]["name"]), (False, "InvalidActionError"))
        self.assertEqual((client.state, len(client.packets)), ("open", 1))
        self.assertEqual([event.warning for _, event in warnings], [error])
        self.assertEqual((socket.authState, socket.authToken, socket.signedAuthToken), ("unauthenticated", None, None))

    def test_badTokenAtHandshake(self) -> None:
        """
        With C{isBadToken} the client is told to forget it, and the events say so.
        """
        self.block(isBadToken=True)
        seen = self.record(self.server, "badSocketAuthToken")
        client, _ = self.connect(authToken=self.sign({"name": "bob"}))
        self.assertEqual(client.packets[1], {"event": "#removeAuthToken"})
        self.assertEqual(len(seen), 1)

    def test_blocked(self) -> None:
        """
        C{#authenticate} that is blocked ends normally, with the error in the answer.
        """
        client, socket = self.connect()
        self.block(isBadToken=False)
        answer = self.successResultOf(client.authenticate(self.sign({})))
        self.assertEqual((answer["isAuthenticated"], answer["authError"]["message"]), (False, "Not you"))
        self.assertIs(socket.authentication, NOBODY)

    def test_badToken(self) -> None:
        """
        C{#authenticate} that is blocked with C{isBadToken} fails, and the client is told to forget the token.
        """
        client, socket = self.connect()
        self.block(isBadToken=True)
        self.failureResultOf(client.authenticate(self.sign({})), InvalidActionError)
        self.assertEqual(client.packets[-1], {"event": "#removeAuthToken"})

    def test_silently(self) -> None:
        """
        A silent block tells the client no more than that.
        """
        self.use(decider(lambda action: action.block(), AGAction.AUTHENTICATE))
        client, _ = self.connect(authToken=self.sign({}))
        self.assertEqual(client.packets[0]["data"]["authError"]["name"], "SilentMiddlewareBlockedError")


class SetAuthTokenTests(ServerTestCase):
    """
    C{socket.setAuthToken}.
    """

    def test_set(self) -> None:
        """
        C29, C42: The token is signed and sent, and the events come in order; C{authTokenSigned} finds it in place.
        """
        client, socket = self.connect()
        signed: list[Any] = []
        self.collect(socket.listener("authTokenSigned"), lambda event: signed.append(socket.signedAuthToken))
        seen, serverSeen = self.record(socket, *SOCKET_EVENTS), self.record(self.server, *SERVER_EVENTS)
        data = {"name": "bob"}
        self.successResultOf(socket.setAuthToken(data))
        self.settle()
        self.assertEqual(names(seen), ["authTokenSigned", "authStateChange", "authenticate"])
        self.assertEqual(names(serverSeen), ["authenticationStateChange", "authentication"])
        self.assertEqual((signed, seen[0][1].signedAuthToken), ([client.signedAuthToken], client.signedAuthToken))
        self.assertEqual((socket.authState, socket.authToken["name"], data), ("authenticated", "bob", {"name": "bob"}))
        verified = self.successResultOf(self.server.auth.verifyToken(client.signedAuthToken, "secret"))
        self.assertEqual(verified, socket.authToken)

    def test_order(self) -> None:
        """
        C30: The token reaches the client before the answer of the call that has set it.
        """

        async def login(socket: Any) -> None:
            async for request in socket.procedure("login"):
                await socket.setAuthToken({"name": "bob"})
                request.end()

        client, socket = self.connect()
        Deferred.fromCoroutine(login(socket))
        client.takePackets()
        client.invoke("login")
        self.assertEqual([packet.get("event") for packet in client.takePackets()], ["#setAuthToken", None])

    def test_switch(self) -> None:
        """
        C31: Another token switches the user: C{authenticate} again, and neither C{deauthenticate} nor a change of
        state.
        """
        client, socket = self.connect(authToken=self.sign({"name": "bob"}))
        seen = self.record(socket, *SOCKET_EVENTS)
        socket.setAuthToken({"name": "alice"})
        self.settle()
        self.assertEqual((names(seen), socket.authToken["name"]), (["authTokenSigned", "authenticate"], "alice"))

    def checkExpiry(self, expected: float, data: dict[str, Any], **options: Any) -> None:
        """
        Check how many seconds a token lives, exact to a second.
        """
        before = int(time.time())
        _, socket = self.connect()
        self.successResultOf(socket.setAuthToken(data, **options))
        self.assertTrue(before + expected <= socket.authToken["exp"] <= time.time() + expected, (data, options))

    def test_expiry(self) -> None:
        """
        C37, C38, C39, C40: C{expiresIn} sets C{exp}, an C{exp} in the data wins, the default is the option, and very
        distant times are possible.
        """
        now = int(time.time())
        self.checkExpiry(86400, {})
        self.checkExpiry(30, {}, expiresIn=30)
        self.checkExpiry(172800, {}, expiresIn="2 days")
        for expiry in (now + 50, 3600 * 24 * 365 * 5000):
            client, socket = self.connect()
            self.successResultOf(socket.setAuthToken({"exp": expiry}, expiresIn=30))
            self.settle()
            self.assertEqual(socket.authToken["exp"], expiry)
            self.assertTrue(connect(self.server, authToken=client.signedAuthToken).isAuthenticated)

    def test_algorithm(self) -> None:
        """
        The algorithm is the server's; one at run time is refused with an error and otherwise ignored.
        """
        server = self.makeServer(authAlgorithm="HS512")
        client, socket = self.connect(server)
        errors = self.record(socket, "error")
        self.successResultOf(socket.setAuthToken({}, algorithm="HS256"))
        self.settle()
        self.assertIsInstance(errors[0][1].error, InvalidArgumentsError)
        token = client.signedAuthToken
        self.assertTrue(connect(server, authToken=token).isAuthenticated)
        self.assertFalse(connect(self.makeServer(authAlgorithm="HS256"), authToken=token).isAuthenticated)

    def test_signingFails(self) -> None:
        """
        C41: When signing fails the Deferred does, errors are emitted, and the connection closes with 4002.
        """
        client, socket = self.connect()
        warnings = self.record(self.server, "warning")
        call = client.invoke("x")
        failure = self.failureResultOf(socket.setAuthToken({"iss": "a"}, issuer="b"))
        self.settle()
        self.assertEqual((client.closeCode, socket.state, client.signedAuthToken), (4002, "closed", None))
        self.failureResultOf(call, BadConnectionError)
        self.assertIs(warnings[0][1].warning, failure.value)
        self.assertEqual([event.warning.name for _, event in warnings][1:], ["SocketProtocolError"])

    def test_tooEarly(self) -> None:
        """
        C47: Before the handshake is complete it fails with InvalidActionError; the connection succeeds, nobody is
        authenticated.
        """
        outcomes: list[Any] = []

        async def middleware(stream: Any) -> None:
            async for action in stream:
                if action.type == action.HANDSHAKE_SC:
                    try:
                        await action.socket.setAuthToken({"name": "bob"})
                    except InvalidActionError as error:
                        outcomes.append(error.message)
                action.allow()

        self.server.setMiddleware(self.server.MIDDLEWARE_HANDSHAKE, middleware)
        seen = self.record(self.server, "authentication")
        client, _ = self.connect()
        self.assertEqual(outcomes, ["Cannot call setAuthToken before completing the handshake"])
        self.assertEqual((client.state, client.isAuthenticated, seen), ("open", False, []))

    def test_confirmed(self) -> None:
        """
        With C{rejectOnFailedDelivery} it waits for the client to confirm the token.
        """
        client, socket = self.connect()
        confirmation: Deferred[None] = Deferred()
        client.procedures["#setAuthToken"] = lambda data: confirmation
        done = socket.setAuthToken({}, rejectOnFailedDelivery=True)
        self.settle()
        self.assertNoResult(done)
        self.assertTrue(client.isAuthenticated)
        confirmation.callback(None)
        self.assertIsNone(self.successResultOf(done))

    def test_notConfirmed(self) -> None:
        """
        With C{rejectOnFailedDelivery} it fails with AuthError when the client does not confirm.
        """
        client, socket = self.connect()
        client.procedures["#setAuthToken"] = lambda data: 1 // 0
        done = socket.setAuthToken({}, rejectOnFailedDelivery=True)
        self.settle()
        error = self.failureResultOf(done, AuthError).value
        self.assertTrue(error.message.startswith("Failed to deliver auth token to client - "), error.message)

    def test_malformedRefusal(self) -> None:
        """
        A refusal by the client that is no error at all is an AuthError as well.
        """
        _, socket = self.connect()
        done = socket.setAuthToken({}, rejectOnFailedDelivery=True)

        class Strange(Exception):
            message = 5

        assert socket._calls is not None
        socket._calls.settle(1, Strange(), None)
        error = self.failureResultOf(done, AuthError).value
        self.assertIn("malformatted error response", error.message)

    def test_closedRejecting(self) -> None:
        """
        C43: On a socket that has just been closed it fails with AuthError; two warnings, first BadConnectionError.
        """
        _, socket = self.connect()
        warnings = self.record(self.server, "warning")
        socket.disconnect()
        done = socket.setAuthToken({}, rejectOnFailedDelivery=True)
        self.settle()
        self.failureResultOf(done, AuthError)
        self.assertEqual([event.warning.name for _, event in warnings], ["BadConnectionError", "AuthError"])

    def test_closed(self) -> None:
        """
        C44: Without that it does not fail; one warning, a BadConnectionError.
        """
        _, socket = self.connect()
        warnings = self.record(self.server, "warning")
        socket.disconnect()
        self.successResultOf(socket.setAuthToken({}))
        self.settle()
        self.assertEqual([event.warning.name for _, event in warnings], ["BadConnectionError"])

    def test_overtaken(self) -> None:
        """
        A token that was replaced while it was being signed does not come into force as signed.
        """
        client, socket = self.connect()
        engine = SlowEngine()
        self.server.setAuthEngine(engine)
        seen = self.record(socket, "authTokenSigned")
        done = socket.setAuthToken({"name": "bob"})
        self.assertEqual(socket.authToken, {"name": "bob"})
        socket.deauthenticateSelf()
        engine.answer.callback("signed")
        self.successResultOf(done)
        self.settle()
        self.assertEqual((seen, socket.signedAuthToken, socket.authToken), ([], None, None))


class DeauthenticateTests(ServerTestCase):
    """
    C{socket.deauthenticate} and expiry.
    """

    def test_deauthenticate(self) -> None:
        """
        The socket is nobody at once and the client is told.
        """
        client, socket = self.connect(authToken=self.sign({"name": "bob"}))
        self.successResultOf(socket.deauthenticate())
        self.assertEqual((socket.authState, socket.authToken), ("unauthenticated", None))
        self.settle()
        self.assertEqual((client.packets[-1], client.isAuthenticated), ({"event": "#removeAuthToken"}, False))

    def test_confirmed(self) -> None:
        """
        C45: With C{rejectOnFailedDelivery} it waits for the client, and fails with BadConnectionError if that leaves.
        """
        client, socket = self.connect()
        done = socket.deauthenticate(rejectOnFailedDelivery=True)
        self.settle()
        self.assertIsNone(self.successResultOf(done))
        client.procedures.clear()
        errors = self.record(socket, "error")
        done = socket.deauthenticate(rejectOnFailedDelivery=True)
        self.settle()
        client.disconnect()
        self.failureResultOf(done, BadConnectionError)
        self.assertEqual(names(errors), ["error"])

    def test_closed(self) -> None:
        """
        C45: Without it, a closed socket is no failure.
        """
        client, socket = self.connect()
        client.disconnect()
        self.assertIsNone(self.successResultOf(socket.deauthenticate()))

    def test_expiresOnPacket(self) -> None:
        """
        A token that has expired is enforced on the next packet: events, C{#removeAuthToken}, and then the packet.
        """
        client, socket = self.connect(authToken=self.sign({"name": "bob"}, expiresIn=10))
        received = self.values(socket.receiver("x"))
        seen = self.record(socket, *SOCKET_EVENTS)
        client.transmit("x", 1)
        self.moveWallClock(11)
        client.transmit("x", 2)
        self.assertEqual((received, names(seen)), ([1, 2], ["authStateChange", "deauthenticate"]))
        self.assertEqual(client.packets[-1], {"event": "#removeAuthToken"})
        self.assertIsNone(socket.authToken)

    def test_expiresOnPublication(self) -> None:
        """
        A publication is a packet.
        """
        client, socket = self.connect(authToken=self.sign({"name": "bob"}, expiresIn=10))
        seen = self.record(socket, *SOCKET_EVENTS)
        self.assertIsNone(self.successResultOf(client.publish("news", 1)))
        self.assertEqual(names(seen), [])
        self.moveWallClock(11)
        self.assertIsNone(self.successResultOf(client.publish("news", 2)))
        self.assertEqual(names(seen), ["authStateChange", "deauthenticate"])

    def test_expiresOnPong(self) -> None:
        """
        So it is at a pong.
        """
        client, socket = self.connect(authToken=self.sign({"name": "bob"}, expiresIn=10))
        client.send("")
        self.assertIsNotNone(socket.authToken)
        self.moveWallClock(11)
        client.send("")
        self.assertIsNone(socket.authToken)
        self.assertEqual(client.packets[-1], {"event": "#removeAuthToken"})

    def test_expiredForMiddleware(self) -> None:
        """
        Middleware gets to know that the token has expired just now.
        """
        gate = Gate(AGAction.TRANSMIT, AGAction.INVOKE)
        self.server.setMiddleware(self.server.MIDDLEWARE_INBOUND, gate)
        client, socket = self.connect(authToken=self.sign({"exp": int(time.time()) + 10}))
        client.transmit("x")
        gate.actions[0].allow()
        self.moveWallClock(11)
        client.transmit("x")
        self.assertEqual(gate.actions[0].authTokenExpiredError, None)
        error = gate.actions[1].authTokenExpiredError
        self.assertIsInstance(error, AuthTokenExpiredError)
        self.assertEqual(error.message, "The socket auth token has expired")

    def test_expiredNotForReserved(self) -> None:
        """
        C{#authenticate} and C{#removeAuthToken} do not count as use of a token.
        """
        client, socket = self.connect(authToken=self.sign({"name": "bob"}, expiresIn=10))
        self.moveWallClock(11)
        seen = self.record(socket, *SOCKET_EVENTS)
        self.successResultOf(client.authenticate(self.sign({"name": "alice"}, expiresIn=1000)))
        self.assertEqual(names(seen), ["authenticate"])

    def test_isExpired(self) -> None:
        """
        A token without an end, or with one that is no number, never expires.
        """
        now = time.time()
        for token, expected in (
            ({"exp": now - 1}, True),
            ({"exp": now + 100}, False),
            ({"exp": "0"}, False),
            ({}, False),
            (None, False),
            ("text", False),
        ):
            self.assertEqual(isExpired(token), expected, token)
        _, socket = self.connect()
        self.assertTrue(socket.isAuthTokenExpired({"exp": 0}))
        self.assertIsNone(Authentication("authenticated", "text").expiry)


class TokenErrorTests(ServerTestCase):
    """
    L{tokenError}.
    """

    def test_classes(self) -> None:
        """
        What an engine fails with becomes SocketCluster's class for it, by its name; all but one mean a bad token.
        """

        def failure(name: str) -> Exception:
            error = Exception("text")
            error.name = name  # type: ignore[attr-defined]
            return error

        for name, expected, isBad in (
            ("TokenExpiredError", AuthTokenExpiredError, True),
            ("JsonWebTokenError", AuthTokenInvalidError, True),
            ("NotBeforeError", AuthTokenNotBeforeError, False),
            ("Other", AuthTokenError, True),
        ):
            error = tokenError(failure(name))
            self.assertIs(type(error), expected)
            self.assertEqual((str(error), error.isBadToken), ("text", isBad))  # type: ignore[attr-defined]
