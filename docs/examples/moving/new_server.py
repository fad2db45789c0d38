"""The same application, moved to the API of version 20."""

from twisted.internet.defer import Deferred


def start(server):
    async def connections():
        async for event in server.listener("connection"):
            Deferred.fromCoroutine(hello(event.socket))
            Deferred.fromCoroutine(shout(event.socket))

    async def hello(socket):
        async for request in socket.procedure("hello"):
            request.end(f"Hello {request.data}")

    async def shout(socket):
        async for data in socket.receiver("shout"):
            server.exchange.transmitPublish("wall", data)

    Deferred.fromCoroutine(connections())
