"""
The agtwisted side of the differential tests: many small servers in one process, started and asked about over stdin and
stdout, one line of JSON each way. What the application does is described in README.md; nodeserver.js is its twin.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

from twisted.internet import reactor as installedReactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import deferLater
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

from agtwisted import listen

from .gate import Gate

reactor: Any = installedReactor

SERVER_EVENTS = (
    "error",
    "warning",
    "handshake",
    "connectionAbort",
    "connection",
    "disconnection",
    "closure",
    "subscription",
    "unsubscription",
    "authentication",
    "deauthentication",
    "authenticationStateChange",
    "badSocketAuthToken",
)
SOCKET_EVENTS = (
    "error",
    "raw",
    "message",
    "connect",
    "disconnect",
    "connectAbort",
    "close",
    "end",
    "subscribe",
    "unsubscribe",
    "badAuthToken",
    "authenticate",
    "deauthenticate",
    "authStateChange",
    "authTokenSigned",
)
FIELDS = (
    "id",
    "pingTimeout",
    "isAuthenticated",
    "code",
    "reason",
    "channel",
    "subscriptionOptions",
    "authToken",
    "oldAuthToken",
    "oldAuthState",
    "newAuthState",
    "signedAuthToken",
    "message",
)
ERROR_FIELDS = ("error", "warning", "authError")

faults: list[str] = []
"""Exceptions that got out of the application's own coroutines."""


def sleep(milliseconds: float) -> Deferred[None]:
    """Wait for some milliseconds."""
    return deferLater(reactor, milliseconds / 1000, lambda: None)


def start(coroutine: Any) -> None:
    """Run a coroutine on its own and note how it fails."""
    ensureDeferred(coroutine).addErrback(lambda failure: faults.append(failure.getTraceback()))


def plain(value: Any) -> Any:
    """Give a value the form that the log has for it."""
    return {"bytes": bytes(value).hex()} if isinstance(value, (bytes, bytearray, memoryview)) else value


def field(event: Any, name: str) -> Any:
    """Read a field of an event value, whether it has attributes or members."""
    return event.get(name) if isinstance(event, dict) else getattr(event, name, None)


def view(event: Any) -> dict[str, Any]:
    """Pick out of an event value what can be compared."""
    seen = {name: plain(field(event, name)) for name in FIELDS if field(event, name) is not None}
    for name in ERROR_FIELDS:
        if field(event, name) is not None:
            seen[name] = describe(field(event, name))
    return seen


def describe(error: BaseException) -> dict[str, Any]:
    """Name and text of an error."""
    return {
        "name": getattr(error, "name", None) or type(error).__name__,
        "message": getattr(error, "message", None) if hasattr(error, "message") else str(error),
    }


def makeError(description: dict[str, Any]) -> Exception:
    """Make the exception of an application: its class has the name, further members become attributes."""
    kind: type[Exception] = type(description.get("name", "Error"), (Exception,), {})
    error = kind(description.get("message", ""))
    for name, value in description.items():
        if name not in ("name", "message"):
            setattr(error, name, value)
    return error


async def follow(stream: AsyncIterable[Any], handle: Callable[[Any], Any]) -> None:
    """Hand every item of a stream to a function, which may start something of its own."""
    async for item in stream:
        handle(item)


