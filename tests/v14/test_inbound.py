"""
Tests of L{agtwisted.v14.inbound}, L{agtwisted.v14.subscriptions} and L{agtwisted.v14.text}: what clients send, right and
wrong.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agtwisted.errors import AuthError
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.v14.text import inText, isTrue
from tests.v14.support import Setting


class MalformedTests(SynchronousTestCase):
    """
    What is malformed is answered with an error and harms nobody.
    """

    def setUp(self) -> None:
        """
        Connect.
        """
        self.setting = Setting(socketChannelLimit=2)
        self.client = self.setting.connect()
        [self.socket] = self.setting.sockets

    def fails(self, event: str, data: Any = NO_DATA) -> Any:
        """
        @return: the error that a call fails with.
        """
        return self.failureResultOf(self.client.invoke(event, data)).value

    def test_subscribe(self) -> None:
        """
        A channel is a text; the error names what was given instead, as JavaScript would.
        """
        for data, name in (
            (None, "undefined"),
            (5, "undefined"),
            ([], "undefined"),
            ({}, "undefined"),
            ({"channel": None}, "null"),
            ({"channel": [1, None, "x"]}, "1,,x"),
            ({"channel": {}}, "[object Object]"),
            ({"channel": True}, "true"),
        ):
            error = self.fails("#subscribe", data)
            self.assertEqual(
                error.message,
                f"Failed to subscribe socket to the {name} channel - "
                f"Socket {self.socket.id} provided an invalid channel name",
            )
        self.assertEqual((error.name, self.socket.subscriptions()), ("BrokerError", []))

    def test_limit(self) -> None:
        """
        A socket has so many channels and no more.
        """
        for name in ("a", "b"):
            self.client.subscribe(name)
        self.assertIn("channel subscription limit of 2", self.fails("#subscribe", "c").message)
        self.assertEqual(self.socket.subscriptions(), ["a", "b"])

    def test_unsubscribe(self) -> None:
        """
        A channel is left by its name, and only if it is subscribed to; C{error} is told once.
        """
        self.assertIn("Failed to unsubscribe socket from the 1.5 channel", self.fails("#unsubscribe", 1.5).message)
        self.setting.events.clear()
        error = self.fails("#unsubscribe", "nowhere")
        self.assertIn("which it is not subscribed to", error.message)
        self.assertEqual((error.name, self.setting.names("socket.error")), ("BrokerError", ["socket.error"]))

    def test_publish(self) -> None:
        """
        A publication has a channel.
        """
        for data in (None, 5, "news", {}, {"channel": 5}):
            self.assertEqual(self.fails("#publish", data).name, "BrokerError")
        self.assertEqual(self.setting.names("warning"), ["warning"] * 5)

    def test_publishingIsOff(self) -> None:
        """
        Where clients may not publish they cannot.
        """
        self.setting.server.allowClientPublish = False
        error = self.fails("#publish", {"channel": "news"})
        self.assertEqual((error.name, error.message), ("InvalidActionError", "Client publish feature is disabled"))

    def test_namesThatAreNone(self) -> None:
        """
        A name that is no text is seen by middleware, which may block it, and heard by nobody.
        """
        self.client.takePackets()
        for name in (5, True, [], {}):
            self.client.send({"event": name, "cid": 9})
        self.assertEqual(self.client.takePackets(), [])
        self.setting.server.addMiddleware("emit", lambda request, next: next(AuthError("no")))
        self.client.send({"event": 5, "cid": 9})
        self.assertEqual(self.client.takePackets()[0]["error"]["name"], "AuthError")


class ReservedTests(SynchronousTestCase):
    """
    Events that begin with a number sign.
    """

    def test_others(self) -> None:
        """
        Those that nobody knows go to the application without middleware.
        """
        setting = Setting()
        setting.server.addMiddleware("emit", lambda request, next: next(AuthError("no")))
        client = setting.connect()
        setting.sockets[0].on("#own", lambda data, respond: respond(None, data))
        self.assertEqual(self.successResultOf(client.invoke("#own", 1)), 1)
        self.assertNoResult(client.invoke("#unknown", 1))

    def test_applicationHears(self) -> None:
        """
        The application may listen to the known ones as well, and hears them after they have been dealt with.
        """
        setting = Setting()
        client = setting.connect()
        heard: list[Any] = []
        [socket] = setting.sockets
        socket.on("#subscribe", lambda data: heard.append((data, socket.isSubscribed("news"))))
        for name in ("#publish", "#unsubscribe", "#removeAuthToken"):
            socket.on(name, lambda data, respond=None, name=name: heard.append((name, data)))
        client.subscribe("news")
        client.publish("news", 1)
        client.unsubscribe("news")
        client.deauthenticate()
        self.assertEqual(
            heard,
            [
                ({"channel": "news"}, True),
                ("#publish", {"channel": "news", "data": 1}),
                ("#unsubscribe", "news"),
                ("#removeAuthToken", None),
            ],
        )

    def test_disconnectInVersionTwo(self) -> None:
        """
        C{#disconnect} means nothing in version 2 of the protocol.
        """
        setting = Setting(protocolVersion=2)
        client = setting.connect()
        client.transmit("#disconnect", {"code": 4444})
        self.assertEqual(client.state, "open")

    def test_beforeTheHandshake(self) -> None:
        """
        Where that is tolerated, subscribing before the handshake fails, and the handshake still succeeds.
        """
        setting = Setting(strictHandshake=False)
        client = setting.connect(handshake=False)
        error = self.failureResultOf(client.invoke("#subscribe", "a")).value
        self.assertEqual(error.name, "InvalidActionError")
        client.handshake()
        self.assertEqual((client.state, setting.names("subscription")), ("open", []))


class TextTests(SynchronousTestCase):
    """
    Values as JavaScript sees them.
    """

    def test_inText(self) -> None:
        """
        Values stand in texts as JavaScript writes them.
        """
        values = ("x", NO_DATA, None, True, False, 1.0, 1.5, 7, [1, [2, None]], {"a": 1}, AuthError("m"))
        self.assertEqual(
            [inText(value) for value in values],
            ["x", "undefined", "null", "true", "false", "1", "1.5", "7", "1,2,", "[object Object]", "AuthError: m"],
        )

    def test_isTrue(self) -> None:
        """
        Lists, objects and errors are true, empty or not.
        """
        self.assertTrue(all(isTrue(value) for value in (1, "x", [], {}, True, AuthError(""))))
        self.assertFalse(any(isTrue(value) for value in (0, "", None, NO_DATA, False)))
