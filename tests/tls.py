"""
TLS in memory: a certificate, and the client's end of a connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory, TLSMemoryBIOProtocol


@cache
def options() -> CertificateOptions:
    """
    @return: a server's, with a certificate that it has signed itself.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=localhost")
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    today = datetime.now(UTC)
    builder = builder.not_valid_before(today - timedelta(days=1)).not_valid_after(today + timedelta(days=1))
    certificate = crypto.X509.from_cryptography(builder.sign(key, hashes.SHA256()))
    return CertificateOptions(crypto.PKey.from_cryptography_key(key), certificate)


def secured(factory: Any, clock: Any, isBuffering: bool = True) -> TLSMemoryBIOFactory:
    """
    @param isBuffering: whether Twisted is to collect what is written, as it does by itself.
    @return: a factory of TLS around another one.
    """
    around = TLSMemoryBIOFactory(options(), False, factory, clock)
    around.protocol = BufferingTLSTransport if isBuffering else TLSMemoryBIOProtocol
    return around


class TLSClient:
    """
    The client's end of a connection.

    @ivar connection: OpenSSL's.
    @ivar plain: what it has had from the server.
    @ivar isEnded: whether the server has said that it sends no more.
    """

    def __init__(self, version: int = SSL.TLS1_3_VERSION, offered: Sequence[bytes] = ()) -> None:
        """
        @param version: the highest that it speaks.
        @param offered: the protocols that it offers to speak through TLS.
        """
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(version)
        if offered:
            context.set_alpn_protos(list(offered))
        self.connection = SSL.Connection(context, None)
        self.connection.set_connect_state()
        self.plain = b""
        self.isEnded = False

    def receive(self, data: bytes) -> None:
        """
        Something has come from the server.
        """
        if data:
            self.connection.bio_write(data)
        try:
            while True:
                self.plain += self.connection.recv(1 << 16)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.isEnded = True

    def send(self, data: bytes) -> None:
        """
        Put something into records.
        """
        while data:
            data = data[self.connection.send(data) :]

    def take(self) -> bytes:
        """
        @return: the records that there are for the server.
        """
        return b"".join(self._records())

    def _records(self) -> Iterator[bytes]:
        try:
            while True:
                yield self.connection.bio_read(1 << 16)
        except SSL.WantReadError:
            return
