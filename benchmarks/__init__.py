"""
Measuring agtwisted: side by side with the Node server, and in small. C{benchmarks/README.md} tells how.
"""
