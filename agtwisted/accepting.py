"""
Accepting connections in fewer steps.

For each connection, Python's C{accept} looks up the family and the type of the listening socket as members of
enumerations, which takes longer than to accept it. And on Linux a connection has C{TCP_NODELAY} from the socket that
listens, so that nobody has to set it again.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from twisted.internet.tcp import Port

from agtwisted import shortcuts

_RawSocket: Any = socket.SocketType

#: Families and types as the numbers that they are.
_familyOf = _RawSocket.family.__get__
_typeOf = _RawSocket.type.__get__
_protocolOf = _RawSocket.proto.__get__

_INHERITS_NO_DELAY = sys.platform.startswith("linux")


class LeanListener(socket.socket):
    """
    The listening socket of one of Twisted's ports.
    """

    __slots__ = ()

    def accept(self) -> tuple[socket.socket, Any]:
        """
        @return: as of any socket.
        """
        descriptor, address = self._accept()  # type: ignore[attr-defined]
        return socket.socket(_familyOf(self), _typeOf(self), _protocolOf(self), descriptor), address


def acceptLeanly(port: object) -> None:
    """
    Let a port that listens accept in fewer steps, if it is one of Twisted's for TCP and L{agtwisted.shortcuts} allows it.
    """
    listening = getattr(port, "socket", None)
    if not shortcuts.mayBeTaken() or not isinstance(port, Port) or type(listening) is not socket.socket:
        return
    if listening.family not in (socket.AF_INET, socket.AF_INET6):
        return
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.__class__ = LeanListener


def sendsWithoutDelay(transport: Any) -> bool:
    """
    @return: whether a connection has C{TCP_NODELAY} from where it was accepted.
    """
    listening = getattr(getattr(transport, "server", None), "socket", None)
    return _INHERITS_NO_DELAY and listening.__class__ is LeanListener
