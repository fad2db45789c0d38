"""Signing and verifying outside of a connection, e.g. after a login through a web form."""


async def issueToken(server, name):
    return await server.auth.signToken({"name": name}, server.signatureKey, **server.defaultSignatureOptions)


async def readToken(server, signedToken):
    return await server.auth.verifyToken(signedToken, server.verificationKey)
