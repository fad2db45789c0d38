"""
Which version of agtwisted this is.
"""

__version__ = "0.1.0.dev0"
