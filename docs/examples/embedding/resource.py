"""A SocketCluster server as one resource among others."""

from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from agtwisted import AGServer


def makeSite(server):
    live = Resource()
    live.putChild(b"v1", server.resource())
    root = Resource()
    root.putChild(b"", Data(b"The front page\n", "text/plain"))
    root.putChild(b"live", live)
    server.start()
    return Site(root)


if __name__ == "__main__":
    from twisted.internet import reactor

    reactor.listenTCP(8000, makeSite(AGServer(reactor, path="/live/v1")))
    reactor.run()
