"""
The errors that may cross the wire, and their form there.

The classes are SocketCluster's (its package C{sc-errors}), with the same names, fields and order of arguments::

    SCError                               message
     +-- AuthTokenExpiredError            message, expiry
     +-- AuthTokenInvalidError            message
     +-- AuthTokenNotBeforeError          message, date
     +-- AuthTokenError                   message                        any other fault of a token
     +-- AuthError                        message                        faults that are not the token's own
     +-- SilentMiddlewareBlockedError     message, type
     +-- InvalidActionError               message
     +-- InvalidArgumentsError            message
     +-- InvalidOptionsError              message
     +-- InvalidMessageError              message
     +-- SocketProtocolError              message, code
     +-- ServerProtocolError              message
     +-- HTTPServerError                  message
     +-- ResourceLimitError               message
     +-- TimeoutError                     message
     +-- BadConnectionError               message, type, code, reason
     +-- BrokerError                      message
     +-- ProcessExitError                 message, code
     +-- UnknownError                     message

Applications set further attributes freely (C{isBadToken}, C{statusCode}, C{silent}, their own): public ones travel too.
L{dehydrateError} turns an error into plain data, L{hydrateError} turns such data back into an exception.
"""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Protocol, TypeGuard
from uuid import UUID

__all__ = [
    "AuthError",
    "AuthTokenError",
    "AuthTokenExpiredError",
    "AuthTokenInvalidError",
    "AuthTokenNotBeforeError",
    "BadConnectionError",
    "BrokerError",
    "HTTPServerError",
    "InvalidActionError",
    "InvalidArgumentsError",
    "InvalidMessageError",
    "InvalidOptionsError",
    "ProcessExitError",
    "ResourceLimitError",
    "SCError",
    "ServerProtocolError",
    "SilentMiddlewareBlockedError",
    "SocketProtocolError",
    "TimeoutError",
    "UnknownError",
    "dehydrateError",
    "describe",
    "hydrateError",
    "socketProtocolErrorStatuses",
    "socketProtocolIgnoreStatuses",
    "toISOString",
]

socketProtocolErrorStatuses: dict[int, str] = {
    1001: "Socket was disconnected",
    1002: "A WebSocket protocol error was encountered",
    1003: "Server terminated socket because it received invalid data",
    1005: "Socket closed without status code",
    1006: "Socket hung up",
    1007: "Message format was incorrect",
    1008: "Encountered a policy violation",
    1009: "Message was too big to process",
    1010: "Client ended the connection because the server did not comply with extension requirements",
    1011: "Server encountered an unexpected fatal condition",
    4000: "Server ping timed out",
    4001: "Client pong timed out",
    4002: "Server failed to sign auth token",
    4003: "Failed to complete handshake",
    4004: "Client failed to save auth token",
    4005: "Did not receive #handshake from client before timeout",
    4006: "Failed to bind socket to message broker",
    4007: "Client connection establishment timed out",
    4008: "Server rejected handshake from client",
    4009: "Server received a message before the client handshake",
}
"""The close codes that are errors, each with its text."""

socketProtocolIgnoreStatuses: dict[int, str] = {
    1000: "Socket closed normally",
    1001: socketProtocolErrorStatuses[1001],
}
"""The close codes that are no errors, each with its text."""


class SCError(Exception):
    """
    An error that may cross the wire.

    @ivar message: What happened, for the reader.
    @ivar name: The name of the error on the wire; the name of the class unless a class or an instance sets another.
    """

    name: str = "SCError"

    def __init__(self, message: str = "") -> None:
        """
        @param message: What happened, for the reader.
        """
        super().__init__(message)
        self.message = message

    def __init_subclass__(cls, **arguments: object) -> None:
        """
        Name the class on the wire as it is named in Python.
        """
        super().__init_subclass__(**arguments)
        if "name" not in vars(cls):
            cls.name = cls.__name__

    def __str__(self) -> str:
        return str(self.message)


class AuthTokenExpiredError(SCError):
    """
    The token's time is over.

    @ivar expiry: When the token expired.
    """

    expiry: datetime | float | str | None = None

    def __init__(self, message: str = "", expiry: datetime | float | str | None = None) -> None:
        """
        @param message: What happened, for the reader.
        @param expiry: When the token expired.
        """
        super().__init__(message)
        if expiry is not None:
            self.expiry = expiry


class AuthTokenInvalidError(SCError):
    """The token is malformed, or its signature does not fit."""


class AuthTokenNotBeforeError(SCError):
    """
    The token's time has not come yet.

    @ivar date: When the token becomes valid.
    """

    date: datetime | str | None = None

    def __init__(self, message: str = "", date: datetime | str | None = None) -> None:
        """
        @param message: What happened, for the reader.
        @param date: When the token becomes valid.
        """
        super().__init__(message)
        if date is not None:
            self.date = date


