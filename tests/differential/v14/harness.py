"""
Starts the two processes that version 14 is compared in.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from ..harness import Harness, HarnessError

HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent


def startNode(reactor: Any) -> Harness:
    """Start the process of the reference's servers."""
    node = shutil.which("node")
    if node is None:
        raise HarnessError("Node.js is needed for the differential tests, and there is no 'node' on the PATH")
    return _spawn(reactor, "node", [node, str(HERE / "nodeserver.js")], HERE)


def startPython(reactor: Any) -> Harness:
    """Start the process of agtwisted's servers."""
    return _spawn(reactor, "agtwisted", [sys.executable, "-m", "tests.differential.v14.pythonserver"], ROOT)


def _spawn(reactor: Any, name: str, command: list[str], folder: Path) -> Harness:
    harness = Harness(name)
    reactor.spawnProcess(harness, command[0], command, env=dict(os.environ), path=str(folder))
    return harness
