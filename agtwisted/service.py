"""
The server as a service, for C{twistd} and for existing service trees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.logger import Logger

from agtwisted.admin import AdminSite
from agtwisted.options import seconds
from agtwisted.protocol.statuses import GOING_AWAY
from agtwisted.server.server import AGServer
from agtwisted.site import rememberPort

log = Logger()

#: Seconds between looks at what is left to be done.
_DRAIN_STEP = 0.02
#: Clients that are told to go in one step, so that they do not all come back at once.
_CLOSED_AT_ONCE = 100

#: Seconds that clients have for the closing handshake when the service stops.
CLOSING_TIME = 2.0


class AGService(Service):
    """
    Runs a server: its application, its broker and the endpoints that it listens at.

    @ivar server: the server.
    @ivar ports: where it listens, while it does.
    @ivar adminPort: where the pages for its operator are, while they are.
    """

    def __init__(
        self,
        server: AGServer,
        endpoints: Iterable[str | Any] = (),
        application: Callable[[AGServer], Any] | None = None,
        site: Any = None,
        adminEndpoint: str | Any = None,
    ) -> None:
        """
        @param endpoints: descriptions of server endpoints, or endpoints.
        @param application: called with the server before it listens; may return a Deferred or a coroutine.
        @param site: the L{twisted.web.server.Site} that gets everybody who does not ask for WebSocket.
        @param adminEndpoint: where the server's figures and its health are shown, the description of a server endpoint, or
            an endpoint; nowhere if not given. See L{agtwisted.admin}.
        """
        self.server = server
        self.ports: list[IListeningPort] = []
        self._endpoints = list(endpoints)
        self._application = application
        self._site = site
        self._adminEndpoint = adminEndpoint
        self.adminPort: IListeningPort | None = None
        self._starting: Deferred[None] | None = None

    def startService(self) -> Deferred[None]:
        """
        Run the application, start the broker, then listen.

        @return: fires when the server listens everywhere; fails with what one of these steps fails with, and then
            listens nowhere.
        """
        super().startService()  # type: ignore[no-untyped-call]
        self._starting = Deferred.fromCoroutine(self._start())
        done: Deferred[None] = Deferred()
        self._starting.addBoth(self._started, done)
        return done

    def stopService(self) -> Deferred[None]:
        """
        Stop listening, let calls that are being served be answered (option C{drainTimeout}), close all connections
        with 1001, then stop the broker.

        @return: fires when all of it is done.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    @staticmethod
    def _started(result: Any, done: Deferred[None]) -> None:
        # Whoever stops the service waits for its start, which must not fail there again.
        done.callback(result)

    async def _start(self) -> None:
        try:
            await self._listenForOperator()
            if self._application is not None:
                await maybeDeferred(self._application, self.server)
            await self.server.start()
            await self._listen()
        except Exception:
            await self._stopListening()
            await self._stopForOperator()
            raise
        self.server.stalls.start()

    async def _listen(self) -> None:
        factory = self.server.websocketFactory(self._site)
        for endpoint in self._endpoints:
            self.ports.append(await self._resolve(endpoint).listen(factory))
        for port in self.ports:
            rememberPort(self.server, port)
            log.info("SocketCluster is listening at {address}.", address=port.getHost())

    async def _listenForOperator(self) -> None:
        """
        Show the server's figures before it is ready, and as long as anything of it is left.
        """
        if self._adminEndpoint is not None:
            self.adminPort = await self._resolve(self._adminEndpoint).listen(AdminSite(self.server))
            log.info("Figures and health are shown at {address}.", address=self.adminPort.getHost())

    async def _stopForOperator(self) -> None:
        port, self.adminPort = self.adminPort, None
        if port is not None:
            await maybeDeferred(port.stopListening)

    def _resolve(self, endpoint: Any) -> Any:
        return serverFromString(self.server.reactor, endpoint) if isinstance(endpoint, str) else endpoint

    async def _stop(self) -> None:
        if self._starting is not None and not self._starting.called:
            self._starting.cancel()
        self.server.stalls.stop()
        try:
            await self._drain()
            await self.server.close()
        finally:
            await self._stopForOperator()

    async def _drain(self) -> None:
        server = self.server
        server.isReady = False  # the health check says so
        if self.ports and server.options.drainDelay:
            await deferLater(server.timers, seconds(server.options.drainDelay))
        await self._stopListening()
        await self._finishCalls()
        await self._closeSockets()

    async def _finishCalls(self) -> None:
        """
        Let the application answer the calls that it has, for some time.
        """
        timers = self.server.timers
        deadline = timers.seconds() + seconds(self.server.options.drainTimeout)
        while any(socket.unansweredCount > 0 for socket in self.server.clients.values()):
            if timers.seconds() >= deadline:
                log.warn("Some calls were not answered before the server stopped.")
                return
            await deferLater(timers, _DRAIN_STEP)

    async def _stopListening(self) -> None:
        ports, self.ports = self.ports, []
        await gatherResults([maybeDeferred(port.stopListening) for port in ports], consumeErrors=True)

    async def _closeSockets(self) -> None:
        sockets = [*self.server.clients.values(), *self.server.pendingClients.values()]
        gone = [socket.socket.whenLost() for socket in sockets]
        for first in range(0, len(sockets), _CLOSED_AT_ONCE):
            for socket in sockets[first : first + _CLOSED_AT_ONCE]:
                socket.disconnect(GOING_AWAY)
            if first + _CLOSED_AT_ONCE < len(sockets):
                await deferLater(self.server.timers, _DRAIN_STEP)
        if not gone:
            return
        all = gatherResults(gone, consumeErrors=True)
        all.addTimeout(CLOSING_TIME, self.server.timers, onTimeoutCancel=lambda *_: None)
        await all
        for socket in sockets:
            socket.terminate()
