"""
The ways in which a server can listen; scenarios must not notice which one it is.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from agtwisted import AGServer, attach, listen
from agtwisted.service import AGService

SetUp = Callable[[AGServer], None]
Stop = Callable[[], Awaitable[Any]]

#: Five hundred clients may come at once.
_TCP = "tcp:{port}:interface=127.0.0.1:backlog=1024"


async def alone(reactor: Any, port: int, options: dict[str, Any], setUp: SetUp) -> tuple[int, Stop]:
    """
    Listen with nothing but the server.

    @return: the port, and what ends all of it.
    """
    return await _listenAt(_TCP.format(port=port), reactor, options, setUp)


async def overTLS(reactor: Any, port: int, options: dict[str, Any], setUp: SetUp) -> tuple[int, Stop]:
    """
    Listen for encrypted connections.
    """
    endpoint = f"ssl:{port}:interface=127.0.0.1:backlog=1024:privateKey={_certificate()}:certKey={_certificate()}"
    return await _listenAt(endpoint, reactor, options, setUp)


async def atAPath(reactor: Any, port: int, options: dict[str, Any], setUp: SetUp) -> tuple[int, Stop]:
    """
    Listen at a Unix socket, whose number is called its port.
    """
    number = port or next(_numbers)
    _, stop = await _listenAt(f"unix:{socketPath(number)}:backlog=1024", reactor, options, setUp)
    return number, stop


def socketPath(number: int) -> str:
    """
    @return: where the Unix socket of that number is.
    """
    return str(_folder() / f"{number}.sock")


async def _listenAt(endpoint: str, reactor: Any, options: dict[str, Any], setUp: SetUp) -> tuple[int, Stop]:
    server = await listen(endpoint, reactor=reactor, **options)
    setUp(server)

    async def stop() -> None:
        await server.listeningPort.stopListening()
        await _closed(reactor, server)

    return server.sourcePort, stop


async def _closed(reactor: Any, server: AGServer) -> None:
    # Those who are just saying goodbye belong to nobody any more, and take a little longer.
    await server.close()
    while server.admission.connections or server.clientsCount or server.pendingClientsCount or len(server.cleaning):
        await deferLater(reactor, 0.01)
    await deferLater(reactor, 0)


async def inASite(reactor: Any, port: int, options: dict[str, Any], setUp: SetUp) -> tuple[int, Stop]:
    """
    Mount the server into a web site with a page of its own.
    """
    root = Resource()
    root.putChild(b"", Data(b"the site's own page", "text/plain"))
    site = Site(root)
    server = attach(site, reactor=reactor, **options)
    setUp(server)
    listening = reactor.listenTCP(port, site, interface="127.0.0.1", backlog=1024)

    async def stop() -> None:
        await listening.stopListening()
        await _closed(reactor, server)

    return listening.getHost().port, stop


async def asAService(reactor: Any, port: int, options: dict[str, Any], setUp: SetUp) -> tuple[int, Stop]:
    """
    Put the server into a service.
    """
    server = AGServer(reactor, **options)
    service = AGService(server, [_TCP.format(port=port)], setUp)
    await service.startService()
    return service.ports[0].getHost().port, service.stopService


WAYS = {"python": alone, "tls": overTLS, "unix": atAPath, "site": inASite, "service": asAService}

_numbers = count(1)


@cache
def _folder() -> Path:
    # For as long as this process lives.
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _certificate() -> Path:
    # The key and the certificate that it has signed itself.
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ) + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    file = _folder() / "server.pem"
    file.write_bytes(pem)
    return file
