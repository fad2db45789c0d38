"""
What a listening port does while connections cannot be accepted, because descriptors or memory have run out.

Twisted's TCP port keeps one descriptor in reserve. When there is no other, it gives that up to accept whoever waits and to
close them at once, with three lines in the log for each. Where that cannot be done (it is the whole system that has run
out, or somebody else has taken the reserve), the port stays readable and is called again and again. So it is left alone
for a moment after each failure, and the log gets one line for many.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.tcp import Port
from twisted.logger import ILogObserver, LogEvent, Logger
from zope.interface import implementer

from agtwisted.sparing import Sparing

log = Logger()

#: Seconds for which a port that has failed is left alone.
PAUSE = 0.25
#: Seconds between two lines in the log.
_LOG_INTERVAL = 10.0


def waitOutShortages(port: object, reactor: IReactorTime) -> None:
    """
    Let a port wait while connections cannot be accepted. Ports that are not Twisted's own are left as they are.
    """
    if isinstance(port, Port) and hasattr(port, "_logger"):
        port._logger = Logger(namespace="twisted.internet.tcp.Port", observer=_Shortage(port, reactor))


@implementer(ILogObserver)
class _Shortage:
    """
    Hears what a port would log: that, and only that, it could not accept a connection as it should.
    """

    def __init__(self, port: Any, reactor: IReactorTime) -> None:
        self._port = port
        self._reactor = reactor
        self._isPausing = False
        self._sparing = Sparing(reactor.seconds, _LOG_INTERVAL)

    def __call__(self, event: LogEvent) -> None:
        """
        Something could not be accepted.
        """
        if self._isPausing:
            return
        self._isPausing = True
        self._port.stopReading()
        self._reactor.callLater(PAUSE, self._resume)
        omitted = self._sparing.omitted("")
        if omitted is not None:
            log.warn(
                "Connections cannot be accepted: descriptors or memory have run out ({error}). Waiting clients are closed"
                " or made to wait. (This happened {omitted} times more since it was last told.)",
                error=event.get("acceptError", "EMFILE"),
                omitted=omitted,
            )

    def _resume(self) -> None:
        self._isPausing = False
        if self._port.connected and not self._port.disconnecting:
            self._port.startReading()
