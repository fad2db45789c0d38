"""
What the short ways lean on: internals of Autobahn and Twisted, which another version may not have.
"""

from __future__ import annotations

from autobahn.twisted.websocket import WebSocketServerProtocol
from twisted.internet.abstract import FileDescriptor
from twisted.internet.tcp import Connection
from twisted.logger import Logger

from agtwisted import shortcuts

log = Logger()


def internalsAreThere() -> bool:
    """
    Whether Autobahn and Twisted have what the fast paths lean on.
    """
    connection = FileDescriptor(reactor=object())  # type: ignore[arg-type]
    parser = ("_dataReceived", "processData", "_connectionMade", "_fail_connection", "sendCloseFrame", "sendData")
    buffers = ("dataBuffer", "_tempDataBuffer")
    return (
        all(hasattr(WebSocketServerProtocol, name) for name in (*parser, "succeedHandshake", "_parseExtensionsHeader"))
        and all(hasattr(connection, name) for name in buffers)
        and hasattr(Connection, "TLS")
        and hasattr(Connection, "doRead")
    )


def fastPathsMayBeTaken() -> bool:
    """
    @return: whether short ways are allowed, and possible.
    """
    if not shortcuts.mayBeTaken():
        return False
    if internalsAreThere():
        return True
    log.warn("Autobahn or Twisted have changed inside: connections take the ordinary, slower path.")
    return False
