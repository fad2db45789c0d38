"""
Callbacks as JavaScript knows them: a function gets as many arguments as it has room for, and what it does wrong hurts
nobody else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from agtwisted.sparinglog import SparingLogger

log = SparingLogger()

#: A function of an application.
Callback = Callable[..., Any]

_COMPLAINT = "A callback has failed."

#: The room of a function that takes any number of arguments.
_ENDLESS = 1 << 30


def roomFor(function: Callback) -> int:
    """
    @return: how many positional arguments C{function} can be called with.
    """
    if function.__class__ is MethodType:
        return roomFor(function.__func__) - 1
    if function.__class__ is FunctionType:
        code = function.__code__
        return _ENDLESS if code.co_flags & inspect.CO_VARARGS else code.co_argcount
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return _ENDLESS  # written in C, and silent about what it takes
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return _ENDLESS
    return sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in parameters)


def call(function: Callback | None, *arguments: object) -> None:
    """
    Call back, if there is somebody to be called. An exception is logged.

    @param arguments: of these, the function gets as many as it has room for.
    """
    if function is None:
        return
    try:
        result = function(*arguments[: roomFor(function)])
    except Exception:
        log.failure(_COMPLAINT)
        return
    if result is not None:
        watch(result, _COMPLAINT)


def watch(result: object, complaint: str) -> None:
    """
    Let a coroutine run, and log how it or a Deferred fails.
    """
    if inspect.iscoroutine(result):
        result = Deferred.fromCoroutine(result)
    if isinstance(result, Deferred):

        def failed(failure: Failure) -> None:
            log.failure(complaint, failure)

        result.addErrback(failed)
