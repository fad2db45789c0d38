"""
A log for what clients can cause: however often they do, the log stays readable and the disk does not fill.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.logger import Logger

from agtwisted.sparing import Sparing

#: Seconds, and how many lines of a kind are written in them.
INTERVAL = 60.0
LINES = 20

#: Of the whole process, as the log is.
_sparing = Sparing(time.monotonic, INTERVAL, LINES)


def forgetLines() -> None:
    """
    Begin to count anew: for tests, which look at what is logged.
    """
    _sparing.forget()


class SparingLogger(Logger):
    """
    Writes L{LINES} lines of each kind in a minute at most, and says how many were left out before one. The text before it is
    filled in makes a kind; of failures, their type as well. That goes for every level: C{twistd} writes C{debug} too.
    """

    def emit(self, level: Any, format: str | None = None, **kwargs: object) -> None:
        """
        Log something, if there has not been too much of its kind.
        """
        failure = kwargs.get("log_failure")
        omitted = _sparing.omitted(f"{self.namespace} {format} {getattr(failure, 'type', None)}")
        if omitted is None:
            return
        if omitted:
            format = f"{format} ({omitted} more of this kind were left out.)"
        super().emit(level, format, **kwargs)
