"""
The server and the web: mounting it into a site, listening by itself, and the pages it comes with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from twisted.web.static import Data, File
from zope.interface import implementer

from agtwisted.accepting import acceptLeanly
from agtwisted.answers import healthAnswer
from agtwisted.server.server import AGServer
from agtwisted.shortage import waitOutShortages

log = Logger()

S = TypeVar("S", bound=AGServer)

#: The folder of the console page.
CONSOLE = Path(__file__).parent / "console"

#: What a page of ours may do: load its own files, and talk to its own server.
_CONTENT_SECURITY_POLICY = b"default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'"


@implementer(IResource)
class AGResource:
    """
    A server as a resource of a web site: upgrade requests go on with WebSocket, everything else is answered 501.
    """

    isLeaf = True

    def __init__(self, server: AGServer) -> None:
        self._factory = server.websocketFactory()

    def getChildWithDefault(self, name: bytes, request: Request) -> IResource:
        """
        @return: this resource: the WebSocket protocol itself compares the path.
        """
        return self

    def putChild(self, path: bytes, child: IResource) -> None:
        """
        @raise TypeError: always; a WebSocket endpoint has no children.
        """
        raise TypeError("A WebSocket endpoint has no child resources")

    def render(self, request: Request) -> int | bytes:
        """
        Take the connection over.
        """
        if not isUpgrade(request):
            request.setResponseCode(501)
            request.setHeader(b"content-type", b"text/plain; charset=utf-8")
            return b"Not Implemented"
        channel: Any = request.channel
        transport, channel.transport = channel.transport, None
        protocol = self._factory.buildProtocol(transport.getPeer())
        transport.unregisterProducer()  # that was the HTTP channel
        _takeOver(transport, protocol)
        protocol.makeConnection(transport)
        # twisted.web pauses the transport while a request is being served; no other request will follow.
        transport.resumeProducing()
        protocol.dataReceived(_headOf(request))
        return NOT_DONE_YET


def isUpgrade(request: Request) -> bool:
    """
    @return: whether a request of a web site asks to go on with WebSocket.
    """
    asked = request.requestHeaders.getRawHeaders(b"upgrade", [])
    return any(b"websocket" in value.lower() for value in asked) and request.channel.transport is not None


def _takeOver(transport: Any, protocol: Any) -> None:
    from agtwisted.websocket import SiteConnection

    if isinstance(transport, ProtocolWrapper):
        before, transport.wrappedProtocol = transport.wrappedProtocol, protocol
    elif isinstance(transport.protocol, ProtocolWrapper):
        before, transport.protocol.wrappedProtocol = transport.protocol.wrappedProtocol, protocol
    else:
        before, transport.protocol = transport.protocol, protocol
    if isinstance(before, SiteConnection):
        before.replaced()


def _headOf(request: Request) -> bytes:
    lines = [b" ".join((request.method, request.uri, request.clientproto))]
    for name, values in request.requestHeaders.getAllRawHeaders():
        lines.extend(name + b": " + value for value in values)
    return b"\r\n".join(lines) + b"\r\n\r\n"


@implementer(IResource)
class _Front:
    """
    In front of a site's own resources: upgrade requests at the server's path go to the server, all others go on.
    """

    isLeaf = False

    def __init__(self, server: AGServer, behind: IResource) -> None:
        self._paths = frozenset(path.encode("ascii") for path in server.paths)
        self._endpoint = server.resource()
        self._behind = behind

    def getChildWithDefault(self, name: bytes, request: Request) -> IResource:
        """
        @return: the server's resource, or whatever the site has for the request.
        """
        if request.uri.partition(b"?")[0] in self._paths and isUpgrade(request):
            return self._endpoint  # type: ignore[no-any-return]
        return self._behind.getChildWithDefault(name, request)  # type: ignore[no-any-return]

    def putChild(self, path: bytes, child: IResource) -> None:
        """
        Give the site's own root another child.
        """
        self._behind.putChild(path, child)

    def render(self, request: Request) -> Any:
        """
        Render the site's own root.
        """
        return self._behind.render(request)


def attach(
    site: Site,
    reactor: Any = None,
    *,
    serverType: type[S] = AGServer,  # type: ignore[assignment]
    **options: Any,
) -> S:
    """
    Mount a new server into an existing web site, under the option C{path}, beside the site's own resources.

    @param site: the site; whoever made it listens with it.
    @param reactor: the reactor; the installed one if not given.
    @param serverType: the class of the server.
    @param options: the server's options.
    @return: the server. It starts by itself; its event C{ready} tells when it has.
    @raise InvalidOptionsError: an option is not known or has a value that cannot be.
    """
    server = serverType(reactor, **options)
    site.resource = _Front(server, site.resource)
    server.httpServer = site
    server.start().addErrback(lambda failure: log.failure("The server could not be started.", failure))
    return server


def listen(
    portOrEndpoint: int | str,
    reactor: Any = None,
    *,
    serverType: type[S] = AGServer,  # type: ignore[assignment]
    **options: Any,
) -> Deferred[S]:
    """
    Make a server and let it listen. It answers requests that do not ask for WebSocket with 501.

    @param portOrEndpoint: a TCP port, 0 for any free one, or the description of a Twisted server endpoint.
    @param reactor: the reactor; the installed one if not given.
    @param serverType: the class of the server.
    @param options: the server's options.
    @return: fires with the server, which listens; C{server.listeningPort.stopListening()} ends that. Fails with what
        listening or the broker fails with.
    @raise InvalidOptionsError: an option is not known or has a value that cannot be.
    """
    server = serverType(reactor, **options)
    if isinstance(portOrEndpoint, int):
        endpoint: Any = TCP4ServerEndpoint(server.reactor, portOrEndpoint, backlog=4096)
    else:
        endpoint = serverFromString(server.reactor, portOrEndpoint)

    async def begin() -> S:
        await server.start()
        rememberPort(server, await endpoint.listen(server.websocketFactory()))
        return server

    return Deferred.fromCoroutine(begin())


def rememberPort(server: AGServer, port: IListeningPort) -> None:
    """
    Tell a server where it listens; the first of several places counts.
    """
    waitOutShortages(port, server.timers)
    acceptLeanly(port)
    if server.listeningPort is None:
        address = port.getHost()
        server.listeningPort = port
        server.sourcePort = getattr(address, "port", None)
        server.host = getattr(address, "host", None)
        # An ssl: endpoint listens with a port of its own kind, a tls: endpoint with a factory around ours.
        server.secure = getattr(port, "_type", "") == "TLS" or isinstance(
            getattr(port, "factory", None), TLSMemoryBIOFactory
        )


class _Page(File):
    """
    Files of ours, which need nothing from elsewhere and say so.
    """

    def render_GET(self, request: Request) -> Any:
        """
        Serve a file.
        """
        request.setHeader(b"content-security-policy", _CONTENT_SECURITY_POLICY)
        request.setHeader(b"x-content-type-options", b"nosniff")
        return super().render_GET(request)  # type: ignore[no-untyped-call]


def standaloneSite(server: AGServer, *, console: bool = True, static: str | None = None) -> Site:
    """
    Make the web site of a server that has its ports for itself.

    @param console: whether the console page is at C{/}.
    @param static: a folder whose files are served instead.
    @return: the site, with C{/health-check} as well.
    """
    if static is not None:
        root: Resource = File(static)
    else:
        root = Resource()
        if console:
            root.putChild(b"", _Page(str(CONSOLE / "index.html")))
            root.putChild(b"console", _Page(str(CONSOLE)))
        else:
            root.putChild(b"", Data(b"agtwisted: a SocketCluster server\n", "text/plain"))
    healthCheck = healthAnswer(server)
    healthCheck.isLeaf = True
    root.putChild(b"health-check", healthCheck)
    site = Site(_Front(server, root))
    site.displayTracebacks = False
    server.httpServer = site
    return site