class AuthTokenError(SCError):
    """Any other fault of a token."""


class AuthError(SCError):
    """A fault of authentication that is not the token's own."""


class SilentMiddlewareBlockedError(SCError):
    """
    Middleware blocked an action without giving an error.

    @ivar type: The kind of middleware that blocked.
    """

    type: str | None = None

    def __init__(self, message: str = "", type: str | None = None) -> None:
        """
        @param message: What happened, for the reader.
        @param type: The kind of middleware that blocked.
        """
        super().__init__(message)
        if type is not None:
            self.type = type


class InvalidActionError(SCError):
    """Something was asked for that cannot be done now, or not in this way."""


class InvalidArgumentsError(SCError):
    """A function was called with arguments it cannot work with."""


class InvalidOptionsError(SCError):
    """An option is unknown, or its value is not one it may have."""


class InvalidMessageError(SCError):
    """A message cannot be understood."""


class SocketProtocolError(SCError):
    """
    A connection ended for a reason that is an error.

    @ivar code: The close code.
    """

    code: int | None = None

    def __init__(self, message: str = "", code: int | None = None) -> None:
        """
        @param message: What happened, for the reader.
        @param code: The close code.
        """
        super().__init__(message)
        if code is not None:
            self.code = code


class ServerProtocolError(SCError):
    """The server met a breach of the protocol."""


class HTTPServerError(SCError):
    """The HTTP server under the WebSocket server failed."""


class ResourceLimitError(SCError):
    """A limit was passed."""


class TimeoutError(SCError):
    """An answer did not come in time."""


class BadConnectionError(SCError):
    """
    The connection was not there, or went, when it was needed.

    @ivar type: The kind of ending, C{"disconnect"} or C{"connectAbort"}.
    @ivar code: The close code.
    @ivar reason: The close reason.
    """

    type: str | None = None

    def __init__(
        self, message: str = "", type: str | None = None, code: int | None = None, reason: str | None = None
    ) -> None:
        """
        @param message: What happened, for the reader.
        @param type: The kind of ending, C{"disconnect"} or C{"connectAbort"}.
        @param code: The close code; 1001 if there is none.
        @param reason: The close reason; if there is none, the text of a code that is no error, or nothing.
        """
        super().__init__(message)
        if type is not None:
            self.type = type
        self.code: int = code or 1001
        self.reason: str = reason or socketProtocolIgnoreStatuses.get(self.code, "")


class BrokerError(SCError):
    """The broker failed."""


class ProcessExitError(SCError):
    """
    A process of the server ended.

    @ivar code: Its exit code.
    """

    code: int | None = None

    def __init__(self, message: str = "", code: int | None = None) -> None:
        """
        @param message: What happened, for the reader.
        @param code: The exit code of the process.
        """
        super().__init__(message)
        if code is not None:
            self.code = code


class UnknownError(SCError):
    """Anything that fits no other class."""


def dehydrateError(error: object) -> object:
    """
    Turn an error into data that any codec can encode.

    The data never holds a traceback. An object that occurs twice, or contains itself, is replaced the second time by
    C{{"$ref": path}}, as the reference does; a value that has no form in JSON is left out (C{None} in a list).

    @param error: An exception or a C{Failure}, a mapping with a C{message}, or plain data, which passes through.
    @return: For an exception a dict: its message, its name, its public attributes in the order they were set.
    """
    if isinstance(error, dict):
        # The message leads even where it was not the first key.
        return _Dehydration().dehydrate({"message": error.get("message", _ABSENT)} | error, "$", 0)
    value = _Dehydration().dehydrate(error, "$", 0)
    if value is not _ABSENT:
        return value
    return f"[function {getattr(error, '__name__', 'anonymous')}]" if callable(error) else type(error).__name__


def hydrateError(value: object) -> Exception | None:
    """
    Turn what L{dehydrateError} gave, or what another SocketCluster peer sent, into an exception.

    @param value: The C{error} member of a packet.
    @return: C{None} for C{None}; for a dict an instance of the class it names, or else an L{SCError} of that name,
        with all further members as attributes; for anything else an L{SCError} with the value in C{value}.
    """
    if value is None:
        return None
    if isinstance(value, dict):
        return _hydrateMapping(value)
    error = SCError(_textOf(value))
    error.name = "Error"
    error.__dict__["value"] = value
    return error


