"""
Tells C{twistd} and C{twist} about C{agserver}.
"""

from twisted.application.service import ServiceMaker

agserver = ServiceMaker("agtwisted", "agtwisted.tap", "SocketCluster realtime server", "agserver")
