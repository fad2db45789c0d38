"""
Whether a process may take the short cuts that lean on internals of Twisted and Autobahn.

They change nothing but speed. Whoever doubts that (an operator after an upgrade of Twisted, or the tests of this package)
sets the environment variable C{AGTWISTED_FAST_PATHS=off} before the process starts: frames then go through Autobahn's
parser, what is sent goes through Twisted's transport, and C{twistd agserver} polls as Twisted does. With
C{AGTWISTED_FAST_PATHS=python} they are taken, but in Python (L{agtwisted.speedups}).
"""

from __future__ import annotations

import os
from collections.abc import Mapping

#: The environment variable.
VARIABLE = "AGTWISTED_FAST_PATHS"

_NO = ("off", "no", "false", "0")


def mayBeTaken(environment: Mapping[str, str] = os.environ) -> bool:
    """
    @return: whether short cuts may be taken; they may, unless the variable says C{off}, C{no}, C{false} or C{0}.
    """
    return _word(environment) not in _NO


def mayBeInC(environment: Mapping[str, str] = os.environ) -> bool:
    """
    @return: whether those may be taken that are written in C; they may, unless none may, or the variable says C{python}.
    """
    return _word(environment) not in (*_NO, "python")


def _word(environment: Mapping[str, str]) -> str:
    return environment.get(VARIABLE, "").strip().lower()
