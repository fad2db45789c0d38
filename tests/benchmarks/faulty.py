"""
Applications that do something wrong, for the load generator to notice.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import ensureDeferred

from benchmarks import application


def wrongData(server: Any) -> None:
    """
    Answer calls with other data than they came with.
    """
    _answerCalls(server, lambda request: request.end(request.data.replace("x", "y")))


def refusing(server: Any) -> None:
    """
    Answer calls with an error.
    """
    _answerCalls(server, lambda request: request.error(ValueError("no")))


def leaving(server: Any) -> None:
    """
    Close the connection instead of answering.
    """
    _answerCalls(server, lambda request: request.socket.disconnect(4500, "enough"))


def repeating(server: Any) -> None:
    """
    Publish everything twice.
    """

    async def repeat(stream: Any) -> None:
        async for action in stream:
            if action.type == action.PUBLISH_IN:
                server.exchange.transmitPublish(action.channel, action.data)
            action.allow()

    server.setMiddleware(server.MIDDLEWARE_INBOUND, repeat)
    application.plain(server)


def altering(server: Any) -> None:
    """
    Publish something else than was given.
    """

    async def alter(stream: Any) -> None:
        async for action in stream:
            action.allow(data="something else") if action.type == action.PUBLISH_IN else action.allow()

    server.setMiddleware(server.MIDDLEWARE_INBOUND, alter)
    application.plain(server)


def _answerCalls(server: Any, answer: Any) -> None:
    async def connections() -> None:
        async for event in server.listener("connection"):
            ensureDeferred(calls(event.socket))

    async def calls(socket: Any) -> None:
        async for request in socket.procedure("echo"):
            answer(request)

    ensureDeferred(connections())
