"""
agtwisted: the SocketCluster realtime server for Python, on Twisted and Autobahn.
"""

from agtwisted import errors
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.server.authengine import AuthEngine
from agtwisted.server.broker import AGSimpleBroker
from agtwisted.server.exchange import AGExchange
from agtwisted.server.middleware import AGAction
from agtwisted.server.server import AGServer
from agtwisted.server.serversocket import AGServerSocket
from agtwisted.site import attach, listen
from agtwisted.sockets.channel import AGChannel
from agtwisted.sockets.request import AGRequest
from agtwisted.streams.demux import StreamDemux
from agtwisted.streams.emitter import AsyncStreamEmitter
from agtwisted.streams.stream import Consumer, WritableConsumableStream
from agtwisted.v14.server import SCServer
from agtwisted.v14.serversocket import SCServerSocket
from agtwisted.version import __version__

__all__ = [
    "NO_DATA",
    "AGAction",
    "AGChannel",
    "AGExchange",
    "AGRequest",
    "AGServer",
    "AGServerSocket",
    "AGSimpleBroker",
    "AsyncStreamEmitter",
    "AuthEngine",
    "Consumer",
    "SCServer",
    "SCServerSocket",
    "StreamDemux",
    "WritableConsumableStream",
    "__version__",
    "attach",
    "errors",
    "listen",
]
