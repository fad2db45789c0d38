"""
Where the server's time goes under load: C{python -m benchmarks.profiling rpc16}.

With C{py-spy} (C{pip install py-spy}) the server is looked at from outside, which hardly changes it. Without,
C{cProfile} counts from inside, which makes small functions look dearer than they are.
"""

from __future__ import annotations

import argparse
import pstats
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.apis import API, APIS, V20
from benchmarks.scenarios import SCENARIOS, Scenario, choose
from benchmarks.servers import BenchmarkError, Server, buildGenerator, cacheFolder, runLoad, startOurs
from benchmarks.sidebyside import coresFor

RATE = 500
#: Seconds of load before py-spy starts to look.
WARM_UP = 1.0


def findSampler() -> str | None:
    """
    @return: the program py-spy, if there is one.
    """
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


def readSamples(text: str) -> tuple[Counter[str], Counter[str], int]:
    """
    @param text: py-spy's raw output: a line for each stack, with the number of its samples.
    @return: samples by the function that ran, by the functions that were on the stack, and in all.
    """
    own: Counter[str] = Counter()
    cumulative: Counter[str] = Counter()
    for line in text.splitlines():
        stack, _, number = line.rpartition(" ")
        frames = [re.sub(r":\d+\)$", ")", frame) for frame in stack.split(";")]
        own[frames[-1]] += int(number)
        for frame in set(frames):
            cumulative[frame] += int(number)
    return own, cumulative, own.total()


def printSamples(text: str, rows: int) -> None:
    """
    @param text: py-spy's raw output.
    @param rows: how many functions to show.
    """
    own, cumulative, total = readSamples(text)
    for title, counter in (("by itself", own), ("with what it calls", cumulative)):
        print(f"\nShare of time of each function {title}:")
        for name, number in counter.most_common(rows):
            print(f"{100 * number / max(total, 1):6.1f} %  {name}")


class Profiling:
    """
    One scenario, watched.
    """

    def __init__(self, scenario: Scenario, seconds: float, cores: str | None, folder: Path, api: API) -> None:
        """
        @param folder: for temporary files.
        """
        self._scenario = scenario
        self._seconds = seconds
        self._api = api
        self._folder = folder
        self._generator = buildGenerator(cacheFolder())
        self._serverCore, self._loadCore = coresFor(cores)

    def sample(self, sampler: str, rows: int) -> None:
        """
        Look at the server from outside.
        """
        samples = self._folder / "samples"
        with startOurs(self._scenario, self._folder, self._serverCore, api=self._api) as server:
            duration = max(1, round(self._seconds + WARM_UP))
            watching = [sampler, "record", "--pid", str(server.pid), "--rate", str(RATE), "--nonblocking"]
            watching += ["--duration", str(duration), "--format", "raw", "--output", str(samples)]
            with subprocess.Popen(watching, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as watcher:
                self._load(server)
                watcher.send_signal(signal.SIGINT)
        printSamples(samples.read_text(), rows)

    def count(self, rows: int) -> None:
        """
        Let the server count by itself.
        """
        profile = self._folder / "profile"
        options = (f"--profile={profile}", "--profiler=cprofile", "--savestats")
        with startOurs(self._scenario, self._folder, self._serverCore, options, self._api) as server:
            self._load(server)
        statistics = pstats.Stats(str(profile))
        statistics.sort_stats("tottime").print_stats(rows)

    def _load(self, server: Server) -> None:
        times = {"warmUp": WARM_UP, "seconds": self._seconds}
        report = runLoad(self._generator, self._scenario, server, self._loadCore, **times, api=self._api)
        speed, cpu = report["operationsPerSecond"], report["server"]["cpuPerOperation"]
        print(f"{speed:.0f} operations a second, {cpu:.1f} µs of CPU each")


def main(words: list[str] | None = None) -> None:
    """
    @param words: the command line; C{None} for that of the process.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profiling", description="Profile agtwisted under load.")
    parser.add_argument("scenario", choices=SCENARIOS, metavar="scenario", help="a name, as for python -m benchmarks")
    parser.add_argument("--api", choices=APIS, default=V20.name, help="whose server; v14 is SCServer")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rows", type=int, default=35, help="how many functions to show")
    parser.add_argument("--cores", help="numbers of the cores for the server and for the generator, e.g. 0,1")
    parser.add_argument("--cprofile", action="store_true", help="do not use py-spy")
    arguments = parser.parse_args(words)
    api = APIS[arguments.api]
    try:
        [scenario] = choose([arguments.scenario], api)
    except ValueError as error:
        parser.error(str(error))
    sampler = None if arguments.cprofile else findSampler()
    try:
        with tempfile.TemporaryDirectory() as folder:
            profiling = Profiling(scenario, arguments.seconds, arguments.cores, Path(folder), api)
            if sampler is not None:
                profiling.sample(sampler, arguments.rows)
            else:
                profiling.count(arguments.rows)
    except BenchmarkError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
