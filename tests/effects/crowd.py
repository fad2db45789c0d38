"""
Thousands of clients that connect at once, and what that costs the server and those who are connected already.

C{python -m tests.effects.crowd [CLIENTS]} measures it, by default with 5,000.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket as sockets
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from typing import Any

from tests.wire import packet, upgradeRequest

from .support import PATIENCE, ROOT, Client, ServerProcess

_REQUEST = upgradeRequest()
_HELLO = packet("#handshake", {}, 1)
_CALL = packet("echo", "hello", 2)

#: Seconds between the calls of the heartbeat.
_BEAT = 0.02


@dataclass
class Outcome:
    """
    What became of a crowd.

    @ivar clients: how many there were.
    @ivar served: how many were let in and got an answer to a call.
    @ivar seconds: how long that took.
    @ivar cpu: the server's processor time for each, in milliseconds.
    @ivar stall: the longest that a client which was there before had to wait for an answer, in milliseconds.
    @ivar beats: how many answers that client got.
    @ivar memory: what the server needs for each, in KiB.
    """

    clients: int
    served: int
    seconds: float
    cpu: float
    stall: float
    beats: int
    memory: float


class _Member:
    """
    One of the crowd: asks for the upgrade, introduces itself, calls, and stays.
    """

    __slots__ = ("socket", "received", "steps")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = sockets.socket()
        self.socket.setblocking(False)
        self.received = b""
        self.steps = [(b"\r\n\r\n", _HELLO), (b'{"rid":1,', _CALL), (b'{"rid":2,', b"")]
        with suppress(BlockingIOError):
            self.socket.connect(address)

    def begin(self) -> None:
        """
        The TCP connection is there.
        """
        self.socket.sendall(_REQUEST)

    def read(self) -> bool:
        """
        Something has come: take the next step.

        @return: whether that was the last.
        """
        chunk = self.socket.recv(4096)
        if not chunk:
            raise ConnectionError("closed")
        self.received += chunk
        awaited, said = self.steps[0]
        if awaited in self.received:
            del self.steps[0]
            self.received = b""
            if said:
                self.socket.sendall(said)
        return not self.steps


def gather(port: int, count: int, patience: float) -> tuple[int, float, list[sockets.socket]]:
    """
    Let clients connect, all at once.

    @param patience: how long they try, in seconds.
    @return: how many were served, how long that took, and the connections.
    """
    began = time.monotonic()
    served = failed = 0
    connections = []
    with selectors.DefaultSelector() as selector:
        for _ in range(count):
            member = _Member(("127.0.0.1", port))
            connections.append(member.socket)
            selector.register(member.socket, selectors.EVENT_WRITE, member)
        while served + failed < count and time.monotonic() < began + patience:
            for key, events in selector.select(1):
                member = key.data
                try:
                    if events & selectors.EVENT_WRITE:
                        member.begin()
                        selector.modify(member.socket, selectors.EVENT_READ, member)
                    elif member.read():
                        served += 1
                        selector.unregister(member.socket)
                except OSError:
                    failed += 1
                    selector.unregister(member.socket)
    return served, time.monotonic() - began, connections


def beat(port: int) -> None:
    """
    Be a client that is there already: call again and again until standard input ends, then tell how long it had to wait.
    """
    client = Client(port)
    longest, beats = 0.0, 0
    print("beating", flush=True)
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        while not selector.select(_BEAT):
            began = time.monotonic()
            client.call("echo", beats)
            longest, beats = max(longest, time.monotonic() - began), beats + 1
    print(json.dumps([longest, beats]))


def startBeating(port: int) -> subprocess.Popen[str]:
    """
    @return: another process, which is not the crowd that it measures, with a client that is served. Its output, when its
        input has ended, is the longest it had to wait, in seconds, and how many answers it got.
    """
    command = [sys.executable, "-m", "tests.effects.crowd", "--beat", str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def measure(count: int, *options: str, patience: float = PATIENCE) -> Outcome:
    """
    @param options: of the server.
    @return: what becomes of a crowd of so many.
    """
    with ExitStack() as stack:
        server = stack.enter_context(ServerProcess(*options))
        warm = Client(server.port)
        stack.callback(warm.close)
        for number in range(200):
            warm.call("echo", number)
        heart = startBeating(server.port)
        cpu, memory = server.cpu, server.memory
        served, seconds, connections = gather(server.port, count, patience)
        for connection in connections:
            stack.callback(connection.close)
        used, grown = server.cpu - cpu, server.memory - memory
        told, _ = heart.communicate(timeout=PATIENCE)
        longest, beats = json.loads(told)
        each = max(count, 1)
        return Outcome(
            count, served, round(seconds, 2), round(used / each * 1000, 3), round(longest * 1000, 1), beats,
            round(grown / each * 1024, 1),
        )


def enoughDescriptors(wanted: int) -> int:
    """
    Get as many descriptors for this process as it may have.

    @return: how many clients it can be, of those that are wanted.
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted + 100:
        soft = wanted + 100 if hard == resource.RLIM_INFINITY else min(hard, wanted + 100)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(wanted, soft - 100)


def main(arguments: list[str] | None = None) -> Any:
    """
    The command line.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.effects.crowd", description=__doc__)
    parser.add_argument("clients", nargs="?", type=int, default=5000, help="how many; default 5000")
    parser.add_argument("--beat", type=int, metavar="PORT", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.beat is not None:
        beat(given.beat)
        return
    for name, value in asdict(measure(enoughDescriptors(given.clients))).items():
        print(f"{name:8} {value}")


if __name__ == "__main__":
    main()
