"""
Sockets of clients of version 14 that may send so many messages per second and no more.
"""

from __future__ import annotations

from agtwisted.server.throttling import Throttled
from agtwisted.v14.serversocket import SCServerSocket


class ThrottledSCServerSocket(Throttled, SCServerSocket):
    """
    An L{SCServerSocket} that is throttled.
    """

    __slots__ = ("_bucket", "_isThrottled", "_throttle", "_burst")
