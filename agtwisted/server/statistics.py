"""
The figures of a server, for those who watch it.

Nothing is counted twice for them: sockets count what passes through them anyway. Asking adds the sockets up, which takes
a microsecond for each of them; so ask every few seconds, and not for every message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agtwisted.version import __version__

if TYPE_CHECKING:
    from agtwisted.server.counters import Counters
    from agtwisted.server.server import AGServer
    from agtwisted.server.serversocket import AGServerSocket

#: The kinds of figures: what only grows; what goes up and down; what is either so or not; a text; a number for each name.
COUNTER, GAUGE, SWITCH, TEXT, COUNTERS = "counter", "gauge", "switch", "text", "counters"


@dataclass(frozen=True, slots=True)
class Figure:
    """
    What one figure means.

    @ivar name: its key in what L{agtwisted.AGServer.stats} returns.
    @ivar kind: L{COUNTER}, L{GAUGE}, L{SWITCH}, L{TEXT} or L{COUNTERS}.
    @ivar unit: C{"seconds"}, C{"bytes"} or nothing.
    @ivar meaning: an explanation.
    @ivar metric: its name for Prometheus.
    """

    name: str
    kind: str
    unit: str
    meaning: str
    metric: str


#: All figures, in the order in which they are given.
FIGURES = (
    Figure("version", TEXT, "", "version of agtwisted", "agtwisted_info"),
    Figure("uptime", GAUGE, "seconds", "time since the server was started; 0 before", "agtwisted_uptime_seconds"),
    Figure("isReady", SWITCH, "", "whether the server takes clients: it has started and is not stopping", "agtwisted_ready"),
    Figure("connections", GAUGE, "", "clients that have completed their handshake", "agtwisted_connections"),
    Figure("pendingConnections", GAUGE, "", "clients that have not yet", "agtwisted_pending_connections"),
    Figure(
        "openConnections",
        GAUGE,
        "",
        "connections that maxConnections counts: both of these, those that have not asked for anything yet, and web pages",
        "agtwisted_open_connections",
    ),
    Figure(
        "acceptedConnections",
        COUNTER,
        "",
        "WebSocket connections opened so far, those that have ended included",
        "agtwisted_accepted_connections_total",
    ),
    Figure("channels", GAUGE, "", "channels that have a subscriber in this process", "agtwisted_channels"),
    Figure("subscriptions", GAUGE, "", "subscriptions of clients to channels", "agtwisted_subscriptions"),
    Figure(
        "messagesIn",
        COUNTER,
        "",
        "WebSocket messages received; pongs count, a batch is one",
        "agtwisted_messages_received_total",
    ),
    Figure("bytesIn", COUNTER, "bytes", "bytes received, upgrade requests included", "agtwisted_received_bytes_total"),
    Figure(
        "inboundMessagesWaiting",
        GAUGE,
        "",
        "messages received that wait behind one that middleware or a broker holds up",
        "agtwisted_inbound_waiting_messages",
    ),
    Figure("inboundBytesWaiting", GAUGE, "bytes", "bytes of those", "agtwisted_inbound_waiting_bytes"),
    Figure(
        "unansweredCalls", GAUGE, "", "calls that procedures have and have not answered", "agtwisted_unanswered_calls"
    ),
    Figure("clientsHeld", GAUGE, "", "clients that are not read at the moment, so that they wait", "agtwisted_clients_held"),
    Figure(
        "messagesOut",
        COUNTER,
        "",
        "WebSocket messages sent; pings count, a batch is one",
        "agtwisted_messages_sent_total",
    ),
    Figure("bytesOut", COUNTER, "bytes", "bytes of those messages sent, as frames", "agtwisted_sent_bytes_total"),
    Figure(
        "outboundMessagesWaiting",
        GAUGE,
        "",
        "messages that wait to be sent: for clients that do not read, for middleware, for a batch",
        "agtwisted_outbound_waiting_messages",
    ),
    Figure(
        "outboundBytesWaiting",
        GAUGE,
        "bytes",
        "bytes that wait for clients that do not read",
        "agtwisted_outbound_waiting_bytes",
    ),
    Figure(
        "clientsNotReading",
        GAUGE,
        "",
        "clients that do not read what is sent to them at the moment",
        "agtwisted_clients_not_reading",
    ),
    Figure("slowConsumersClosed", COUNTER, "", "clients closed with 4100", "agtwisted_slow_consumers_closed_total"),
    Figure(
        "limitsHit", COUNTERS, "", "how often each limit was hit, by the name of its option", "agtwisted_limits_hit_total"
    ),
    Figure(
        "longestStall",
        GAUGE,
        "seconds",
        "longest time that the reactor could do nothing else; null if nobody watches",
        "agtwisted_longest_stall_seconds",
    ),
    Figure(
        "longestStallLastMinute",
        GAUGE,
        "seconds",
        "the same for the last sixty seconds",
        "agtwisted_longest_stall_last_minute_seconds",
    ),
)


def statistics(server: AGServer) -> dict[str, Any]:
    """
    @return: see L{agtwisted.AGServer.stats}.
    """
    counters, sockets = server.counters, [*server.clients.values(), *server.pendingClients.values()]
    now, startedAt = server.wheel.seconds(), server.startedAt
    return {
        "version": __version__,
        "uptime": 0.0 if startedAt is None else now - startedAt,
        "isReady": server.isReady,
        "connections": server.clientsCount,
        "pendingConnections": server.pendingClientsCount,
        "openConnections": server.admission.connections,
        "acceptedConnections": counters.closed + len(sockets),
        "channels": len(server.brokerEngine.subscriptions()),
        "subscriptions": sum([socket.channelSubscriptionsCount for socket in sockets]),
        **_inbound(counters, sockets),
        **_outbound(counters, sockets),
        "slowConsumersClosed": counters.slowConsumers,
        "limitsHit": dict(counters.limitsHit),
        "longestStall": server.stalls.longest,
        "longestStallLastMinute": server.stalls.longestOfLastMinute(),
    }


def _inbound(counters: Counters, sockets: list[AGServerSocket]) -> dict[str, int]:
    received = sum([socket.inboundReceivedMessageCount for socket in sockets])
    flows = [socket._flow for socket in sockets]
    return {
        "messagesIn": counters.messagesIn + received,
        "bytesIn": counters.bytesIn + sum([socket._transport.bytesReceived for socket in sockets]),
        "inboundMessagesWaiting": received - sum([socket.inboundProcessedMessageCount for socket in sockets]),
        "inboundBytesWaiting": sum([socket._queuedBytes for socket in sockets]),
        "unansweredCalls": sum([socket.unansweredCount for socket in sockets]),
        "clientsHeld": sum([flow.isPaused for flow in flows if flow is not None]),
    }


def _outbound(counters: Counters, sockets: list[AGServerSocket]) -> dict[str, int]:
    outboxes = [socket._outbox for socket in sockets]
    paused = [outbox for outbox in outboxes if outbox.isPaused]
    return {
        "messagesOut": counters.messagesOut + sum([outbox.sentCount for outbox in outboxes]),
        "bytesOut": counters.bytesOut + sum([outbox.sentBytes for outbox in outboxes]),
        "outboundMessagesWaiting": sum([socket.getOutboundBackpressure() for socket in sockets]),
        "outboundBytesWaiting": sum([outbox.waitingBytes for outbox in paused]),
        "clientsNotReading": len(paused),
    }
