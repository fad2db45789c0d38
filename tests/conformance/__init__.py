"""
Conformance to the WebSocket protocol: the Autobahn TestSuite against an echo endpoint on agtwisted's own protocol class.
"""
