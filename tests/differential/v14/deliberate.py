"""
Where agtwisted's version 14 answers otherwise than the reference, on purpose.
"""

from __future__ import annotations

from ..deliberate import Difference

DELIBERATE: dict[str, Difference] = {}
"""By the script's name."""
