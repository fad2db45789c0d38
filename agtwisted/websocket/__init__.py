"""
The WebSocket layer: Autobahn's server protocol as the transport of sockets.

This is the only package that knows Autobahn. Its parser handles everything unusual; what is usual takes two short ways
round it:

  - I{in}: small, final, masked text frames that are complete in what was received are taken straight from there,
    several at a time. Anything else is handed to Autobahn from that byte on.
  - I{out}: frames are finished when they arrive here. If the TCP transport has nothing buffered, the kernel is offered
    them at once, which saves two rounds through the poller; what it does not take goes the ordinary way.

Through Twisted's TLS, L{DirectTLS <agtwisted.websocket.directtls.DirectTLS>} takes the place of the kernel for both.

All this leans on internals of Autobahn and Twisted, which are checked when this package is imported, or the connection
made; if one is missing, or if L{agtwisted.shortcuts} says so, everything takes the ordinary way.

One connection is one object, whose class is built up in steps, each on top of the one before: L{frames
<agtwisted.websocket.frames>} with the two short ways, L{reading <agtwisted.websocket.reading>} straight from the kernel,
L{closing <agtwisted.websocket.closing>}, L{parsing <agtwisted.websocket.parsing>} with Autobahn's parser and what guards
it, L{upgrading <agtwisted.websocket.upgrading>} with everything that is HTTP, and at last L{AGServerProtocol}.
"""

from agtwisted.websocket.factory import AGServerFactory
from agtwisted.websocket.internals import fastPathsMayBeTaken
from agtwisted.websocket.protocol import AGServerProtocol
from agtwisted.websocket.siteconnection import SiteConnection

__all__ = ["AGServerFactory", "AGServerProtocol", "SiteConnection", "fastPaths"]

#: Whether the fast paths may be taken at all. It is looked up here each time: tests switch it off to show that they change
#: nothing.
fastPaths = fastPathsMayBeTaken()
