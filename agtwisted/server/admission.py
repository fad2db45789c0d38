"""
Who may connect: the connections of a server, counted, and refused when there are too many.

A connection that is one too many costs next to nothing. It is let in only as far as it takes to answer its request with
503; when many such are waiting for their answer already, or descriptors are nearly used up, it is dropped unheard.

That descriptors run out is seen by their numbers: a new one always gets the lowest number that is free, so the number of
a connection's descriptor says how many are open in the whole process at least, whoever opened them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agtwisted.protocol.addresses import countedAddress
from agtwisted.protocol.upgrade import HandshakeDenied
from agtwisted.server.descriptors import descriptorLimit, descriptorOf, reserveOf

if TYPE_CHECKING:
    from agtwisted.options import ServerOptions
    from agtwisted.protocol.upgrade import UpgradeRequest

#: Connections that may be waiting at a time for being told that they are refused.
_REFUSED_AT_ONCE = 1000

#: Seconds after which those who are refused are asked to come again.
RETRY_AFTER = 5

_NO_DESCRIPTORS = 1 << 62


class Visit:
    """
    One connection, from its beginning to its end.

    @ivar denied: what it is refused with; C{None} if it is not.
    @ivar mayAsk: whether a refused one may ask first, to be told.
    """

    __slots__ = ("denied", "mayAsk", "_admission", "_address", "_isPending", "_isOver")

    def __init__(self, admission: Admission) -> None:
        self.denied: HandshakeDenied | None = None
        self.mayAsk = True
        self._admission = admission
        self._address: str | None = None
        self._isPending = False
        self._isOver = False

    def asked(self, request: UpgradeRequest) -> None:
        """
        The connection's upgrade request has come: it is known now who it is.

        @raise HandshakeDenied: there are too many of them.
        """
        self._admission.identify(self, request)
        if self.denied is not None:
            raise self.denied

    def completed(self) -> None:
        """
        The connection is not pending any more: C{#handshake} is complete, or a web site has it.
        """
        if self._isPending:
            self._isPending = False
            self._admission.pending -= 1
            self._admission.pendingAt.remove(self._address)

    def left(self) -> None:
        """
        The connection is gone.
        """
        if self._isOver:
            return
        self._isOver = True
        self.completed()
        admission = self._admission
        if self.denied is not None:
            admission.refusing -= 1
        else:
            admission.connections -= 1
        admission.at.remove(self._address)

    def _comeFrom(self, address: str) -> None:
        self._address = address
        self._admission.at.add(address)
        self._admission.pendingAt.add(address)

    def _refuse(self, denied: HandshakeDenied, mayAsk: bool) -> None:
        if self._isPending:
            self.completed()
            self._admission.connections -= 1
        self.denied, self.mayAsk = denied, mayAsk
        self._admission.refusing += 1


class _Tally:
    """
    How many there are at each address. Without a limit nothing is counted.
    """

    __slots__ = ("limit", "_counts")

    def __init__(self, limit: int | None) -> None:
        self.limit = limit or 0
        self._counts: dict[str, int] = {}

    def isFull(self, address: str) -> bool:
        """
        @return: whether one more from there is one too many.
        """
        return self.limit > 0 and self._counts.get(address, 0) >= self.limit

    def add(self, address: str) -> None:
        """
        One more.
        """
        if self.limit:
            self._counts[address] = self._counts.get(address, 0) + 1

    def remove(self, address: str | None) -> None:
        """
        One less.
        """
        if self.limit and address is not None:
            left = self._counts[address] - 1
            if left:
                self._counts[address] = left
            else:
                del self._counts[address]


class Admission:
    """
    A server's door.

    @ivar connections: how many connections there are, without those that are being refused.
    @ivar pending: how many of them have not completed C{#handshake}, or not even asked for an upgrade.
    @ivar refusing: how many are being refused.
    @ivar maxConnections: how many there may be, 0 for any number; from the descriptor limit if the option is not given.
    @ivar at: how many there are at each address.
    @ivar pendingAt: how many of them are pending.
    """

    __slots__ = (
        "connections",
        "pending",
        "refusing",
        "maxConnections",
        "at",
        "pendingAt",
        "_options",
        "_limitHit",
        "_isForwarded",
        "_isPerAddress",
        "_maxPending",
        "_lastDescriptor",
        "_lastToBeTold",
    )

    def __init__(self, options: ServerOptions, limitHit: Callable[[str, str], object]) -> None:
        """
        @param limitHit: called with the name of an option and a message when somebody goes past the limit that it sets.
        """
        self.connections = 0
        self.pending = 0
        self.refusing = 0
        self.at = _Tally(options.maxConnectionsPerAddress)
        self.pendingAt = _Tally(options.maxPendingHandshakesPerAddress)
        self._options = options
        self._limitHit = limitHit
        self._isForwarded = options.forwardedForHops > 0
        self._isPerAddress = bool(self.at.limit or self.pendingAt.limit)
        self._maxPending = options.maxPendingHandshakes or _NO_DESCRIPTORS
        self.measure()

    def measure(self) -> None:
        """
        Look how many descriptors the process may have.
        """
        limit = descriptorLimit()
        reserve = 0 if limit is None else reserveOf(limit)
        self._lastDescriptor = _NO_DESCRIPTORS if limit is None else limit - reserve
        self._lastToBeTold = self._lastDescriptor + reserve // 2
        given = self._options.maxConnections
        self.maxConnections = given if given is not None else 0 if limit is None else limit - reserve

    def enter(self, address: str | None, descriptor: int = -1) -> Visit:
        """
        Somebody has connected.

        @param address: the peer's address, if it has one.
        @param descriptor: the connection's descriptor, -1 if it has none of its own.
        @return: the connection's visit, which may have been denied.
        """
        visit = Visit(self)
        counted = None
        if self._isPerAddress and address is not None and not self._isForwarded:
            counted = countedAddress(address)
        hit = self._whatIsHit(counted, descriptor)
        if hit is not None:
            mayAsk = self.refusing < _REFUSED_AT_ONCE and descriptor < self._lastToBeTold
            self._deny(visit, hit, address, mayAsk)
            return visit
        visit._isPending = True
        self.connections += 1
        self.pending += 1
        if counted is not None:
            visit._comeFrom(counted)
        return visit

    def enterThrough(self, transport: Any, peer: Any) -> Visit:
        """
        Somebody has connected through C{transport}.

        @param peer: the address of who has.
        @return: see L{enter}.
        """
        return self.enter(getattr(peer, "host", None), descriptorOf(transport))

    def identify(self, visit: Visit, request: UpgradeRequest) -> None:
        """
        A visitor's upgrade request has come. Behind proxies, its own address is known only now.
        """
        address = request.forwardedForAddress or request.remoteAddress
        if visit.denied is not None or not self._isForwarded or not self._isPerAddress or address is None:
            return
        counted = countedAddress(address)
        hit = self._whatIsHitAt(counted)
        if hit is not None:
            self._deny(visit, hit, address, True)
        else:
            visit._comeFrom(counted)

    def _whatIsHit(self, address: str | None, descriptor: int) -> str | None:
        if descriptor >= self._lastDescriptor or 0 < self.maxConnections <= self.connections:
            return "maxConnections"
        if self.pending >= self._maxPending:
            return "maxPendingHandshakes"
        return None if address is None else self._whatIsHitAt(address)

    def _whatIsHitAt(self, address: str) -> str | None:
        if self.at.isFull(address):
            return "maxConnectionsPerAddress"
        if self.pendingAt.isFull(address):
            return "maxPendingHandshakesPerAddress"
        return None

    def _deny(self, visit: Visit, limit: str, address: str | None, mayAsk: bool) -> None:
        counts = f"there are {self.connections} connections, {self.pending} of them pending"
        self._limitHit(limit, f"A client at {address} was refused, because of {limit}: {counts}")
        visit._refuse(HandshakeDenied(503, "The server takes no more connections now", RETRY_AFTER), mayAsk)
