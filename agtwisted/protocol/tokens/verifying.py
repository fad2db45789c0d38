"""
Verifying a token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hmac import compare_digest
from math import floor
from typing import Any

from jwt.algorithms import Algorithm

from agtwisted.protocol.codecs import JSONCodec
from agtwisted.protocol.tokens.algorithms import ALGORITHMS, algorithmsOf, checkKeyKind
from agtwisted.protocol.tokens.encoding import fromBase64, toBase64
from agtwisted.protocol.tokens.errors import JsonWebTokenError, NotBeforeError, TokenError, TokenExpiredError
from agtwisted.protocol.tokens.keys import InvalidKeyMaterial, Key, KeySource, verificationKey
from agtwisted.protocol.tokens.spans import SPAN_TEXT, isNumber, momentAfter

__all__ = ["verifyToken"]


def verifyToken(
    signedToken: str | None,
    key: KeySource | None,
    options: Mapping[str, Any] | None,
    now: float,
) -> dict[str, Any]:
    """
    Verify a token.

    @param signedToken: The token.
    @param key: The secret or public key.
    @param options: The options of C{jsonwebtoken}: C{algorithms} (those of the key's kind unless said otherwise),
        C{audience} and C{issuer} (one or several), C{subject}, C{jwtid}, C{nonce}, C{maxAge} (seconds or a text),
        C{ignoreExpiration}, C{ignoreNotBefore}, C{clockTolerance} and C{clockTimestamp} (seconds), C{complete},
        C{allowInvalidAsymmetricKeyTypes}. C{None} stands for an option that is not given; unknown ones are ignored.
    @param now: The wall-clock time, in seconds since 1970.
    @return: The claims; with the option C{complete} a dict of C{header}, C{payload} and C{signature}.
    @raise TokenExpiredError: if its time is over.
    @raise NotBeforeError: if its time has not come yet.
    @raise JsonWebTokenError: if it is wrong in any other way.
    @raise TokenError: if the key is of a kind that the algorithm cannot use.
    """
    given = {name: value for name, value in (options or {}).items() if value is not None}
    try:
        return _verify(signedToken, key, given, now)
    except TokenError:
        raise
    except Exception as error:
        # Tokens come from anywhere: none may raise what the callers do not expect.
        raise JsonWebTokenError("invalid token") from error


_JWS = re.compile(r"[a-zA-Z0-9\-_]+\.[a-zA-Z0-9\-_]+\.[a-zA-Z0-9\-_]*")

_codec = JSONCodec()


def _verify(signedToken: str | None, source: KeySource | None, options: dict[str, Any], now: float) -> dict[str, Any]:
    _checkVerifyOptions(options)
    now = options.get("clockTimestamp") or floor(now)
    header, payload, signature = _parse(signedToken)
    assert signedToken is not None
    key = _keyToVerifyWith(source, signature, options)
    _checkSignature(signedToken, header, signature, key, options)
    if not isinstance(payload, dict):
        raise JsonWebTokenError("invalid token")
    _checkTimes(payload, now, options)
    _checkNames(payload, options)
    _checkAge(payload, now, options)
    if options.get("complete") is True:
        return {"header": header, "payload": payload, "signature": signature}
    return payload


def _checkVerifyOptions(options: dict[str, Any]) -> None:
    if options.get("clockTimestamp") and not isNumber(options["clockTimestamp"]):
        raise JsonWebTokenError("clockTimestamp must be a number")
    nonce = options.get("nonce")
    if nonce is not None and (not isinstance(nonce, str) or not nonce.strip()):
        raise JsonWebTokenError("nonce must be a non-empty string")
    if not isinstance(options.get("allowInvalidAsymmetricKeyTypes", False), bool):
        raise JsonWebTokenError("allowInvalidAsymmetricKeyTypes must be a boolean")


def _parse(signedToken: object) -> tuple[dict[str, Any], object, str]:
    """
    @return: The header, the payload, the signature as it stands in the token.
    @raise JsonWebTokenError: if C{signedToken} is no token.
    """
    if not signedToken:
        raise JsonWebTokenError("jwt must be provided")
    if not isinstance(signedToken, str):
        raise JsonWebTokenError("jwt must be a string")
    if signedToken.count(".") != 2:
        raise JsonWebTokenError("jwt malformed")
    if not _JWS.fullmatch(signedToken):
        raise JsonWebTokenError("invalid token")
    headerText, payloadText, signature = signedToken.split(".")
    # The reference reads headers as Latin-1, and payloads as UTF-8.
    header = _parseHeader(fromBase64(headerText).decode("latin-1"))
    return header, _codec.decodeUTF8(fromBase64(payloadText)), signature


def _parseHeader(text: str) -> dict[str, Any]:
    header = _codec.decode(text)
    if isinstance(header, dict):
        if "crit" in header or header.get("b64", True) is not True:
            # Extensions that must be understood, of which there is none here.
            raise JsonWebTokenError("invalid token")
        return header
    if isinstance(header, list) or json.loads(text):
        # JSON, but nothing that names an algorithm.
        return {}
    raise JsonWebTokenError("invalid token")


def _keyToVerifyWith(source: KeySource | None, signature: str, options: dict[str, Any]) -> Key | None:
    if not signature and source:
        raise JsonWebTokenError("jwt signature is required")
    if signature and not source:
        raise JsonWebTokenError("secret or public key must be provided")
    if not source:
        if "algorithms" not in options:
            raise JsonWebTokenError('please specify "none" in "algorithms" to verify unsigned tokens')
        return None
    try:
        return verificationKey(source)
    except InvalidKeyMaterial as error:
        raise JsonWebTokenError("secretOrPublicKey is not valid key material") from error


def _checkSignature(
    signedToken: str, header: dict[str, Any], signature: str, key: Key | None, options: dict[str, Any]
) -> None:
    """
    @raise TokenError: if the token is not signed with C{key}, by an algorithm that it may be used with.
    """
    name = header.get("alg")
    allowed = options.get("algorithms", algorithmsOf(key))
    if name not in ([allowed] if isinstance(allowed, str) else allowed):
        raise JsonWebTokenError("invalid algorithm")
    if key is None and name == "none":
        # Asked for by the caller, who gave no key and allows it by name.
        return
    if key is None or not isinstance(name, str) or name not in ALGORITHMS:
        raise JsonWebTokenError("invalid algorithm")
    if name.startswith("HS") != (key.role == "secret"):
        kind = "a symmetric" if name.startswith("HS") else "an asymmetric"
        raise JsonWebTokenError(f"secretOrPublicKey must be {kind} key when using {name}")
    if not options.get("allowInvalidAsymmetricKeyTypes"):
        checkKeyKind(name, key)
    signingInput = signedToken[: -len(signature) - 1].encode("ascii")
    if not _isSignature(ALGORITHMS[name], signingInput, signature, key):
        raise JsonWebTokenError("invalid signature")


def _isSignature(algorithm: Algorithm, signingInput: bytes, signature: str, key: Key) -> bool:
    if key.role == "secret":
        # As text: bits that a lenient decoder drops are no way to vary a token.
        return compare_digest(toBase64(algorithm.sign(signingInput, key.material)), signature)
    return algorithm.verify(signingInput, key.material, fromBase64(signature))


def _checkTimes(payload: dict[str, Any], now: float, options: dict[str, Any]) -> None:
    tolerance = options.get("clockTolerance") or 0
    if "nbf" in payload and not options.get("ignoreNotBefore"):
        notBefore = _claimedMoment(payload, "nbf")
        if notBefore > now + tolerance:
            raise NotBeforeError("jwt not active", _moment(notBefore))
    if "exp" in payload and not options.get("ignoreExpiration"):
        expiry = _claimedMoment(payload, "exp")
        if now >= expiry + tolerance:
            raise TokenExpiredError("jwt expired", _moment(expiry))


def _claimedMoment(payload: dict[str, Any], claim: str) -> float:
    value = payload[claim]
    if not isNumber(value) or value in (float("inf"), float("-inf")):
        raise JsonWebTokenError(f"invalid {claim} value")
    assert isinstance(value, (int, float))
    return value


def _checkNames(payload: dict[str, Any], options: dict[str, Any]) -> None:
    """
    @raise JsonWebTokenError: if the token is not of, from or for whom it should be.
    """
    audience, issuer = _expected(options, "audience"), _expected(options, "issuer")
    if audience is not None:
        claimed = payload.get("aud", _ABSENT)
        targets = claimed if isinstance(claimed, list) else [claimed]
        if not any(_fits(target, wanted) for target in targets for wanted in audience):
            raise JsonWebTokenError(f"jwt audience invalid. expected: {' or '.join(map(_text, audience))}")
    if issuer is not None:
        claimed = payload.get("iss", _ABSENT)
        if not any(_isSame(claimed, wanted) for wanted in issuer):
            raise JsonWebTokenError(f"jwt issuer invalid. expected: {','.join(map(_text, issuer))}")
    for option, claim in (("subject", "sub"), ("jwtid", "jti"), ("nonce", "nonce")):
        wanted = options.get(option)
        if _isAsked(wanted) and not _isSame(payload.get(claim, _ABSENT), wanted):
            raise JsonWebTokenError(f"jwt {option} invalid. expected: {_text(wanted)}")


def _isAsked(value: object) -> bool:
    # As in JavaScript: nothing, zero and the empty text ask for nothing, but an empty list is fulfilled by no one.
    return bool(value) or isinstance(value, _COLLECTIONS)


def _expected(options: dict[str, Any], name: str) -> list[object] | None:
    value = options.get(name)
    if isinstance(value, _COLLECTIONS):
        return list(value)
    return [value] if value else None


def _text(value: object) -> str:
    """
    @return: A value as JavaScript writes it into an error.
    """
    if isinstance(value, _COLLECTIONS):
        return ",".join(map(_text, value))
    if isinstance(value, re.Pattern):
        return f"/{value.pattern}/"
    return str(value).lower() if isinstance(value, bool) else str(value)


_COLLECTIONS = (list, tuple, set, frozenset)

_ABSENT = object()
"""Stands for a claim that a token does not have."""


def _fits(claimed: object, wanted: object) -> bool:
    if isinstance(wanted, re.Pattern):
        return isinstance(claimed, str) and wanted.search(claimed) is not None
    return _isSame(claimed, wanted)


def _isSame(claimed: object, wanted: object) -> bool:
    # In Python True equals 1, in JavaScript it is another value.
    return claimed == wanted and isinstance(claimed, bool) == isinstance(wanted, bool)


def _checkAge(payload: dict[str, Any], now: float, options: dict[str, Any]) -> None:
    maxAge = options.get("maxAge")
    if not _isAsked(maxAge):
        return
    issued = payload.get("iat")
    if not isNumber(issued):
        raise JsonWebTokenError("iat required when maxAge is specified")
    limit = momentAfter(issued or now, maxAge)
    if limit is None:
        raise JsonWebTokenError(f'"maxAge" should be {SPAN_TEXT} eg: "1d", "20h", 60')
    if now >= limit + (options.get("clockTolerance") or 0):
        raise TokenExpiredError("maxAge exceeded", _moment(limit))


def _moment(seconds: float) -> datetime:
    """
    @return: The moment, or the nearest one that Python can express.
    """
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return (datetime.max if seconds > 0 else datetime.min).replace(tzinfo=UTC)
