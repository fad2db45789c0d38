"""
The SocketCluster protocol as pure values and functions: no Twisted, no clock, no connection.
"""
