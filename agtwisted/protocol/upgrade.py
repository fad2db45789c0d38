"""
The HTTP request that asks for a WebSocket connection, as a value, and who may ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit


class HandshakeDenied(Exception):
    """
    The WebSocket handshake is refused.

    @ivar status: the HTTP status of the answer.
    @ivar text: what the answer says.
    @ivar retryAfter: seconds after which the client is asked to come again, if it is.
    """

    def __init__(self, status: int, text: str, retryAfter: int | None = None) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.retryAfter = retryAfter


@dataclass(slots=True)
class UpgradeRequest:
    """
    The upgrade request of a connection: C{socket.request} and C{action.request}.

    @ivar method: C{"GET"}.
    @ivar url: path and query, as they came.
    @ivar headers: by lower-case name; several of one name are joined by commas.
    @ivar remoteAddress: the peer's address. Never taken from a header.
    @ivar remotePort: the peer's port.
    @ivar remoteFamily: C{"IPv4"}, C{"IPv6"} or C{None}.
    @ivar forwardedForAddress: the client's address as the trusted proxies in front tell it, C{None} without any.
    @ivar extra: for applications and middleware to keep what they find out about the request.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    remoteAddress: str | None = None
    remotePort: int | None = None
    remoteFamily: str | None = None
    forwardedForAddress: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """
        The URL without its query.
        """
        return self.url.partition("?")[0]

    @property
    def origin(self) -> str | None:
        """
        The web page that asks; C{None} for clients that are no browsers.
        """
        return self.headers.get("origin")


def refusal(denied: HandshakeDenied) -> bytes:
    """
    @return: what is answered.
    """
    body = denied.text.encode("utf-8", "replace")
    again = "" if denied.retryAfter is None else f"Retry-After: {denied.retryAfter}\r\n"
    head = (
        f"HTTP/1.1 {denied.status} {HTTPStatus(denied.status).phrase}\r\nConnection: close\r\n{again}"
        f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("ascii") + body


def forwardedFor(headers: Mapping[str, str], hops: int) -> str | None:
    """
    @param hops: how many proxies in front are trusted, each of which has added its client to C{X-Forwarded-For}.
    @return: the client's address as they tell it; C{None} without trusted proxies or when the header is too short.
    """
    if hops < 1:
        return None
    addresses = [each.strip() for each in headers.get("x-forwarded-for", "").split(",") if each.strip()]
    return addresses[-hops] if len(addresses) >= hops else None


class Origins:
    """
    The origins that may connect: the option C{origins}. Compared exactly, never as part of another.
    """

    __slots__ = ("_allowed", "_all")

    def __init__(self, origins: str) -> None:
        """
        @param origins: C{host:port}, C{host:*} or C{*:port}, separated by commas or white space; C{*:*} allows all.
        """
        self._allowed = frozenset(origins.lower().replace(",", " ").split())
        self._all = "*:*" in self._allowed

    def allow(self, origin: str | None) -> bool:
        """
        @return: whether a page of that origin may connect. Clients that name none count as host C{*}, port 80.
        """
        if self._all:
            return True
        host, port = _hostAndPort(origin)
        if host is None:
            return False
        return not self._allowed.isdisjoint((f"{host}:{port}", f"{host}:*", f"*:{port}"))


def _hostAndPort(origin: str | None) -> tuple[str | None, int]:
    if origin is None or origin == "null":
        return "*", 80
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None, 0
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    return host, port
