"""
What the options and claims of a token that is to be signed may be.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor, isfinite
from typing import Any, TypeAlias

from agtwisted.protocol.tokens.algorithms import ALGORITHMS
from agtwisted.protocol.tokens.errors import TokenError
from agtwisted.protocol.tokens.spans import SPAN_TEXT, isNumber

__all__ = ["CLAIMS", "OPTIONS", "validate"]


def _isTimespan(value: object) -> bool:
    if isinstance(value, str):
        return value != ""
    return isNumber(value) and isfinite(value) and value == floor(value)


def _isText(value: object) -> bool:
    return isinstance(value, str)


def _isBoolean(value: object) -> bool:
    return isinstance(value, bool)


def _isSignAlgorithm(value: object) -> bool:
    return isinstance(value, str) and (value == "none" or value in ALGORITHMS)


_Schema: TypeAlias = dict[str, tuple[Callable[[object], bool], str]]

OPTIONS: _Schema = {
    "expiresIn": (_isTimespan, f"should be {SPAN_TEXT}"),
    "notBefore": (_isTimespan, f"should be {SPAN_TEXT}"),
    "audience": (lambda value: isinstance(value, (str, list, tuple)), "must be a string or array"),
    "algorithm": (_isSignAlgorithm, "must be a valid string enum value"),
    "header": (lambda value: isinstance(value, dict), "must be an object"),
    "encoding": (_isText, "must be a string"),
    "issuer": (_isText, "must be a string"),
    "subject": (_isText, "must be a string"),
    "jwtid": (_isText, "must be a string"),
    "noTimestamp": (_isBoolean, "must be a boolean"),
    "keyid": (_isText, "must be a string"),
    "mutatePayload": (_isBoolean, "must be a boolean"),
    "allowInsecureKeySizes": (_isBoolean, "must be a boolean"),
    "allowInvalidAsymmetricKeyTypes": (_isBoolean, "must be a boolean"),
}

CLAIMS: _Schema = dict.fromkeys(("iat", "exp", "nbf"), (isNumber, "should be a number of seconds"))


def validate(schema: _Schema, values: dict[str, Any], what: str, allowUnknown: bool) -> None:
    """
    @param what: what the values are, for the error.
    @raise TokenError: a value is none that its name may have, or a name is not known and has to be.
    """
    for name, value in values.items():
        if name not in schema:
            if allowUnknown:
                continue
            raise TokenError(f'"{name}" is not allowed in "{what}"')
        isValid, text = schema[name]
        if not isValid(value):
            raise TokenError(f'"{name}" {text}')