class Application:
    """What every server of this process does with its sockets."""

    def __init__(self, server: Any, setup: dict[str, Any], log: list[Any], gate: Gate) -> None:
        self.server = server
        self.setup = setup
        self.log = log
        self.gate = gate
        for name in SERVER_EVENTS:
            self.watch(server.listener(name), "server", name)
        start(follow(server.listener(setup.get("serveFrom", "handshake")), lambda event: self.serve(event.socket)))
        for line, rules in setup.get("middleware", {}).items():
            server.setMiddleware(line, self.judgeOf(line, rules))
        for channel in setup.get("watch", ()):
            start(follow(server.exchange.subscribe(channel), self.publicationLogger(channel)))
        if setup.get("holdUnsubscribe"):
            self.slowDown(server.brokerEngine)

    def watch(self, stream: AsyncIterable[Any], owner: str, name: str) -> None:
        """Log every event of a stream."""
        start(follow(stream, lambda event: self.log.append({owner: name, **view(event)})))

    def publicationLogger(self, channel: str) -> Callable[[Any], None]:
        """Make a function that logs publications of one channel."""
        return lambda data: self.log.append({"exchange": channel, "data": data})

    def held(self) -> Deferred[None]:
        """Wait for the script."""
        result: Deferred[None] = Deferred()
        self.gate.hold(lambda: result.callback(None))
        return result

    def slowDown(self, broker: Any) -> None:
        """Make unsubscribing take a while."""
        original = broker.unsubscribeSocket

        async def unsubscribeSocket(socket: Any, channel: str) -> None:
            await self.held()
            await original(socket, channel)

        broker.unsubscribeSocket = unsubscribeSocket

    def judgeOf(self, line: str, rules: list[dict[str, Any]]) -> Callable[[AsyncIterable[Any]], Awaitable[None]]:
        """Make the middleware function of one line."""

        async def judge(stream: AsyncIterable[Any]) -> None:
            async for action in stream:
                await self.judgeAction(line, rules, action)

        return judge

    async def judgeAction(self, line: str, rules: list[dict[str, Any]], action: Any) -> None:
        """Log an action and do what the first fitting rule says."""
        target = (
            getattr(action, "channel", None) or getattr(action, "procedure", None) or getattr(action, "receiver", None)
        )
        self.log.append(self.viewAction(line, action))
        fitting = (rule for rule in rules if rule["type"] == action.type and rule.get("name", target) == target)
        rule = next(fitting, {})
        if rule.get("delay"):
            await sleep(rule["delay"])
        if rule.get("hold"):
            await self.held()
        if "setAuthToken" in rule:
            try:
                await action.socket.setAuthToken(rule["setAuthToken"])
            except Exception as error:
                self.log.append({"refused": describe(error)})
        self.decide(action, rule)

    def decide(self, action: Any, rule: dict[str, Any]) -> None:
        """Allow or block."""
        if rule.get("twice"):
            action.allow()
            try:
                action.block(Exception("late"))
            except Exception as error:
                self.log.append({"refused": describe(error)})
        elif rule.get("block"):
            action.block(makeError(rule["block"]))
        elif "block" in rule:
            action.block()
        elif "replace" in rule:
            action.allow(data=rule["replace"])
        else:
            action.allow()

    def viewAction(self, line: str, action: Any) -> dict[str, Any]:
        """Pick out of an action what can be compared."""
        seen: dict[str, Any] = {"middleware": line, "type": action.type}
        for name in ("channel", "procedure", "receiver", "data", "authToken", "signedAuthToken"):
            if getattr(action, name, None) is not None:
                seen[name] = plain(getattr(action, name))
        if action.type == "handshakeSC":
            seen["data"] = view(action.data)
        if action.type == "handshakeWS":
            seen["url"] = action.request.url
        if getattr(action, "authTokenExpiredError", None) is not None:
            seen["expired"] = describe(action.authTokenExpiredError)
        return seen

    def serve(self, socket: Any) -> None:
        """Offer the procedures and receivers to a new socket."""
        for name in SOCKET_EVENTS:
            self.watch(socket.listener(name), "socket", name)
        for name, handle in PROCEDURES.items():
            start(follow(socket.procedure(name), self.answerer(handle, socket)))
        start(follow(socket.procedure("held"), lambda request: start(self.answerWhenReleased(request))))
        for name in self.setup.get("names", ()):
            self.offerName(socket, name)
        start(follow(socket.receiver("echo"), lambda data: socket.transmit("echo", data)))
        start(follow(socket.receiver("logout"), lambda data: socket.deauthenticate()))
        if self.setup.get("publishOnUnsubscribe"):
            start(
                follow(
                    socket.listener("unsubscribe"),
                    lambda event: self.server.exchange.transmitPublish(event.channel, "left"),
                )
            )
        if self.setup.get("kickAfterSubscribe"):
            start(follow(socket.listener("subscribe"), lambda event: socket.kickOut(event.channel, "out")))

    def offerName(self, socket: Any, name: str) -> None:
        """Offer an echo under a name of the script's choice, as procedure and as receiver."""
        start(follow(socket.procedure(name), lambda request: request.end({"called": name, "data": request.data})))
        start(follow(socket.receiver(name), lambda data: socket.transmit(name, data)))

    def answerer(self, handle: Callable[[Any, Any, Any], Awaitable[None]], socket: Any) -> Callable[[Any], None]:
        """Make the function that serves one procedure of one socket."""
        return lambda request: start(self.answer(handle, socket, request))

    async def answerWhenReleased(self, request: Any) -> None:
        """Serve C{held}: answer when the script says so."""
        await self.held()
        request.end("held")

    async def answer(self, handle: Callable[[Any, Any, Any], Awaitable[None]], socket: Any, request: Any) -> None:
        """Run a procedure; its exception is the answer, if there was none yet."""
        try:
            await handle(socket, request, self.server)
        except Exception as error:
            if request.sent:
                self.log.append({"refused": describe(error)})
            else:
                request.error(makeError(describe(error)))


