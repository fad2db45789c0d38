"""
Clients that make as much work at once as they may, and how long somebody else has to wait meanwhile.

C{python -m tests.effects.fairness [KIND ...]} measures it for the servers of both versions, with ten thousand of whatever
it is; C{--help} tells more.
"""

from __future__ import annotations

import argparse
import json
import selectors
import signal
import socket as sockets
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from struct import pack

from tests.wire import BINARY, clientFrame, closeFrame, packet, upgradeRequest

from .crowd import enoughDescriptors
from .heart import Heart
from .support import COUNTED, PATIENCE, ROOT, Client, ServerProcess

#: The options of each server. Pings are left to others: those who are attacking do not answer any.
SERVERS = {"AGServer": (), "SCServer": ("--api=v14",)}
OPTIONS = (
    "--ping-interval=300000",
    "--ping-timeout=900000",
    "--max-failed-authentications-per-minute=1000000",
    "--auth-key=the key of this test, which nobody needs to guess",
)
APPLICATION = "tests.effects.support:beginBare"
READING_BINARY = "tests.effects.support:beginBareBinary"

#: Clients that connect together, so that the others do not run into a timeout meanwhile.
_TOGETHER = 200


_HELLO = upgradeRequest() + packet("#handshake", {}, 1)


class Attacker:
    """
    A process of clients that have connected and subscribed, and attack when they are told to.
    """

    def __init__(self, kind: str, port: int, count: int) -> None:
        self.kind = kind
        self.count = count
        command = [sys.executable, "-m", "tests.effects.fairness", "--attack", kind, "--port", str(port), str(count)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError(f"The clients of {kind} could not connect")

    def attack(self) -> None:
        """
        Attack, and wait for the end of it.
        """
        if self.kind == "deaths":
            self._process.send_signal(signal.SIGKILL)
            return
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self._process.stdout.readline()

    def stop(self) -> None:
        """
        It is not needed any more.
        """
        self._process.kill()
        self._process.communicate()


# ---- what the attackers do, in their process


class _Crowd:
    """
    Clients that are subscribed to two channels each, one of which is common to all.
    """

    def __init__(self, port: int, count: int) -> None:
        self.members: list[sockets.socket] = []
        enoughDescriptors(count)
        while len(self.members) < count:
            together = [_dial(port) for _ in range(min(_TOGETHER, count - len(self.members)))]
            for member in together:
                member.sendall(_HELLO)
            self._answered(together, b'{"rid":1')
            for member in together:
                some = f"some {member.fileno() % 100}"
                subscriptions = [packet("#subscribe", {"channel": name}, 2) for name in ("all", some)]
                member.sendall(b"".join((*subscriptions, packet("echo", None, 3))))
            self._answered(together, b'{"rid":3')
            self.members += together

    def _answered(self, together: list[sockets.socket], awaited: bytes) -> None:
        for member in together:
            received = b""
            while awaited not in received:
                received += member.recv(65536) or _refused()

    def await_(self, awaited: bytes) -> None:
        """
        Read until everybody has got something.
        """
        with selectors.DefaultSelector() as selector:
            got: dict[int, bytes] = {}
            for member in self.members:
                selector.register(member, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select(PATIENCE):
                    data = got.get(key.fd, b"") + key.fileobj.recv(65536)  # type: ignore[union-attr]
                    got[key.fd] = data
                    if awaited in data:
                        selector.unregister(key.fileobj)


def _dial(port: int) -> sockets.socket:
    # Without a source address of its own: that would use up ports.
    return sockets.create_connection(("127.0.0.1", port), PATIENCE)


def _refused() -> bytes:
    raise RuntimeError("A client has not been let in")


def _die(port: int, count: int) -> Callable[[], None]:
    crowd = _Crowd(port, count)
    return crowd.members.clear  # to be killed


def _leave(goodbye: bytes) -> Callable[[int, int], Callable[[], None]]:
    def prepare(port: int, count: int) -> Callable[[], None]:
        crowd = _Crowd(port, count)

        def leave() -> None:
            for member in crowd.members:
                member.send(goodbye)

        return leave

    return prepare


def _publish(port: int, count: int) -> Callable[[], None]:
    crowd, publisher = _Crowd(port, count), Client(port)

    def publish() -> None:
        for number in range(5):
            publisher.connection.sendall(packet("#publish", {"channel": "all", "data": f"news {number}"}, 1000 + number))
        crowd.await_(b"news 4")

    return publish


def _alone(say: Callable[[int], bytes]) -> Callable[[int, int], Callable[[], None]]:
    """
    @param say: what one client says, given how many times.
    @return: the attack that this is. It ends with a call's answer, or with the connection.
    """

    def prepare(port: int, count: int) -> Callable[[], None]:
        client, said = Client(port), say(count)

        def attack() -> None:
            _converse(client.connection, said + packet("echo", "the end", 9_999_999), b'"rid":9999999')

        return attack

    return prepare


def _converse(connection: sockets.socket, said: bytes, until: bytes) -> None:
    """
    Send without end and read what comes, until something has come or the connection is gone.
    """
    connection.setblocking(False)
    left, received = memoryview(said), b""
    with selectors.DefaultSelector() as selector, suppress(ConnectionError):
        selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while until not in received:
            for _, events in selector.select(PATIENCE):
                if events & selectors.EVENT_WRITE:
                    left = left[connection.send(left) :]
                    if not left:
                        selector.modify(connection, selectors.EVENT_READ)
                if events & selectors.EVENT_READ:
                    chunk = connection.recv(1 << 20)
                    if not chunk:
                        return
                    received = received[-100:] + chunk


def _batch(one: Callable[[int], dict[str, object]]) -> Callable[[int], bytes]:
    return lambda count: clientFrame(json.dumps([one(number) for number in range(count)], separators=(",", ":")))


def _large(count: int) -> bytes:
    """
    @return: messages in JSON that take long to decode: about a mebibyte in one object, if C{count} is 10,000, and as many
        small objects as a message may hold.
    """
    names = {f"{number:x}": 0 for number in range(10 * count)}
    objects = [{"a": "bcde"}] * min(3 * count, 32_000)
    said = [json.dumps({"event": "nobody", "data": data}, separators=(",", ":")) for data in (names, objects)]
    return b"".join(map(clientFrame, said)) * 2


def _largeBinary(count: int) -> bytes:
    """
    @return: messages in MessagePack that take long to decode: if C{count} is 10,000, about a mebibyte of names, and of
        numbers of one byte.
    """
    names = b"\xdf" + pack(">I", 10 * count) + b"".join(b"\xa7%07d\x00" % number for number in range(10 * count))
    numbers = b"\xdd" + pack(">I", 100 * count) + b"\xe0" * (100 * count)
    return b"".join(clientFrame(b"\x81\xa1e\x92\xa6nobody" + data, BINARY) for data in (names, numbers)) * 2


def _token(number: int) -> str:
    # Somebody else has signed it.
    return (
        f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VybmFtZSI6ImJvYiIsImlhdCI6MTcwMDAwMDAwMH0.{number:043d}"
    )


KINDS: dict[str, Callable[[int, int], Callable[[], None]]] = {
    "deaths": _die,
    "goodbyes": _leave(closeFrame(1000)),
    "announced goodbyes": _leave(packet("#disconnect", {"code": 1000}) + closeFrame(1000)),
    "publication": _publish,
    "batch of calls": _alone(_batch(lambda number: {"event": "echo", "data": number, "cid": 1000 + number})),
    "batch of publications": _alone(
        _batch(lambda number: {"event": "#publish", "data": {"channel": "all", "data": number}, "cid": 1000 + number})
    ),
    "batch of subscriptions": _alone(
        _batch(lambda number: {"event": "#subscribe", "data": {"channel": f"c{number}"}, "cid": 1000 + number})
    ),
    "pipelined calls": _alone(lambda count: b"".join(packet("echo", number, 1000 + number) for number in range(count))),
    "messages of one byte": _alone(lambda count: clientFrame("x") * count),
    "binary messages that are none": _alone(lambda count: clientFrame(b"\xff", BINARY) * count),
    "large messages": _alone(_large),
    "large binary messages": _alone(_largeBinary),
    "bad tokens": _alone(
        lambda count: b"".join(packet("#authenticate", _token(number), 1000 + number) for number in range(count // 10))
    ),
}

#: Those for which the server has to read MessagePack.
BINARY_KINDS = ("large binary messages",)

#: Those after which the clients should be gone.
LEAVING = ("deaths", "goodbyes", "announced goodbyes")


# ---- measuring


@dataclass
class Outcome:
    """
    What somebody else has noticed.

    @ivar quiet: the longest that it had to wait when nothing happened, in milliseconds.
    @ivar longest: the longest that it had to wait, in milliseconds.
    @ivar beats: how many answers it got.
    @ivar seconds: how long the server had to do with it.
    @ivar cpu: its processor time, in seconds.
    @ivar left: connections that there were at the end, of those that should be gone.
    """

    server: str
    kind: str
    count: int
    quiet: float
    longest: float
    beats: int
    seconds: float
    cpu: float
    left: int


def measure(server: str, kinds: Collection[str], count: int, quiet: float = 1.0) -> Iterator[Outcome]:
    """
    @param server: one of L{SERVERS}.
    @param kinds: of L{KINDS}.
    @param count: of clients, packets or whatever it is; of tokens it is a tenth.
    @param quiet: how long to listen before, in seconds.
    @return: what somebody else notices, with each kind.
    """
    binary = [kind for kind in kinds if kind in BINARY_KINDS]
    for application, those in ((APPLICATION, [kind for kind in kinds if kind not in binary]), (READING_BINARY, binary)):
        if those:
            yield from _measureAll(server, application, those, count, quiet)


def _measureAll(server: str, application: str, kinds: list[str], count: int, quiet: float) -> Iterator[Outcome]:
    with ExitStack() as stack:
        process = stack.enter_context(ServerProcess(*OPTIONS, *SERVERS[server], app=application))
        watcher = Client(process.port)
        stack.callback(watcher.close)
        heart = stack.enter_context(Heart(process.port))
        for kind in kinds:
            attacker = Attacker(kind, process.port, count)
            try:
                yield _measure(server, process, watcher, heart, attacker, quiet)
            finally:
                attacker.stop()
            _othersWhenGone(watcher)


def _measure(
    server: str, process: ServerProcess, watcher: Client, heart: Heart, attacker: Attacker, quiet: float
) -> Outcome:
    heart.pulse()
    time.sleep(quiet)
    before = heart.pulse()
    cpu, began = process.cpu, time.monotonic()
    attacker.attack()
    left = _othersWhenGone(watcher) if attacker.kind in LEAVING else 0
    seconds, used, during = time.monotonic() - began, process.cpu - cpu, heart.pulse()
    return Outcome(
        server,
        attacker.kind,
        attacker.count,
        before.longest,
        during.longest,
        during.beats,
        round(seconds, 2),
        round(used, 2),
        left,
    )


def _othersWhenGone(watcher: Client) -> int:
    """
    Wait until all others are gone.

    @return: how many are left when patience is at its end.
    """
    deadline = time.monotonic() + PATIENCE
    # The two that stay are the watcher and the heart.
    while (left := int(watcher.call("echo", COUNTED)["clients"]) - 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def main(arguments: list[str] | None = None) -> None:
    """
    The command line.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.effects.fairness", description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=10_000, help="how many of whatever it is; default 10,000")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this kind; may be given repeatedly")
    parser.add_argument("--server", action="append", choices=SERVERS, help="only this server")
    parser.add_argument("--attack", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.attack:
        attack = KINDS[given.attack](given.port, given.count)
        print("ready", flush=True)
        sys.stdin.readline()
        attack()
        print("done", flush=True)
        sys.stdin.readline()
        return
    count = enoughDescriptors(given.count)
    for server in given.server or SERVERS:
        for outcome in measure(server, given.kind or KINDS, count):
            print(" ".join(f"{name}={value}" for name, value in asdict(outcome).items()), flush=True)


if __name__ == "__main__":
    main()
