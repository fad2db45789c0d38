"""Pictures as binary data."""

from twisted.internet.defer import Deferred

options = {"codecEngine": "minBin"}


def start(server):
    async def connections():
        async for event in server.listener("connection"):
            Deferred.fromCoroutine(invert(event.socket))

    async def invert(socket):
        async for request in socket.procedure("invert"):
            pixels = request.data["pixels"]
            request.end({"pixels": bytes(255 - pixel for pixel in pixels)})

    Deferred.fromCoroutine(connections())
