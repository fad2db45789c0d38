"""
C{twistd agserver}: a SocketCluster server from the command line.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import Field, fields
from datetime import UTC, datetime
from typing import Any

from twisted.application.service import IService
from twisted.internet.defer import Deferred
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure
from twisted.python.reflect import namedAny, safe_str
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from agtwisted.errors import InvalidOptionsError, SocketProtocolError, socketProtocolErrorStatuses
from agtwisted.options import SCServerOptions, ServerOptions
from agtwisted.process import (
    endWell,
    heedSignals,
    raiseDescriptorLimit,
    tuneGarbageCollector,
    useLeanPolling,
    useMonotonicClock,
)
from agtwisted.protocol.codecs import JSONCodec
from agtwisted.protocol.statuses import HUNG_UP, NO_STATUS
from agtwisted.server.server import AGServer
from agtwisted.service import AGService
from agtwisted.site import standaloneSite
from agtwisted.sparing import Sparing
from agtwisted.sparinglog import INTERVAL, LINES
from agtwisted.v14.server import SCServer

log = Logger()


#: Seconds between two lines in the log about one limit, however often it is hit.
_LIMIT_LOG_INTERVAL = 10.0

#: Characters of an error or warning that get into the log.
_LONGEST_PROBLEM = 500


def kebabCase(name: str) -> str:
    """
    @return: an option's name as the command line writes it.
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def _explanation(option: Field[Any]) -> str:
    help, unit, choices = option.metadata["help"], option.metadata["unit"], option.metadata["choices"]
    parts = [help]
    if unit:
        parts.append(f"in {unit}")
    if choices:
        parts.append(f"one of {', '.join(choices)}")
    if option.default is not None:
        parts.append(f"default {str(option.default).lower() if option.default in (True, False) else option.default}")
    return "; ".join(parts)


def _offered(type: Any) -> dict[str, Field[Any]]:
    return {kebabCase(each.name): each for each in fields(type) if each.metadata["commandLine"]}


#: The servers by the version of their API, each with what its options are merged into.
_APIS: dict[str, tuple[type[AGServer], type[ServerOptions]]] = {
    "v20": (AGServer, ServerOptions),
    "v14": (SCServer, SCServerOptions),
}

#: The options of all of them.
_OPTIONS = _offered(SCServerOptions) | _offered(ServerOptions)


def _read(option: Field[Any], text: str) -> Any:
    kind = option.metadata["kind"]
    if kind == "bool":
        if text.lower() not in ("true", "false", "yes", "no", "1", "0"):
            raise ValueError("is either true or false")
        return text.lower() in ("true", "yes", "1")
    if kind == "version":
        return int(text) if text in ("1", "2") else text
    if kind == "list":
        return [each.strip() for each in text.split(",") if each.strip()]
    if kind in ("int", "float"):
        number = float(text)
        return int(number) if number.is_integer() else number
    return text


