"""One server at several places."""

from twisted.internet.endpoints import serverFromString


async def listenEverywhere(reactor, server, descriptions):
    factory = server.websocketFactory()
    return [await serverFromString(reactor, description).listen(factory) for description in descriptions]
