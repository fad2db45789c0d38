"""A SocketCluster server in a web site that exists already."""

from twisted.internet.defer import ensureDeferred
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from agtwisted import attach


def makeSite(reactor):
    root = Resource()
    root.putChild(b"", Data(b"The front page\n", "text/plain"))
    site = Site(root)
    server = attach(site, reactor=reactor, path="/live/")
    ensureDeferred(serve(server))
    return site


async def serve(server):
    async for event in server.listener("connection"):
        event.socket.transmit("welcome", "You are connected")


if __name__ == "__main__":
    from twisted.internet import reactor

    reactor.listenTCP(8000, makeSite(reactor))
    reactor.run()
