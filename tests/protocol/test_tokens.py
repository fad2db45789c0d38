"""
Tests of L{agtwisted.protocol.tokens}. The texts and decisions are those of C{jsonwebtoken} 9, unless a test says
otherwise.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import pickle
import re
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509 import CertificateBuilder, Name, random_serial_number
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.protocol.tokens import (
    JsonWebTokenError,
    NotBeforeError,
    TokenError,
    TokenExpiredError,
    signToken,
    verifyToken,
)
from agtwisted.protocol.tokens.keys import Key, signingKey, verificationKey

NOW = 1_700_000_000
SECRET = "secret"
CLAIMS: dict[str, Any] = {"user": "bob", "iat": NOW}


@cache
def privateKey(kind: str) -> Any:
    """
    @return: A private key of the kind, made once.
    """
    makers: dict[str, Any] = {
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
        "rsa1024": lambda: rsa.generate_private_key(65537, 1024),
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }
    return makers[kind]()


def privatePEM(kind: str, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    """
    @return: The text of a private key.
    """
    return str(privateKey(kind).private_bytes(Encoding.PEM, form, NoEncryption()), "ascii")


def publicPEM(kind: str, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> str:
    """
    @return: The text of the public key.
    """
    return str(privateKey(kind).public_key().public_bytes(Encoding.PEM, form), "ascii")


def certificatePEM(kind: str) -> str:
    """
    @return: The text of a certificate of the key.
    """
    key, start = privateKey(kind), datetime(2026, 1, 1, tzinfo=UTC)
    builder = CertificateBuilder(Name([]), Name([]), key.public_key(), random_serial_number())
    builder = builder.not_valid_before(start).not_valid_after(start + timedelta(days=1))
    return str(builder.sign(key, SHA256()).public_bytes(Encoding.PEM), "ascii")


def base64(value: object) -> str:
    """
    @return: A part of a token; what is neither text nor bytes becomes JSON.
    """
    if not isinstance(value, (str, bytes)):
        value = json.dumps(value)
    data = value if isinstance(value, bytes) else value.encode("latin-1")
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def forge(header: object, payload: object, key: str = SECRET) -> str:
    """
    @return: A token that is signed rightly (HS256), whatever is in it.
    """
    parts = f"{base64(header)}.{base64(payload)}"
    return f"{parts}.{base64(hmac.digest(key.encode(), parts.encode(), hashlib.sha256))}"


def withClaims(**claims: object) -> str:
    """
    @return: A rightly signed token with these claims.
    """
    return forge({"alg": "HS256", "typ": "JWT"}, claims)


def sign(payload: object = CLAIMS, key: Any = SECRET, **options: Any) -> str:
    """
    Sign at L{NOW}.
    """
    return signToken(payload, key, options, NOW + 0.5)


def verify(token: Any, key: Any = SECRET, **options: Any) -> dict[str, Any]:
    """
    Verify at L{NOW}.
    """
    return verifyToken(token, key, options, NOW + 0.5)


def parts(token: str) -> tuple[Any, Any]:
    """
    @return: The header and payload of a token.
    """
    header, payload, _ = (urlsafe_b64decode(part + "===") for part in token.split("."))
    return json.loads(header), json.loads(payload)


class TokensTestCase(SynchronousTestCase):
    """
    What the tests share.
    """

    def assertRefused(self, text: str, token: Any, key: Any = SECRET, **options: Any) -> None:
        """
        A token is refused with this text.
        """
        error = self.assertRaises(JsonWebTokenError, verify, token, key, **options)
        self.assertEqual((error.message, error.name, type(error)), (text, "JsonWebTokenError", JsonWebTokenError))

    def assertNotSigned(self, text: str, payload: object = CLAIMS, key: Any = SECRET, **options: Any) -> None:
        """
        A token cannot be signed, for this reason.
        """
        error = self.assertRaises(TokenError, sign, payload, key, **options)
        self.assertEqual((error.message, error.name), (text, "Error"))


class SignTests(TokensTestCase):
    """
    L{signToken} makes tokens as C{jsonwebtoken} does.
    """

    def test_form(self) -> None:
        """
        A token is, letter by letter, what the reference makes of the same claims.
        """
        expected = (
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyIjoiYm9iIiwiaWF0IjoxNzAwMDAwMDAwfQ."
            "a6H6JZgGNwg_UbscKYiqSycgx9HNer9ZHNn_fSnvK4A"
        )
        self.assertEqual(sign(), expected)

    def test_issuedAt(self) -> None:
        """
        The moment of signing, in whole seconds, is added, unless the claims have one or none is wanted.
        """
        self.assertEqual(parts(sign({"a": 1}))[1], {"a": 1, "iat": NOW})
        self.assertEqual(parts(sign({"iat": 5}))[1], {"iat": 5})
        self.assertEqual(parts(sign({"iat": 5, "a": 1}, noTimestamp=True))[1], {"a": 1})
        self.assertEqual(parts(sign({}, noTimestamp=True))[1], {})

    def test_spans(self) -> None:
        """
        Spans are seconds, or texts with a unit; a text without one is milliseconds.
        """
        cases = [
            (60, 60),
            (60.0, 60),
            (-5, -5),
            ("60", 0),
            ("1000", 1),
            ("10ms", 0),
            ("2 msecs", 0),
            ("1500 milliseconds", 1),
            ("1 s", 1),
            ("3 secs", 3),
            ("5 MINUTES", 300),
            ("1m", 60),
            ("2 mins", 120),
            ("1.5h", 5400),
            ("-1h", -3600),
            (".5h", 1800),
            ("20 hrs", 72000),
            ("1d", 86400),
            ("2 days", 172800),
            ("1w", 604800),
            ("1y", 31557600),
            ("2 yrs", 63115200),
        ]
        for span, seconds in cases:
            self.assertEqual(parts(sign(CLAIMS, expiresIn=span))[1]["exp"], NOW + seconds)
            self.assertEqual(parts(sign(CLAIMS, notBefore=span))[1]["nbf"], NOW + seconds)

    def test_badSpans(self) -> None:
        """
        What is no span of time is refused; a text that looks like none is told how one looks.
        """
        for option in ("expiresIn", "notBefore"):
            text = f'"{option}" should be a number of seconds or string representing a timespan'
            for value in ("", 1.5, float("inf"), True, [], {}):
                self.assertNotSigned(text, **{option: value})
            for value in ("abc", "1 dd", "1d ", " 1d", "1e3", "1\u017f", "1" * 101):
                self.assertNotSigned(f'{text} eg: "1d", "20h", 60', **{option: value})

    def test_claimsFromOptions(self) -> None:
        """
        Options become claims and header; C{None} is as good as not given.
        """
        token = sign(audience=["a", "b"], issuer="i", subject="s", jwtid="j", keyid="k", expiresIn=None)
        expected = {"aud": ["a", "b"], "iss": "i", "sub": "s", "jti": "j"}
        self.assertEqual(parts(token), ({"alg": "HS256", "typ": "JWT", "kid": "k"}, CLAIMS | expected))
        header = parts(sign(header={"x": "\u20ac\U0001f600", "typ": "own", "alg": "HS512"}))[0]
        self.assertEqual(header, {"alg": "HS512", "typ": "own", "x": "\u20ac\U0001f600"})

    def test_conflicts(self) -> None:
        """
        A claim and the option for it exclude each other.
        """
        for option, claim in (("expiresIn", "exp"), ("notBefore", "nbf")):
            text = f'Bad "options.{option}" option the payload already has an "{claim}" property.'
            self.assertNotSigned(text, CLAIMS | {claim: NOW}, **{option: 5})
        for option, claim in (("audience", "aud"), ("issuer", "iss"), ("subject", "sub"), ("jwtid", "jti")):
            text = f'Bad "options.{option}" option. The payload already has an "{claim}" property.'
            self.assertNotSigned(text, CLAIMS | {claim: "x"}, **{option: "y"})

    def test_optionTypes(self) -> None:
        """
        Options of a wrong type, or unknown ones, are refused.
        """
        cases: list[tuple[str, object, str]] = [
            ("audience", 5, '"audience" must be a string or array'),
            ("algorithm", "XX", '"algorithm" must be a valid string enum value'),
            ("algorithm", 5, '"algorithm" must be a valid string enum value'),
            ("algorithm", "", '"algorithm" must be a valid string enum value'),
            ("header", "x", '"header" must be an object'),
            ("encoding", 5, '"encoding" must be a string'),
            ("issuer", ["a"], '"issuer" must be a string'),
            ("subject", 5, '"subject" must be a string'),
            ("jwtid", 5, '"jwtid" must be a string'),
            ("keyid", 5, '"keyid" must be a string'),
            ("noTimestamp", 1, '"noTimestamp" must be a boolean'),
            ("mutatePayload", 1, '"mutatePayload" must be a boolean'),
            ("allowInsecureKeySizes", 1, '"allowInsecureKeySizes" must be a boolean'),
            ("allowInvalidAsymmetricKeyTypes", 1, '"allowInvalidAsymmetricKeyTypes" must be a boolean'),
            ("expires", 5, '"expires" is not allowed in "options"'),
        ]
        for option, value, text in cases:
            self.assertNotSigned(text, **{option: value})
        self.assertNotSigned('"XX" is not a valid algorithm.', header={"alg": "XX"})

    def test_claimTypes(self) -> None:
        """
        Times among the claims must be numbers; the claims must be an object.
        """
        for claim in ("iat", "exp", "nbf"):
            for value in ("5", None, True, []):
                self.assertNotSigned(f'"{claim}" should be a number of seconds', {claim: value})
        for payload in (None, [1], (1,)):
            self.assertNotSigned('Expected "payload" to be a plain object.', payload)

    def test_text(self) -> None:
        """
        Text can be signed as well, without type and times; options that are for claims are refused.
        """
        for payload in ("text", b"text", bytearray(b"text")):
            header, payload64, _ = sign(payload).split(".")
            self.assertEqual((header, payload64), (base64('{"alg":"HS256"}'), base64("text")))
        for payload, name in (("text", "string"), (5, "number"), (True, "boolean"), (b"text", "object")):
            text = f"invalid expiresIn,subject option for {name} payload"
            self.assertNotSigned(text, payload, subject="s", expiresIn=5)

    def test_encoding(self) -> None:
        """
        The payload is UTF-8 unless another encoding that Node knows is asked for.
        """
        self.assertEqual(sign("é").split(".")[1], base64("é".encode()))
        self.assertEqual(sign("é", encoding="latin1").split(".")[1], base64(b"\xe9"))
        self.assertNotSigned("Unknown encoding: klingon", encoding="klingon")
        self.assertIn("ordinal not in range", str(self.assertRaises(TokenError, sign, "\u20ac", encoding="latin1")))

    def test_notJSON(self) -> None:
        """
        Claims that have no form in JSON are an error of signing like any other.
        """
        self.assertNotSigned("A value of type set has no form in JSON", {"a": {1}})

    def test_mutatePayload(self) -> None:
        """
        The given claims stay untouched, unless they are to receive what is added.
        """
        payload = {"a": 1}
        sign(payload, expiresIn=5)
        self.assertEqual(payload, {"a": 1})
        sign(payload, expiresIn=5, issuer="i", mutatePayload=True)
        self.assertEqual(payload, {"a": 1, "iat": NOW, "exp": NOW + 5, "iss": "i"})

    def test_keys(self) -> None:
        """
        A key must be there, be one, be of the kind that the algorithm needs, and be long enough.
        """
        for key in (None, "", b""):
            self.assertNotSigned("secretOrPrivateKey must have a value", key=key)
        for key in (5, object(), {"key": 5}, "-----BEGIN PRIVATE KEY-----\nbroken", "ssh-rsa AAAA", "\ud800"):
            self.assertNotSigned("secretOrPrivateKey is not valid key material", key=key)
        for key in (privatePEM("rsa"), publicPEM("rsa"), publicPEM("p256"), privatePEM("ed25519")):
            self.assertNotSigned("secretOrPrivateKey must be a symmetric key when using HS256", key=key)
        for algorithm in ("RS256", "PS512", "ES384"):
            text = f"secretOrPrivateKey must be an asymmetric key when using {algorithm}"
            self.assertNotSigned(text, key=SECRET, algorithm=algorithm)
            self.assertNotSigned(text, key=publicPEM("rsa"), algorithm=algorithm)
        short = privatePEM("rsa1024")
        for algorithm in ("RS256", "PS384"):
            text = f"secretOrPrivateKey has a minimum key size of 2048 bits for {algorithm}"
            self.assertNotSigned(text, key=short, algorithm=algorithm)
        token = sign(key=short, algorithm="RS256", allowInsecureKeySizes=True)
        self.assertEqual(verify(token, publicPEM("rsa1024")), CLAIMS)

    def test_keyKinds(self) -> None:
        """
        An asymmetric key signs only with the algorithms of its kind and curve.
        """
        rsaText = '"alg" parameter for "rsa" key type must be one of: RS256, PS256, RS384, PS384, RS512, PS512.'
        cases = [
            ("rsa", "ES256", rsaText),
            ("rsa1024", "ES256", rsaText),
            ("p256", "RS256", '"alg" parameter for "ec" key type must be one of: ES256, ES384, ES512.'),
            ("p256", "ES384", '"alg" parameter "ES384" requires curve "secp384r1".'),
            ("p384", "ES256", '"alg" parameter "ES256" requires curve "prime256v1".'),
            ("ed25519", "RS256", 'Unknown key type "ed25519".'),
        ]
        for kind, algorithm, text in cases:
            self.assertNotSigned(text, key=privatePEM(kind), algorithm=algorithm)
        token = sign(key=privatePEM("p256"), algorithm="ES384", allowInvalidAsymmetricKeyTypes=True)
        options: dict[str, Any] = {"algorithms": ["ES384"], "allowInvalidAsymmetricKeyTypes": True}
        self.assertEqual(verify(token, publicPEM("p256"), **options), CLAIMS)

    def test_unsigned(self) -> None:
        """
        A token without a signature is made only when asked for by name.
        """
        self.assertEqual(sign(key=None, algorithm="none").split(".")[2], "")


class VerifyTests(TokensTestCase):
    """
    L{verifyToken} accepts and refuses as C{jsonwebtoken} does.
    """

    def test_accepts(self) -> None:
        """
        A token gives its claims back, with every algorithm and in every form of key.
        """
        cases: list[tuple[str, Any, Any]] = [
            ("HS256", SECRET, SECRET.encode()),
            ("HS384", bytearray(b"secret"), memoryview(b"secret")),
            ("HS512", "s", {"key": "s"}),
            ("RS256", privatePEM("rsa"), publicPEM("rsa")),
            ("RS384", privateKey("rsa"), privateKey("rsa").public_key()),
            ("RS512", privatePEM("rsa", PrivateFormat.TraditionalOpenSSL), publicPEM("rsa", PublicFormat.PKCS1)),
            ("PS256", privatePEM("rsa").encode(), publicPEM("rsa").encode()),
            ("PS384", privateKey("rsa"), certificatePEM("rsa")),
            ("PS512", privateKey("rsa"), privatePEM("rsa")),
            ("ES256", privatePEM("p256"), publicPEM("p256")),
            ("ES384", privatePEM("p384", PrivateFormat.TraditionalOpenSSL), publicPEM("p384")),
            ("ES512", privateKey("p521"), privateKey("p521")),
        ]
        for algorithm, signer, verifier in cases:
            token = sign(key=signer, algorithm=algorithm)
            self.assertEqual(verify(token, verifier), CLAIMS)
            self.assertEqual(verify(token, verifier, algorithms=[algorithm]), CLAIMS)

    def test_otherLibrary(self) -> None:
        """
        Tokens go both ways between this and PyJWT.
        """
        secret = "a secret that is long enough for PyJWT"
        self.assertEqual(jwt.decode(sign(key=secret), secret, ["HS256"]), CLAIMS)
        self.assertEqual(verify(jwt.encode(CLAIMS, privateKey("p256"), "ES256"), publicPEM("p256")), CLAIMS)

    def test_shortSecret(self) -> None:
        """
        A short secret is the operator's business: there is no warning in the log.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertEqual(verify(sign(key="x"), "x"), CLAIMS)

    def test_malformed(self) -> None:
        """
        What is no token is refused, with the reference's words for how it is none.
        """
        for token in (None, "", b"", 0):
            self.assertRefused("jwt must be provided", token)
        for token in (5, b"a.b.c", ["a.b.c"]):
            self.assertRefused("jwt must be a string", token)
        for token in ("abc", "a.b", "a.b.c.d", ".", "...", "." * 1_000_000):
            self.assertRefused("jwt malformed", token)
        for token in ("a.b.c", "..", "a..", ".b.c", " . . ", "a.b.c\n", "\xe4.b.c", "\ud800.b.c", "a.b.c="):
            self.assertRefused("invalid token", token)

    def test_header(self) -> None:
        """
        A header must be JSON; one that names no algorithm has none.
        """
        for header in ("", "{", "0", "null", "false", '""', b"\xff\xfe", "[" * 100_000, "[" * 600_000):
            self.assertRefused("invalid token", forge(header, CLAIMS))
        for header in ("5", "true", '"x"', "[]", "{}", "[1]"):
            self.assertRefused("invalid algorithm", forge(header, CLAIMS))
        self.assertRefused("invalid algorithm", forge('{"alg":"HS256","alg":"none"}', CLAIMS))
        for header in ('{"alg":"HS256","kid":"\xe9"}', '{"alg":"HS256","kid":5}', '{"alg":"HS256","jku":"http://x"}'):
            self.assertEqual(verify(forge(header, CLAIMS)), CLAIMS)

    def test_extensions(self) -> None:
        """
        Headers that demand to be understood are refused, as nothing here understands them; the reference ignores them.
        """
        for header in ({"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"crit": ["b64"], "b64": True}):
            self.assertRefused("invalid token", forge({"alg": "HS256"} | header, CLAIMS))

    def test_payload(self) -> None:
        """
        The payload must be an object in UTF-8; the reference lets others pass.
        """
        payloads = ['"x"', "5", "[1]", "null", "{", "text", b'{"a":"\xff"}', '{"a":' * 100_000]
        for payload in payloads:
            self.assertRefused("invalid token", forge({"alg": "HS256", "typ": "JWT"}, payload))
        self.assertRefused("invalid signature", forge({"alg": "HS256"}, "text", "other"))

    def test_signature(self) -> None:
        """
        A signature must be there, and be the right one to the last bit.
        """
        token = sign()
        start, signature = token.rsplit(".", 1)
        self.assertRefused("jwt signature is required", f"{start}.")
        self.assertRefused("invalid signature", token, "other")
        for forged in ("AAAA", "A", signature[:-1], signature + "A", signature[:-1] + "J"):
            self.assertRefused("invalid signature", f"{start}.{forged}")
        self.assertRefused("invalid signature", f"{base64({'alg': 'HS256'})}.{base64({'admin': True})}.{signature}")
        for kind, algorithm in (("rsa", "RS256"), ("rsa", "PS256"), ("p256", "ES256")):
            token = sign(key=privateKey(kind), algorithm=algorithm)
            start, signature = token.rsplit(".", 1)
            for forged in ("AAAA", "A", "AAAA" + signature[4:], signature + "AAAA"):
                self.assertRefused("invalid signature", f"{start}.{forged}", publicPEM(kind))

    def test_algorithms(self) -> None:
        """
        Only algorithms of the options, or else of the key's kind, are accepted; there is none in an empty list.
        """
        token = sign()
        self.assertEqual(verify(token, algorithms="HS256"), CLAIMS)
        for algorithms in (["HS384"], [], "HS2560", ["RS256", "none"]):
            self.assertRefused("invalid algorithm", token, algorithms=algorithms)
        for name in ("none", "None", "hs256", "RS256", "XX", None, 5, True, [], ["HS256"], {}):
            self.assertRefused("invalid algorithm", forge({"alg": name}, CLAIMS))
            self.assertRefused("invalid algorithm", forge({"alg": name}, CLAIMS), publicPEM("p256"))
        self.assertRefused("invalid algorithm", forge({"alg": "XX"}, CLAIMS), algorithms=["XX"])

    def test_confusion(self) -> None:
        """
        A public key is never taken for a secret, whatever the token and the options say.
        """
        for kind in ("rsa", "p256", "ed25519"):
            key = publicPEM(kind)
            token = forge({"alg": "HS256"}, CLAIMS, key)
            self.assertRefused("invalid algorithm", token, key)
            text = "secretOrPublicKey must be a symmetric key when using HS256"
            self.assertRefused(text, token, key, algorithms=["HS256", "RS256"])
            self.assertRefused(text, token, key, algorithms=["HS256"], allowInvalidAsymmetricKeyTypes=True)
        text = "secretOrPublicKey must be an asymmetric key when using RS256"
        self.assertRefused(text, forge({"alg": "RS256"}, CLAIMS), algorithms=["HS256", "RS256"])

    def test_keyKinds(self) -> None:
        """
        An asymmetric key verifies only what its kind and curve can have signed.
        """
        token = sign(key=privateKey("p256"), algorithm="ES256")
        cases = [
            ("rsa", '"alg" parameter for "rsa" key type must be one of: RS256, PS256, RS384, PS384, RS512, PS512.'),
            ("p384", '"alg" parameter "ES256" requires curve "prime256v1".'),
            ("ed25519", 'Unknown key type "ed25519".'),
        ]
        for kind, text in cases:
            error = self.assertRaises(TokenError, verify, token, publicPEM(kind), algorithms=["ES256"])
            self.assertEqual((error.message, error.name), (text, "Error"))
        allowed = {"algorithms": ["ES256"], "allowInvalidAsymmetricKeyTypes": True}
        self.assertRefused("invalid token", token, publicPEM("rsa"), **allowed)

    def test_noKey(self) -> None:
        """
        Without a key only unsigned tokens pass, and only when allowed by name.
        """
        unsigned = sign(key=None, algorithm="none")
        for key in (None, ""):
            self.assertRefused("secret or public key must be provided", sign(), key)
            self.assertRefused('please specify "none" in "algorithms" to verify unsigned tokens', unsigned, key)
            self.assertRefused("invalid algorithm", unsigned, key, algorithms=["HS256"])
            self.assertEqual(verify(unsigned, key, algorithms=["none"]), CLAIMS)
        self.assertRefused("jwt signature is required", unsigned, algorithms=["none"])
        self.assertRefused("invalid algorithm", forge({"alg": "none"}, CLAIMS), algorithms=["none"])
        hmacOnly = f"{base64({'alg': 'HS256'})}.{base64(CLAIMS)}."
        self.assertRefused("invalid algorithm", hmacOnly, None, algorithms=["HS256"])

    def test_badKeys(self) -> None:
        """
        What is no key is said to be none.
        """
        for key in (5, object(), "-----BEGIN PUBLIC KEY-----\nbroken", "-----BEGIN CERTIFICATE-----\nbroken"):
            self.assertRefused("secretOrPublicKey is not valid key material", sign(), key)

    def test_expiry(self) -> None:
        """
        A token is good until the second of its C{exp}, give or take the tolerance.
        """
        self.assertEqual(verify(withClaims(exp=NOW + 1)), {"exp": NOW + 1})
        for exp in (NOW, NOW - 1, NOW - 0.5, 0, -5):
            error = self.assertRaises(TokenExpiredError, verify, withClaims(exp=exp))
            self.assertEqual((error.name, str(error)), ("TokenExpiredError", "jwt expired"))
            self.assertEqual(error.expiredAt, datetime.fromtimestamp(exp, UTC))
        self.assertEqual(verify(withClaims(exp=NOW), clockTolerance=1), {"exp": NOW})
        self.assertEqual(verify(withClaims(exp=5), ignoreExpiration=True), {"exp": 5})
        self.assertEqual(verify(withClaims(exp=NOW), clockTimestamp=NOW - 9), {"exp": NOW})

    def test_notBefore(self) -> None:
        """
        A token is good from the second of its C{nbf} on, give or take the tolerance.
        """
        for nbf in (NOW, NOW - 1, 0, -1e300):
            self.assertEqual(verify(withClaims(nbf=nbf)), {"nbf": nbf})
        error = self.assertRaises(NotBeforeError, verify, withClaims(nbf=NOW + 1))
        self.assertEqual((error.name, str(error)), ("NotBeforeError", "jwt not active"))
        self.assertEqual(error.date, datetime.fromtimestamp(NOW + 1, UTC))
        self.assertEqual(verify(withClaims(nbf=NOW + 1), clockTolerance=1), {"nbf": NOW + 1})
        self.assertEqual(verify(withClaims(nbf=NOW + 9), ignoreNotBefore=True), {"nbf": NOW + 9})

    def test_farTimes(self) -> None:
        """
        Times of any distance are compared rightly; the date in an error is the nearest that Python knows.
        """
        for exp in (253402300800, 10**12, 10**15, 1e30, 1e300):
            self.assertEqual(verify(withClaims(exp=exp)), {"exp": exp})
            error = self.assertRaises(NotBeforeError, verify, withClaims(nbf=exp))
            self.assertEqual(error.date, datetime.max.replace(tzinfo=UTC))
        expired = self.assertRaises(TokenExpiredError, verify, withClaims(exp=-1e300))
        self.assertEqual(expired.expiredAt, datetime.min.replace(tzinfo=UTC))

    def test_badTimes(self) -> None:
        """
        Times that are no numbers are refused, also numbers as text; so are, other than by the reference, infinite ones.
        """
        for claim in ("exp", "nbf"):
            for value in ("5", str(NOW + 100), None, True, [], {}):
                self.assertRefused(f"invalid {claim} value", withClaims(**{claim: value}))
            for value in ("1e400", "-1e400"):
                token = forge({"alg": "HS256"}, f'{{"{claim}":{value}}}')
                self.assertRefused(f"invalid {claim} value", token)

    def test_lenient(self) -> None:
        """
        Claims that nobody asked about may be anything, and a token may come from the future.
        """
        claims = {"sub": 5, "jti": [1], "aud": 7, "iss": {"a": 1}, "iat": NOW + 10**6, "nonce": None}
        self.assertEqual(verify(withClaims(**claims)), claims)
        self.assertEqual(verify(withClaims(iat="x")), {"iat": "x"})

    def test_audience(self) -> None:
        """
        One of the token's audiences must be among those expected, or fit an expected pattern.
        """
        good: list[tuple[object, object]] = [
            ("x", "x"),
            (["y", "x"], "x"),
            ("x", ["a", "x"]),
            (5, 5),
            ("user:1", re.compile("^user:")),
            ("x", ""),
        ]
        for claimed, expected in good:
            self.assertEqual(verify(withClaims(aud=claimed), audience=expected), {"aud": claimed})
        bad: list[tuple[object, object, str]] = [
            ("y", "x", "x"),
            (["y"], ["x", "z"], "x or z"),
            ("x", [], ""),
            (1, True, "true"),
            (True, 1, "1"),
            ([["x"]], [["x", "y"]], "x,y"),
            (5, re.compile("5"), "/5/"),
        ]
        for claimed, expected, text in bad:
            self.assertRefused(f"jwt audience invalid. expected: {text}", withClaims(aud=claimed), audience=expected)
        self.assertRefused("jwt audience invalid. expected: x", withClaims(), audience="x")

    def test_issuer(self) -> None:
        """
        The token's issuer must be the expected one, or one of several.
        """
        self.assertEqual(verify(withClaims(iss="x"), issuer="x"), {"iss": "x"})
        self.assertEqual(verify(withClaims(iss="x"), issuer=("y", "x")), {"iss": "x"})
        self.assertRefused("jwt issuer invalid. expected: x", withClaims(iss="y"), issuer="x")
        self.assertRefused("jwt issuer invalid. expected: x,z", withClaims(), issuer=["x", "z"])
        self.assertRefused("jwt issuer invalid. expected: ", withClaims(iss="x"), issuer=[])

    def test_otherNames(self) -> None:
        """
        Subject, identifier and nonce must be the expected ones.
        """
        for option, claim in (("subject", "sub"), ("jwtid", "jti"), ("nonce", "nonce")):
            self.assertEqual(verify(withClaims(**{claim: "x"}), **{option: "x"}), {claim: "x"})
            for token in (withClaims(**{claim: "y"}), withClaims(**{claim: ["x"]}), withClaims()):
                self.assertRefused(f"jwt {option} invalid. expected: x", token, **{option: "x"})
        self.assertEqual(verify(withClaims(sub="x"), subject=""), {"sub": "x"})

    def test_maxAge(self) -> None:
        """
        A token may be refused for its age, in seconds or as a span of time.
        """
        token = withClaims(iat=NOW - 100)
        for age in (101, "2 minutes", "101s", 0, ""):
            self.assertEqual(verify(token, maxAge=age), {"iat": NOW - 100})
        for age in (100, 5, "1 minute", "1000", -5):
            error = self.assertRaises(TokenExpiredError, verify, token, maxAge=age)
            self.assertEqual((error.name, str(error)), ("TokenExpiredError", "maxAge exceeded"))
        self.assertEqual(verify(token, maxAge=90, clockTolerance=20), {"iat": NOW - 100})
        error = self.assertRaises(TokenExpiredError, verify, token, maxAge=10)
        self.assertEqual(error.expiredAt, datetime.fromtimestamp(NOW - 90, UTC))
        text = '"maxAge" should be a number of seconds or string representing a timespan eg: "1d", "20h", 60'
        for age in ("abc", [], True):
            self.assertRefused(text, token, maxAge=age)
        for iat in ("x", None, True):
            self.assertRefused("iat required when maxAge is specified", withClaims(iat=iat), maxAge=5)
        self.assertRefused("iat required when maxAge is specified", withClaims(), maxAge=5)

    def test_optionTypes(self) -> None:
        """
        Some options are checked before the token is looked at; unknown ones are ignored.
        """
        for value in ("x", True):
            self.assertRefused("clockTimestamp must be a number", "", clockTimestamp=value)
        for value in ("", "  ", 5, []):
            self.assertRefused("nonce must be a non-empty string", "", nonce=value)
        text = "allowInvalidAsymmetricKeyTypes must be a boolean"
        self.assertRefused(text, "", allowInvalidAsymmetricKeyTypes="x")
        self.assertEqual(verify(sign(), unknown=1), CLAIMS)
        self.assertEqual(verifyToken(sign(), SECRET, None, NOW), CLAIMS)

    def test_complete(self) -> None:
        """
        The whole token can be had instead of its claims.
        """
        token = sign(keyid="k")
        expected = {
            "header": {"alg": "HS256", "typ": "JWT", "kid": "k"},
            "payload": CLAIMS,
            "signature": token.split(".")[2],
        }
        self.assertEqual(verify(token, complete=True), expected)
        self.assertEqual(verify(token, complete=1), CLAIMS)

    def test_surrogates(self) -> None:
        """
        Lone surrogates among the claims survive.
        """
        self.assertEqual(verify(sign({"a": "\ud800", "iat": 1})), {"a": "\ud800", "iat": 1})

    @settings(deadline=None)
    @given(st.text(), st.binary(), st.binary(), st.binary())
    def test_hostile(self, text: str, header: bytes, payload: bytes, signature: bytes) -> None:
        """
        Whatever comes as a token is refused with the one kind of error.
        """
        tokens = [text, f"{text}.{text}.{text}", f"{base64(header)}.{base64(payload)}.{base64(signature)}"]
        tokens.append(f"{base64({'alg': 'HS256'})}.{base64(payload)}.{base64(signature)}")
        for token in tokens:
            for key in (SECRET, publicPEM("p256")):
                self.assertRaises(JsonWebTokenError, verify, token, key)


class ErrorsTests(SynchronousTestCase):
    """
    The errors are ordinary exceptions.
    """

    def test_pickle(self) -> None:
        """
        They survive pickling.
        """
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        cases = (TokenError("m"), JsonWebTokenError("m"), TokenExpiredError("m", moment), NotBeforeError("m", moment))
        for error in cases:
            twin = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(twin), str(twin), vars(twin)), (type(error), "m", vars(error)))


