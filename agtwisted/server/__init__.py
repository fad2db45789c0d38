"""
The server: its sockets, its exchange, its middleware and its authentication.
"""
