"""
Tests with clients that do everything wrong.
"""
