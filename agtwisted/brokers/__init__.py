"""
Publish and subscribe: a hub that knows the subscribers of this process, and brokers that reach other processes.
"""
