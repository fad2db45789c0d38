"""
The server application of the scenarios of version 14: that of the differential tests, which reports what it sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agtwisted import SCServer
from tests.differential.v14.pythonserver import Application


class Reports(list[Any]):
    """
    A log whose entries are reported: C{connection} of the server, C{socket.connect} of a socket, C{action} of middleware.
    """

    def __init__(self, report: Callable[[str, Any], None]) -> None:
        super().__init__()
        self._report = report

    def append(self, entry: Any) -> None:
        """
        Report an entry.
        """
        if "server" in entry:
            self._report(entry["server"], entry["values"])
        elif "socket" in entry:
            self._report(f"socket.{entry['socket']}", entry["values"])
        else:
            self._report("action" if "middleware" in entry else "other", entry)


def setUp(server: SCServer, app: dict[str, Any], reports: Reports) -> None:
    """
    Let a server do what a scenario's plan says.
    """
    Application(server, app, reports)
