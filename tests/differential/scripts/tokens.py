"""
Tokens of every fault, in the handshake, in C{#authenticate}, and from the server.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from ..player import AUTH_KEY
from ..steps import Script, close, hello, invoke, pause, send, settle, transmit, wait
from .values import ECHO

FAR = 4102444800
PAST = 1000000000


def part(value: Any) -> str:
    """One part of a token."""
    data = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(claims: Any, header: Any = None, key: str = AUTH_KEY, digest: Any = hashlib.sha256) -> str:
    """Sign a token by hand, whatever is in it."""
    head = {"alg": "HS256", "typ": "JWT"} if header is None else header
    signed = f"{part(head)}.{part(claims)}"
    return f"{signed}.{part(hmac.new(key.encode(), signed.encode(), digest).digest())}"


GOOD = token({"username": "alice", "exp": FAR})
BOB = token({"username": "bob", "exp": FAR})
HEAD, BODY, SIGNATURE = GOOD.split(".")

TOKENS: dict[str, Any] = {
    "good": GOOD,
    "without-exp": token({"username": "alice"}),
    "without-claims": token({}),
    "expired": token({"username": "alice", "exp": PAST}),
    "expired-fraction": token({"exp": 1000000000.5}),
    "exp-text": token({"exp": "4102444800"}),
    "exp-null": token({"exp": None}),
    "exp-zero": token({"exp": 0}),
    "exp-true": token({"exp": True}),
    "exp-list": token({"exp": [FAR]}),
    "exp-negative": token({"exp": -5}),
    "not-yet": token({"username": "alice", "nbf": FAR}),
    "nbf-text": token({"nbf": "1"}),
    "nbf-past": token({"nbf": PAST, "exp": FAR}),
    "iat-future": token({"iat": 4102444700, "exp": FAR}),
    "iat-text": token({"iat": "x"}),
    "odd-claims": token({"sub": 5, "jti": 7, "aud": ["a", "b"], "iss": {"x": 1}, "exp": FAR}),
    "hs384": token({"username": "alice"}, {"alg": "HS384", "typ": "JWT"}, digest=hashlib.sha384),
    "hs512": token({"username": "alice"}, {"alg": "HS512", "typ": "JWT"}, digest=hashlib.sha512),
    "other-key": token({"username": "alice"}, key="another key"),
    "signature-changed": f"{HEAD}.{BODY}.{SIGNATURE[:-4]}AAAA",
    "signature-missing": f"{HEAD}.{BODY}.",
    "claims-changed": f"{HEAD}.{part({'username': 'mallory', 'exp': FAR})}.{SIGNATURE}",
    "alg-none": f"{part({'alg': 'none', 'typ': 'JWT'})}.{BODY}.",
    "alg-none-odd-case": f"{part({'alg': 'NoNe', 'typ': 'JWT'})}.{BODY}.",
    "alg-none-signed": token({"username": "alice"}, {"alg": "none", "typ": "JWT"}),
    "alg-unknown": token({"username": "alice"}, {"alg": "HS999", "typ": "JWT"}),
    "alg-missing": token({"username": "alice"}, {"typ": "JWT"}),
    "alg-number": token({"username": "alice"}, {"alg": 5, "typ": "JWT"}),
    "alg-null": token({"username": "alice"}, {"alg": None, "typ": "JWT"}),
    "alg-rs256": token({"username": "alice"}, {"alg": "RS256", "typ": "JWT"}),
    "alg-es256": token({"username": "alice"}, {"alg": "ES256", "typ": "JWT"}),
    "header-kid": token({"username": "alice"}, {"alg": "HS256", "kid": "../../dev/null"}),
    "header-jwk": token({"username": "alice"}, {"alg": "HS256", "jwk": {"kty": "oct", "k": "YQ"}, "jku": "x"}, key="a"),
    "typ-other": token({"username": "alice"}, {"alg": "HS256", "typ": "X"}),
    "header-list": token({"username": "alice"}, []),
    "header-text": token({"username": "alice"}, "HS256"),
    "header-null": token({"username": "alice"}, b"null"),
    "header-rubbish": token({"username": "alice"}, b"\x00{"),
    "claims-text": token("alice"),
    "claims-list": token([1]),
    "claims-null": token(None),
    "claims-number": token(5),
    "claims-rubbish": token(b"{"),
    "abc": "abc",
    "dots": "a.b.c",
    "two-parts": "a.b",
    "four-parts": GOOD + ".x",
    "only-dots": "..",
    "space": " ",
    "padded": GOOD + "=",
    "newline": GOOD + "\n",
    "bearer": "Bearer " + GOOD,
    "unicode": "ä.ö.ü",
    "long": "a" * 5000,
    "null": None,
    "empty": "",
    "zero": 0,
    "number": 5,
    "true": True,
    "false": False,
    "list": [GOOD],
    "empty-list": [],
    "object": {"token": GOOD},
    "empty-object": {},
}

SCRIPTS: list[Script] = []

for name, value in TOKENS.items():
    SCRIPTS += [
        Script(
            f"token-handshake-{name}",
            [hello(token=value), send(invoke("state", cid=2), ECHO)],
            events=name in ("good", "expired", "not-yet", "other-key", "abc", "null", "number", "object", "odd-claims"),
        ),
        Script(
            f"token-authenticate-{name}",
            [hello(), send(invoke("#authenticate", value, 2), invoke("state", cid=3))],
            events=name in ("good", "expired", "not-yet", "other-key", "abc", "null", "number", "object"),
        ),
    ]
for name in ("good", "expired", "not-yet", "other-key", "abc", "null", "empty", "number", "alg-none"):
    SCRIPTS += [
        Script(
            f"token-handshake-{name}-v1",
            [hello(token=TOKENS[name]), send(invoke("state", cid=2), ECHO)],
            {"protocolVersion": 1},
        ),
        Script(
            f"token-authenticate-{name}-v1",
            [hello(), send(invoke("#authenticate", TOKENS[name], 2), invoke("state", cid=3))],
            {"protocolVersion": 1},
        ),
        Script(
            f"token-authenticate-{name}-after-good",
            [hello(token=GOOD), send(invoke("#authenticate", TOKENS[name], 2), invoke("state", cid=3))],
            events=True,
        ),
    ]

SHORT = {"token": {"username": "carol"}, "options": {"expiresIn": 1}}

for version in (1, 2):
    options = {"protocolVersion": version}
    SCRIPTS += [
        Script(
            f"token-login-v{version}",
            [hello(), send(invoke("login", {"token": {"username": "carol"}})), wait(3), send(invoke("state", cid=3))],
            options,
            events=True,
        ),
        Script(
            f"token-login-again-v{version}",
            [
                hello(),
                send(invoke("login", {"token": {"username": "carol"}})),
                wait(3),
                send(invoke("login", {"token": {"username": "dave"}}, 3)),
                wait(5),
                send(invoke("state", cid=4)),
            ],
            options,
            events=True,
        ),
        Script(
            f"token-logout-v{version}",
            [hello(token=GOOD), send(invoke("logout")), wait(3), send(invoke("state", cid=3))],
            options,
            events=True,
        ),
        Script(
            f"token-removed-by-client-v{version}",
            [hello(token=GOOD), send(transmit("#removeAuthToken"), invoke("state", cid=3))],
            options,
            events=True,
        ),
        Script(
            f"token-expires-while-open-v{version}",
            [
                hello(),
                send(invoke("login", SHORT)),
                wait(3),
                pause(2200),
                send(transmit("echo", 1), invoke("state", cid=3)),
            ],
            options,
            events=version == 2,
        ),
    ]

SCRIPTS += [
    Script("token-login-life", [hello(), send(invoke("login", {"token": {"a": 1}, "options": {"expiresIn": 50}}))]),
    Script(
        "token-login-life-default", [hello(), send(invoke("login", {"token": {"a": 1}}))], {"authDefaultExpiry": 77}
    ),
    Script(
        "token-login-exp-claim",
        [
            hello(),
            send(invoke("login", {"token": {"exp": 33197904000}, "options": {"expiresIn": 50}})),
            wait(3),
            send(invoke("state", cid=3)),
        ],
    ),
    Script("token-login-empty", [hello(), send(invoke("login", {"token": {}})), wait(3), send(invoke("state", cid=3))]),
    Script("token-login-nested", [hello(), send(invoke("login", {"token": {"roles": ["a", {"b": None}], "é": "ü"}}))]),
    Script(
        "token-login-cannot-sign",
        [hello(), send(invoke("login", {"token": {"iss": "x"}, "options": {"issuer": "y"}})), settle()],
        events=True,
    ),
    Script(
        "token-login-issuer",
        [
            hello(),
            send(invoke("login", {"token": {"u": 1}, "options": {"issuer": "y", "audience": "z", "subject": "s"}})),
        ],
    ),
    Script(
        "token-login-acknowledged",
        [
            hello(),
            send(invoke("login", {"token": {"a": 1}, "options": {"rejectOnFailedDelivery": True}})),
            wait(2),
            send({"rid": 1}),
            wait(3),
            send(invoke("state", cid=3)),
        ],
        events=True,
    ),
    Script(
        "token-login-refused-by-client",
        [
            hello(),
            send(invoke("login", {"token": {"a": 1}, "options": {"rejectOnFailedDelivery": True}})),
            wait(2),
            send({"rid": 1, "error": {"name": "E", "message": "no room"}}),
            wait(3),
            send(invoke("state", cid=3)),
        ],
        events=True,
    ),
    Script(
        "token-logout-acknowledged",
        [
            hello(token=GOOD),
            send(invoke("logout", {"rejectOnFailedDelivery": True})),
            wait(2),
            send({"rid": 1}),
            wait(3),
        ],
        events=True,
    ),
    Script("token-logout-unauthenticated", [hello(), send(invoke("logout")), settle(), close()], events=True),
    Script("token-forget", [hello(token=GOOD), send(invoke("forget"), invoke("state", cid=3))], events=True),
    Script(
        "token-switch-user",
        [hello(token=GOOD), send(invoke("#authenticate", BOB, 2), invoke("state", cid=3))],
        events=True,
    ),
    Script(
        "token-same-again",
        [hello(token=GOOD), send(invoke("#authenticate", GOOD, 2), invoke("state", cid=3))],
        events=True,
    ),
    Script("token-second-handshake-without", [hello(token=GOOD), hello(2), send(invoke("state", cid=3))]),
    Script(
        "token-authenticate-pipelined",
        [
            hello(),
            send(
                invoke("#authenticate", GOOD, 2),
                invoke("state", cid=3),
                transmit("#removeAuthToken"),
                invoke("state", cid=4),
                invoke("#authenticate", BOB, 5),
                invoke("state", cid=6),
            ),
        ],
        events=True,
    ),
    Script(
        "token-algorithm-pinned-good",
        [hello(token=TOKENS["hs512"]), send(invoke("login", {"token": {"a": 1}}))],
        {"authAlgorithm": "HS512"},
    ),
    Script("token-algorithm-pinned-bad", [hello(token=GOOD)], {"authAlgorithm": "HS512"}),
    Script("token-algorithms-listed", [hello(token=TOKENS["hs384"])], {"authVerifyAlgorithms": ["HS256", "HS384"]}),
    Script("token-algorithms-listed-bad", [hello(token=TOKENS["hs512"])], {"authVerifyAlgorithms": ["HS256"]}),
    Script(
        "token-expired-on-pong",
        [hello(), send(invoke("login", SHORT)), wait(3), pause(2200), wait(4), settle(), send(transmit("x"))],
        {"pingInterval": 3000},
    ),
]
