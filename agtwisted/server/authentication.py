"""
Tokens: who a socket is, and how it becomes and stops being it.
"""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred

from agtwisted.errors import (
    AuthError,
    AuthTokenError,
    AuthTokenExpiredError,
    AuthTokenInvalidError,
    AuthTokenNotBeforeError,
    InvalidActionError,
    InvalidArgumentsError,
    SCError,
    dehydrateError,
    describe,
)
from agtwisted.protocol.nodata import NO_DATA
from agtwisted.protocol.statuses import SIGNING_FAILED
from agtwisted.server.authengine import AuthEngine
from agtwisted.server.middleware import INBOUND, AGAction, Blocked
from agtwisted.sockets.socket import CLOSED, CONNECTING

if TYPE_CHECKING:
    from agtwisted.server.inbound import Call
    from agtwisted.server.server import AGServer
    from agtwisted.server.serversocket import AGServerSocket

AUTHENTICATED = "authenticated"
UNAUTHENTICATED = "unauthenticated"


@dataclass(frozen=True, slots=True)
class Authentication:
    """
    Who a socket is: replaced whole, never changed.

    @ivar state: L{AUTHENTICATED} or L{UNAUTHENTICATED}.
    @ivar token: the token's data.
    @ivar signed: the token as it travels.
    @ivar expiry: when the token's time is over, in seconds of the wall clock; C{None} if it has no end.
    """

    state: str
    token: Any = None
    signed: str | None = None
    expiry: float | None = field(init=False)

    def __post_init__(self) -> None:
        """
        Keep at hand what every message asks for.
        """
        expiry = self.token.get("exp") if isinstance(self.token, dict) else None
        object.__setattr__(self, "expiry", expiry if isinstance(expiry, (int, float)) else None)


#: Nobody.
NOBODY = Authentication(UNAUTHENTICATED)


@dataclass(slots=True)
class AuthInfo:
    """
    What became of a token that a client presented; the C{data} of a C{HANDSHAKE_SC} action.
    """

    signedAuthToken: Any
    authTokenError: SCError | None
    authToken: Any
    authState: str


def isExpired(token: Any) -> bool:
    """
    @return: whether the token's time is over, by the wall clock.
    """
    if not isinstance(token, dict):
        return False
    expiry = token.get("exp")
    return isinstance(expiry, (int, float)) and time.time() > expiry


def wallClock() -> float:
    """
    @return: the time that expiry is measured by: seconds since 1970.
    """
    return time.time()


def become(socket: AGServerSocket, authentication: Authentication) -> None:
    """
    Replace who a socket is: the one place where that changes.
    """
    socket.authentication = authentication
    tokenExpiry = socket.server.tokenExpiry
    if tokenExpiry is not None:
        tokenExpiry.authenticationChanged(socket)


def tokenError(error: Exception) -> SCError:
    """
    @param error: what verifying a token failed with.
    @return: SocketCluster's error for it, with C{isBadToken}.
    """
    name, message = getattr(error, "name", None), getattr(error, "message", str(error))
    found: SCError
    if name == "TokenExpiredError":
        found = AuthTokenExpiredError(message, getattr(error, "expiredAt", None))
    elif name == "JsonWebTokenError":
        found = AuthTokenInvalidError(message)
    elif name == "NotBeforeError":
        found = AuthTokenNotBeforeError(message, getattr(error, "date", None))
    else:
        found = AuthTokenError(message)
    # A token that is not active yet is good all the same.
    found.isBadToken = name != "NotBeforeError"  # type: ignore[union-attr]
    return found


def asksAboutNobody(server: AGServer) -> bool:
    """
    @return: whether the auth engine is asked about clients without a token.
    """
    return type(server.auth) is not AuthEngine


async def validate(socket: AGServerSocket, signedAuthToken: Any) -> AuthInfo:
    """
    Verify a token that a client presents.
    """
    server = socket.server
    if signedAuthToken is None and not asksAboutNobody(server):
        return AuthInfo(None, _noToken(), None, UNAUTHENTICATED)
    if isinstance(signedAuthToken, (str, bytes)) and _isTooLong(server, signedAuthToken):
        return AuthInfo(signedAuthToken, _tooLong(socket), None, UNAUTHENTICATED)
    try:
        token = await maybeDeferred(
            server.auth.verifyToken,
            signedAuthToken,
            server.verificationKey,
            **server.defaultVerificationOptions,
            socket=socket,
        )
    except Exception as error:
        return AuthInfo(signedAuthToken, tokenError(error), None, UNAUTHENTICATED)
    return AuthInfo(signedAuthToken, None, token, AUTHENTICATED)


