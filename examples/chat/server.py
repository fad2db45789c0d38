"""
A chat with rooms: who may do what is decided by middleware, and who somebody is by a signed token.

Start it from the top of the repository::

    twistd -n agserver --port 8000 --app examples.chat.server:setup --static examples/chat/public

A room called NAME is the channel C{room/NAME}. What travels on it is an event with a C{kind}: C{message}, C{joined} or
C{left}.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from agtwisted import AGAction, AGRequest, AGServer, AGServerSocket

ROOMS = ("lobby", "garden", "workshop")
OPEN_ROOM = "lobby"
PREFIX = "room/"
HISTORY_LENGTH = 50
NICKNAME_LENGTH = 20
TEXT_LENGTH = 500
# A page that reloads is away for a moment; nobody wants to read that its user left and joined.
GRACE = 3.0

log = Logger()


class NotAllowedError(Exception):
    """The user may not do this. The client receives this name and the text."""


class InvalidInputError(Exception):
    """What the client sent is not usable."""


def setup(server: AGServer) -> None:
    """Make a server a chat; C{twistd agserver --app} calls this before the server listens."""
    Chat(server).start()


def background(work: Coroutine[Any, Any, None]) -> None:
    """Let a coroutine run on its own; what goes wrong in it is logged."""
    ensureDeferred(work).addErrback(lambda failure: log.failure("A task of the chat failed", failure))


def nicknameOf(socket: AGServerSocket) -> str | None:
    """Who this is, according to the token that this server signed; nobody for a visitor who only reads."""
    return socket.authToken.get("nickname") if socket.authToken else None


def roomOf(channel: str) -> str:
    """
    Find the room that a channel stands for.

    @raise NotAllowedError: it stands for none; this chat has no other channels.
    """
    room = channel.removeprefix(PREFIX)
    if room == channel or room not in ROOMS:
        raise NotAllowedError(f"There is no channel {channel}")
    return room


def readText(data: Any, name: str, longest: int) -> str:
    """
    Read one text out of what a client sent, which can be anything.

    @raise InvalidInputError: there is no such text, or it is empty or too long.
    """
    text = data.get(name) if isinstance(data, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise InvalidInputError(f"Please write a {name}")
    if len(text.strip()) > longest:
        raise InvalidInputError(f"A {name} has at most {longest} characters")
    return text.strip()


class Room:
    """What the server remembers of a room: the last messages, and who is there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.channel = PREFIX + name
        self.history: deque[dict[str, Any]] = deque(maxlen=HISTORY_LENGTH)
        self.present: set[str] = set()


