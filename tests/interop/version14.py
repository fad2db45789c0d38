"""
The server application of the scenarios of version 14: that of the differential tests, which reports what it sees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from agtwisted import SCServer
from tests.differential.gate import Gate
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


class Held:
    """
    What the application of one server holds back, and the command that a scenario has for it.
    """

    def __init__(self) -> None:
        self.gate = Gate()

    def command(self, name: str, arguments: dict[str, Any]) -> Deferred[None]:
        """
        Do C{release}, the one command.

        @return: fires when the application goes on.
        """
        if name != "release":
            raise ValueError(f"There is no command {name}")
        result: Deferred[None] = Deferred()
        self.gate.release(lambda: result.callback(None))
        return result


def setUp(server: SCServer, app: dict[str, Any], reports: Reports, held: Held) -> None:
    """
    Let a server do what a scenario's plan says.
    """
    Application(server, app, reports, held.gate)