class Options(UsageOptions):
    """
    The command line of C{twistd agserver}.
    """

    synopsis = "[options]"
    longdesc = textwrap.dedent(
        """
        Serves SocketCluster clients, and a page at / to try it out with; without --app, the page has two procedures to call.
        Keys on a command line can be read by everybody on the machine; @FILE as the value of --auth-key,
        --auth-private-key or --auth-public-key reads them from a file.
        """
    )
    optFlags = [
        ["no-console", None, "serve no page at /"],
        ["verbose", None, "log as well how clients go that hang up without a close, or with a code of their own"],
    ]
    optParameters = [
        ["port", "p", None, "TCP port to listen at; default 8000 if no --endpoint is given"],
        ["app", "a", None, "package.module:function that is called with the server before it listens"],
        ["api", None, "v20", "the server's API: v20 for an AGServer, v14 for the SCServer of SocketCluster 14"],
        ["static", "s", None, "folder whose files are served at /, instead of the page to try it out with"],
        ["admin-endpoint", None, None, "where /stats, /metrics and /health-check are shown, apart from clients: the "
         "description of a server endpoint, e.g. tcp:9000:interface=127.0.0.1"],
        *([name, None, None, _explanation(option)] for name, option in _OPTIONS.items()),
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["endpoints"] = []

    def opt_endpoint(self, description: str) -> None:
        """
        description of a Twisted server endpoint to listen at, e.g. "ssl:443:privateKey=key.pem:certKey=cert.pem"; may
        be given several times
        """
        self["endpoints"].append(description)

    opt_e = opt_endpoint

    def postOptions(self) -> None:
        """
        Read what was given.

        @raise UsageError: something cannot be.
        """
        given: dict[str, Any] = {}
        for name, option in _OPTIONS.items():
            if self[name] is not None:
                try:
                    given[option.name] = _read(option, _fromFile(option.name, self[name]))
                except (ValueError, OSError) as error:
                    raise UsageError(f"--{name}: {self[name]!r} cannot be: {error}") from error
        if self["port"] is not None or not self["endpoints"]:
            self["endpoints"].insert(0, self._portEndpoint())
        self["application"] = _application(self["app"])
        if self["api"] not in _APIS:
            raise UsageError(f"--api: {self['api']!r} is none of {', '.join(_APIS)}")
        self["serverType"], optionsType = _APIS[self["api"]]
        try:
            optionsType.merged(given)
        except InvalidOptionsError as error:
            raise UsageError(str(error)) from error
        self["serverOptions"] = given

    def _portEndpoint(self) -> str:
        port = self["port"] or "8000"
        if not (port.isascii() and port.isdigit()) or int(port) > 65535:
            raise UsageError(f"--port: {port!r} is no TCP port; it is a number from 0 to 65535")
        return f"tcp:{port}:backlog=4096"


def _fromFile(name: str, text: str) -> str:
    if name in ("authKey", "authPrivateKey", "authPublicKey") and text.startswith("@"):
        with open(text[1:], encoding="utf-8") as file:
            return file.read() if name != "authKey" else file.read().strip()
    return text


def _application(name: str | None) -> Callable[[AGServer], Any] | None:
    if name is None:
        return None
    module, colon, function = name.partition(":")
    if not colon:
        raise UsageError(f"--app: {name!r} must have the form package.module:function")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = namedAny(f"{module}.{function}")
    except Exception as error:
        raise UsageError(f"--app: {name!r} cannot be loaded: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise UsageError(f"--app: {name!r} is no function")
    return found  # type: ignore[no-any-return]


class _Program(AGService):
    """
    The service of a process that does nothing else, which may therefore tune the process.
    """

    def __init__(self, *arguments: Any, hint: str, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._hint = hint

    def startService(self) -> Deferred[None]:
        """
        Start, and end the process if that fails.

        @raise Exception: it has failed at once, which ends the process with a status that says so.
        """
        useMonotonicClock(self.server.reactor)
        useLeanPolling(self.server.reactor, self.server.turns)
        raiseDescriptorLimit(self.server.reactor)
        started = super().startService()
        if isinstance(getattr(started, "result", None), Failure):
            failure: Failure = started.result  # type: ignore[assignment]
            started.addErrback(lambda _: None)
            failure.raiseException()
        return started.addCallbacks(self._isUp, self._failed)

    def stopService(self) -> Deferred[None]:
        """
        Stop in good order; a second signal ends the process at once.
        """
        if self.server.reactor.running:  # type: ignore[attr-defined]
            heedSignals()
        return super().stopService().addCallback(lambda _: endWell(self.server.reactor))

    def _isUp(self, _: None) -> None:
        log.info(
            "SocketCluster is ready at ws://localhost:{port}{path}. {hint}",
            port=self.server.sourcePort,
            path=self.server.getPath(),
            hint=self._hint.format(port=self.server.sourcePort),
        )
        tuneGarbageCollector()

    def _failed(self, failure: Any) -> None:
        log.failure("The server could not be started.", failure)
        reactor: Any = self.server.reactor
        reactor.callWhenRunning(reactor.stop)


def makeService(options: Options) -> IService:
    """
    @param options: the command line, parsed.
    @return: the service.
    """
    from twisted.internet import reactor

    server: AGServer = options["serverType"](reactor, **options["serverOptions"])
    _logErrors(server, bool(options["verbose"]))
    if options["application"] is None:
        _serveCallbacks(server) if isinstance(server, SCServer) else _serveConsole(server)
    # The page speaks JSON, and version 2 of the protocol.
    hasConsole = not options["no-console"] and isinstance(server.codec, JSONCodec) and server.protocolVersion != 1
    hint = "" if not hasConsole or options["static"] else "Open http://localhost:{port}/ to try it out."
    site = standaloneSite(server, console=hasConsole, static=options["static"])
    where = options["endpoints"], options["application"], site, options["admin-endpoint"]
    return _Program(server, *where, hint=hint)


def _logErrors(server: AGServer, isVerbose: bool = False) -> None:
    limits = Sparing(lambda: server.wheel.seconds(), _LIMIT_LOG_INTERVAL)
    others = Sparing(lambda: server.wheel.seconds(), INTERVAL, LINES)

    def omitted(problem: object) -> int | None:
        limit = getattr(problem, "limit", None)
        if limit is not None:
            return limits.omitted(str(limit))
        return others.omitted(f"{type(problem).__name__} {getattr(problem, 'code', None)}")

    async def errors() -> None:
        async for event in server.listener("error"):
            left = omitted(event.error)
            if left is not None:
                log.error("Error: {error}{more}", error=_short(event.error), more=f" (and {left} more)" if left else "")

    async def warnings() -> None:
        async for event in server.listener("warning"):
            isOrdinary = _isOrdinaryEnd(event.warning)
            if isOrdinary and not isVerbose:
                continue
            left = omitted(event.warning)
            if left is not None:
                # A field called "warning" is one of Python's warnings for Twisted's older observers.
                more = f" (and {left} more)" if left else ""
                level = LogLevel.debug if isOrdinary else LogLevel.warn
                log.emit(level, "Warning: {problem}{more}", problem=_short(event.warning), more=more)

    Deferred.fromCoroutine(errors())
    Deferred.fromCoroutine(warnings())


def _isOrdinaryEnd(problem: object) -> bool:
    """
    Whether a connection has only ended as many do: the client has hung up, or somebody has given a code that is no
    fault of SocketCluster's. C{twistd} writes what is logged at the level C{debug} too, and so many lines hide others.
    """
    return isinstance(problem, SocketProtocolError) and (
        problem.code in (NO_STATUS, HUNG_UP) or problem.code not in socketProtocolErrorStatuses
    )


def _short(problem: object) -> str:
    # The names in it may be a client's.
    text = safe_str(problem)
    return text if len(text) <= _LONGEST_PROBLEM else f"{text[:_LONGEST_PROBLEM]}..."


def _greeting(socket: Any, data: Any) -> dict[str, Any]:
    name = data.get("name") if isinstance(data, dict) else data
    return {"greeting": f"Hello {name or 'world'}", "from": socket.id}


def _time() -> dict[str, Any]:
    return {"time": datetime.now(UTC).isoformat(timespec="milliseconds")}


def _serveCallbacks(server: SCServer) -> None:
    """
    The same two procedures with version 14's API.
    """

    def connected(socket: Any) -> None:
        socket.on("hello", lambda data, respond: respond(None, _greeting(socket, data)))
        socket.on("time", lambda data, respond: respond(None, _time()))

    server.on("connection", connected)


def _serveConsole(server: AGServer) -> None:
    """
    Two procedures for the console page to call, where there is no application.
    """

    async def hello(socket: Any) -> None:
        async for request in socket.procedure("hello"):
            request.end(_greeting(socket, request.data))

    async def tellTime(socket: Any) -> None:
        async for request in socket.procedure("time"):
            request.end(_time())

    async def connections() -> None:
        async for event in server.listener("connection"):
            Deferred.fromCoroutine(hello(event.socket))
            Deferred.fromCoroutine(tellTime(event.socket))

    Deferred.fromCoroutine(connections())
