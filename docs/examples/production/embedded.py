"""A server in a program of one's own, with its figures at an endpoint apart."""

from twisted.internet.endpoints import serverFromString

from agtwisted import listen
from agtwisted.admin import AdminSite


async def serve(reactor, forClients, forOperators):
    server = await listen(forClients, reactor)
    server.stalls.start()  # AGService does this by itself
    adminPort = await serverFromString(reactor, forOperators).listen(AdminSite(server))
    return server, adminPort
