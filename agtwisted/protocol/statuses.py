"""
Why a connection ends: close codes (RFC 6455, section 7.4) and the value that carries one.
"""

from __future__ import annotations

from agtwisted.errors import socketProtocolErrorStatuses

NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
NO_STATUS = 1005
HUNG_UP = 1006
INVALID_PAYLOAD = 1007
POLICY_VIOLATION = 1008
MESSAGE_TOO_BIG = 1009
INTERNAL_ERROR = 1011
PONG_TIMED_OUT = 4001
SIGNING_FAILED = 4002
HANDSHAKE_TIMED_OUT = 4005
HANDSHAKE_REJECTED = 4008
MESSAGE_BEFORE_HANDSHAKE = 4009
#: Our own: the client does not read. Official clients back off and come again.
SLOW_CONSUMER = 4100
SLOW_CONSUMER_REASON = "Client did not read what was sent to it"

#: Codes between 1000 and 2999 that may be sent in a close frame; besides these, 3000 to 4999 may.
SENDABLE = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))


def isSendable(code: int) -> bool:
    """
    @return: whether a close frame may carry this code.
    """
    return code in SENDABLE or 3000 <= code <= 4999


def closeFault(code: int | None, reason: bytes | None) -> int | None:
    """
    @param code: the code of a close frame that has come, C{None} if it had none.
    @param reason: its reason, as it came.
    @return: the code to answer with if the frame is not valid, else C{None}.
    """
    if code is not None and not isSendable(code):
        return PROTOCOL_ERROR
    try:
        (reason or b"").decode("utf-8")
    except UnicodeDecodeError:
        return INVALID_PAYLOAD
    return None


def reasonFor(code: int | None, reason: str | None) -> str | None:
    """
    @return: the reason given, or else the standard text for the code, if it has one.
    """
    if reason or code is None:
        return reason
    return socketProtocolErrorStatuses.get(code, reason)


class Disconnect(Exception):
    """
    Raised by whatever finds that a connection has to end; handled in one place.

    @ivar code: the close code.
    @ivar reason: the text that goes with it on the wire, if any.
    """

    def __init__(self, code: int, reason: str | None = None) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
