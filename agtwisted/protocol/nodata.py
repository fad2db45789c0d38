"""
"No data" is something else than C{null} on the wire.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class NoData(Enum):
    """
    The type of L{NO_DATA}.
    """

    NO_DATA = "no data"

    def __repr__(self) -> str:
        return "NO_DATA"

    def __bool__(self) -> bool:
        return False


#: The default of every argument whose absence is left out on the wire, where C{None} would be C{null}.
NO_DATA: Final = NoData.NO_DATA
