"""Writes down what happens to connections, in order."""

from twisted.internet.defer import ensureDeferred

SERVER_EVENTS = (
    "handshake", "connection", "authentication", "authenticationStateChange", "subscription", "deauthentication",
    "disconnection", "connectionAbort", "closure", "unsubscription",
)  # fmt: skip
SOCKET_EVENTS = ("connect", "subscribe", "disconnect", "connectAbort", "close", "unsubscribe", "end")


def start(server):
    for name in SERVER_EVENTS:
        ensureDeferred(watch(server, f"server: {name}", name))
    ensureDeferred(watchSockets(server))


async def watchSockets(server):
    async for event in server.listener("handshake"):
        for name in SOCKET_EVENTS:
            ensureDeferred(watch(event.socket, f"socket: {name}", name))
        ensureDeferred(login(event.socket))


async def watch(emitter, label, name):
    async for event in emitter.listener(name):
        code = getattr(event, "code", None)
        print(label if code is None else f"{label} {code}")


async def login(socket):
    async for request in socket.procedure("login"):
        await socket.setAuthToken({"name": request.data})
        request.end()
