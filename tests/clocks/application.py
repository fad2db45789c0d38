"""
What is served while the wall clock leaps, and a plain script that serves it with the reactor as Twisted makes it.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.defer import Deferred

from agtwisted import AGServer, AGServerSocket, listen
from agtwisted.errors import TimeoutError

OPTIONS: dict[str, Any] = {
    "pingInterval": 1000,
    "pingTimeout": 10000,
    "handshakeTimeout": 3000,
    "authExpiryMode": "deauthenticate",
}


def begin(server: AGServer) -> None:
    """
    Serve.
    """
    Deferred.fromCoroutine(_serve(server))


async def _serve(server: AGServer) -> None:
    async for event in server.listener("connection"):
        for name, answer in PROCEDURES.items():
            Deferred.fromCoroutine(_answer(event.socket, name, answer))


async def _answer(socket: AGServerSocket, name: str, answer: Any) -> None:
    async for request in socket.procedure(name):
        request.end(await answer(socket, request.data))


async def _wallClock(socket: AGServerSocket, data: Any) -> float:
    return time.time()


async def _login(socket: AGServerSocket, data: Any) -> None:
    await socket.setAuthToken({"name": "ada"}, expiresIn=data)


async def _state(socket: AGServerSocket, data: Any) -> str:
    return socket.authState


async def _ask(socket: AGServerSocket, data: Any) -> str:
    try:
        await socket.invoke("a question", ackTimeout=data)
    except TimeoutError:
        return "timed out"
    return "answered"


async def _wait(socket: AGServerSocket, data: Any) -> str:
    try:
        await socket.receiver("what never comes").once(data)
    except TimeoutError:
        return "timed out"
    return "has come"


PROCEDURES = {"wall clock": _wallClock, "login": _login, "state": _state, "ask": _ask, "wait": _wait}


def main() -> None:
    """
    Serve with the reactor as it is.
    """
    from twisted.internet import reactor

    def listens(server: AGServer) -> None:
        begin(server)
        print(f"ready at ws://localhost:{server.sourcePort}/", flush=True)

    listen("tcp:0:interface=127.0.0.1", **OPTIONS).addCallback(listens)
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
