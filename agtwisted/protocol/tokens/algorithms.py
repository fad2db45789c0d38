"""
The algorithms that sign tokens, and the keys that each may be used with.
"""

from __future__ import annotations

from jwt.algorithms import Algorithm, get_default_algorithms

from agtwisted.protocol.tokens.errors import TokenError
from agtwisted.protocol.tokens.keys import Key

__all__ = ["ALGORITHMS", "algorithmsOf", "checkKeyKind"]

ALGORITHMS: dict[str, Algorithm] = {
    name: algorithm
    for name, algorithm in get_default_algorithms().items()
    if name in {family + size for family in ("HS", "RS", "PS", "ES") for size in ("256", "384", "512")}
}

_FAMILY = {
    "HS": ["HS256", "HS384", "HS512"],
    "RS": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
    "ES": ["ES256", "ES384", "ES512"],
}

_CURVES = {"ES256": "prime256v1", "ES384": "secp384r1", "ES512": "secp521r1"}

_ALLOWED = {"ec": "ES256, ES384, ES512", "rsa": "RS256, PS256, RS384, PS384, RS512, PS512"}


def algorithmsOf(key: Key | None) -> list[str]:
    """
    @return: The algorithms that a key of this kind may be used with.
    """
    if key is None or key.role == "secret":
        return _FAMILY["HS"]
    return _FAMILY["ES"] if key.kind == "ec" else _FAMILY["RS"]


def checkKeyKind(algorithm: str, key: Key) -> None:
    """
    @raise TokenError: if a key of this kind cannot be used with C{algorithm}.
    """
    if key.role == "secret":
        return
    if key.kind not in _ALLOWED:
        raise TokenError(f'Unknown key type "{key.kind}".')
    allowed = _ALLOWED[key.kind]
    if algorithm not in allowed.split(", "):
        raise TokenError(f'"alg" parameter for "{key.kind}" key type must be one of: {allowed}.')
    if key.kind == "ec" and key.curve != _CURVES[algorithm]:
        raise TokenError(f'"alg" parameter "{algorithm}" requires curve "{_CURVES[algorithm]}".')
