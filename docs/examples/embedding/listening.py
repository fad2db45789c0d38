"""A script that listens by itself."""

import sys

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import react

from agtwisted import listen


async def main(reactor, endpoint):
    server = await listen(endpoint, reactor, ackTimeout=5000)
    print("listening at", server.host, server.sourcePort)
    event = await server.listener("connection").once()
    print("first client:", event.socket.remoteAddress)
    await server.listener("closure").once()
    await server.listeningPort.stopListening()
    await server.close()


if __name__ == "__main__":
    react(lambda reactor: ensureDeferred(main(reactor, *sys.argv[1:])))
