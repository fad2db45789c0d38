"""
The tests of L{agtwisted.streams}.
"""
