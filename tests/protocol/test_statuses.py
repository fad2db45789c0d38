"""
Tests of L{agtwisted.protocol.statuses}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from agtwisted.protocol.statuses import Disconnect, closeFault, isSendable, reasonFor


class StatusTests(SynchronousTestCase):
    """
    Close codes and reasons.
    """

    def test_sendable(self) -> None:
        """
        The codes that the RFC and its registry give to close frames, and no others.
        """
        expected = {1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)}
        self.assertEqual({code for code in range(-1, 6000) if isSendable(code)}, expected)

    def test_reasons(self) -> None:
        """
        A reason that was given stands; else each code that is an error has its text.
        """
        table = [
            (1000, None, None),
            (1000, "done", "done"),
            (1006, None, "Socket hung up"),
            (1006, "", "Socket hung up"),
            (4008, None, "Server rejected handshake from client"),
            (4009, None, "Server received a message before the client handshake"),
            (4009, "mine", "mine"),
            (4444, None, None),
            (4444, "", ""),
            (None, None, None),
            (None, "why", "why"),
        ]
        for code, reason, expected in table:
            self.assertEqual(reasonFor(code, reason), expected, (code, reason))

    def test_closeFaults(self) -> None:
        """
        A close frame that has come may have no code and no reason, else a code that may be sent and a reason in UTF-8.
        """
        table = [
            (None, None, None),
            (1000, None, None),
            (4444, "schön".encode(), None),
            (1005, None, 1002),
            (999, None, 1002),
            (5000, b"\xff", 1002),
            (1000, b"\xff", 1007),
            (1000, b"\xed\xa0\x80", 1007),
        ]
        for code, reason, expected in table:
            self.assertEqual(closeFault(code, reason), expected, (code, reason))

    def test_disconnect(self) -> None:
        """
        A disconnect carries code and reason, and says so when it is logged.
        """
        disconnect = Disconnect(4008)
        self.assertEqual((disconnect.code, disconnect.reason), (4008, None))
        self.assertIn("4001, 'late'", str(Disconnect(4001, "late")))
