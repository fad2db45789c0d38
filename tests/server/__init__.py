"""
The tests of agtwisted.server.
"""
