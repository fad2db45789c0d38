"""
SocketCluster for Twisted: real-time channels, RPC and streams over WebSocket.
"""

__version__ = "0.1.0.dev0"
