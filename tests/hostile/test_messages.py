"""
Messages of every wrong form, at every stage of a connection.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agtwisted import AGServer
from agtwisted.testing import FakeClient

from .support import NAMES, HostileTestCase
from .values import EVENTS, events, packets, rubbish, texts


def encoded(value: Any) -> bytes:
    """
    @return: a value as JSON, lone surrogates as escapes.
    """
    return json.dumps(value).encode()


class MessageTests(HostileTestCase):
    """
    One message at a time: each has an answer, an error or a close code, and never costs more than its connection.
    """

    def play(self, messages: Iterable[bytes], server: AGServer, join: Callable[[], FakeClient]) -> None:
        """
        Send messages one after the other, with a new connection whenever one has been closed.
        """
        client = join()
        for message in messages:
            self.message(client, message)
            if client.state == "closed":
                self.assertIn(client.closeCode, (4008, 4009, 1002, 1007, 1008, 1009), message[:200])
                client = join()
        client.disconnect()
        self.assertServes(server)
        self.assertEmpty(server)

    def playOnEach(self, messages: list[bytes]) -> None:
        """
        Play to servers of every kind.
        """
        for server in self.eachServer().values():
            self.play(messages, server, lambda server=server: self.client(server))  # type: ignore[misc]

    def test_events(self) -> None:
        """
        Every event with every wrong type in every member is answered or refused.
        """
        self.playOnEach([encoded(packet) for packet in events()])

    def test_packets(self) -> None:
        """
        So is what is no event at all: answers to nothing, values that are no packets, batches of batches.
        """
        self.playOnEach([encoded(packet) for packet in packets()])

    def test_beforeHandshake(self) -> None:
        """
        Before the handshake nearly everything ends the connection; where the server is lenient, it is treated as behind
        it.
        """
        messages = [encoded(packet) for packet in (*events(), *packets())]
        for server in (self.server, self.makeServer(strictHandshake=False)):
            self.play(messages, server, lambda server=server: self.client(server, handshake=False))  # type: ignore[misc]

    def test_texts(self) -> None:
        """
        Neither depth nor size nor the oddities of JSON get further than the message they came in.
        """
        messages = list(texts())
        self.play(messages, self.server, self.client)
        self.play(messages, self.server, lambda: self.client(handshake=False))

    def test_textsWithMiddleware(self) -> None:
        """
        The same when middleware sees every message.
        """
        server = self.eachServer()["middleware"]
        self.play(texts(), server, lambda: self.client(server))

    def test_notUTF8(self) -> None:
        """
        A text that is not UTF-8 ends its connection with 1007 wherever the fault is.
        """
        for server in self.eachServer().values():
            for message in rubbish():
                client = self.client(server)
                self.message(client, message)
                self.assertEqual(client.closeCode, 1007, message)
            self.assertServes(server)
            self.assertEmpty(server)

    def test_binary(self) -> None:
        """
        Anything may come in a binary message as well.
        """
        client = self.client()
        for message in (*texts(), *rubbish(), *map(encoded, packets())):
            self.message(client, message, isBinary=True)
            if client.state == "closed":
                client = self.client()
        for _ in range(500):
            self.message(client, self.random.randbytes(self.random.randrange(200)), isBinary=True)
        self.assertEqual(client.state, "open")
        client.disconnect()
        self.assertServes()
        self.assertEmpty()

    def test_answers(self) -> None:
        """
        The answer to a call of the server may be of any form: the call settles once, as the first answer wants it.
        """
        for packet in packets():
            if not isinstance(packet, dict) or "rid" not in packet or "event" in packet:
                continue
            client = self.client()
            assert client.socket is not None
            settled: list[Any] = []
            client.socket.invoke("question", 1).addBoth(settled.append)
            client.settle()
            self.message(client, encoded(packet))
            self.message(client, b'{"rid":1,"data":"late"}')
            self.assertEqual(len(settled), 1)
            client.disconnect()
        self.assertServes()
        self.assertEmpty()

    def test_names(self) -> None:
        """
        Names that mean something to JavaScript or Python are names: their calls are answered, their channels are
        channels.
        """
        client = self.client()
        for name in NAMES:
            if name.startswith("#"):
                continue
            data = {name: {"a": 1}}
            self.assertEqual(self.successResultOf(client.invoke(name, data)), data)
            client.transmit(name, data)
            if 0 < len(name) <= 1024:
                self.successResultOf(client.subscribe(name))
                self.successResultOf(client.publish(name, data))
                self.assertEqual(client.publications(name), [data])
                self.successResultOf(client.unsubscribe(name))
        client.disconnect()
        self.assertServes()
        self.assertEmpty()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.sampled_from(NAMES),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text() | st.sampled_from(NAMES), children, max_size=4)
    ),
    max_leaves=8,
)
PACKETS = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from(EVENTS) | JSON_VALUES,
        "data": JSON_VALUES | st.fixed_dictionaries({"channel": JSON_VALUES}, optional={"data": JSON_VALUES}),
        "cid": JSON_VALUES | st.integers(-3, 3),
        "rid": JSON_VALUES | st.integers(-3, 3),
        "error": JSON_VALUES,
    },
)


class GeneratedTests(HostileTestCase):
    """
    Conversations that nobody has thought of.
    """

    @settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.lists(PACKETS | st.lists(PACKETS, max_size=3) | JSON_VALUES, max_size=12), st.booleans())
    def test_conversations(self, messages: list[Any], handshake: bool) -> None:
        """
        No sequence of packets does harm to anybody but its sender.
        """
        client = self.client(handshake=handshake)
        for message in messages:
            self.message(client, encoded(message))
        client.disconnect()
        self.assertServes()
        self.assertEmpty()
