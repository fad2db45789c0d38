"""Publishing and subscribing from within the server."""

from twisted.internet.defer import ensureDeferred


def start(server):
    ensureDeferred(shout(server))
    ensureDeferred(serve(server))


# begin exchange
async def shout(server):
    async for word in server.exchange.subscribe("words"):
        await server.exchange.invokePublish("shouts", word.upper())
# end exchange


async def serve(server):
    async for event in server.listener("connection"):
        ensureDeferred(leave(event.socket))


# begin kickOut
async def leave(socket):
    async for request in socket.procedure("leave"):
        await socket.kickOut("shouts", "You wanted to go")
        request.end(socket.subscriptions())
# end kickOut
