"""
The tests of L{agtwisted.brokers}.
"""
