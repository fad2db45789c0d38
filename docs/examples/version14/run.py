"""The shop as a program."""

import server as shop
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from agtwisted import SCServer, listen


async def main(reactor):
    server = await listen(8000, reactor, serverType=SCServer)
    shop.start(server)
    print("listening on port", server.sourcePort)
    await Deferred()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
