"""A channel for those who are logged in, and only as long as they are."""

from twisted.internet.defer import ensureDeferred

from agtwisted import AGServer
from agtwisted.errors import AuthError

HOUR = 3600


def makeServer(reactor):
    server = AGServer(reactor, authExpiryMode="deauthenticateAndUnsubscribe")
    server.setMiddleware(server.MIDDLEWARE_INBOUND, decide)
    ensureDeferred(serve(server))
    return server


async def decide(stream):
    async for action in stream:
        if action.type == action.SUBSCRIBE and action.channel == "staff" and action.socket.authToken is None:
            action.block(AuthError("Please log in"))
        else:
            action.allow()


async def serve(server):
    async for event in server.listener("connection"):
        ensureDeferred(login(event.socket))
        ensureDeferred(renew(event.socket))


async def login(socket):
    async for request in socket.procedure("login"):
        await socket.setAuthToken({"name": request.data}, expiresIn=HOUR)
        request.end()


async def renew(socket):
    async for request in socket.procedure("renew"):
        if socket.authToken is None:
            request.error(AuthError("Please log in"))
            continue
        await socket.setAuthToken({"name": socket.authToken["name"]}, expiresIn=HOUR)
        request.end()
