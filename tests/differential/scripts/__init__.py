"""
All scripts, by subject.
"""

from __future__ import annotations

from ..steps import Script
from . import (
    batches,
    calls,
    channels,
    closing,
    events,
    frames,
    handshake,
    limits,
    middleware,
    names,
    pings,
    pipelining,
    reserved,
    tokens,
    upgrade,
)

SCRIPTS: list[Script] = [
    script
    for subject in (
        handshake,
        upgrade,
        reserved,
        tokens,
        calls,
        channels,
        batches,
        frames,
        names,
        middleware,
        limits,
        pings,
        closing,
        events,
        pipelining,
    )
    for script in subject.SCRIPTS
]
"""Every script; the names are unique."""
