"""A publisher on a timer."""

from datetime import UTC, datetime

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

log = Logger()


def start(server):
    ticker = LoopingCall(tick, server)
    ticker.clock = server.reactor
    stopped = ticker.start(1.0)
    stopped.addErrback(lambda failure: log.failure("The ticker has failed", failure))


def tick(server):
    server.exchange.transmitPublish("time", datetime.now(UTC).isoformat())
