"""A server in a tree of services; run it with: twistd -n -y service.py"""

from twisted.application.service import Application, MultiService

from agtwisted import AGServer
from agtwisted.service import AGService


def start(server):
    """Called when the service starts, before the server listens."""


def makeServices(endpoint):
    services = MultiService()
    server = AGService(AGServer(), [endpoint], start)
    server.setServiceParent(services)
    return services


application = Application("live")
makeServices("tcp:8000").setServiceParent(application)