def _noToken() -> SCError:
    # What the engine itself would say, without a raised exception for every client that has no token.
    error = AuthTokenInvalidError("jwt must be provided")
    error.isBadToken = True  # type: ignore[attr-defined]
    return error


def _isTooLong(server: AGServer, signedAuthToken: str | bytes) -> bool:
    limit = server.options.maxTokenLength
    return limit is not None and len(signedAuthToken) > limit


def _tooLong(socket: AGServerSocket) -> SCError:
    limit = socket.server.options.maxTokenLength
    message = f"Socket {socket.id} presented an auth token of more than {limit} characters"
    socket.server.limitHit("maxTokenLength", message, socket)
    error = AuthTokenInvalidError(f"The auth token is longer than {limit} characters")
    error.isBadToken = True  # type: ignore[attr-defined]
    return error


async def adopt(socket: AGServerSocket, info: AuthInfo) -> None:
    """
    Make a socket who its token says, if the token is good and middleware allows it.

    @raise Exception: the token's fault, or what middleware blocked it with; the socket is then nobody.
    """
    if info.authTokenError is not None:
        become(socket, NOBODY)
        if info.signedAuthToken is not None:
            socket.emitError(info.authTokenError)
            if isBadToken(info.authTokenError):
                _emitBadToken(socket, info.authTokenError, info.signedAuthToken)
        raise info.authTokenError
    become(socket, Authentication(AUTHENTICATED, info.authToken, info.signedAuthToken))
    if not socket.server.hasMiddleware(INBOUND):
        return
    action = AGAction(AGAction.AUTHENTICATE, socket)
    action.signedAuthToken, action.authToken = info.signedAuthToken, info.authToken
    try:
        await socket.server.pass_(socket.middlewareInboundStream, action, socket)
    except Blocked as blocked:
        # The reference forgets to clear the signed token here.
        become(socket, NOBODY)
        if isBadToken(blocked.error):
            _emitBadToken(socket, blocked.error, info.signedAuthToken)
        raise


def isBadToken(error: object) -> bool:
    """
    @return: whether a client is to forget its token because of C{error}.
    """
    return bool(getattr(error, "isBadToken", False))


def _emitBadToken(socket: AGServerSocket, error: object, signedAuthToken: Any) -> None:
    socket.emitEvent("badAuthToken", authError=error, signedAuthToken=signedAuthToken)
    socket.server.emitEvent("badSocketAuthToken", socket=socket, authError=error, signedAuthToken=signedAuthToken)


async def authenticate(socket: AGServerSocket, call: Call, info: AuthInfo) -> None:
    """
    A client has presented a token on an open connection (C{#authenticate}).

    @param info: what became of it.
    """
    oldState = socket.authState
    try:
        await adopt(socket, info)
    except (SCError, Blocked) as failure:
        error = failure.error if isinstance(failure, Blocked) else failure
        if isBadToken(error):
            deauthenticateSelf(socket)
            call.reply.error(error)
            removeAuthToken(socket)
            return
        shown = None if info.signedAuthToken is None else dehydrateError(error)
        call.reply.end({"isAuthenticated": False, "authError": shown})
        return
    triggerAuthenticationEvents(socket, oldState)
    call.reply.end({"isAuthenticated": socket.authToken is not None, "authError": None})


def triggerAuthenticationEvents(socket: AGServerSocket, oldAuthState: str) -> None:
    """
    Emit that a socket has become somebody, or somebody else.
    """
    server = socket.server
    if oldAuthState != AUTHENTICATED:
        change = {"oldAuthState": oldAuthState, "newAuthState": socket.authState, "authToken": socket.authToken}
        socket.emitEvent("authStateChange", **change)
        server.emitEvent("authenticationStateChange", socket=socket, **change)
    socket.emitEvent("authenticate", authToken=socket.authToken)
    server.emitEvent("authentication", socket=socket, authToken=socket.authToken)


