"""
SocketCluster 14 in Python: C{SCServer} and what belongs to it, with callbacks instead of streams, over version 1 of the
protocol.

It is a second face of the same core: connections, heartbeats, codecs, tokens and the fan-out are those of
L{agtwisted.AGServer}. What this package adds is the older API and the order in which things happen behind it.
"""
