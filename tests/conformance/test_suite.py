"""
Tests of what the conformance run consists of.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawClient, clientFrame, closeFrame

from .echo import EchoServer
from .suite import AGENT, Report, findProgram, specification


class EchoTests(SynchronousTestCase):
    """
    L{EchoServer}.
    """

    def setUp(self) -> None:
        """
        Connect a client.
        """
        self.clock = Clock()
        self.server = EchoServer(self.clock)
        self.client = RawClient(self.server.websocketFactory(), self.clock)

    def test_echoes(self) -> None:
        """
        Every message comes back as it came, whichever way it takes through the WebSocket layer.
        """
        self.client.open()
        fragments = clientFrame(b"e", final=False) + clientFrame(b"p", PING) + clientFrame(b"f", CONTINUATION)
        self.client.send(clientFrame("") + clientFrame("\u00e4") + clientFrame(b"\xff", BINARY) + fragments)
        expected = [(TEXT, b""), (TEXT, b"\xc3\xa4"), (BINARY, b"\xff"), (PONG, b"p"), (TEXT, b"ef")]
        self.assertEqual(self.client.frames(), expected)

    def test_deflates(self) -> None:
        """
        Messages are compressed for a client that offers it.
        """
        self.client.open(sec_websocket_extensions="permessage-deflate")
        self.client.send(clientFrame(b"a" * 1000, BINARY))
        ((opcode, payload),) = self.client.frames()
        self.assertEqual(opcode, BINARY | 0x40)
        self.assertEqual(zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff"), b"a" * 1000)

    def test_invalid(self) -> None:
        """
        Text that is no UTF-8 closes with 1007, as it does at any server.
        """
        self.client.open()
        self.client.send(clientFrame(b"\xff"))
        self.assertEqual(self.client.frames(), [(CLOSE, (1007).to_bytes(2, "big"))])

    def test_silent(self) -> None:
        """
        The endpoint says nothing by itself, however long it takes, and closes when it is asked to.
        """
        self.client.open()
        self.clock.pump([10.0] * 100)
        self.assertEqual(self.client.frames(), [])
        self.client.send(closeFrame(1000))
        self.assertEqual((self.client.frames(), self.client.isClosing), ([(CLOSE, b"\x03\xe8")], True))


class ReportTests(SynchronousTestCase):
    """
    L{Report} and what leads to it.
    """

    def read(self, **cases: tuple[str, str]) -> Report:
        """
        @return: the report of these cases.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        results = {
            name.strip("c").replace("_", "."): {"behavior": behavior, "behaviorClose": closing}
            for name, (behavior, closing) in cases.items()
        }
        (folder / "index.json").write_text(json.dumps({AGENT: results}), encoding="utf-8")
        return Report.read(folder)

    def test_accepted(self) -> None:
        """
        Cases are fine if they are OK or informational, closing included; they are sorted by number.
        """
        report = self.read(c10_1_1=("OK", "OK"), c2_1=("OK", "INFORMATIONAL"), c9_1_1=("INFORMATIONAL", "OK"))
        self.assertEqual([result.case for result in report.results], ["2.1", "9.1.1", "10.1.1"])
        self.assertTrue(report.isAccepted)
        lines = ["behaviour: 1 INFORMATIONAL, 2 OK", "closing: 1 INFORMATIONAL, 2 OK", "3 passed, 0 failed"]
        self.assertEqual(list(report.lines()), lines)

    def test_faults(self) -> None:
        """
        Anything else is a fault, and named.
        """
        for word in ("FAILED", "NON-STRICT", "UNCLEAN", "WRONG CODE", "UNIMPLEMENTED", "FAILED BY CLIENT"):
            for result in ((word, "OK"), ("OK", word)):
                report = self.read(c1_1_1=("OK", "OK"), c1_1_2=result)
                self.assertFalse(report.isAccepted)
                self.assertEqual(next(iter(report.lines())), f"case 1.1.2: {result[0]}, closing: {result[1]}")
                self.assertEqual(list(report.lines())[-1], "1 passed, 1 failed")

    def test_nothing(self) -> None:
        """
        A run of no case is no success.
        """
        self.assertFalse(self.read().isAccepted)

    def test_specification(self) -> None:
        """
        The suite is told whom to talk to, about what, and where to report.
        """
        given = specification("ws://localhost:1/", Path("reports"), ["1.*"], ["1.2.*"])
        self.assertEqual(given["servers"], [{"agent": AGENT, "url": "ws://localhost:1/"}])
        self.assertEqual((given["cases"], given["exclude-cases"], given["outdir"]), (["1.*"], ["1.2.*"], "reports"))

    def test_program(self) -> None:
        """
        The program is the one given, else the one that the environment names, else the one on the path.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        for name in ("wstest", "other"):
            (folder / name).write_text("#!/bin/sh\n", encoding="ascii")
            (folder / name).chmod(0o755)
        path = {"PATH": str(folder)}
        self.assertEqual(findProgram(None, path), str(folder / "wstest"))
        self.assertEqual(findProgram(None, {**path, "WSTEST": str(folder / "other")}), str(folder / "other"))
        self.assertEqual(findProgram(str(folder / "other"), {**path, "WSTEST": "x"}), str(folder / "other"))
        self.assertIsNone(findProgram("nowhere", path))