def deauthenticateSelf(socket: AGServerSocket) -> None:
    """
    Make a socket nobody, without telling the client.
    """
    old, server = socket.authentication, socket.server
    become(socket, NOBODY)
    if old.state != UNAUTHENTICATED:
        change = {"oldAuthState": old.state, "newAuthState": UNAUTHENTICATED}
        socket.emitEvent("authStateChange", **change)
        server.emitEvent("authenticationStateChange", socket=socket, **change)
    socket.emitEvent("deauthenticate", oldAuthToken=old.token)
    server.emitEvent("deauthentication", socket=socket, oldAuthToken=old.token)


def removeAuthToken(socket: AGServerSocket) -> None:
    """
    Tell the client to forget its token, unless it is gone.
    """
    if socket.state != CLOSED:
        socket._transmit("#removeAuthToken", NO_DATA)


async def deauthenticate(socket: AGServerSocket, rejectOnFailedDelivery: bool) -> None:
    """
    Make a socket nobody and tell the client to forget its token.

    @raise BadConnectionError: with C{rejectOnFailedDelivery}, the client has not confirmed it.
    """
    deauthenticateSelf(socket)
    if not rejectOnFailedDelivery:
        removeAuthToken(socket)
        return
    try:
        await socket.invoke("#removeAuthToken")
    except Exception as error:
        socket.emitError(error)
        raise


async def setAuthToken(
    socket: AGServerSocket, data: Any, rejectOnFailedDelivery: bool, options: dict[str, Any]
) -> None:
    """
    Make a socket somebody and give the client the token that proves it.

    @raise InvalidActionError: the handshake is not complete.
    @raise AuthError: with C{rejectOnFailedDelivery}, the client has not confirmed the token.
    @raise Exception: what signing failed with; the connection is closed with 4002.
    """
    if socket.state == CONNECTING:
        early = InvalidActionError("Cannot call setAuthToken before completing the handshake")
        socket.emitError(early)
        raise early
    oldState = socket.authState
    token = deepcopy(data)
    options = signatureOptions(socket, token, options)
    become(socket, Authentication(AUTHENTICATED, token, socket.signedAuthToken))
    try:
        signed = await maybeDeferred(socket.server.auth.signToken, token, socket.server.signatureKey, **options)
    except Exception as error:
        socket.emitError(error)
        socket.end(SIGNING_FAILED, describe(error), None)
        raise
    if socket.authToken is token:
        become(socket, Authentication(AUTHENTICATED, token, signed))
        socket.emitEvent("authTokenSigned", signedAuthToken=signed)
    triggerAuthenticationEvents(socket, oldState)
    if rejectOnFailedDelivery:
        await _deliver(socket, signed)
    else:
        socket.transmit("#setAuthToken", {"token": signed})


def signatureOptions(socket: AGServerSocket, token: Any, given: dict[str, Any]) -> dict[str, Any]:
    """
    @param given: what the application gave for this token.
    @return: the options to sign C{token} with.
    """
    defaults = socket.server.defaultSignatureOptions
    options = dict(given, mutatePayload=True)
    if options.pop("algorithm", None) is not None:
        socket.emitError(
            InvalidArgumentsError(
                "Cannot change auth token algorithm at runtime - It must be specified as a config option on launch"
            )
        )
    expiresIn = options.pop("expiresIn", None)
    # A token that says itself when it expires must not be given an expiry as well.
    if not (isinstance(token, dict) and token.get("exp") is not None):
        options["expiresIn"] = defaults.get("expiresIn") if expiresIn is None else expiresIn
    if defaults.get("algorithm") is not None:
        options["algorithm"] = defaults["algorithm"]
    return options


def _deliver(socket: AGServerSocket, signed: str) -> Deferred[None]:
    def failed(failure: Any) -> None:
        message = getattr(failure.value, "message", None)
        if isinstance(message, str):
            error = AuthError(f"Failed to deliver auth token to client - {message}")
        else:
            error = AuthError(
                "Failed to confirm delivery of auth token to client due to malformatted error response"
            )
        socket.emitError(error)
        raise error

    return socket.invoke("#setAuthToken", {"token": signed}).addCallbacks(lambda _: None, failed)
