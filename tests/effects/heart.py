"""
A client that is served while others do what they do, in a process of its own: it calls again and again, and tells how
long it had to wait.

C{python -m tests.effects.heart PORT} is that process. For each line that comes through its standard input it writes a line
with what it has seen since the last one.
"""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Self

from .support import PATIENCE, ROOT, Client

#: Seconds between an answer and the next call.
_BEAT = 0.004


@dataclass
class Pulse:
    """
    What the heart has seen.

    @ivar longest: the longest that it had to wait for an answer, in milliseconds.
    @ivar median: what it had to wait as a rule, in milliseconds.
    @ivar beats: how many answers it got.
    """

    longest: float
    median: float
    beats: int


class Heart:
    """
    The process.
    """

    def __init__(self, port: int) -> None:
        command = [sys.executable, "-m", "tests.effects.heart", str(port)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def pulse(self) -> Pulse:
        """
        @return: what it has seen since this was last called.
        """
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Pulse(*json.loads(self._read()))


def beat(port: int) -> None:
    """
    Call until standard input ends.
    """
    client = Client(port)
    waits: list[float] = []
    print("beating", flush=True)
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            if selector.select(_BEAT):
                if not sys.stdin.readline():
                    return
                waits = sorted(waits) or [PATIENCE]
                print(
                    json.dumps([round(waits[-1] * 1000, 1), round(waits[len(waits) // 2] * 1000, 2), len(waits)]), flush=True
                )
                waits = []
            began = time.monotonic()
            client.call("echo", 1)
            waits.append(time.monotonic() - began)


if __name__ == "__main__":
    beat(int(sys.argv[1]))
