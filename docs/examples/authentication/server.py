"""Logging in, being somebody, and logging out."""

from twisted.internet.defer import ensureDeferred

PASSWORDS = {"ada": "countess", "grace": "admiral"}  # in earnest: salted hashes in a database


class LoginFailedError(Exception):
    """The name or the password is wrong."""


def start(server):
    ensureDeferred(serve(server))


async def serve(server):
    async for event in server.listener("connection"):
        for part in (login, whoami, logout):
            ensureDeferred(part(event.socket))


# begin login
async def login(socket):
    async for request in socket.procedure("login"):
        name, password = request.data["name"], request.data["password"]
        if PASSWORDS.get(name) != password:
            request.error(LoginFailedError("Name or password is wrong"))
            continue
        await socket.setAuthToken({"name": name}, expiresIn=3600)
        request.end()
# end login


# begin whoami
async def whoami(socket):
    async for request in socket.procedure("whoami"):
        request.end(socket.authToken["name"] if socket.authToken else "nobody")
# end whoami


# begin logout
async def logout(socket):
    async for request in socket.procedure("logout"):
        await socket.deauthenticate()
        request.end()
# end logout
