"""
Pages of one text, made when they are asked for; the answer to health checks is one.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.web.resource import Resource
from twisted.web.server import Request

from agtwisted.server.server import AGServer

__all__ = ["Answer", "healthAnswer"]


class Answer(Resource):
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
        @return: nothing; the head says how long the page is. (Twisted has a line in the log for each body it leaves out.)
        """
        request.setHeader(b"content-length", b"%d" % (len(self.render_GET(request)),))
        return b""


def healthAnswer(server: AGServer) -> Answer:
    """
    @return: the page that says whether a server is to get new clients: C{OK}, or status 503.
    """

    def answer() -> tuple[int, str]:
        return (200, "OK") if server.isReady else (503, "Service Unavailable")

    return Answer("text/plain; charset=utf-8", answer)
