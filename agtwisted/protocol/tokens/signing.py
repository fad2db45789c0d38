"""
Signing a token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import floor
from typing import Any

from agtwisted.protocol.codecs import JSONCodec
from agtwisted.protocol.tokens.algorithms import ALGORITHMS, checkKeyKind
from agtwisted.protocol.tokens.encoding import toBase64
from agtwisted.protocol.tokens.errors import TokenError
from agtwisted.protocol.tokens.keys import InvalidKeyMaterial, Key, KeySource, signingKey
from agtwisted.protocol.tokens.schema import CLAIMS, OPTIONS, validate
from agtwisted.protocol.tokens.spans import SPAN_TEXT, momentAfter

__all__ = ["signToken"]


def signToken(
    payload: object,
    key: KeySource | None,
    options: Mapping[str, Any] | None,
    now: float,
) -> str:
    """
    Sign a token.

    @param payload: The claims, a dict; or any text.
    @param key: The secret or private key.
    @param options: The options of C{jsonwebtoken}: C{algorithm} (C{HS256} unless said otherwise), C{expiresIn} and
        C{notBefore} (seconds, or a text such as C{"2 days"}; a text without a unit is milliseconds), C{audience},
        C{issuer}, C{subject}, C{jwtid}, C{keyid}, C{header}, C{noTimestamp}, C{encoding}, C{mutatePayload},
        C{allowInsecureKeySizes}, C{allowInvalidAsymmetricKeyTypes}. C{None} stands for an option that is not given.
    @param now: The wall-clock time, in seconds since 1970.
    @return: The signed token.
    @raise TokenError: if the key, the payload or an option is not right.
    """
    given = {name: value for name, value in (options or {}).items() if value is not None}
    try:
        return _sign(payload, key, given, now)
    except TokenError:
        raise
    except Exception as error:
        # Whatever else is wrong lies in what was given.
        raise TokenError(str(error)) from error


def _sign(payload: object, source: KeySource | None, options: dict[str, Any], now: float) -> str:
    isObject = payload is None or isinstance(payload, (dict, list, tuple))
    header: dict[str, Any] = {"alg": options.get("algorithm") or "HS256"}
    if isObject:
        header["typ"] = "JWT"
    if "keyid" in options:
        header["kid"] = options["keyid"]
    if isinstance(options.get("header"), dict):
        header |= options["header"]
    if not isinstance(header["alg"], str):
        raise TokenError('"algorithm" must be a valid string enum value')
    key = _keyToSignWith(source, header["alg"], options)
    if isObject:
        payload = _claimsToSign(payload, options)
    else:
        _checkTextOptions(payload, options)
    validate(OPTIONS, options, "options", allowUnknown=False)
    if key is not None and not options.get("allowInvalidAsymmetricKeyTypes"):
        checkKeyKind(header["alg"], key)
    if isinstance(payload, dict):
        _completeClaims(payload, options, now)
    return _signed(header, payload, key, options.get("encoding") or "utf8")


def _signed(header: dict[str, Any], payload: object, key: Key | None, encoding: str) -> str:
    algorithm = header["alg"]
    text = json.dumps(header, separators=(",", ":"))
    signingInput = f"{toBase64(text.encode('ascii'))}.{toBase64(_payloadBytes(payload, encoding))}"
    if algorithm == "none":
        return f"{signingInput}."
    if algorithm not in ALGORITHMS:
        raise TokenError(f'"{algorithm}" is not a valid algorithm.')
    assert key is not None
    return f"{signingInput}.{toBase64(ALGORITHMS[algorithm].sign(signingInput.encode('ascii'), key.material))}"


def _keyToSignWith(source: KeySource | None, algorithm: str, options: dict[str, Any]) -> Key | None:
    if not source:
        if options.get("algorithm") == "none":
            return None
        raise TokenError("secretOrPrivateKey must have a value")
    try:
        key = signingKey(source)
    except InvalidKeyMaterial as error:
        raise TokenError("secretOrPrivateKey is not valid key material") from error
    if algorithm.startswith("HS") and key.role != "secret":
        raise TokenError(f"secretOrPrivateKey must be a symmetric key when using {algorithm}")
    if algorithm.startswith(("RS", "PS", "ES")):
        if key.role != "private":
            raise TokenError(f"secretOrPrivateKey must be an asymmetric key when using {algorithm}")
        if not options.get("allowInsecureKeySizes") and key.size is not None and key.size < 2048:
            if not algorithm.startswith("ES"):
                raise TokenError(f"secretOrPrivateKey has a minimum key size of 2048 bits for {algorithm}")
    return key


def _claimsToSign(payload: object, options: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise TokenError('Expected "payload" to be a plain object.')
    validate(CLAIMS, payload, "payload", allowUnknown=True)
    for option, claim in (("expiresIn", "exp"), ("notBefore", "nbf")):
        if claim in payload and option in options:
            raise TokenError(f'Bad "options.{option}" option the payload already has an "{claim}" property.')
    return payload if options.get("mutatePayload") else dict(payload)


_OPTION_CLAIMS = {"audience": "aud", "issuer": "iss", "subject": "sub", "jwtid": "jti"}


def _checkTextOptions(payload: object, options: dict[str, Any]) -> None:
    refused = [name for name in ("expiresIn", "notBefore", "noTimestamp", *_OPTION_CLAIMS) if name in options]
    if refused:
        raise TokenError(f"invalid {','.join(refused)} option for {_typeName(payload)} payload")


def _completeClaims(payload: dict[str, Any], options: dict[str, Any], now: float) -> None:
    timestamp = payload.get("iat") or floor(now)
    if options.get("noTimestamp"):
        payload.pop("iat", None)
    else:
        payload["iat"] = timestamp
    for option, claim in (("notBefore", "nbf"), ("expiresIn", "exp")):
        if option in options:
            moment = momentAfter(timestamp, options[option])
            if moment is None:
                raise TokenError(f'"{option}" should be {SPAN_TEXT} eg: "1d", "20h", 60')
            payload[claim] = moment
    for option, claim in _OPTION_CLAIMS.items():
        if option in options:
            if claim in payload:
                raise TokenError(f'Bad "options.{option}" option. The payload already has an "{claim}" property.')
            payload[claim] = options[option]


def _payloadBytes(payload: object, encoding: str) -> bytes:
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return bytes(payload)
    text = payload if isinstance(payload, str) else _codec.encode(payload)
    if encoding.lower() not in _ENCODINGS:
        raise TokenError(f"Unknown encoding: {encoding}")
    return text.encode(_ENCODINGS[encoding.lower()])


_ENCODINGS = {
    "utf8": "utf-8",
    "utf-8": "utf-8",
    "latin1": "latin-1",
    "binary": "latin-1",
    "ascii": "latin-1",
    "utf16le": "utf-16-le",
    "utf-16le": "utf-16-le",
    "ucs2": "utf-16-le",
    "ucs-2": "utf-16-le",
}
"""The encodings of text that Node knows."""


def _typeName(value: object) -> str:
    """
    @return: The type of a value in JavaScript's words.
    """
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "string" if isinstance(value, str) else "object"


_codec = JSONCodec()