class KeysTests(SynchronousTestCase):
    """
    L{agtwisted.protocol.tokens.keys} tells what a key is.
    """

    def described(self, key: Key) -> tuple[str, str, int | None, str | None]:
        """
        @return: What is known of a key.
        """
        return key.role, key.kind, key.size, key.curve

    def test_kinds(self) -> None:
        """
        Role, kind, size and curve follow from the key itself.
        """
        cases: list[tuple[str, int | None, str | None, str]] = [
            ("rsa", 2048, None, "rsa"),
            ("p256", None, "prime256v1", "ec"),
            ("p384", None, "secp384r1", "ec"),
            ("ed25519", None, None, "ed25519"),
        ]
        for name, size, curve, kind in cases:
            self.assertEqual(self.described(signingKey(privatePEM(name))), ("private", kind, size, curve))
            for text in (privatePEM(name), publicPEM(name)):
                self.assertEqual(self.described(verificationKey(text)), ("public", kind, size, curve))
        self.assertEqual(self.described(verificationKey("secret")), ("secret", "", None, None))

    def test_encrypted(self) -> None:
        """
        An encrypted key is opened with its passphrase; without it, it is no key, and certainly no secret.
        """
        encryption = BestAvailableEncryption(b"open sesame")
        text = privateKey("p256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        self.assertEqual(signingKey({"key": text, "passphrase": "open sesame"}).kind, "ec")
        for source in (text, {"key": text}, {"key": text, "passphrase": "wrong"}, {"key": text, "passphrase": 5}):
            self.assertRaises(ValueError, signingKey, source)

    def test_parsedOnce(self) -> None:
        """
        A key that was given as text is parsed once.
        """
        for name in ("rsa", "p256"):
            self.assertIs(signingKey(privatePEM(name)), signingKey(privatePEM(name)))
            self.assertIs(verificationKey(privatePEM(name)), verificationKey(privatePEM(name)))
        self.assertIs(verificationKey("secret"), verificationKey("secret"))
