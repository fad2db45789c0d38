"""A first server: a procedure and a channel."""

from twisted.internet.defer import ensureDeferred


def start(server):
    ensureDeferred(serve(server))


async def serve(server):
    async for event in server.listener("connection"):
        ensureDeferred(greet(server, event.socket))


async def greet(server, socket):
    async for request in socket.procedure("greet"):
        server.exchange.transmitPublish("greetings", f"{request.data} is here")
        request.end(f"Hello, {request.data}!")
