"""
The head of an HTTP request, read strictly (RFC 9112), and what makes it a clean WebSocket upgrade (RFC 6455, 4.2.1).
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from dataclasses import dataclass
from functools import lru_cache

from agtwisted.protocol.upgrade import HandshakeDenied

#: Bytes that a whole head may have.
MAXIMUM_HEAD = 16384
#: Bytes that a line of it may have.
MAXIMUM_LINE = 8192
#: Header fields that it may have.
MAXIMUM_FIELDS = 128

#: What a header field's name consists of, and what none of their values may have.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z").match
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
_REQUEST_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e\x80-\xff]+) HTTP/(\d\.\d)\Z").match

#: Header fields that an upgrade may have only once.
_ONCE = frozenset(("host", "origin", "sec-websocket-key", "sec-websocket-version", "content-length"))


@dataclass(slots=True)
class Head:
    """
    A request's first line and header fields.

    @ivar method: e.g. C{"GET"}.
    @ivar target: path and query.
    @ivar version: C{"1.1"} or C{"1.0"}.
    @ivar headers: by lower-case name; several of one name are joined by commas.
    @ivar repeated: the lower-case names that came more than once.
    """

    method: str
    target: str
    version: str
    headers: dict[str, str]
    repeated: set[str]

    @property
    def wantsWebSocket(self) -> bool:
        """
        Whether it asks to go on with WebSocket.
        """
        upgrade = self.headers.get("upgrade", "")
        return upgrade == "websocket" or "websocket" in _words(upgrade)


def parseHead(data: bytes) -> Head:
    """
    @param data: everything up to the empty line, without it.
    @raise HandshakeDenied: 400 for what is no HTTP, 431 for what is too much of it.
    """
    lines = data.decode("latin-1").split("\r\n")
    if len(lines) > MAXIMUM_FIELDS + 1 or (len(data) > MAXIMUM_LINE and max(map(len, lines)) > MAXIMUM_LINE):
        raise HandshakeDenied(431, "Too many or too long header fields")
    first = _REQUEST_LINE(lines[0])
    if first is None:
        raise HandshakeDenied(400, "Malformed request line")
    headers: dict[str, str] = {}
    repeated: set[str] = set()
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        key = _keyOf(name)
        # Nearly every value can be printed, and has no control characters then.
        if not colon or key is None or (not value.isprintable() and _CONTROL(value)):
            raise HandshakeDenied(400, "Malformed header field")
        value = value.strip(" \t")
        if key in headers:
            repeated.add(key)
            value = f"{headers[key]}, {value}"
        headers[key] = value
    return Head(first[1], first[2], first[3], headers, repeated)


@lru_cache(256)
def _keyOf(name: str) -> str | None:
    """
    @return: a header field's name in lower case; C{None} if it can be none. (There are few, which come again and again.)
    """
    return name.lower() if _NAME(name) else None


def checkUpgrade(head: Head) -> None:
    """
    @raise HandshakeDenied: the head is no clean upgrade to WebSocket.
    """
    headers = head.headers
    if head.method != "GET":
        raise HandshakeDenied(405, "Invalid HTTP method")
    if head.version != "1.1":
        raise HandshakeDenied(400, "WebSocket needs HTTP/1.1")
    if head.repeated & _ONCE:
        raise HandshakeDenied(400, "Repeated header field")
    if not headers.get("host"):
        raise HandshakeDenied(400, "Missing Host header")
    if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        raise HandshakeDenied(400, "An upgrade request has no body")
    connection = headers.get("connection", "")
    if connection != "Upgrade" and "upgrade" not in _words(connection):
        raise HandshakeDenied(400, "Invalid Connection header")
    if headers.get("sec-websocket-version") not in ("13", "8"):
        raise HandshakeDenied(400, "Missing or invalid Sec-WebSocket-Version header")
    if not _isKey(headers.get("sec-websocket-key", "")):
        raise HandshakeDenied(400, "Missing or invalid Sec-WebSocket-Key header")


def _words(value: str) -> list[str]:
    words = value.lower().split(",")
    return words if len(words) == 1 else [word.strip() for word in words]


def _isKey(key: str) -> bool:
    try:
        return len(key) == 24 and len(a2b_base64(key, strict_mode=True)) == 16
    except ValueError:
        return False
