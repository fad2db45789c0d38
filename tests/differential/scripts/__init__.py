"""
All scripts, by subject.
"""

from __future__ import annotations

from ..steps import Script
from . import handshake

SCRIPTS: list[Script] = [*handshake.SCRIPTS]
"""Every script; the names are unique."""
