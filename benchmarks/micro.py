"""
The paths of a message through the server, without any I/O: C{python -m benchmarks.micro}.

For daily work: it takes seconds, needs nothing but Python, and shows differences of a few per cent even on a machine
that does other things besides. Each number comes from many short repeats. The I{minimum} is what the code costs when
nothing disturbs it; a I{median} far above shows how much did.

C{--compare REVISION} measures an older state of the checkout in alternation with this one, each in a process of its
own, and without what is in C.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import json
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from agtwisted.shortcuts import VARIABLE
from benchmarks import application, application14

ROOT = Path(__file__).parent.parent
DATA = "abcdefghijklmnopqrstuvwxyz012345"
HANDSHAKE = b'{"event":"#handshake","data":{"authToken":null},"cid":1}'
#: Seconds that one repeat is to take: short enough that some repeats are left alone by everybody else.
REPEAT = 0.001


@dataclass(frozen=True, slots=True)
class Job:
    """
    Something to measure.

    @ivar run: does it once.
    @ivar operations: how many operations that is.
    @ivar clean: what is to be done after each repeat, without being measured.
    """

    run: Callable[[], object]
    operations: int = 1
    clean: Callable[[], object] = lambda: None


class NullTransport:
    """
    A connection to nowhere.
    """

    isPlain = isOpen = True
    bytesReceived = 0

    def __init__(self, request: Any) -> None:
        self.request = request

    def frame(self, payload: bytes, isBinary: bool) -> bytes:
        return payload

    def write(self, data: bytes) -> None: ...

    def pauseReading(self) -> None: ...

    def resumeReading(self) -> None: ...

    def readOnce(self) -> None: ...

    def registerOutbox(self, outbox: Any) -> None: ...

    def handshakeCompleted(self) -> None: ...

    def close(self, code: int, reason: str | None) -> None: ...

    def abort(self) -> None: ...


class Bench:
    """
    A server with an application, and clients that are not there.
    """

    def __init__(self, variant: str, version: int = 20) -> None:
        """
        @param variant: a function of L{benchmarks.application}, or of L{benchmarks.application14}.
        @param version: of the API.
        """
        from twisted.internet.task import Clock

        from agtwisted import AGServer, SCServer
        from agtwisted.protocol.upgrade import UpgradeRequest

        self._clock = Clock()
        self._newRequest = lambda: UpgradeRequest("GET", "/socketcluster/", {})
        self.server = (SCServer if version == 14 else AGServer)(reactor=self._clock)
        self.server.start()
        getattr(application14 if version == 14 else application, variant)(self.server)
        self._clock.advance(0)

    def connect(self, *messages: bytes) -> Any:
        """
        @param messages: what the client sends after its handshake.
        @return: the server's socket.
        """
        socket = self.server.socketOpened(NullTransport(self._newRequest()))
        for message in (HANDSHAKE, *messages):
            self.turn(socket, message)
        return socket

    def turn(self, socket: Any, *messages: bytes) -> None:
        """
        One turn of the reactor, in which messages come.
        """
        turns = self.server.turns
        turns.begin()
        for message in messages:
            socket.messageReceived(message, False)
        turns.end()

    def settle(self) -> None:
        """
        Let pass what waits for another turn.
        """
        self._clock.advance(0)


def _call(variant: str, depth: int, version: int = 20) -> Job:
    bench = Bench(variant, version)
    socket = bench.connect()
    message = b'{"event":"echo","data":"%s","cid":77}' % DATA.encode()
    messages = [message] * depth
    return Job(lambda: bench.turn(socket, *messages), depth, bench.settle)


def _delivery(variant: str, subscribers: int, version: int = 20) -> Job:
    bench = Bench(variant, version)
    publisher = bench.connect()
    for _ in range(subscribers):
        bench.connect(b'{"event":"#subscribe","data":{"channel":"news"},"cid":2}')
    message = b'{"event":"#publish","data":{"channel":"news","data":"%s"},"cid":3}' % DATA.encode()
    return Job(lambda: bench.turn(publisher, message), subscribers, bench.settle)


def _connection(variant: str) -> Job:
    bench = Bench(variant)
    opened: list[Any] = []

    def close() -> None:
        for socket in opened:
            socket.connectionLost(1000, "")
        opened.clear()
        bench.settle()

    return Job(lambda: opened.append(bench.connect()), 1, close)


JOBS: dict[str, Callable[[], Job]] = {
    "rpc1": lambda: _call("plain", 1),
    "rpc16": lambda: _call("plain", 16),
    "fan100": lambda: _delivery("plain", 100),
    "connect": lambda: _connection("plain"),
    "rpc1-raw": lambda: _call("rawMiddleware", 1),
    "rpc1-inbound": lambda: _call("inboundMiddleware", 1),
    "fan1": lambda: _delivery("plain", 1),
    "fan100-outbound": lambda: _delivery("outboundMiddleware", 100),
    "v14-rpc1": lambda: _call("plain", 1, 14),
    "v14-rpc16": lambda: _call("plain", 16, 14),
    "v14-fan1": lambda: _delivery("plain", 1, 14),
    "v14-fan100": lambda: _delivery("plain", 100, 14),
    "v14-rpc1-inbound": lambda: _call("inboundMiddleware", 1, 14),
    "v14-rpc1-message": lambda: _call("messageListener", 1, 14),
    "v14-fan100-outbound": lambda: _delivery("outboundMiddleware", 100, 14),
}


def timed(job: Job, times: int) -> float:
    """
    @return: microseconds for an operation, when the job is done so many times.
    """
    started = time.perf_counter()
    for _ in range(times):
        job.run()
    spent = time.perf_counter() - started
    job.clean()
    return spent / times / job.operations * 1e6


def measure(job: Job, repeats: int) -> list[float]:
    """
    @return: microseconds for an operation in each repeat.
    """
    once = min(timed(job, 5) for _ in range(5)) * job.operations / 1e6
    times = max(1, round(REPEAT / once))
    return [timed(job, times) for _ in range(repeats)]


def profile(job: Job, rows: int = 30) -> None:
    """
    Print which functions of a job cost most.
    """
    profiler = cProfile.Profile()
    timed(job, 100)
    profiler.enable()
    for _ in range(20):
        timed(job, max(1, 500 // job.operations))
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(rows)


# ---- comparing two states of the checkout


class Worker:
    """
    A process that measures with the agtwisted of one folder, whenever asked.
    """

    def __init__(self, folder: Path) -> None:
        """
        @param folder: a checkout.
        """
        command = [sys.executable, "-m", "benchmarks.micro", "--worker", str(folder)]
        # An older state of the checkout has nothing compiled.
        environment = os.environ | {VARIABLE: "python"}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True)

    def measure(self, name: str, repeats: int) -> list[float]:
        """
        @param name: of a job.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, repeats]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{name} cannot be measured there")
        values: list[float] = json.loads(answer)
        return values

    def stop(self) -> None:
        """
        End the process.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def work(folder: str) -> None:
    """
    Be the process of a L{Worker}.
    """
    sys.path.insert(0, folder)
    import agtwisted

    if Path(folder).resolve() not in Path(agtwisted.__file__).resolve().parents:
        raise SystemExit(f"agtwisted comes from {agtwisted.__file__}, not from {folder}")
    jobs: dict[str, Job] = {}
    for line in sys.stdin:
        name, repeats = json.loads(line)
        if name not in jobs:
            jobs[name] = JOBS[name]()
        print(json.dumps(measure(jobs[name], repeats)), flush=True)


@contextlib.contextmanager
def checkedOut(revision: str) -> Iterator[Path]:
    """
    @return: a folder with another state of the checkout, for as long as it is needed.
    """
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "checkout"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(folder), revision], check=True)
        try:
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def compare(names: list[str], revision: str, repeats: int, rounds: int = 10) -> None:
    """
    Print what operations cost in another state of the checkout and in this one.
    """
    with checkedOut(revision) as folder:
        workers = Worker(folder), Worker(ROOT)
        try:
            print(f"{'µs':<18}{revision[:12]:>12}{'here':>10}{'ratio (min-max)':>22}")
            for name in names:
                rows = [_pair(workers, name, repeats // rounds + 1, turn) for turn in range(rounds)]
                ratios = [before / here for before, here in rows]
                before, here = (min(values) for values in zip(*rows, strict=True))
                spread = f"{median(ratios):>10.3f} ({min(ratios):.2f}-{max(ratios):.2f})"
                print(f"{name:<18}{before:>12.2f}{here:>10.2f}{spread}")
        finally:
            for worker in workers:
                worker.stop()


def _pair(workers: tuple[Worker, Worker], name: str, repeats: int, turn: int) -> tuple[float, float]:
    # Whoever comes second may find the machine in another state, so they take turns.
    first, second = workers if turn % 2 == 0 else workers[::-1]
    values = min(first.measure(name, repeats)), min(second.measure(name, repeats))
    return values if turn % 2 == 0 else values[::-1]


def main(words: list[str] | None = None) -> None:
    """
    @param words: the command line; C{None} for that of the process.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.micro", description="Measure agtwisted without I/O.")
    parser.add_argument("jobs", nargs="*", metavar="job", help=f"some of {', '.join(JOBS)}")
    parser.add_argument("--repeats", type=int, default=300, help="how often each is measured, for a millisecond")
    parser.add_argument("--compare", metavar="REVISION", help="measure another state of the checkout as well")
    parser.add_argument("--profile", action="store_true", help="show which functions cost most")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    names = arguments.jobs or list(JOBS)
    if unknown := set(names) - set(JOBS):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(JOBS)}")
    if arguments.worker is not None:
        work(arguments.worker)
    elif arguments.compare is not None:
        compare(names, arguments.compare, arguments.repeats)
    elif arguments.profile:
        for name in names:
            profile(JOBS[name]())
    else:
        print(f"{'µs':<18}{'minimum':>9}{'median':>9}")
        for name in names:
            values = measure(JOBS[name](), arguments.repeats)
            print(f"{name:<18}{min(values):>9.2f}{median(values):>9.2f}")


if __name__ == "__main__":
    main()
