"""
Tests of L{agtwisted.protocol.httphead}.
"""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from agtwisted.protocol.httphead import MAXIMUM_FIELDS, MAXIMUM_LINE, Head, checkUpgrade, parseHead
from agtwisted.protocol.upgrade import HandshakeDenied

KEY = "dGhlIHNhbXBsZSBub25jZQ=="

#: The header fields of a clean upgrade.
CLEAN = {
    "Host": "example.com:8000",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def headOf(*lines: str, first: str = "GET /socketcluster/ HTTP/1.1", **changes: str | None) -> bytes:
    """
    @param lines: further lines.
    @param changes: header fields to change, with C{_} for C{-}; C{None} leaves the field out.
    @return: a request's head.
    """
    fields = CLEAN | {name.replace("_", "-"): value for name, value in changes.items()}  # type: ignore[operator]
    written = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([first, *written, *lines]).encode("latin-1")


class ParsingTests(SynchronousTestCase):
    """
    Bytes to heads.
    """

    def refused(self, data: bytes) -> int:
        """
        @return: the status that C{data} is refused with.
        """
        return self.assertRaises(HandshakeDenied, parseHead, data).status

    def test_clean(self) -> None:
        """
        Method, target, version and header fields; names in lower case, values without the space around them.
        """
        head = parseHead(b"GET /path/?a=b%20c&d HTTP/1.1\r\nHOST:a\r\nx-Y:\t b: c \t\r\nEmpty:\r\nLatin: \xe9")
        self.assertEqual((head.method, head.target, head.version), ("GET", "/path/?a=b%20c&d", "1.1"))
        self.assertEqual(head.headers, {"host": "a", "x-y": "b: c", "empty": "", "latin": "\xe9"})
        self.assertEqual(head.repeated, frozenset())

    def test_noFields(self) -> None:
        """
        A request line may stand alone.
        """
        self.assertEqual(parseHead(b"GET / HTTP/1.0"), Head("GET", "/", "1.0", {}, frozenset()))

    def test_repeated(self) -> None:
        """
        Header fields of one name are joined in order, and it is told that they were several.
        """
        head = parseHead(b"GET / HTTP/1.1\r\nA: 1\r\nB: x\r\na: 2\r\nA:\r\nC: 1")
        self.assertEqual(head.headers, {"a": "1, 2, ", "b": "x", "c": "1"})
        self.assertEqual(head.repeated, {"a"})

    def test_requestLines(self) -> None:
        """
        A request line that is not exactly three words with one space between them is refused.
        """
        lines = [
            b"",
            b"GET",
            b"GET /",
            b"GET  / HTTP/1.1",
            b"GET / HTTP/1.1 ",
            b" GET / HTTP/1.1",
            b"GET / / HTTP/1.1",
            b"GET /\tHTTP/1.1",
            b"GET / http/1.1",
            b"GET / HTTP/11",
            b"GET / HTTP/1.1\n",
            b"GET / HTTP/1.\xb9",
            b"G@T / HTTP/1.1",
            b"GET /\x00 HTTP/1.1",
            b"GET /\x7f HTTP/1.1",
            b"GET /\nX: HTTP/1.1",
            b"\r\nGET / HTTP/1.1",
            b"\x16\x03\x01\x02\x00",
        ]
        for line in lines:
            self.assertEqual(self.refused(line), 400, line)

    def test_fields(self) -> None:
        """
        Folded lines, names that are none, space before the colon and control characters are refused: each has been used
        to show a proxy something else than the server.
        """
        lines = [
            b"no colon",
            b": no name",
            b"Na me: x",
            b"Name : x",
            b"\tfolded: x",
            b" folded",
            b"N\xe4me: x",
            b"Name(: x",
            b"Name: a\x00b",
            b"Name: a\x1fb",
            b"Name: a\x7fb",
            b"Name: a\nOther: b",
            b"Name: a\rOther: b",
            b"Name\n: a",
            b"Name: a\r",
            b"",
        ]
        for line in lines:
            data = b"GET / HTTP/1.1\r\nHost: a\r\n" + line + b"\r\nLast: z"
            self.assertEqual(self.refused(data), 400, line)

    def test_time(self) -> None:
        """
        No head takes long, least of all one that is refused at the end of a line.
        """
        for filling in (b" ", b"\t", b"a ", b"a", b"a:", b"\r"):
            for first in (b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nX:", b"GET /"):
                line = (filling * MAXIMUM_LINE)[: MAXIMUM_LINE - 10]
                began = time.process_time()
                self.assertEqual(self.refused(first + line + b"\0"), 400)
                self.assertLess(time.process_time() - began, 0.1)

    def test_tooMany(self) -> None:
        """
        There is a limit to the number of header fields.
        """
        lines = [f"X-{number}: y" for number in range(MAXIMUM_FIELDS)]
        self.assertEqual(len(parseHead("\r\n".join(["GET / HTTP/1.1", *lines]).encode()).headers), MAXIMUM_FIELDS)
        self.assertEqual(self.refused("\r\n".join(["GET / HTTP/1.1", *lines, "Z: y"]).encode()), 431)

    def test_tooLong(self) -> None:
        """
        There is a limit to each line, the first included.
        """
        name = b"X: "
        longest = b"y" * (MAXIMUM_LINE - len(name))
        self.assertEqual(parseHead(b"GET / HTTP/1.1\r\n" + name + longest).headers["x"], longest.decode())
        self.assertEqual(self.refused(b"GET / HTTP/1.1\r\n" + name + longest + b"y"), 431)
        self.assertEqual(self.refused(b"GET /" + b"y" * MAXIMUM_LINE + b" HTTP/1.1"), 431)

    def test_wantsWebSocket(self) -> None:
        """
        Who asks for WebSocket says so in C{Upgrade}, in any case and among others.
        """
        table = {"websocket": True, "WebSocket": True, "h2c, websocket": True, "websockets": False, "": False}
        for value, expected in table.items():
            self.assertIs(parseHead(headOf(Upgrade=value)).wantsWebSocket, expected, value)
        self.assertFalse(parseHead(headOf(Upgrade=None)).wantsWebSocket)


class UpgradeTests(SynchronousTestCase):
    """
    Which heads are clean upgrades.
    """

    def test_clean(self) -> None:
        """
        What browsers and clients send is clean.
        """
        heads = [
            headOf(),
            headOf(Connection="keep-alive, Upgrade"),
            headOf("Connection: keep-alive", "Cookie: a", "Cookie: b"),
            headOf(Sec_WebSocket_Version="8"),
            headOf(Content_Length="0"),
            headOf("Origin: https://example.com", "Sec-WebSocket-Extensions: permessage-deflate"),
        ]
        for head in heads:
            checkUpgrade(parseHead(head))

    def test_refused(self) -> None:
        """
        Anything else is refused with its status.
        """
        short, long = "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZVg="
        table = [
            (headOf(first="POST / HTTP/1.1"), 405),
            (headOf(first="get / HTTP/1.1"), 405),
            (headOf(first="GET / HTTP/1.0"), 400),
            (headOf(first="GET / HTTP/2.0"), 400),
            (headOf(Host=None), 400),
            (headOf(Host=""), 400),
            (headOf("Host: other.com"), 400),
            (headOf("host: example.com:8000"), 400),
            (headOf("Origin: http://a", "Origin: http://b"), 400),
            (headOf(f"Sec-WebSocket-Key: {KEY}"), 400),
            (headOf("Sec-WebSocket-Version: 13"), 400),
            (headOf("Content-Length: 0", "Content-Length: 0"), 400),
            (headOf(Content_Length="1"), 400),
            (headOf(Content_Length=""), 400),
            (headOf(Content_Length="-0"), 400),
            (headOf(Transfer_Encoding="chunked"), 400),
            (headOf(Transfer_Encoding="identity"), 400),
            (headOf(Transfer_Encoding=""), 400),
            (headOf(Connection=None), 400),
            (headOf(Connection="keep-alive"), 400),
            (headOf(Connection="upgraded"), 400),
            (headOf(Sec_WebSocket_Version=None), 400),
            (headOf(Sec_WebSocket_Version="7"), 400),
            (headOf(Sec_WebSocket_Version="013"), 400),
            (headOf(Sec_WebSocket_Key=None), 400),
            (headOf(Sec_WebSocket_Key=""), 400),
            (headOf(Sec_WebSocket_Key=short), 400),
            (headOf(Sec_WebSocket_Key=long), 400),
            (headOf(Sec_WebSocket_Key="*" * 24), 400),
            (headOf(Sec_WebSocket_Key="\xe9" * 24), 400),
            (headOf(Sec_WebSocket_Key=KEY[:-2] + "AA"), 400),
        ]
        for head, status in table:
            denied = self.assertRaises(HandshakeDenied, checkUpgrade, parseHead(head))
            self.assertEqual(denied.status, status, head)
            self.assertTrue(denied.text)
