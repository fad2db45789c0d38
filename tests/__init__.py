"""
The tests of agtwisted. The tree below mirrors the package.
"""
