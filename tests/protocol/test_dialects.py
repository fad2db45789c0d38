"""
Tests of L{agtwisted.protocol.dialects}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from agtwisted.protocol.dialects import AUTO, DIALECTS, V1, V2, isGiven, isNumber


class DialectTests(SynchronousTestCase):
    """
    The versions of the protocol.
    """

    def test_pings(self) -> None:
        """
        Version 1 pings with C{#1} and C{#2}, version 2 with empty messages, in text frames.
        """
        self.assertEqual(
            [(each.version, each.ping, each.pong, each.pingFrame) for each in (V1, V2)],
            [(1, b"#1", b"#2", b"\x81\x02#1"), (2, b"", b"", b"\x81\x00")],
        )

    def test_byVersion(self) -> None:
        """
        The option C{protocolVersion} chooses one.
        """
        self.assertEqual(DIALECTS, {1: V1, 2: V2, "auto": AUTO})

    def test_callIds(self) -> None:
        """
        A call id of version 2 is a number; version 1 takes whatever is true in JavaScript, empty lists and objects too.
        """
        table: list[tuple[object, bool, bool]] = [
            (1, True, True),
            (1.5, True, True),
            (0, True, False),
            ("1", False, True),
            ("", False, False),
            (True, False, True),
            (False, False, False),
            (None, False, False),
            ([], False, True),
            ({}, False, True),
        ]
        for callId, number, given in table:
            self.assertEqual((isNumber(callId), isGiven(callId)), (number, given), callId)

    def test_frozen(self) -> None:
        """
        A dialect is a value that all sockets share: it cannot be changed.
        """
        self.assertRaises(AttributeError, setattr, V2, "ping", b"#1")