async def _echo(socket: Any, request: Any, server: Any) -> None:
    request.end(request.data)


async def _empty(socket: Any, request: Any, server: Any) -> None:
    request.end()


async def _nothing(socket: Any, request: Any, server: Any) -> None:
    request.end(None)


async def _fail(socket: Any, request: Any, server: Any) -> None:
    request.error(makeError(request.data))


async def _twice(socket: Any, request: Any, server: Any) -> None:
    request.end(1)
    request.end(2)


async def _slow(socket: Any, request: Any, server: Any) -> None:
    await sleep(request.data)
    request.end("slow")


async def _login(socket: Any, request: Any, server: Any) -> None:
    await socket.setAuthToken(request.data.get("token"), **request.data.get("options", {}))
    await sleep(1)
    request.end("in")


async def _loginAtOnce(socket: Any, request: Any, server: Any) -> None:
    await socket.setAuthToken(request.data)
    request.end("in")


async def _logout(socket: Any, request: Any, server: Any) -> None:
    await socket.deauthenticate(**(request.data or {}))
    await sleep(1)
    request.end("out")


async def _forget(socket: Any, request: Any, server: Any) -> None:
    socket.deauthenticateSelf()
    request.end("forgotten")


async def _kickOut(socket: Any, request: Any, server: Any) -> None:
    data = request.data or {}
    await socket.kickOut(data.get("channel"), data.get("message"))
    await sleep(1)
    request.end(sorted(socket.subscriptions()))


async def _disconnect(socket: Any, request: Any, server: Any) -> None:
    request.end()
    await socket.disconnect(**(request.data or {}))


async def _disconnectFirst(socket: Any, request: Any, server: Any) -> None:
    await socket.disconnect(4100, "first")
    await socket.transmit("late", 1)
    request.end()


async def _terminate(socket: Any, request: Any, server: Any) -> None:
    socket.terminate()


async def _state(socket: Any, request: Any, server: Any) -> None:
    request.end(
        {
            "state": socket.state,
            "authState": socket.authState,
            "authToken": socket.authToken,
            "signed": bool(socket.signedAuthToken),
            "subscriptions": sorted(socket.subscriptions()),
            "count": socket.channelSubscriptionsCount,
            "url": socket.request.url,
        }
    )


async def _pressure(socket: Any, request: Any, server: Any) -> None:
    request.end(
        {
            "inbound": socket.getInboundBackpressure(),
            "outbound": socket.getOutboundBackpressure(),
            "all": socket.getBackpressure(),
        }
    )


async def _tellAtOnce(socket: Any, request: Any, server: Any) -> None:
    socket.transmit(request.data["event"], request.data["data"])
    request.end()


async def _counts(socket: Any, request: Any, server: Any) -> None:
    request.end(
        {"clients": server.clientsCount, "pending": server.pendingClientsCount, "registered": len(server.clients)}
    )


async def _call(socket: Any, request: Any, server: Any) -> None:
    arguments = [request.data["event"]] + ([request.data["data"]] if "data" in request.data else [])
    options = {name: value for name, value in request.data.items() if name == "ackTimeout"}
    try:
        answer = await socket.invoke(*arguments, **options)
    except Exception as error:
        request.end({"failure": describe(error)})
    else:
        request.end({"answer": answer})


async def _tell(socket: Any, request: Any, server: Any) -> None:
    arguments = [request.data["event"]] + ([request.data["data"]] if "data" in request.data else [])
    socket.transmit(*arguments)
    await sleep(1)
    request.end()


