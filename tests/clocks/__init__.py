"""
The real process while the wall clock leaps: pings, timeouts and the ends of tokens.
"""
