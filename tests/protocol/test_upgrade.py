"""
Tests of L{agtwisted.protocol.upgrade}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from agtwisted.protocol.upgrade import HandshakeDenied, Origins, UpgradeRequest, forwardedFor


class UpgradeRequestTests(SynchronousTestCase):
    """
    The request as a value.
    """

    def test_path(self) -> None:
        """
        The path is the URL up to its first question mark, as it came.
        """
        table = {"/a/?b=/c?d": "/a/", "/a/": "/a/", "?": "", "/%2F#x": "/%2F#x"}
        for url, path in table.items():
            self.assertEqual(UpgradeRequest("GET", url, {}).path, path)

    def test_origin(self) -> None:
        """
        The origin is a header; clients that are no browsers have none.
        """
        self.assertEqual(UpgradeRequest("GET", "/", {"origin": "http://a"}).origin, "http://a")
        self.assertIsNone(UpgradeRequest("GET", "/", {}).origin)

    def test_extra(self) -> None:
        """
        Each request has a place of its own for what applications find out.
        """
        first, second = UpgradeRequest("GET", "/", {}), UpgradeRequest("GET", "/", {})
        first.extra["user"] = 1
        self.assertEqual(second.extra, {})

    def test_denied(self) -> None:
        """
        A refusal says its status and its text.
        """
        denied = HandshakeDenied(403, "No")
        self.assertEqual((denied.status, denied.text, denied.args), (403, "No", (403, "No")))


class ForwardedForTests(SynchronousTestCase):
    """
    Addresses behind proxies.
    """

    def test_hops(self) -> None:
        """
        The address is the one that the outermost trusted proxy has added; what stands before it may be anybody's.
        """
        table = [
            (None, 1, None),
            ("", 1, None),
            (" , ", 1, None),
            ("1.1.1.1", 0, None),
            ("1.1.1.1", -1, None),
            ("1.1.1.1", 1, "1.1.1.1"),
            ("1.1.1.1", 2, None),
            ("6.6.6.6, 1.1.1.1", 1, "1.1.1.1"),
            ("6.6.6.6, 1.1.1.1 ,2.2.2.2", 2, "1.1.1.1"),
            ("6.6.6.6,1.1.1.1,,2.2.2.2,", 2, "1.1.1.1"),
            ("::1", 1, "::1"),
        ]
        for header, hops, expected in table:
            headers = {} if header is None else {"x-forwarded-for": header}
            self.assertEqual(forwardedFor(headers, hops), expected, (header, hops))


class OriginsTests(SynchronousTestCase):
    """
    Who may connect.
    """

    def test_table(self) -> None:
        """
        Origins are compared exactly, host and port, and never as a part of one another.
        """
        table: list[tuple[str, list[str | None], list[str | None]]] = [
            ("*:*", [None, "null", "http://foo.com", "https://x:1", "no URL", "http://foo:bar", ""], []),
            ("a.com:1 *:*", ["http://foo.com"], []),
            (
                "foo.com:*",
                ["http://foo.com", "https://foo.com", "http://foo.com:8000", "https://FOO.com:1"],
                [
                    "http://notfoo.com",
                    "http://foo.com.evil.org",
                    "http://foo.comx",
                    "http://foo.co",
                    "http://oo.com",
                    "http://www.foo.com",
                    "http://evil.org/foo.com:80",
                    "http://foo.com@evil.org",
                    "http://foo.com:80@evil.org:80",
                    "http://evil.org?foo.com:80",
                    "http://evil.org#foo.com:80",
                    "http://foo.com:bar",
                    "http://foo.com:99999",
                    "http://[foo.com",
                    "foo.com",
                    "foo.com:80",
                    "http://",
                    "http://*",
                    "",
                    "null",
                    None,
                ],
            ),
            (
                "foo.com:8000",
                ["http://foo.com:8000", "https://foo.com:8000"],
                ["http://foo.com", "http://foo.com:80", "http://foo.com:800", "http://foo.com:80000", "https://foo.com"],
            ),
            ("foo.com:80", ["http://foo.com", "http://foo.com:80"], ["https://foo.com", "http://foo.com:0"]),
            ("foo.com:443", ["https://foo.com", "http://foo.com:443"], ["http://foo.com"]),
            ("*:80", ["http://foo.com", "http://bar.org:80", None, "null"], ["https://foo.com", "http://foo.com:8080"]),
            ("*:8080", ["http://foo.com:8080"], [None, "null", "http://foo.com:80"]),
            ("FOO.com:*, bar.org:1\tbaz:2", ["http://foo.com", "http://bar.org:1", "http://baz:2"], ["http://bar.org:2"]),
            ("", [], ["http://foo.com", None, "null", ""]),
        ]
        for option, allowed, refused in table:
            origins = Origins(option)
            for origin in allowed:
                self.assertIs(origins.allow(origin), True, (option, origin))
            for origin in refused:
                self.assertIs(origins.allow(origin), False, (option, origin))
