"""Tests of counter.py; run them with: python -m twisted.trial test_counter"""

import counter
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import AGServer
from agtwisted.testing import connect


class CounterTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.server = AGServer(reactor=self.clock)
        counter.start(self.server)

    # begin login
    def test_login(self):
        alice, bob = connect(self.server), connect(self.server)
        alice.invoke("login", "Alice")
        alice.subscribe("news")

        answer = bob.invoke("login", "Bob")

        self.assertEqual(self.successResultOf(answer), 2)
        self.assertTrue(bob.isAuthenticated)
        self.assertEqual(alice.publications("news"), ["Bob is number 2"])
    # end login

    # begin failure
    def test_strangersHearNothing(self):
        stranger = connect(self.server)
        failure = self.failureResultOf(stranger.subscribe("news"))
        self.assertEqual((failure.value.name, failure.value.message), ("PermissionError", "Log in first"))
    # end failure

    # begin again
    def test_comingBack(self):
        bob = connect(self.server)
        bob.invoke("login", "Bob")
        bob.disconnect()

        again = connect(self.server, authToken=bob.signedAuthToken)

        self.assertEqual(again.socket.authToken["name"], "Bob")
    # end again

    # begin time
    def test_silence(self):
        bob = connect(self.server)
        bob.answersPings = False
        self.clock.advance(31)
        self.assertEqual(bob.closeCode, 4001)
    # end time

    # begin origin
    def test_otherSites(self):
        server = AGServer(reactor=self.clock, origins="example.com:*")
        self.assertEqual(connect(server, headers={"origin": "https://example.com"}).state, "open")
        self.assertEqual(connect(server, headers={"origin": "https://example.org"}).connectError.status, 403)
    # end origin

    # begin procedure
    def test_serverAsks(self):
        bob = connect(self.server)
        bob.procedures["color"] = lambda data: "green"
        answer = bob.socket.invoke("color")
        bob.settle()
        self.assertEqual(self.successResultOf(answer), "green")
    # end procedure

    # begin packets
    def test_packets(self):
        bob = connect(self.server)
        bob.takePackets()
        bob.socket.transmit("hello", 1)
        self.assertEqual(bob.takePackets(), [{"event": "hello", "data": 1}])
    # end packets
