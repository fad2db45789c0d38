"""
Side by side with the Node server: both run at one core each, in alternation, under the same load.

Ratios are taken pair by pair, from runs that follow each other, because the speed of a machine changes with what else
it does; what is told is the median of the pairs. Above 1 agtwisted needs less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from agtwisted import speedups
from benchmarks.apis import APIS, V20
from benchmarks.scenarios import FIGURES, GROUPS, Scenario, choose
from benchmarks.servers import (
    ROOT,
    BenchmarkError,
    Server,
    buildGenerator,
    cacheFolder,
    installNode,
    runLoad,
    startNode,
    startOurs,
)

NODE, OURS = "node", "ours"
PACKAGES = ("twisted", "autobahn", "orjson")


class Comparison:
    """
    Measures scenarios on both servers.
    """

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        """
        @param arguments: the command line.
        @param folder: for temporary files.
        """
        cache = cacheFolder()
        self.generator = buildGenerator(cache)
        self.api = arguments.api
        self.packages = arguments.node_modules or installNode(cache, self.api)
        self._arguments = arguments
        self._folder = folder
        self._serverCore, self._loadCore = coresFor(arguments.cores)

    def measure(self, scenario: Scenario) -> dict[str, Any]:
        """
        @return: what was measured: the reports of all runs, and for each figure the medians and the ratio.
        """
        pairs = list(self._freshPairs(scenario) if scenario.isFresh else self._pairs(scenario))
        figures = {name: summary(name, pairs) for name in scenario.figures}
        others = {
            name: {which: spread([read(pair[which]) for pair in pairs]) for which in (NODE, OURS)}
            for name, read in OTHERS.items()
        }
        return {"scenario": asdict(scenario), "figures": figures, "others": others, "pairs": pairs}

    def _pairs(self, scenario: Scenario) -> Iterator[dict[str, Any]]:
        with ExitStack() as stack:
            servers = {which: stack.enter_context(self._start(which, scenario)) for which in (NODE, OURS)}
            for turn in range(self._arguments.rounds):
                order = (NODE, OURS) if turn % 2 == 0 else (OURS, NODE)
                yield {which: self._run(scenario, servers[which]) for which in order}

    def _freshPairs(self, scenario: Scenario) -> Iterator[dict[str, Any]]:
        for turn in range(self._arguments.rounds):
            pair = {}
            for which in (NODE, OURS) if turn % 2 == 0 else (OURS, NODE):
                with self._start(which, scenario) as server:
                    pair[which] = self._run(scenario, server)
            yield pair

    def _start(self, which: str, scenario: Scenario) -> Server:
        if which == OURS:
            return startOurs(scenario, self._folder, self._serverCore, api=self.api)
        return startNode(scenario, self._folder, self._serverCore, self.packages, self.api)

    def _run(self, scenario: Scenario, server: Server) -> dict[str, Any]:
        given = self._arguments
        times = {"warmUp": given.warm_up, "seconds": given.seconds}
        return runLoad(self.generator, scenario, server, self._loadCore, **times, api=self.api)


#: What is shown besides the figures.
OTHERS = {
    "operationsPerSecond": lambda report: report["operationsPerSecond"],
    "p50": lambda report: report["latency"]["p50"],
    "p99": lambda report: report["latency"]["p99"],
    "serverShare": lambda report: report["server"]["share"],
    "generatorShare": lambda report: report["generator"]["share"],
}


def spread(values: list[float]) -> dict[str, float]:
    """
    @return: the median of values, the least and the greatest.
    """
    return {"median": median(values), "minimum": min(values), "maximum": max(values)}


def summary(figure: str, pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """
    @param figure: a name in L{FIGURES}.
    @return: a figure on both sides, and Node's divided by ours.
    """
    read = FIGURES[figure].read
    values = {which: [read(pair[which]) for pair in pairs] for which in (NODE, OURS)}
    ratios = [node / ours for node, ours in zip(values[NODE], values[OURS], strict=True) if ours > 0]
    sides = {which: spread(values[which]) for which in values}
    return {"title": FIGURES[figure].title, **sides, "ratio": spread(ratios or [float("nan")])}


def coresFor(wanted: str | None) -> tuple[int | None, int | None]:
    """
    @param wanted: two numbers with a comma between them; C{None} chooses.
    @return: the cores for the server and for the load generator.
    """
    usable = sorted(os.sched_getaffinity(0))
    if wanted is not None:
        server, load = map(int, wanted.split(","))
        return server, load
    if len(usable) < 2:
        print("There is only one core: the load generator disturbs what it measures.", file=sys.stderr)
        return None, None
    return usable[0], usable[1]


def describeMachine() -> dict[str, Any]:
    """
    @return: what the measurement ran on, in general terms.
    """
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    return {"processor": processor, "cores": len(os.sched_getaffinity(0)), "system": f"Linux {platform.machine()}"}


def describeVersions(packages: Path) -> dict[str, str]:
    """
    @return: the versions of what was measured.
    """
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    server = json.loads((packages / "socketcluster-server" / "package.json").read_text())["version"]
    ours = {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    return {**ours, "Node": node.removeprefix("v"), "socketcluster-server": server}


def revision() -> str | None:
    """
    @return: which state of the checkout was measured, as far as that is known; it ends with a + if it was changed since.
    """
    try:
        command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


HEADER = (
    f"{'scenario':<18}{'figure':<9}{'node':>9}{'ours':>9}  {'ratio (min-max)':<20}"
    f"{'operations/s':>17}{'p50 us':>15}{'p99 us':>15}{'load %':>8}"
)


def tableRows(result: dict[str, Any]) -> Iterator[str]:
    """
    @param result: of one scenario.
    @return: lines under L{HEADER}, one for each figure; Node's number comes first in each column.
    """

    def both(name: str) -> str:
        return "/".join(f"{result['others'][name][which]['median']:.0f}" for which in (NODE, OURS))

    busiest = max(result["others"]["generatorShare"][which]["maximum"] for which in (NODE, OURS))
    for name, figure in result["figures"].items():
        ratio = figure["ratio"]
        yield (
            f"{result['scenario']['name']:<18}{name:<9}{figure[NODE]['median']:>9.2f}{figure[OURS]['median']:>9.2f}  "
            f"{ratio['median']:<6.2f}({ratio['minimum']:.2f}-{ratio['maximum']:.2f})".ljust(65)
            + f"{both('operationsPerSecond'):>17}{both('p50'):>15}{both('p99'):>15}{busiest * 100:>8.0f}"
        )


def readCommandLine(words: list[str] | None) -> argparse.Namespace:
    """
    @param words: the command line; C{None} for that of the process.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure agtwisted and the Node server.")
    parser.add_argument("scenarios", nargs="*", default=["standard"], help=f"names, or the groups {', '.join(GROUPS)}")
    parser.add_argument("--api", choices=APIS, default=V20.name, help="whose servers; v14 is SCServer and its model")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs for each scenario")
    parser.add_argument("--seconds", type=float, default=1.5, help="how long each run measures")
    parser.add_argument("--warm-up", type=float, default=0.7, help="seconds of load before that")
    parser.add_argument("--cores", help="numbers of the cores for the servers and for the generator, e.g. 0,1")
    parser.add_argument("--node-modules", type=Path, help="where socketcluster-server is, instead of installing it")
    parser.add_argument("--json", type=Path, help="file for everything that was measured")
    arguments = parser.parse_args(words)
    names = [] if arguments.scenarios == ["standard"] else arguments.scenarios
    which = [] if arguments.api == V20.name else ["--api", arguments.api]
    arguments.command = shlex.join(["python", "-m", "benchmarks", *names, *which, "--rounds", str(arguments.rounds)])
    arguments.api = APIS[arguments.api]
    try:
        arguments.scenarios = choose(arguments.scenarios, arguments.api)
    except ValueError as error:
        parser.error(str(error))
    return arguments


def main(words: list[str] | None = None) -> None:
    """
    @param words: the command line; C{None} for that of the process.
    """
    arguments = readCommandLine(words)
    if not speedups.areUsed:
        print("This checkout has nothing compiled: pip install --editable . makes it as fast as it can be.", file=sys.stderr)
    loadBefore = os.getloadavg()[0]
    results = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            comparison = Comparison(arguments, Path(folder))
            print(HEADER)
            for scenario in arguments.scenarios:
                results.append(comparison.measure(scenario))
                print("\n".join(tableRows(results[-1])), flush=True)
    except BenchmarkError as error:
        sys.exit(str(error))
    if arguments.json is not None:
        measured = {
            "command": arguments.command,
            "api": arguments.api.name,
            "date": datetime.now(UTC).date().isoformat(),
            "machine": describeMachine(),
            "versions": describeVersions(comparison.packages),
            "revision": revision(),
            "loadAverage": [loadBefore, os.getloadavg()[0]],
            "rounds": arguments.rounds,
            "results": results,
        }
        arguments.json.write_text(json.dumps(measured, indent=1) + "\n")
