"""
A SocketCluster server inside a web site that exists already: it shares the site's port and knows nothing of the site's
other resources, nor they of it. A publisher tells every second how the server is doing.

Start it from the top of the repository::

    python -m examples.embedded.server
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger, globalLogBeginner, textFileLogObserver
from twisted.web.resource import Resource
from twisted.web.server import Request, Site
from twisted.web.static import File

from agtwisted import AGServer, attach

PORT = 8000
INTERVAL = 1.0
LONGEST = 200
PUBLIC = Path(__file__).parent / "public"

log = Logger()


class Announcements(Resource):
    """
    C{/announcements}: a resource as any web site has. What is posted to it is kept, and told to every page at once.

    This is all that joins the two worlds: the site's own code publishes.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.server: AGServer | None = None

    def render_GET(self, request: Request) -> bytes:
        """Show what has been announced, newest last."""
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        return "".join(f"{text}\n" for text in self.texts).encode()

    def render_POST(self, request: Request) -> bytes:
        """Announce the text in the request's body."""
        text = request.content.read(LONGEST).decode("utf-8", "ignore").strip()
        self.texts.append(text)
        if self.server is not None:
            self.server.exchange.transmitPublish("announcements", text)
        request.setResponseCode(204)
        return b""


class StatusPublisher:
    """Publishes the state of the server at regular times, while there is somebody to read it."""

    def __init__(self, server: AGServer, clock: IReactorTime) -> None:
        self.server = server
        self.clock = clock
        self.startTime = clock.seconds()
        self.loop = LoopingCall(self.publish)
        self.loop.clock = clock

    def start(self) -> None:
        """Publish from now on."""
        stopped = self.loop.start(INTERVAL)
        stopped.addErrback(lambda failure: log.failure("The status publisher has failed", failure))

    def stop(self) -> None:
        """Publish no more."""
        self.loop.stop()

    def publish(self) -> None:
        """Publish once."""
        if self.server.brokerEngine.isSubscribed("status"):
            uptime = round(self.clock.seconds() - self.startTime)
            self.server.exchange.transmitPublish("status", {"clients": self.server.clientsCount, "uptime": uptime})


def makeSite() -> tuple[Site, Announcements]:
    """Make the web site; this part is what you have already."""
    root = File(str(PUBLIC))
    announcements = Announcements()
    root.putChild(b"announcements", announcements)
    return Site(root), announcements


def addRealtime(site: Site, announcements: Announcements, reactor: Any) -> AGServer:
    """Add the SocketCluster server to the site; this part is new."""
    # Clients listen; only the server publishes.
    server = attach(site, reactor=reactor, allowClientPublish=False)
    announcements.server = server
    StatusPublisher(server, reactor).start()
    return server


def main(port: int = PORT) -> None:
    """Run the site."""
    from twisted.internet import reactor

    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
    site, announcements = makeSite()
    addRealtime(site, announcements, reactor)
    reactor.listenTCP(port, site, interface="127.0.0.1")
    log.info("Open http://127.0.0.1:{port}/", port=port)
    reactor.run()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
