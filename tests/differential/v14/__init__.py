"""
Differential tests of version 14: frames of protocol version 1, played to C{SCServer} of npm's C{socketcluster-server} 14 and
to agtwisted's.
"""
