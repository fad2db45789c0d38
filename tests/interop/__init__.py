"""
Unmodified official clients against a server over real sockets.
"""
