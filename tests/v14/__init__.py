"""
Tests of L{agtwisted.v14}.
"""
