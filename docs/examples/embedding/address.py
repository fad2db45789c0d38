"""Who is connected, behind proxies or not."""

from twisted.internet.defer import ensureDeferred


def start(server):
    ensureDeferred(serve(server))


async def serve(server):
    async for event in server.listener("connection"):
        ensureDeferred(tellAddress(event.socket))


async def tellAddress(socket):
    async for request in socket.procedure("address"):
        request.end(socket.forwardedForAddress or socket.remoteAddress)
