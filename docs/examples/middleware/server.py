"""Middleware: who may do what."""

from twisted.internet.defer import ensureDeferred


class NotAllowedError(Exception):
    """What a client gets to know of a block: this name and the text."""


def start(server):
    server.setMiddleware(server.MIDDLEWARE_HANDSHAKE, checkHandshake)
    server.setMiddleware(server.MIDDLEWARE_INBOUND_RAW, checkMessages)
    server.setMiddleware(server.MIDDLEWARE_INBOUND, checkInbound)
    server.setMiddleware(server.MIDDLEWARE_OUTBOUND, checkOutbound)
    ensureDeferred(serve(server))


# begin handshake
async def checkHandshake(stream):
    async for action in stream:
        if action.type == action.HANDSHAKE_WS and "room=" not in action.request.url:
            action.block(NotAllowedError("Which room?"))
        elif action.type == action.HANDSHAKE_SC and "room=cellar" in action.request.url:
            error = NotAllowedError("The cellar is closed")
            error.statusCode = 4501
            action.block(error)
        else:
            action.allow()
# end handshake


# begin raw
async def checkMessages(stream):
    async for action in stream:
        if len(action.data) > 2000:
            action.block(NotAllowedError("Such long messages are not read"))
        else:
            action.allow()
# end raw


# begin inbound
async def checkInbound(stream):
    async for action in stream:
        try:
            await checkAction(action)
        except Exception as error:
            action.block(error)


async def checkAction(action):
    if action.type == action.PUBLISH_IN:
        action.allow(data={"text": str(action.data), "from": action.socket.id})
    elif action.type == action.SUBSCRIBE and action.channel == "secrets":
        raise NotAllowedError("Secrets are not for you")
    elif action.type == action.INVOKE and action.procedure == "hidden":
        action.block()
    elif action.type == action.TRANSMIT and not await isKnown(action.receiver):
        raise NotAllowedError(f"There is no receiver {action.receiver}")
    elif action.type == action.AUTHENTICATE and action.authToken.get("name") == "mallory":
        error = NotAllowedError("You are banned")
        error.isBadToken = True
        raise error
    else:
        action.allow()
# end inbound


# begin delay
async def isKnown(receiver):
    return receiver == "position"  # in earnest: await a database
# end delay


# begin outbound
async def checkOutbound(stream):
    async for action in stream:
        if action.data["from"] == action.socket.id:
            action.block()  # nobody gets back what they have published
        else:
            action.allow(data=action.data["text"])
# end outbound


async def serve(server):
    async for event in server.listener("connection"):
        ensureDeferred(answer(event.socket, "hidden"))
        ensureDeferred(answer(event.socket, "open"))


async def answer(socket, name):
    async for request in socket.procedure(name):
        request.end(f"This is {name}")
