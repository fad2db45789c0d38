"""
The tests of agtwisted.protocol.
"""
