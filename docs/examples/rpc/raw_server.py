"""Messages that are no packets."""

from twisted.internet.defer import ensureDeferred


def start(server):
    ensureDeferred(serve(server))


async def serve(server):
    async for event in server.listener("connection"):
        ensureDeferred(echo(event.socket))


async def echo(socket):
    async for event in socket.listener("raw"):
        socket.send(event.message.upper())
