"""The application that is to be tested: a counter that everybody sees."""

from twisted.internet.defer import ensureDeferred


def start(server):
    server.setMiddleware(server.MIDDLEWARE_INBOUND, guard)
    ensureDeferred(serve(server))


async def serve(server):
    count = 0
    async for event in server.listener("connection"):
        count += 1
        ensureDeferred(answer(event.socket, count))


async def answer(socket, count):
    async for request in socket.procedure("login"):
        await socket.setAuthToken({"name": request.data})
        socket.exchange.transmitPublish("news", f"{request.data} is number {count}")
        request.end(count)


async def guard(stream):
    async for action in stream:
        if action.type == action.SUBSCRIBE and action.socket.authToken is None:
            action.block(PermissionError("Log in first"))
        else:
            action.allow()
