"""
The pages for those who run a server: its figures and its health, at an endpoint that clients do not reach.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from agtwisted.prometheus import CONTENT_TYPE, expose
from agtwisted.server.server import AGServer
from agtwisted.usage import processUsage


class _Answer(Resource):
    """
    A page that says how things are at the moment it is asked for.
    """

    def __init__(self, contentType: str, answer: Callable[[], tuple[int, str]]) -> None:
        """
        @param answer: makes the status and the text.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._contentType = contentType.encode("ascii")
        self._answer = answer

    def render_GET(self, request: Request) -> bytes:
        """
        @return: the page.
        """
        status, text = self._answer()
        request.setResponseCode(status)
        request.setHeader(b"content-type", self._contentType)
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"x-content-type-options", b"nosniff")
        return text.encode("utf-8")

    def render_HEAD(self, request: Request) -> bytes:
        """
        @return: nothing; the head says how long the page is.
        """
        request.setHeader(b"content-length", b"%d" % (len(self.render_GET(request)),))
        return b""


class AdminResource(Resource):
    """
    The folder of these pages, to be put anywhere into a tree of resources that clients do not reach: C{stats}, C{metrics}
    and C{health-check}.
    """

    def __init__(self, server: AGServer) -> None:
        """
        @param server: whose they are.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        self.putChild(b"stats", _Answer("application/json", self._stats))
        self.putChild(b"metrics", _Answer(CONTENT_TYPE, self._metrics))
        self.putChild(b"health-check", _Answer("text/plain; charset=utf-8", self._health))

    def render(self, request: Request) -> bytes:
        """
        Say that there is nothing at the folder itself.
        """
        request.setResponseCode(404)
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        return b"" if request.method == b"HEAD" else b"Not Found"

    def _stats(self) -> tuple[int, str]:
        return 200, json.dumps({**self._server.stats(), "process": processUsage()}, indent=2) + "\n"

    def _metrics(self) -> tuple[int, str]:
        return 200, expose(self._server.stats(), processUsage())

    def _health(self) -> tuple[int, str]:
        return (200, "OK") if self._server.isReady else (503, "Service Unavailable")


class AdminSite(Site):
    """
    The pages as a site of their own. It writes no access log: it is asked every few seconds.
    """

    noisy = False

    def __init__(self, server: AGServer) -> None:
        """
        @param server: whose they are.
        """
        super().__init__(AdminResource(server), reactor=server.reactor)  # type: ignore[no-untyped-call]

    def startFactory(self) -> None:
        """
        Begin to listen, without a clock for an access log.
        """

    def log(self, request: Any) -> None:
        """
        Leave a request out of the log.
        """
