"""An engine of one's own: opaque session ids that the server can take back at any time."""

import secrets

from zope.interface import implementer

from agtwisted.interfaces import IAuthEngine


class UnknownSessionError(Exception):
    name = "JsonWebTokenError"  # reaches clients as AuthTokenInvalidError


@implementer(IAuthEngine)
class SessionEngine:
    def __init__(self):
        self.sessions = {}

    def signToken(self, data, key, **options):
        session = secrets.token_urlsafe(32)
        self.sessions[session] = data
        return session

    async def verifyToken(self, signedToken, key, **options):
        if signedToken not in self.sessions:
            raise UnknownSessionError("There is no such session")
        return self.sessions[signedToken]


def start(server):
    server.setAuthEngine(SessionEngine())
