"""
The agtwisted side of the differential tests of version 14: many small servers in one process, started and asked about over
stdin and stdout, one line of JSON each way. nodeserver.js is its twin.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from twisted.internet import reactor as installedReactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.stdio import StandardIO
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.protocols.basic import LineReceiver

from agtwisted import NO_DATA, SCServer, SCServerSocket, listen

from ..gate import Gate

reactor: Any = installedReactor

SERVER_EVENTS = (
    "error notice warning handshake connectionAbort connection disconnection closure subscription unsubscription "
    "authentication deauthentication authenticationStateChange badSocketAuthToken"
).split()
SOCKET_EVENTS = (
    "error raw message connect disconnect connectAbort close subscribe unsubscribe badAuthToken authenticate "
    "deauthenticate authStateChange authTokenSigned"
).split()
REQUEST_FIELDS = ("event", "channel", "data", "waitForAuth", "authToken")

Respond = Callable[..., None]


def later(milliseconds: float, function: Callable[[], Any]) -> None:
    """Call a function in some milliseconds."""
    reactor.callLater(milliseconds / 1000, function)


def view(value: Any) -> Any:
    """Give an argument of an event a form that can be compared."""
    if isinstance(value, BaseException):
        return {
            "name": getattr(value, "name", None) or type(value).__name__,
            "message": getattr(value, "message", None) if hasattr(value, "message") else str(value),
        }
    if isinstance(value, SCServerSocket):
        return "<socket>"
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, SimpleNamespace):
        value = vars(value)
    if isinstance(value, dict):
        return {
            name: view(member) if isinstance(member, BaseException) else member
            for name, member in value.items()
            if member is not None
        }
    return value


def makeError(description: dict[str, Any]) -> Exception:
    """Make the exception of an application: its class has the name, further members become attributes."""
    kind: type[Exception] = type(description.get("name", "Error"), (Exception,), {})
    error = kind(description.get("message", ""))
    for name, value in description.items():
        if name not in ("name", "message"):
            setattr(error, name, value)
    return error


class Application:
    """What every server of this process does with its sockets."""

    def __init__(self, server: SCServer, setup: dict[str, Any], log: list[Any], gate: Gate) -> None:
        self.server = server
        self.setup = setup
        self.log = log
        self.gate = gate
        for name in SERVER_EVENTS:
            server.on(name, self.logger("server", name))
        server.on(setup.get("serveFrom", "handshake"), self.serve)
        for line, rules in setup.get("middleware", {}).items():
            for rule in rules:
                server.addMiddleware(line, self.judgeOf(line, rule))
        for channel in setup.get("watch", ()):
            server.exchange.watch(channel, self.publicationLogger(channel))
            server.exchange.subscribe(channel)
        if setup.get("holdUnsubscribe"):
            self.slowDown()
        if "failSubscribe" in setup:
            server.brokerEngine.subscribeSocket = lambda socket, channel, callback: callback(
                makeError(setup["failSubscribe"])
            )

    def logger(self, owner: str, name: str) -> Callable[..., None]:
        """Make a function that logs an event."""
        return lambda *values: self.log.append({owner: name, "values": [view(value) for value in values]})

    def publicationLogger(self, channel: str) -> Callable[[Any], None]:
        """Make a function that logs publications of one channel."""
        return lambda data: self.log.append({"exchange": channel, "data": data})

    def slowDown(self) -> None:
        """Make unsubscribing take a while."""
        broker = self.server.brokerEngine
        original = broker.unsubscribeSocket

        def unsubscribeSocket(socket: Any, channel: str, callback: Any = None) -> None:
            original(socket, channel, lambda: self.gate.hold(callback or (lambda: None)))

        broker.unsubscribeSocket = unsubscribeSocket

    def judgeOf(self, line: str, rule: dict[str, Any]) -> Callable[[Any, Any], None]:
        """Make a middleware function."""
        return lambda request, next: self.judge(line, rule, request, next)

    def judge(self, line: str, rule: dict[str, Any], request: Any, next: Any) -> None:
        """Log a request and do what the rule says."""
        seen: dict[str, Any] = {"middleware": line}
        if line == "handshakeWS":
            seen["url"] = request.url
        else:
            seen.update((field, getattr(request, field)) for field in REQUEST_FIELDS if getattr(request, field) is not None)
            if request.authTokenExpiredError is not None:
                seen["expired"] = view(request.authTokenExpiredError)
        self.log.append(seen)
        if "name" in rule and rule["name"] != (request.channel or request.event):
            next()
            return
        if "setAuthToken" in rule:
            request.socket.setAuthToken(rule["setAuthToken"])
        if "replace" in rule:
            request.data = rule["replace"]
        if "channel" in rule:
            request.channel = rule["channel"]
        if "ackData" in rule:
            request.ackData = rule["ackData"]
        if "useCache" in rule:
            request.useCache = True

        def decide() -> None:
            block = rule.get("block")
            error = makeError(block) if isinstance(block, dict) else block
            if "expired" in rule:
                error = request.authTokenExpiredError
            next(*([error, rule["value"]] if "value" in rule else [error]))
            if "twice" in rule:
                next(makeError({"name": "TwiceError", "message": "twice"}))

        if "delay" in rule:
            later(rule["delay"], decide)
        elif "hold" in rule:
            self.gate.hold(decide)
        else:
            decide()

    def serve(self, socket: SCServerSocket) -> None:
        """Offer the procedures to a new socket."""
        for name in SOCKET_EVENTS:
            if name != "message" or not self.setup.get("isDeaf"):
                socket.on(name, self.logger("socket", name))
        for name, handle in PROCEDURES.items():
            socket.on(name, self.procedure(handle, socket))
        for name in self.setup.get("names", ()):
            self.offerName(socket, name)
        if self.setup.get("publishOnUnsubscribe"):
            socket.on("unsubscribe", lambda channel: self.server.exchange.publish(channel, "left"))
        if self.setup.get("kickAfterSubscribe"):
            socket.on("subscribe", lambda channel: socket.kickOut(channel, "out"))
        if self.setup.get("greet"):
            socket.on("connect", lambda: socket.emit("greeting", self.setup["greet"]))

    def procedure(self, handle: Any, socket: SCServerSocket) -> Callable[[Any, Any], None]:
        """Make the function that serves one event of one socket."""
        return lambda data, respond: handle(socket, data, respond, self)

    def offerName(self, socket: SCServerSocket, name: str) -> None:
        """Offer an echo under a name of the script's choice."""
        socket.on(name, lambda data, respond: respond(None, {"called": name, "data": data}))


