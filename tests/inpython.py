"""
What there is in C as well, in Python: for tests that show that the two do the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from agtwisted import speedups


@contextlib.contextmanager
def inPython(isWanted: bool = True) -> Iterator[None]:
    """
    Let functions in Python do what otherwise those in C do, if there are any.
    """
    places = list(speedups.replaced.items()) if isWanted else []
    for (owner, name), (function, _) in places:
        setattr(owner, name, function)
    try:
        yield
    finally:
        for (owner, name), (_, function) in places:
            setattr(owner, name, function)
