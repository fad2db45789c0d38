"""
Tests of effects: the process that people run, C{twistd agserver}, under load and attack, over real sockets.

What they assert holds on slow and busy machines as well. The figures themselves come from the same code on the command
line, e.g. C{python -m tests.effects.crowd}.
"""
