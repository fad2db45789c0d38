"""
How many files and sockets the process may have open.
"""

from __future__ import annotations

from typing import Any

#: The reserve is a tenth of all, but neither less nor more than this.
_SMALLEST_RESERVE = 32
_LARGEST_RESERVE = 512


def descriptorLimit() -> int | None:
    """
    @return: how many descriptors the process may have (C{RLIMIT_NOFILE}); C{None} where there is no such limit.
    """
    try:
        import resource
    except ImportError:  # Windows
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def reserveOf(limit: int) -> int:
    """
    @return: how many of so many descriptors are kept for other things than clients: for files and connections of the
        application, and for telling those who are refused.
    """
    return min(_LARGEST_RESERVE, max(_SMALLEST_RESERVE, limit // 10), limit // 2)


def descriptorOf(transport: Any) -> int:
    """
    @return: a connection's own descriptor, -1 if it has none.
    """
    fileno = getattr(transport, "fileno", None)
    descriptor = fileno() if callable(fileno) else -1
    return descriptor if isinstance(descriptor, int) else -1
