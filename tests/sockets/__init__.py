"""
The tests of L{agtwisted.sockets}.
"""