def _fail(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    respond(makeError(data) if isinstance(data, dict) else data)


def _twice(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    respond(None, 1)
    try:
        respond(None, 2)
    except Exception as error:
        app.log.append({"refused": view(error)})


def _login(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    socket.setAuthToken(data.get("token"), data.get("options"))
    respond(None, "in")


def _loginAtOnce(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    socket.setAuthToken(data)
    respond(None, "in")


def _confirmation(respond: Respond) -> Callable[[Any, Any], None]:
    return lambda error, answer: respond(None, {"error": view(error), "answer": answer})


def _logout(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    socket.deauthenticate()
    respond(None, "out")


def _forget(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    socket.deauthenticateSelf()
    respond(None, "forgotten")


def _kickOut(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    data = data or {}
    socket.kickOut(data.get("channel"), data.get("message", NO_DATA), lambda: respond(None, sorted(socket.subscriptions())))


def _hangUp(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    data = data or {}
    respond()
    socket.disconnect(data.get("code"), data.get("reason"))


def _disconnectFirst(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    socket.disconnect(4100, "first")
    socket.emit("late", 1)
    respond()


def _destroy(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    app.log.append({"active": socket.active})
    socket.destroy(data.get("code"), data.get("reason"))
    app.log.append({"active": socket.active})


def _state(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    respond(
        None,
        {
            "state": socket.state,
            "authState": socket.authState,
            "authToken": socket.authToken,
            "subscriptions": sorted(socket.subscriptions()),
            "count": socket.channelSubscriptionsCount,
            "active": socket.active,
            "url": socket.request.url,
        },
    )


def _counts(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    server = app.server
    respond(None, {"clients": server.clientsCount, "pending": server.pendingClientsCount, "registered": len(server.clients)})


def _call(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    def called(error: Any, answer: Any) -> None:
        respond(None, {"answer": answer} if error is None else {"failure": view(error)})

    socket.emit(data["event"], data.get("data", NO_DATA), called)


def _tell(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    socket.emit(data["event"], data.get("data", NO_DATA))
    respond()


def _sendRaw(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    socket.send(data)
    respond()


def _publish(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    app.server.exchange.publish(data["channel"], data.get("data", NO_DATA), respond)


def _burst(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    for number in range(data["count"]):
        app.server.exchange.publish(data["channel"], number)
    respond()


def _exchange(socket: Any, data: Any, respond: Respond, app: Application) -> None:
    exchange = app.server.exchange
    channel = exchange.subscribe("x")
    before = [exchange.isSubscribed("x"), exchange.subscriptions(), channel.state]
    channel.unsubscribe()
    after = [exchange.isSubscribed("x"), exchange.subscriptions(), channel.state]
    exchange.destroyChannel("x")
    respond(None, {"before": before, "after": after, "watchers": len(exchange.watchers("x"))})


PROCEDURES: dict[str, Callable[[Any, Any, Respond, Application], Any]] = {
    "echo": lambda socket, data, respond, app: respond(None, data),
    "empty": lambda socket, data, respond, app: respond(),
    "nothing": lambda socket, data, respond, app: respond(None, None),
    "fail": _fail,
    "failWithData": lambda socket, data, respond, app: respond(makeError(data["error"]), data["data"]),
    "twice": _twice,
    "slow": lambda socket, data, respond, app: later(data, lambda: respond(None, "slow")),
    "held": lambda socket, data, respond, app: app.gate.hold(lambda: respond(None, "held")),
    "login": _login,
    "loginAtOnce": _loginAtOnce,
    "loginConfirmed": lambda socket, data, respond, app: socket.setAuthToken(data, None, _confirmation(respond)),
    "logout": _logout,
    "logoutConfirmed": lambda socket, data, respond, app: socket.deauthenticate(_confirmation(respond)),
    "forget": _forget,
    "kickOut": _kickOut,
    "expel": _kickOut,
    "hangUp": _hangUp,
    "disconnectFirst": _disconnectFirst,
    "destroy": _destroy,
    "terminate": lambda socket, data, respond, app: socket.terminate(),
    "state": _state,
    "counts": _counts,
    "call": _call,
    "tell": _tell,
    "sendRaw": _sendRaw,
    "publish": _publish,
    "burst": _burst,
    "bytes": lambda socket, data, respond, app: respond(None, {"bytes": bytes([0, 1, 254, 255]), "list": [b"hi"]}),
    "answerInBatch": lambda socket, data, respond, app: respond(None, data, {"batch": True}),
    "exchange": _exchange,
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
        result = ensureDeferred(getattr(self, "command_" + command["command"])(command))
        result.addErrback(lambda failure: {"failure": failure.getTraceback()})
        result.addCallback(lambda reply: self.sendLine(json.dumps({"id": command["id"], **reply}).encode()))

    async def command_start(self, command: dict[str, Any]) -> dict[str, Any]:
        """Start a server."""
        server = await listen("tcp:0:interface=127.0.0.1", reactor, serverType=SCServer, **command["options"])
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
