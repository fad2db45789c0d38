"""
What a server has counted since it was made, for its operator.
"""

from __future__ import annotations

from collections import Counter

from agtwisted.errors import ResourceLimitError


class Counters:
    """
    Plain numbers that only grow.

    @ivar limitsHit: how often each limit was hit, by the name of its option.
    @ivar slowConsumers: how many clients were closed because they did not read.
    """

    __slots__ = ("limitsHit", "slowConsumers")

    def __init__(self) -> None:
        self.limitsHit: Counter[str] = Counter()
        self.slowConsumers = 0


def limitError(limit: str, message: str) -> ResourceLimitError:
    """
    @param limit: the name of the option that sets the limit.
    @return: an error with the limit's name as its attribute C{limit}.
    """
    error = ResourceLimitError(message)
    error.limit = limit  # type: ignore[attr-defined]
    return error
