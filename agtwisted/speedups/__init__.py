"""
The hot paths in C, where the package was installed with them.

An installation compiles C{agtwisted.speedups._inC}, and C{_inC} of other packages, if there is a compiler for C; if not,
nothing is missing but some speed. Each function in it does the usual case of the Python function whose place it takes, calls
that one for everything else, and changes nothing but speed: so the Python is what one reads, and what runs if
L{agtwisted.shortcuts} says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

from agtwisted import shortcuts

Function = TypeVar("Function")

#: What this package itself has in C.
EXTENSION = "agtwisted.speedups._inC"

#: By class and name, what a function in C has taken the place of: the function in Python and the one in C.
replaced: dict[tuple[type, str], tuple[Any, Any]] = {}


def load(extension: str) -> ModuleType | None:
    """
    @return: a module in C, if the package was installed with it and it may be used.
    """
    if not shortcuts.mayBeInC():
        return None
    try:
        return import_module(extension)
    except ImportError:
        return None


#: Whether they are used.
areUsed = load(EXTENSION) is not None


def inC(*needed: Any, extension: str = EXTENSION) -> Callable[[Function], Function]:
    """
    Decorate a method, or a static one, that there is in C as well: that one takes its place if it may.

    @param needed: what the function in C leans on, besides the class: that is said there.
    @param extension: the module that has it.
    """
    module = load(extension)
    if module is None:
        return lambda function: function
    return lambda function: _Replaced(function, module, needed)  # type: ignore[return-value]


class _Replaced:
    """
    Stands where a method is to be, until its class has been made.
    """

    def __init__(self, function: Any, module: ModuleType, needed: tuple[Any, ...]) -> None:
        self._function = function
        self._module = module
        self._needed = needed

    def __set_name__(self, owner: type, name: str) -> None:
        """
        The class has been made: bind the function in C to it.
        """
        try:
            bind = getattr(self._module, name)
            function = bind(owner, getattr(self._function, "__func__", self._function), *self._needed)
        except (AttributeError, TypeError) as error:
            # A checkout has moved on since.
            what = f"{self._module.__name__} is of another version of agtwisted: install it again"
            warnings.warn(f"{what} ({error})", RuntimeWarning, stacklevel=2)
            function = self._function
        else:
            replaced[owner, name] = self._function, function
        setattr(owner, name, function)
