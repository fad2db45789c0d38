"""
The same frames played to the Node server and to agtwisted, and the answers compared.
"""
