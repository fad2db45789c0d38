"""
Signed tokens (JSON Web Tokens), accepted and refused as C{jsonwebtoken} 9 does, with its texts.

The cryptography is PyJWT's; the decisions are made here, because the two libraries differ in what they accept. Clients
see the texts, so these are the reference's. The algorithms that may have signed a token follow from the options, or
from the kind of the key; what the token says of itself only has to agree.

Stricter than the reference, for safety: a payload that is no object, is not UTF-8 or is nested absurdly deep, an C{exp}
that is infinite, and headers that are to be understood but are not (C{crit}, C{b64}).
"""

from agtwisted.protocol.tokens.errors import JsonWebTokenError, NotBeforeError, TokenError, TokenExpiredError
from agtwisted.protocol.tokens.keys import KeySource
from agtwisted.protocol.tokens.signing import signToken
from agtwisted.protocol.tokens.verifying import verifyToken

__all__ = [
    "JsonWebTokenError",
    "KeySource",
    "NotBeforeError",
    "TokenError",
    "TokenExpiredError",
    "signToken",
    "verifyToken",
]
