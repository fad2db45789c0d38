"""
What both ends of a SocketCluster connection share.
"""
