"""An engine that carries publications to other servers: here to those in the same process."""

from twisted.internet.defer import succeed
from zope.interface import implementer

from agtwisted import AGServer, AGSimpleBroker
from agtwisted.interfaces import IBroker


class Bus:
    """What connects the servers; in earnest this would be a network."""

    def __init__(self):
        self.members = set()

    def send(self, sender, channel, data):
        for member in self.members - {sender}:
            member.hub.received(channel, data)


@implementer(IBroker)
class BusBroker:
    def __init__(self, bus):
        self.bus = bus

    def start(self, hub):
        self.hub = hub
        self.bus.members.add(self)
        return succeed(None)

    def stop(self):
        self.bus.members.discard(self)
        return succeed(None)

    def subscribe(self, channel):
        return succeed(None)

    def unsubscribe(self, channel):
        return succeed(None)

    def publish(self, channel, data):
        self.bus.send(self, channel, data)
        return succeed(None)


def makeServer(bus, **options):
    return AGServer(brokerEngine=AGSimpleBroker(BusBroker(bus)), **options)
