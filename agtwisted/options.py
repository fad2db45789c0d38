"""
The options of a server, with SocketCluster's names, defaults and units.

This is the only place, besides the public edge, that knows milliseconds: everything inside works in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from math import inf
from typing import Any, Self
from uuid import uuid4

from twisted.logger import Logger

from agtwisted.errors import InvalidOptionsError
from agtwisted.protocol.engines import CODECS, codecFor

log = Logger()

#: Options that only Node has a use for: accepted, so that a configuration can be carried over, and ignored.
NODE_ONLY = frozenset(
    {"wsEngine", "wsEngineServerOptions", "httpServer", "authSignAsync", "authVerifyAsync", "authTokenName"}
)


def seconds(milliseconds: float) -> float:
    """
    @return: SocketCluster's milliseconds in the seconds that everything inside works in.
    """
    return milliseconds / 1000


def option(
    default: Any, kind: str, help: str, unit: str = "", choices: tuple[Any, ...] = (), commandLine: bool = True
) -> Any:
    """
    Declare one option.

    @param kind: C{"int"}, C{"float"}, C{"bool"}, C{"str"}, C{"list"}, C{"version"}, C{"codec"} or C{"object"}: how a
        command line reads it.
    @param commandLine: whether the command line offers it.
    """
    metadata = {"kind": kind, "help": help, "unit": unit, "choices": choices, "commandLine": commandLine}
    return field(default=default, metadata=metadata)


@dataclass(slots=True, kw_only=True)
class ServerOptions:
    """
    Every option of an L{agtwisted.AGServer}, merged over the defaults.
    """

    # ---- protocol
    protocolVersion: int | str = option(
        2, "version", "version of the SocketCluster protocol: 2 for clients from 15 on, 1 for 14, auto for both"
    )
    path: str = option("/socketcluster/", "str", "URL path of the WebSocket endpoint, compared exactly")
    pathV1: str | None = option(
        None, "str", "another URL path, at which version 1 of the protocol is spoken, whatever protocolVersion is"
    )
    origins: str = option(
        "*:*", "str", "origins that may connect: host:port, host:* or *:port, separated by commas or spaces"
    )
    handleProtocols: Any = option(
        None,
        "object",
        "function(protocols, request) that chooses one of the WebSocket subprotocols offered, or None",
        commandLine=False,
    )
    perMessageDeflate: Any = option(
        None, "bool", "compress messages for clients that offer it; costs memory and CPU for every connection"
    )
    maxPayload: int | None = option(
        1048576, "int", "largest message accepted, after inflation; larger ones close with 1009", "bytes"
    )
    maxBatchLength: int | None = option(
        10000, "int", "packets that one message may hold as a batch; longer ones close with 1008"
    )
    maxDepth: int | None = option(
        256, "int", "levels of arrays and objects that a message may have, its own included; deeper ones close with 1008"
    )
    maxContainers: int | None = option(
        32768, "int", "arrays and objects that a message may hold, its own included; fuller ones close with 1008"
    )
    strictHandshake: bool = option(True, "bool", "close with 4009 when anything comes before #handshake")
    handshakeTimeout: float = option(10000, "float", "how long #handshake may take to come, else 4005", "ms")
    ackTimeout: float = option(10000, "float", "how long a client may take to answer a call", "ms")
    pingInterval: float = option(8000, "float", "time between pings", "ms")
    pingTimeout: float = option(30000, "float", "how long a client may be silent, else 4001", "ms")
    pingTimeoutDisabled: bool = option(False, "bool", "send no pings and never close a silent client")
    batchOnHandshake: bool = option(False, "bool", "collect what is sent right after the handshake into batches")
    batchOnHandshakeDuration: float = option(400, "float", "how long batchOnHandshake lasts", "ms")
    batchInterval: float = option(50, "float", "time between the batches of a socket that batches", "ms")

    # ---- authentication
    authKey: str | bytes | None = option(None, "str", "secret that signs and verifies tokens; random when not given")
    authPrivateKey: Any = option(None, "str", "PEM private key that signs tokens; needs authPublicKey")
    authPublicKey: Any = option(None, "str", "PEM public key that verifies tokens; needs authPrivateKey")
    authDefaultExpiry: float = option(86400, "int", "life of a token that is given none", "seconds")
    authAlgorithm: str | None = option(None, "str", "algorithm that signs, the only one accepted: HS256, RS256, ...")
    authVerifyAlgorithms: list[str] | None = option(None, "list", "algorithms accepted, separated by commas")
    authExpiryMode: str = option(
        "onUse",
        "str",
        "when the end of a token takes effect: with the next message or pong of its client, or at its second, perhaps "
        "with the subscriptions that were made under it",
        choices=("onUse", "deauthenticate", "deauthenticateAndUnsubscribe"),
    )
    maxTokenLength: int | None = option(
        65536, "int", "longest token that is looked at; longer ones are bad", "characters"
    )
    maxFailedAuthenticationsPerMinute: int | None = option(
        60, "int", "bad tokens that one connection may present within a minute; past them it is closed with 1008"
    )
    authEngine: Any = option(None, "object", "object with signToken and verifyToken", commandLine=False)

    # ---- publish and subscribe
    allowClientPublish: bool = option(True, "bool", "let clients publish")
    socketChannelLimit: int | None = option(1000, "int", "channels that one socket may subscribe to")
    maxChannelNameLength: int | None = option(
        1024, "int", "characters in the name of a channel that a client publishes in, subscribes to or leaves"
    )
    brokerEngine: Any = option(None, "object", "broker engine; an AGSimpleBroker when not given", commandLine=False)

    # ---- flow control
    inboundHighWaterMark: int = option(
        256, "int", "messages of one client that may wait for the application; above, the client is not read any more"
    )
    inboundHighWaterBytes: int = option(
        1048576, "int", "bytes of them that may wait", "bytes"
    )
    maxUnansweredCalls: int | None = option(
        1000, "int", "calls of one client that wait for answers; past it the client is not read, then calls are refused"
    )
    maxMessagesPerSecond: float | None = option(
        None, "float", "messages that one client may send per second on average; one that sends more is slowed down"
    )
    maxMessagesBurst: int | None = option(
        None, "int", "messages that may come at once under maxMessagesPerSecond; those of two seconds when not given"
    )
    outboundBufferLimit: int | None = option(
        1048576, "int", "what may wait for a client that does not read; past it, the client is closed with 4100",
        "bytes"
    )
    outboundBufferGrace: float = option(
        2000, "float", "how long it may stay past that limit; at one and a half times the limit it may not at all", "ms"
    )
    maxWaitingPongs: int | None = option(
        60, "int", "WebSocket pongs that may wait for a client that pings and does not read; more close with 1008"
    )
    maxControlFrames: int | None = option(
        200, "int", "WebSocket pings and pongs that a client may send in a second; more close with 1008"
    )
    maxSmallFragments: int | None = option(
        1000, "int", "fragments of less than 64 bytes that one message may come in; more close with 1008"
    )

    # ---- admission
    maxConnections: int | None = option(
        None, "int", "connections at a time, 0 for any number; further ones are answered 503. When not given, as many as "
        "the process may have descriptors, less a reserve"
    )
    maxConnectionsPerAddress: int | None = option(
        None, "int", "connections at a time from one address, or one /64 network of IPv6; further ones are answered 503"
    )
    maxPendingHandshakes: int | None = option(
        10000, "int", "connections at a time that have not completed #handshake; further ones are answered 503"
    )
    maxPendingHandshakesPerAddress: int | None = option(
        None, "int", "connections at a time from one address that have not completed #handshake"
    )

    # ---- stopping
    drainDelay: float = option(
        0, "float", "how long /health-check says 503 before the server stops listening, for balancers to turn away", "ms"
    )
    drainTimeout: float = option(
        10000, "float", "how long calls that are being served have to be answered when the server stops", "ms"
    )

    # ---- the rest
    codecEngine: Any = option(
        None,
        "codec",
        "form of the messages: a name, or an object with encode and decode; json when not given",
        choices=tuple(CODECS),
    )
    requestCreator: Any = option(
        None, "object", "function(socket, id, procedure, data) that makes requests", commandLine=False
    )
    middlewareEmitFailures: bool = option(True, "bool", "emit an error or warning for what middleware blocks")
    socketStreamCleanupMode: str = option(
        "kill", "str", "what becomes of a closed socket's streams", choices=("kill", "close", "none")
    )
    cloneData: bool = option(False, "bool", "deep-copy data that is sent, so that it may be changed at once")
    forwardedForHops: int = option(
        0, "int", "trusted proxies in front, each of which adds its client to X-Forwarded-For; sets forwardedForAddress"
    )

    @classmethod
    def merged(cls, given: Mapping[str, Any]) -> Self:
        """
        Merge options over the defaults.

        @raise InvalidOptionsError: an option is not known (the message names the nearest one), or its value cannot be.
        """
        known = {each.name: each for each in fields(cls)}
        values: dict[str, Any] = {}
        for name, value in given.items():
            if name in known:
                values[name] = value
            elif name in NODE_ONLY:
                log.info("The option {name} only has a meaning in Node and is ignored.", name=name)
            else:
                raise InvalidOptionsError(f"The option {name} is not known{_didYouMean(name, known)}")
        options = cls(**values)
        options._check()
        return options

    def _check(self) -> None:
        for each in fields(self):
            _checkValue(each, getattr(self, each.name))
        if (self.authPrivateKey is None) != (self.authPublicKey is None):
            missing, given = ("authPrivateKey", "authPublicKey")
            if self.authPublicKey is None:
                missing, given = given, missing
            raise InvalidOptionsError(f"The {missing} option must be specified if {given} is specified")
        codecFor(self.codecEngine)
        if self.protocolVersion not in (1, 2, "auto"):
            raise InvalidOptionsError(f"The protocolVersion option must be 1, 2 or auto, not {self.protocolVersion!r}")
        for name, path in (("path", self.path), ("pathV1", self.pathV1)):
            if path is not None and not path.startswith("/"):
                raise InvalidOptionsError(f"The {name} option must begin with a slash; {path!r} does not")
        if self.path == self.pathV1:
            raise InvalidOptionsError(f"The pathV1 option must be another path than the path option, {self.path!r}")


#: Options of L{ServerOptions} that mean nothing to an C{SCServer}.
NOT_IN_14 = frozenset(
    {
        "batchOnHandshake",
        "batchOnHandshakeDuration",
        "batchInterval",
        "cloneData",
        "middlewareEmitFailures",
        "requestCreator",
        "socketStreamCleanupMode",
    }
)


@dataclass(slots=True, kw_only=True)
class SCServerOptions(ServerOptions):
    """
    Every option of an L{agtwisted.SCServer}, merged over the defaults.
    """

    protocolVersion: int | str = option(
        1, "version", "version of the SocketCluster protocol: 1 for clients up to 14, 2 from 15 on, auto for both"
    )
    pingTimeout: float = option(20000, "float", "how long a client may be silent, else 4001", "ms")
    appName: str | None = option(None, "str", "name of the application; random when not given")
    pubSubBatchDuration: float | None = option(
        None, "float", "how long answers to subscriptions that ask for batches are collected; one turn when not given", "ms"
    )
    middlewareEmitWarnings: bool = option(True, "bool", "emit a warning for what middleware blocks")

    @classmethod
    def merged(cls, given: Mapping[str, Any]) -> Self:
        """
        Merge options over the defaults.

        @raise InvalidOptionsError: an option is not known or means nothing here, or its value cannot be.
        """
        for name in given:
            if name in NOT_IN_14:
                raise InvalidOptionsError(f"The option {name} is one of AGServer and means nothing to an SCServer")
        options = super(SCServerOptions, cls).merged(given)
        if options.appName is None:
            options.appName = str(uuid4())
        return options

    def _check(self) -> None:
        # Explicit, because a dataclass with slots is another class than the one that super() without arguments knows.
        self.path, self.pathV1 = _betweenSlashes(self.path), _betweenSlashes(self.pathV1)
        ServerOptions._check(self)


def _betweenSlashes(path: Any) -> Any:
    return f"/{path.strip('/')}/".replace("//", "/") if isinstance(path, str) else path


def _didYouMean(name: str, known: Mapping[str, object]) -> str:
    lower = {each.lower(): each for each in known}
    near = get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    return f"; did you mean {lower[near[0]]}?" if near else ""


def _checkValue(each: Field[Any], value: object) -> None:
    kind, choices, type = each.metadata["kind"], each.metadata["choices"], str(each.type)
    if value is None:
        fits, wanted = each.default is None or "None" in type, "given a value"
    elif kind in ("int", "float"):
        fits = not isinstance(value, bool) and isinstance(value, (int, float)) and 0 <= value < inf
        wanted = f"a number of {each.metadata['unit']}" if each.metadata["unit"] else "a number"
        wanted += " and not negative"
    elif type == "Any" or kind == "version":
        fits, wanted = True, ""
    elif kind == "bool":
        fits, wanted = isinstance(value, bool), "True or False"
    elif kind == "list":
        # A text would do as a list of its letters, and "HS256" in it be found.
        fits = isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
        wanted = "a list of texts"
    elif choices:
        fits, wanted = value in choices, f"one of {', '.join(choices)}"
    else:
        fits, wanted = isinstance(value, (str, bytes) if "bytes" in type else str), "text"
    if not fits:
        # A key, or what somebody takes for one, is not to be seen in a log.
        given = f"a value of type {value.__class__.__name__}" if each.name.endswith("Key") else repr(value)
        raise InvalidOptionsError(f"The {each.name} option must be {wanted}, not {given}")
