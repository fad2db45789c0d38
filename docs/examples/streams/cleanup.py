"""What becomes of a slow reader when its connection goes."""

from twisted.internet.defer import ensureDeferred


def start(server):
    ensureDeferred(serve(server))


async def serve(server):
    async for event in server.listener("connection"):
        ensureDeferred(read(event.socket))


async def read(socket):
    async for job in socket.receiver("job"):
        await socket.server.work(job)
    print("the loop has ended")
