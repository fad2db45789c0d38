"""
The keys of tokens: what a given key is, which decides the algorithms that it may be used with.

A key is a secret, or the text of an asymmetric key or certificate (PEM), or a key object of C{cryptography}. Parsing
one costs far more than using it, so parsed keys are remembered, a bounded number of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError

__all__ = ["InvalidKeyMaterial", "Key", "KeySource", "signingKey", "verificationKey"]

KeySource: TypeAlias = str | bytes | bytearray | memoryview | dict[str, object] | PrivateKeyTypes | PublicKeyTypes
"""What an application may give as a key; a dict has the text in C{key} and, if it is encrypted, a C{passphrase}."""


@dataclass(frozen=True, slots=True)
class Key:
    """
    A parsed key.

    @ivar role: Whether it is a secret, or the private or public half of a pair.
    @ivar kind: The kind of an asymmetric key as Node names it (C{rsa}, C{ec}, C{ed25519}, …); empty for a secret.
    @ivar material: The bytes of a secret, or the key object of C{cryptography}.
    """

    role: Literal["secret", "private", "public"]
    kind: str
    material: bytes | PrivateKeyTypes | PublicKeyTypes

    @property
    def size(self) -> int | None:
        """
        @return: The bits of an RSA key's modulus; C{None} for other kinds.
        """
        material = self.material
        return material.key_size if isinstance(material, (RSAPrivateKey, RSAPublicKey)) else None

    @property
    def curve(self) -> str | None:
        """
        @return: The curve of an elliptic key as Node names it; C{None} for other kinds.
        """
        material = self.material
        if not isinstance(material, (EllipticCurvePrivateKey, EllipticCurvePublicKey)):
            return None
        name = material.curve.name
        return "prime256v1" if name == "secp256r1" else name


class InvalidKeyMaterial(ValueError):
    """What was given as a key is none, or not a usable one."""


def signingKey(source: KeySource) -> Key:
    """
    Parse a key to sign with.

    @param source: The key.
    @return: A secret or a private key; a public key as such, so that it is never mistaken for a secret.
    @raise InvalidKeyMaterial: if it is no usable key.
    """
    try:
        return _parse(source)
    except (TypeError, ValueError, UnsupportedAlgorithm, InvalidKeyError) as error:
        raise InvalidKeyMaterial(str(error)) from error


def verificationKey(source: KeySource) -> Key:
    """
    Parse a key to verify with.

    @param source: The key; of a private key or a certificate the public key is taken.
    @return: A secret or a public key.
    @raise InvalidKeyMaterial: if it is no usable key.
    """
    key = signingKey(source)
    return _publicHalf(key) if key.role == "private" else key


def _parse(source: KeySource) -> Key:
    if isinstance(source, (str, bytes)):
        return _parseText(source, None)
    if isinstance(source, (bytearray, memoryview)):
        return _parseText(bytes(source), None)
    if isinstance(source, dict):
        return _parseText(_bytes(source.get("key")), _bytes(source["passphrase"]) if "passphrase" in source else None)
    return _described(source)


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"A key is text or bytes, not {type(value).__qualname__}")


@lru_cache(maxsize=64)
def _parseText(source: str | bytes, passphrase: bytes | None) -> Key:
    text = _bytes(source)
    if b"-----BEGIN " not in text:
        # It refuses what is an asymmetric key in another form: used as a secret, that would be known to the world.
        return Key("secret", "", HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(text))
    if b"PRIVATE KEY-----" in text:
        return _described(load_pem_private_key(text, passphrase))
    if b"-----BEGIN CERTIFICATE" in text:
        return _described(load_pem_x509_certificate(text).public_key())
    return _described(load_pem_public_key(text))


def _described(material: PrivateKeyTypes | PublicKeyTypes) -> Key:
    """
    @return: A key object of C{cryptography} with its role and kind.
    """
    if hasattr(material, "private_bytes"):
        return Key("private", _kind(material), material)
    if hasattr(material, "public_bytes"):
        return Key("public", _kind(material), material)
    raise TypeError(f"A key is text, bytes or a key object, not {type(material).__qualname__}")


def _kind(material: PrivateKeyTypes | PublicKeyTypes) -> str:
    if isinstance(material, (RSAPrivateKey, RSAPublicKey)):
        return "rsa"
    if isinstance(material, (EllipticCurvePrivateKey, EllipticCurvePublicKey)):
        return "ec"
    # No token is made with any other kind; its name is only for the error.
    return type(material).__name__.lower().removesuffix("privatekey").removesuffix("publickey")


@lru_cache(maxsize=64)
def _publicHalf(key: Key) -> Key:
    assert not isinstance(key.material, bytes)
    assert hasattr(key.material, "public_key")
    return _described(key.material.public_key())
