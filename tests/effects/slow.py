"""
Clients that are as slow as they can be until they are let in, and what they cost.

C{python -m tests.effects.slow [CLIENTS]} measures it, by default with 2,000 of each kind.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass

from tests.wire import upgradeRequest

from .crowd import enoughDescriptors, startBeating
from .support import PATIENCE, Client, ServerProcess, dial

#: What each kind begins with, and what then comes, byte by byte.
KINDS = {
    "slow upgrades": (b"GET /socketcluster/ HTTP/1.1\r\nX-Slow: ", b"a"),
    "silence": (b"", b""),
    "slow handshakes": (upgradeRequest() + b"\x81\xfe\x01\x00", b"a"),
}


@dataclass
class Outcome:
    """
    What became of slow clients.

    @ivar kind: how they were slow.
    @ivar clients: how many there were.
    @ivar counted: how many hits of C{handshakeTimeout} the server has counted.
    @ivar left: how many were still there at the end.
    @ivar seconds: how long it took from the first one's coming until the last one was gone.
    @ivar cpu: the server's processor time for each, in milliseconds.
    @ivar stall: the longest that a client which was there before had to wait for an answer, in milliseconds.
    @ivar memory: what the server needs for each, in KiB.
    """

    kind: str
    clients: int
    counted: int
    left: int
    seconds: float
    cpu: float
    stall: float
    memory: float


def endure(kind: str, count: int, timeout: float) -> Outcome:
    """
    @param kind: one of L{KINDS}.
    @param timeout: the server's C{handshakeTimeout}, in seconds.
    @return: what becomes of so many slow clients.
    """
    said, dripping = KINDS[kind]
    with ExitStack() as stack:
        server = stack.enter_context(ServerProcess(f"--handshake-timeout={timeout * 1000:.0f}"))
        watcher = Client(server.port)
        stack.callback(watcher.close)
        heart = startBeating(server.port)
        watcher.call("echo")
        cpu, memory, began = server.cpu, server.memory, time.monotonic()
        slow = []
        for _ in range(count):
            slow.append(dial(server.port))
            stack.callback(slow[-1].close)
            slow[-1].sendall(said)
        most = memory
        while True:
            most = max(most, server.memory)
            for connection in slow:
                with suppress(ConnectionError):
                    connection.send(dripping)
            counted = watcher.call("counted")
            # The two that are left are the watcher and the heart.
            if counted["connections"] <= 2 or time.monotonic() > began + PATIENCE:
                break
            time.sleep(0.2)
        seconds, used = time.monotonic() - began, server.cpu - cpu
        told, _ = heart.communicate(timeout=PATIENCE)
        longest, _ = json.loads(told)
        return Outcome(
            kind,
            count,
            counted["limitsHit"].get("handshakeTimeout", 0),
            counted["connections"] - 2,
            round(seconds, 1),
            round(used / count * 1000, 2),
            round(longest * 1000, 1),
            round((most - memory) / count * 1024, 1),
        )


def main(arguments: list[str] | None = None) -> None:
    """
    The command line.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.effects.slow", description=__doc__)
    parser.add_argument("clients", nargs="?", type=int, default=2000, help="how many of each kind; default 2000")
    given = parser.parse_args(arguments)
    for kind in KINDS:
        for name, value in asdict(endure(kind, enoughDescriptors(given.clients), 3.0)).items():
            print(f"{name:8} {value}")


if __name__ == "__main__":
    main()
