"""
C{python -m benchmarks}: side by side with the Node server.
"""

from benchmarks.sidebyside import main

main()