def toISOString(moment: datetime) -> str | None:
    """
    Write a moment as JavaScript's C{Date.toJSON} does.

    @param moment: The moment; without a time zone it is taken as UTC.
    @return: Its text in UTC with milliseconds and C{Z}, or C{None} where UTC cannot express it.
    """
    try:
        moment = moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except OverflowError:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_CLASSES: dict[str, type[SCError]] = {errorClass.__name__: errorClass for errorClass in SCError.__subclasses__()}

_ABSENT = object()
"""Stands for a value that JSON has no form for: JavaScript's C{undefined}."""

_INVALID_MESSAGE = "Invalid error message format"

_MAX_DEPTH = 100
"""How deep the attributes of an error may be nested; what lies deeper is left out."""


class _Failure(Protocol):
    """
    What is needed here of Twisted's C{Failure}.

    @ivar value: The exception that it is about.
    """

    value: object


class _Dehydration:
    """
    One walk over an error.

    @ivar paths: Where each list, dict and exception was met first, by identity.
    """

    __slots__ = ("paths",)

    def __init__(self) -> None:
        self.paths: dict[int, str] = {}

    def dehydrate(self, value: object, path: str, depth: int) -> object:
        """
        @return: The plain form of C{value}, which lies at C{path}; L{_ABSENT} if there is none.
        """
        if isinstance(value, Enum) or _isFailure(value):
            return self.dehydrate(value.value, path, depth)
        if isinstance(value, (dict, list, tuple, BaseException)):
            return self._container(value, path, depth)
        return _scalar(value)

    def _container(self, value: object, path: str, depth: int) -> object:
        if depth > _MAX_DEPTH:
            return _ABSENT
        # A tuple is no mutable object with an identity of its own, and Python shares equal ones.
        if not isinstance(value, tuple):
            if id(value) in self.paths:
                return {"$ref": self.paths[id(value)]}
            self.paths[id(value)] = path
        if isinstance(value, (list, tuple)):
            items = (self.dehydrate(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value))
            return [None if item is _ABSENT else item for item in items]
        members = _members(value) if isinstance(value, BaseException) else value
        assert isinstance(members, dict)
        return self._mapping(members, path, depth)

    def _mapping(self, members: dict[object, object], path: str, depth: int) -> dict[object, object]:
        plain: dict[object, object] = {}
        for key, member in members.items():
            if not isinstance(key, (str, int, float, bool, type(None))):
                continue
            item = self.dehydrate(member, f"{path}[{json.dumps(key, ensure_ascii=False)}]", depth + 1)
            if item is not _ABSENT:
                plain[key] = item
        return plain


def _isFailure(value: object) -> TypeGuard[_Failure]:
    # Twisted's Failure counts as an exception, but its own text is a traceback; this module does without Twisted.
    return isinstance(value, BaseException) and hasattr(value, "getTraceback") and hasattr(value, "value")


def _scalar(value: object) -> object:
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, datetime):
        return toISOString(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"base64": True, "data": b64encode(value).decode("ascii")}
    return _ABSENT


def _members(error: BaseException) -> dict[object, object]:
    """
    @return: What of an exception may cross the wire.
    """
    members: dict[object, object] = {"message": _text(error), "name": _nameOf(type(error))}
    members.update((key, value) for key, value in vars(error).items() if not key.startswith("_"))
    return members


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        # The text comes from an application's class; a fault there must not replace the error it reports.
        return ""


def _nameOf(errorClass: type[BaseException]) -> str:
    # Some exceptions of Python have another kind of "name": the class attribute is then a descriptor, not a text.
    name = getattr(errorClass, "name", None)
    return name if isinstance(name, str) else errorClass.__name__


def _hydrateMapping(fields: dict[str, object]) -> SCError:
    message, name = fields.get("message"), fields.get("name")
    if not isinstance(message, str):
        message = _INVALID_MESSAGE
    if not isinstance(name, str):
        name = "Error"
    error = _CLASSES.get(name, SCError)(message)
    if error.name != name:
        error.name = name
    for key, value in fields.items():
        if _mayBeSet(key):
            error.__dict__[key] = value
    return error


def _textOf(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float)):
        try:
            return json.dumps(value)
        except ValueError:
            # Python writes no integers of more than 4300 digits.
            return _INVALID_MESSAGE
    return _INVALID_MESSAGE


def _mayBeSet(key: object) -> bool:
    # The peer chooses these names: none may hide what makes an exception work.
    return (
        isinstance(key, str)
        and key not in ("message", "name")
        and not key.startswith("__")
        and not hasattr(BaseException, key)
    )


def describe(error: BaseException) -> str:
    """
    Write an error into a text as JavaScript does.

    @param error: The error.
    @return: Its name and its message.
    """
    name, message = getattr(error, "name", type(error).__name__), str(error)
    return f"{name}: {message}" if message else str(name)