class Chat:
    """The application: one for each server."""

    def __init__(self, server: AGServer) -> None:
        self.server = server
        self.rooms = {name: Room(name) for name in ROOMS}

    def start(self) -> None:
        """Begin to serve."""
        self.server.setMiddleware(self.server.MIDDLEWARE_INBOUND, self.authorise)
        background(self.serveConnections())
        background(self.closeRooms())
        for event in ("subscription", "unsubscription", "authentication", "deauthentication", "disconnection"):
            background(self.watchPresence(event))

    # What clients may do

    async def authorise(self, stream: Any) -> None:
        """Inbound middleware: every subscription and publication of a client comes by here, in order."""
        rules: dict[str, Callable[[AGAction], None]] = {
            AGAction.SUBSCRIBE: self.authoriseSubscribe,
            AGAction.PUBLISH_IN: self.authorisePublish,
        }
        async for action in stream:
            rule = rules.get(action.type, lambda action: action.allow())
            try:
                rule(action)
            except (NotAllowedError, InvalidInputError) as error:
                action.block(error)

    def authoriseSubscribe(self, action: AGAction) -> None:
        """Everybody may read the lobby; the other rooms are for those who have a nickname."""
        room = roomOf(action.channel)
        if room != OPEN_ROOM and nicknameOf(action.socket) is None:
            raise NotAllowedError(f"Choose a nickname to enter the {room}")
        action.allow()

    def authorisePublish(self, action: AGAction) -> None:
        """Only those who are in a room may write there, and the server says who they are, not the client."""
        room = roomOf(action.channel)
        nickname = nicknameOf(action.socket)
        if nickname is None:
            raise NotAllowedError("Choose a nickname to write here")
        if not action.socket.isSubscribed(action.channel):
            raise NotAllowedError(f"Enter the {room} before you write there")
        text = readText(action.data, "text", TEXT_LENGTH)
        message = self.event("message", nickname, id=uuid4().hex, text=text)
        self.rooms[room].history.append(message)
        action.allow(data=message)

    def event(self, kind: str, nickname: str, **details: Any) -> dict[str, Any]:
        """Make what travels on a room's channel."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        return {"kind": kind, "nickname": nickname, "time": time, **details}

    # What clients may ask for

    async def serveConnections(self) -> None:
        """Serve the procedures to every client that connects."""
        procedures = {"login": self.login, "logout": self.logout, "rooms": self.listRooms, "history": self.readHistory}
        async for event in self.server.listener("connection"):
            for name, procedure in procedures.items():
                background(self.serve(event.socket, name, procedure))

    async def serve(
        self, socket: AGServerSocket, name: str, procedure: Callable[[AGRequest], Coroutine[Any, Any, Any]]
    ) -> None:
        """Answer the calls of one procedure, one after the other, until the socket is gone."""
        async for request in socket.procedure(name):
            try:
                request.end(await procedure(request))
            except (NotAllowedError, InvalidInputError) as error:
                request.error(error)

    async def login(self, request: AGRequest) -> dict[str, str]:
        """Give the client a token with its nickname; it brings the token along when it connects again."""
        nickname = readText(request.data, "nickname", NICKNAME_LENGTH)
        if any(self.isTaken(nickname, other) for other in self.server.clients.values() if other is not request.socket):
            raise NotAllowedError(f"Somebody else is called {nickname} already")
        await request.socket.setAuthToken({"nickname": nickname})
        return {"nickname": nickname}

    def isTaken(self, nickname: str, other: AGServerSocket) -> bool:
        """Whether another client goes by this nickname, however it is written."""
        return nickname.casefold() == (nicknameOf(other) or "").casefold()

    async def logout(self, request: AGRequest) -> None:
        """Take the token away; what follows from that is the same as when it expires."""
        await request.socket.deauthenticate()

    async def closeRooms(self) -> None:
        """Whoever is nobody any more has to leave the rooms that need a nickname."""
        async for event in self.server.listener("deauthentication"):
            closed = [room.channel for room in self.rooms.values() if room.name != OPEN_ROOM]
            entered = [channel for channel in closed if event.socket.isSubscribed(channel)]
            event.socket.kickOut(entered, "You are logged out")

    async def listRooms(self, request: AGRequest) -> list[dict[str, Any]]:
        """Tell which rooms there are, and how many people are in each."""
        return [
            {"name": room.name, "isOpen": room.name == OPEN_ROOM, "people": len(room.present)}
            for room in self.rooms.values()
        ]

    async def readHistory(self, request: AGRequest) -> dict[str, Any]:
        """Tell the last messages of a room and who is there, to those who may read it."""
        room = roomOf(PREFIX + readText(request.data, "room", NICKNAME_LENGTH))
        if not request.socket.isSubscribed(PREFIX + room):
            raise NotAllowedError(f"Enter the {room} first")
        return {"messages": list(self.rooms[room].history), "present": sorted(self.rooms[room].present)}

    # Who is where

    async def watchPresence(self, eventName: str) -> None:
        """Look who is there whenever something happened that may have changed it."""
        async for _ in self.server.listener(eventName):
            for room in self.rooms.values():
                self.welcome(room)
                if self.missing(room):
                    background(self.farewell(room))

    def inside(self, room: Room) -> set[str]:
        """
        Find who is in a room now, from the sockets themselves: what is not stored twice cannot disagree. For very many
        clients a counter for each nickname would be faster.
        """
        inside = (socket for socket in self.server.clients.values() if socket.isSubscribed(room.channel))
        return {nickname for socket in inside if (nickname := nicknameOf(socket))}

    def missing(self, room: Room) -> set[str]:
        """Who was in a room and is not any more."""
        return room.present - self.inside(room)

    def welcome(self, room: Room) -> None:
        """Tell a room who has come."""
        for nickname in sorted(self.inside(room) - room.present):
            room.present.add(nickname)
            self.announce(room, "joined", nickname)

    async def farewell(self, room: Room) -> None:
        """Tell a room who has gone, unless they are back after a moment."""
        from twisted.internet import reactor

        await deferLater(reactor, GRACE)
        for nickname in sorted(self.missing(room)):
            room.present.discard(nickname)
            self.announce(room, "left", nickname)

    def announce(self, room: Room, kind: str, nickname: str) -> None:
        """Publish a notice to a room; publications of the server itself do not pass the inbound middleware."""
        notice = self.event(kind, nickname, present=sorted(room.present))
        self.server.exchange.transmitPublish(room.channel, notice)