async def _raw(socket: Any, request: Any, server: Any) -> None:
    socket.send(request.data)
    request.end()


async def _publish(socket: Any, request: Any, server: Any) -> None:
    await server.exchange.invokePublish(request.data["channel"], request.data["data"])
    request.end()


async def _burst(socket: Any, request: Any, server: Any) -> None:
    for number in range(request.data["count"]):
        server.exchange.transmitPublish(request.data["channel"], number)
    await sleep(1)
    request.end()


async def _batch(socket: Any, request: Any, server: Any) -> None:
    socket.startBatch()
    request.end("batched")
    socket.transmit("one", 1)
    reactor.callLater(0.02, socket.flushBatch)


async def _cancelBatch(socket: Any, request: Any, server: Any) -> None:
    socket.startBatch()
    socket.transmit("one", 1)
    await sleep(20)
    socket.cancelBatch()
    request.end("cancelled")


async def _startBatching(socket: Any, request: Any, server: Any) -> None:
    socket.startBatching()
    request.end("batching")


async def _stopBatching(socket: Any, request: Any, server: Any) -> None:
    request.end("stopped")
    socket.stopBatching()


async def _bytes(socket: Any, request: Any, server: Any) -> None:
    request.end({"bytes": bytes([0, 1, 254, 255]), "list": [b"hi"]})


PROCEDURES: dict[str, Callable[[Any, Any, Any], Awaitable[None]]] = {
    "echo": _echo,
    "empty": _empty,
    "nothing": _nothing,
    "fail": _fail,
    "twice": _twice,
    "slow": _slow,
    "login": _login,
    "loginAtOnce": _loginAtOnce,
    "logout": _logout,
    "forget": _forget,
    "kickOut": _kickOut,
    "disconnect": _disconnect,
    "disconnectFirst": _disconnectFirst,
    "terminate": _terminate,
    "state": _state,
    "counts": _counts,
    "call": _call,
    "tell": _tell,
    "tellAtOnce": _tellAtOnce,
    "pressure": _pressure,
    "raw": _raw,
    "publish": _publish,
    "burst": _burst,
    "batch": _batch,
    "cancelBatch": _cancelBatch,
    "startBatching": _startBatching,
    "stopBatching": _stopBatching,
    "bytes": _bytes,
}


class Control(LineReceiver):
    """Takes commands, one JSON object a line."""

    delimiter = b"\n"
    MAX_LENGTH = 1 << 24

    def __init__(self) -> None:
        self.logs: list[list[Any]] = []
        self.gates: list[Gate] = []

    def lineReceived(self, line: bytes) -> None:
        """Carry out a command and reply with its result or how it failed."""
        command = json.loads(line)
        ensureDeferred(self._reply(command))

    async def _reply(self, command: dict[str, Any]) -> None:
        try:
            reply = await getattr(self, "command_" + command["command"])(command)
        except Exception:
            reply = {"failure": Failure().getTraceback()}
        self.sendLine(json.dumps({"id": command["id"], **reply}).encode())

    async def command_start(self, command: dict[str, Any]) -> dict[str, Any]:
        """Start a server."""
        server = await listen("tcp:0:interface=127.0.0.1", reactor=reactor, **command["options"])
        log: list[Any] = []
        self.gates.append(Gate())
        Application(server, command["app"], log, self.gates[-1])
        self.logs.append(log)
        return {"server": len(self.logs) - 1, "port": server.sourcePort}

    async def command_release(self, command: dict[str, Any]) -> dict[str, Any]:
        """Open the gate of one server."""
        opened: Deferred[None] = Deferred()
        self.gates[command["server"]].release(lambda: opened.callback(None))
        await opened
        return {}

    async def command_log(self, command: dict[str, Any]) -> dict[str, Any]:
        """What the application of one server has seen."""
        return {"log": self.logs[command["server"]]}

    async def command_faults(self, command: dict[str, Any]) -> dict[str, Any]:
        """What went wrong unseen."""
        return {"faults": faults}

    def connectionLost(self, reason: Any = None) -> None:
        """End with the process that has started this one."""
        if reactor.running:
            reactor.stop()


def main() -> None:
    """Serve until stdin ends."""
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    StandardIO(Control())
    reactor.run()


if __name__ == "__main__":
    main()
