"""
The pages for those who run a server: its figures and its health, at an endpoint that clients do not reach.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from agtwisted.answers import Answer, healthAnswer
from agtwisted.prometheus import CONTENT_TYPE, expose
from agtwisted.server.server import AGServer
from agtwisted.usage import processUsage


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
        self.putChild(b"stats", Answer("application/json", self._stats))
        self.putChild(b"metrics", Answer(CONTENT_TYPE, self._metrics))
        self.putChild(b"health-check", healthAnswer(server))

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
