"""
The server application of the scenarios on agtwisted.

It is the twin of application.js, which does the same on the reference server: a scenario gives a plan (options, rules
for the middleware, what to record) and later sends commands, and both must behave alike.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, ensureDeferred, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from agtwisted import AGAction, AGRequest, AGServer, AGServerSocket, AuthEngine
from agtwisted.errors import dehydrateError

log = Logger()

Plan = dict[str, Any]
Report = Callable[[str, Any], None]

SERVER_EVENTS = (
    "handshake connection connectionAbort disconnection closure subscription unsubscription authentication "
    "deauthentication authenticationStateChange badSocketAuthToken warning error ready"
).split()
SOCKET_EVENT_PREFIX = "socket."
#: The methods of a socket whose last argument in a script is the mapping of options.
OPTIONS_AFTER = {"setAuthToken": 1, "deauthenticate": 0, "invoke": 2}


class Base64Codec:
    """
    A codec of the application's own: JSON in base64.
    """

    def encode(self, value: object) -> str:
        """
        @return: the packet as text.
        """
        return base64.b64encode(json.dumps(value).encode()).decode()

    def decode(self, message: str | bytes) -> object:
        """
        @return: the packet in the text.
        """
        return json.loads(base64.b64decode(message)) if message else message


class Gates:
    """
    Things that wait until a scenario opens a gate of that name; a gate stays open.
    """

    def __init__(self) -> None:
        self._open: set[str] = set()
        self._waiting: dict[str, list[Deferred[None]]] = {}

    def wait(self, name: str) -> Deferred[None]:
        """
        @return: a Deferred that fires once the gate is open.
        """
        if name in self._open:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.setdefault(name, []).append(waiting)
        return waiting

    def open(self, name: str) -> None:
        """
        Let everything through that waits there.
        """
        self._open.add(name)
        for waiting in self._waiting.pop(name, []):
            waiting.callback(None)


class SlowAuthEngine:
    """
    Verifies tokens once the scenario lets it.
    """

    def __init__(self) -> None:
        self._engine = AuthEngine()
        self.application: Application

    def signToken(self, data: dict[str, Any], key: Any, **options: Any) -> Any:
        """
        Sign at once.
        """
        return self._engine.signToken(data, key, **options)

    async def verifyToken(self, signedToken: str | None, key: Any, **options: Any) -> Any:
        """
        Verify when the gate is open.
        """
        if signedToken:
            self.application.report("verifying", {"hasSocket": options.get("socket") is not None, "key": key})
            await self.application.gates.wait("verify")
        return await maybeDeferred(self._engine.verifyToken, signedToken, key, **options)


class ReplacedAuthEngine:
    """
    An engine with nothing but a verify method.
    """

    async def verifyToken(
        self, signedToken: str, key: str, *, socket: AGServerSocket, **options: Any
    ) -> dict[str, Any]:
        """
        Accept everything.
        """
        return {"username": f"{signedToken} by {key}", "id": socket.id}


def makeError(fields: dict[str, Any]) -> Exception:
    """
    @return: an exception of an application's own class, with these public attributes.
    """
    fields = dict(fields)
    error: Exception = type(fields.pop("name"), (Exception,), {})(fields.pop("message"))
    for name, value in fields.items():
        setattr(error, name, value)
    return error


def describe(event: object) -> dict[str, Any]:
    """
    @return: an event as JSON can carry it; a socket becomes its id and state.
    """
    description: dict[str, Any] = {}
    for name, value in vars(event).items() if event is not None else ():
        if isinstance(value, AGServerSocket):
            description |= {"id": value.id, "state": value.state}
        elif isinstance(value, BaseException):
            description[name] = dehydrateError(value)
        elif value is not None:
            description[name] = value
    return description


class Application:
    """
    What a scenario's server does.
    """

    def __init__(self, server: AGServer, plan: Plan, report: Report) -> None:
        """
        @param report: called with the name and the data of everything that the scenario may want to know.
        """
        self.server = server
        self.plan = plan
        self.report = report
        self.gates = Gates()
        self.sockets: list[AGServerSocket] = []
        self.held: list[AGRequest] = []
        self._setUpRecords()
        self._setUpBroker()
        self._setUpMiddleware()
        self._run(self._meetSockets())
        self._run(self._serveSockets())

    def _run(self, work: Coroutine[Any, Any, Any]) -> None:
        ensureDeferred(work).addErrback(lambda failure: log.failure("A scenario's application failed", failure))

    # Records

    def _setUpRecords(self) -> None:
        for name in self.plan.get("serverEvents", SERVER_EVENTS):
            self._run(self._record(self.server, name, name))
        for name in self.plan.get("brokerEvents", []):
            self._run(self._record(self.server.brokerEngine, name, f"broker.{name}"))
        for name in self.plan.get("exchangeEvents", []):
            self._run(self._record(self.server.exchange, name, f"exchange.{name}"))

    async def _record(self, emitter: Any, name: str, label: str) -> None:
        async for event in emitter.listener(name):
            self.report(label, describe(event))

    # The broker

    def _setUpBroker(self) -> None:
        if not self.plan.get("slowUnsubscribe"):
            return
        broker = self.server.brokerEngine
        original = broker.unsubscribeSocket

        async def unsubscribeSocket(socket: AGServerSocket, channel: str) -> None:
            self.report("unsubscribing", {"channel": channel})
            await self.gates.wait("unsubscribe")
            await maybeDeferred(original, socket, channel)

        broker.unsubscribeSocket = unsubscribeSocket

    # Middleware

    def _setUpMiddleware(self) -> None:
        lines: dict[str, list[Plan]] = {}
        for rule in self.plan.get("rules", []):
            lines.setdefault(rule["line"], []).append(rule)
        for line, rules in lines.items():
            self.server.setMiddleware(line, self._middleware(rules))

    def _middleware(self, rules: list[Plan]) -> Callable[[Any], Awaitable[None]]:
        async def judgeAll(stream: Any) -> None:
            async for action in stream:
                await self._judge(action, rules)

        return judgeAll

    async def _judge(self, action: AGAction, rules: list[Plan]) -> None:
        self._reportAction(action, rules[0]["line"])
        rule = next((rule for rule in rules if self._matches(action, rule)), {})
        # The methods work as well when they are taken out of the action.
        allow, block = action.allow, action.block
        if "hold" in rule:
            await self.gates.wait(rule["hold"])
        if "setAuthToken" in rule:
            await self._trySetAuthToken(action, rule["setAuthToken"])
        if rule.get("silent"):
            block()
        elif "error" in rule:
            block(makeError(rule["error"]))
        elif "replace" in rule:
            allow(data=rule["replace"])
        else:
            allow()

    def _matches(self, action: AGAction, rule: Plan) -> bool:
        names = ("type", "channel", "procedure", "receiver")
        if any(name in rule and rule[name] != getattr(action, name, None) for name in names):
            return False
        if "user" in rule and rule["user"] != (action.authToken or {}).get("username"):
            return False
        if "contains" in rule and rule["contains"] not in str(action.data):
            return False
        return rule.get("query", "") in self._request(action).url

    def _request(self, action: Any) -> Any:
        return getattr(action, "request", None) or action.socket.request

    def _reportAction(self, action: Any, line: str) -> None:
        names = ("type", "channel", "procedure", "receiver", "authToken", "signedAuthToken", "authTokenExpiredError")
        fields = {name: getattr(action, name, None) for name in names}
        error = fields.pop("authTokenExpiredError")
        description = {"line": line, "url": self._request(action).url}
        description |= {name: value for name, value in fields.items() if value is not None}
        if error is not None:
            description["authTokenExpiredError"] = dehydrateError(error)
        if action.type == AGAction.HANDSHAKE_SC:
            description["authState"] = action.data.authState
        elif getattr(action, "data", None) is not None:
            description["data"] = action.data
        self.report("action", description)

    async def _trySetAuthToken(self, action: Any, data: dict[str, Any]) -> None:
        try:
            await action.socket.setAuthToken(data)
        except Exception as error:
            self.report("setAuthTokenFailed", dehydrateError(error))

    # Sockets

    async def _meetSockets(self) -> None:
        async for event in self.server.listener("handshake"):
            for name in self.plan.get("socketEvents", []):
                self._run(self._record(event.socket, name, SOCKET_EVENT_PREFIX + name))
            if self.plan.get("publishOnUnsubscribe"):
                self._run(self._publishOnUnsubscribe(event.socket))

    async def _serveSockets(self) -> None:
        async for event in self.server.listener("connection"):
            self.sockets.append(event.socket)
            self._serve(event.socket)

    async def _publishOnUnsubscribe(self, socket: AGServerSocket) -> None:
        async for event in socket.listener("unsubscribe"):
            await self.server.exchange.invokePublish(event.channel, f"{socket.id} left")
            self.report("farewell", {"channel": event.channel})

    def _serve(self, socket: AGServerSocket) -> None:
        for name, answer in {
            "echo": lambda request: request.end(request.data),
            "nothing": lambda request: request.end(),
            "fail": lambda request: request.error(makeError(request.data)),
            "hold": self._hold,
            "twice": self._answerTwice,
            "bytes": lambda request: request.end(bytes(request.data)),
            "login": self._login,
            "callBack": self._callBack,
        }.items():
            self._run(self._answer(socket, name, answer))
        for name in self.plan.get("procedures", []):
            self._run(self._answer(socket, name, lambda request: request.end([request.procedure, request.data])))
        for name in self.plan.get("receivers", ["note"]):
            self._run(self._receive(socket, name))
        if "once" in self.plan:
            self._run(self._answerOnce(socket, self.plan["once"]))
        if "slow" in self.plan:
            self._run(self._consumeSlowly(socket.receiver(self.plan["slow"])))

    async def _answer(self, socket: AGServerSocket, name: str, answer: Callable[[AGRequest], Any]) -> None:
        async for request in socket.procedure(name):
            result = answer(request)
            if isinstance(result, Coroutine):
                self._run(result)

    async def _receive(self, socket: AGServerSocket, name: str) -> None:
        async for data in socket.receiver(name):
            self.report("received", {"id": socket.id, "receiver": name, "data": data})
            if data == "stop":
                break
        self.report("receiverEnded", {"id": socket.id, "receiver": name})

    async def _answerOnce(self, socket: AGServerSocket, name: str) -> None:
        request = await socket.procedure(name).once()
        request.end("once")

    async def _consumeSlowly(self, stream: Any) -> None:
        count = 0
        async for data in stream:
            self.report("slowStarted", {"data": data})
            await self.gates.wait(f"slow{count}")
            count += 1
            self.report("slowHandled", {"data": data})
        self.report("slowEnded", {"count": count})

    def _hold(self, request: AGRequest) -> None:
        self.held.append(request)
        self.report("held", {"data": request.data})

    def _answerTwice(self, request: AGRequest) -> None:
        request.end("first")
        try:
            request.end("second")
        except Exception as error:
            self.report("answeredTwice", dehydrateError(error))

    async def _login(self, request: AGRequest) -> None:
        claims = dict(request.data)
        options = claims.pop("options", {})
        try:
            await request.socket.setAuthToken(claims, **options)
        except Exception as error:
            self.report("loginFailed", dehydrateError(error))
            return
        request.end()

    async def _callBack(self, request: AGRequest) -> None:
        arguments = [request.data["data"]] if "data" in request.data else []
        options = {"ackTimeout": request.data["ackTimeout"]} if "ackTimeout" in request.data else {}
        try:
            result = await request.socket.invoke(request.data["procedure"], *arguments, **options)
        except Exception as error:
            self.report("callBackFailed", dehydrateError(error))
            if request.socket.state == "open":
                request.end({"error": dehydrateError(error)})
        else:
            request.end({"result": result})

    # Commands

    def command(self, name: str, arguments: dict[str, Any]) -> Deferred[Any]:
        """
        Do what a scenario asks for.

        @return: a Deferred that fires with the answer.
        """
        result: Deferred[Any] = maybeDeferred(getattr(self, f"command_{name}"), **arguments)
        return result

    def _find(self, id: str | None) -> AGServerSocket:
        return next(socket for socket in self.sockets if id is None or socket.id == id)

    def command_open(self, gate: str) -> None:
        """
        Open a gate.
        """
        self.gates.open(gate)

    def command_publish(self, channel: str, data: Any) -> Any:
        """
        Publish from the exchange.
        """
        return self.server.exchange.transmitPublish(channel, data)

    def command_invokePublish(self, channel: str, data: Any) -> Any:
        """
        Publish from the exchange.
        """
        return self.server.exchange.invokePublish(channel, data)

    def command_watch(self, channel: str) -> dict[str, Any]:
        """
        Subscribe on the server, with two consumers.
        """
        self._run(self._watch(self.server.exchange.subscribe(channel), channel, "watched"))
        self._run(self._watch(self.server.exchange.channel(channel), channel, "watchedToo"))
        return self.command_exchange(channel)

    async def _watch(self, channel: Any, name: str, label: str) -> None:
        async for data in channel:
            self.report(label, {"channel": name, "data": data})
        if label == "watched":
            self.report("watchEnded", {"channel": name})

    def command_watchSlowly(self, channel: str) -> None:
        """
        Subscribe on the server, with a consumer that takes its time.
        """
        self._run(self._consumeSlowly(self.server.exchange.subscribe(channel)))

    def command_exchangeBackpressure(self, channel: str) -> dict[str, int]:
        """
        Tell what waits for the server's own consumers.
        """
        exchange = self.server.exchange
        return {
            "all": exchange.getBackpressure(),
            "channels": exchange.getAllChannelsBackpressure(),
            "channel": exchange.channel(channel).getBackpressure(),
        }

    def command_unwatch(self, channel: str) -> dict[str, Any]:
        """
        End the server's own subscription and its consumers.
        """
        self.server.exchange.unsubscribe(channel)
        self.server.exchange.closeChannel(channel)
        return self.command_exchange(channel)

    def command_exchange(self, channel: str) -> dict[str, Any]:
        """
        Tell what the exchange and the broker are subscribed to.
        """
        exchange = self.server.exchange
        return {
            "subscribed": exchange.isSubscribed(channel),
            "subscriptions": list(exchange.subscriptions()),
            "broker": sorted(self.server.brokerEngine.subscriptions()),
        }

    def command_counts(self) -> dict[str, Any]:
        """
        Tell who is connected.
        """
        server = self.server
        return {
            "clientsCount": server.clientsCount,
            "pendingClientsCount": server.pendingClientsCount,
            "clients": list(server.clients),
            "pendingClients": list(server.pendingClients),
        }

    def command_options(self) -> dict[str, Any]:
        """
        Tell the options.
        """
        options = self.server.options
        return {
            "pingTimeout": self.server.pingTimeout,
            "optionPingTimeout": options.pingTimeout,
            "path": options.path,
            "ackTimeout": options.ackTimeout,
        }

    def command_socket(self, id: str | None = None) -> dict[str, Any]:
        """
        Tell about one socket.
        """
        socket = self._find(id)
        return {
            "state": socket.state,
            "authState": socket.authState,
            "authToken": socket.authToken,
            "url": socket.request.url,
            "signed": socket.signedAuthToken,
            "subscriptions": list(socket.subscriptions()),
            "count": socket.channelSubscriptionsCount,
            "remoteAddress": socket.remoteAddress,
        }

    def command_backpressure(self, id: str | None = None) -> dict[str, int]:
        """
        Tell what waits.
        """
        socket = self._find(id)
        return {
            "inbound": socket.getInboundBackpressure(),
            "outbound": socket.getOutboundBackpressure(),
            "total": socket.getBackpressure(),
        }

    def command_setKey(self, signatureKey: str, verificationKey: str) -> None:
        """
        Change the keys of the running server.
        """
        self.server.signatureKey = signatureKey
        self.server.verificationKey = verificationKey

    def command_sign(self, data: dict[str, Any], key: str, options: dict[str, Any]) -> Any:
        """
        Sign a token.
        """
        return self.server.auth.signToken(data, key, **options)

    def command_setRules(self, rules: list[Plan]) -> None:
        """
        Change the middleware of the running server; a rule without a type only takes the line's middleware away.
        """
        for line in {rule["line"] for rule in rules}:
            self.server.removeMiddleware(line)
        self.plan["rules"] = [rule for rule in rules if "type" in rule]
        self._setUpMiddleware()

    def command_replaceAuthEngine(self) -> None:
        """
        Change the auth engine of the running server.
        """
        self.server.setAuthEngine(ReplacedAuthEngine())

    def command_answer(self, data: Any) -> None:
        """
        Answer the request that is held longest.
        """
        self.held.pop(0).end(data)

    async def command_script(self, steps: list[list[Any]], id: str | None = None) -> list[dict[str, Any]]:
        """
        Take steps on a socket without waiting in between, as one piece of server code would.
        """
        socket = self._find(id)
        results = await DeferredList([self._step(socket, *step) for step in steps], consumeErrors=True)
        return [self._outcome(result) for _, result in results]

    def _step(self, socket: AGServerSocket, method: str, *arguments: Any) -> Deferred[Any]:
        position = OPTIONS_AFTER.get(method, len(arguments))
        options = arguments[position] if position < len(arguments) else {}
        return maybeDeferred(getattr(socket, method), *arguments[:position], **options)

    def _outcome(self, result: Any) -> dict[str, Any]:
        if isinstance(result, Failure):
            return {"error": dehydrateError(result.value)}
        return {"value": None if isinstance(result, list) else result}

    async def command_kickOut(self, args: list[Any], id: str | None = None) -> dict[str, Any]:
        """
        Kick a socket out of channels, and tell what it is subscribed to right behind that.
        """
        socket = self._find(id)
        done = maybeDeferred(socket.kickOut, *args)
        state = self.command_socket(id)
        await done
        return {"subscriptions": state["subscriptions"], "count": state["count"]}
