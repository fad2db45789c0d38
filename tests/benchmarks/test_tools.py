"""
Tests for what is around the load generator: scenarios, comparisons, micro-benchmarks, profiles, and what is published.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from benchmarks import micro, profiling, publish, sidebyside
from benchmarks.apis import API, APIS, V14, V20
from benchmarks.chart import Bar, Panel, bars, curves
from benchmarks.scenarios import FIGURES, GROWTH, SCENARIOS, SERIES, SIDE_BY_SIDE, choose
from benchmarks.servers import ROOT
from tests.benchmarks.support import generator, missing

PACKAGES = ROOT / "tests" / "interop" / "node_modules"


def printed(function: Any, *arguments: Any) -> str:
    """
    @return: what a function prints.
    """
    with contextlib.redirect_stdout(io.StringIO()) as output:
        function(*arguments)
    return output.getvalue()


def report(cpu: float) -> dict[str, Any]:
    """
    @return: as much of a generator's report as a comparison reads.
    """
    return {
        "operationsPerSecond": 1000,
        "latency": {"p50": 10.0, "p99": 20.0},
        "server": {"cpuPerOperation": cpu, "share": 0.5, "residentPerConnection": 2048},
        "generator": {"share": 0.2},
    }


class ScenariosTests(SynchronousTestCase):
    """
    What can be measured.
    """

    def test_named(self) -> None:
        """
        Names are unique, and everything that a scenario names exists.
        """
        self.assertEqual(len(SCENARIOS), len(SIDE_BY_SIDE) + len(GROWTH))
        for scenario in SCENARIOS.values():
            for api in APIS.values():
                function = getattr(import_module(api.application), scenario.variant, None)
                self.assertEqual(callable(function), scenario.variant not in api.lacks)
            self.assertTrue(set(scenario.figures) <= set(FIGURES))
            self.assertIn(scenario.series, {None, *SERIES})

    def test_choosing(self) -> None:
        """
        Scenarios are chosen by their names and by their groups'; an unknown name is told with those that there are.
        """
        self.assertEqual(choose(["fan100", "growth"]), [SCENARIOS["fan100"], *GROWTH])
        error = self.assertRaises(ValueError, choose, ["rpc2"])
        self.assertIn("rpc16", str(error))

    def test_version14(self) -> None:
        """
        What only the younger API has is left out for version 14, and refused when it is named.
        """
        names = [scenario.name for scenario in choose(["standard"], V14)]
        self.assertEqual(names, [scenario.name for scenario in SIDE_BY_SIDE if scenario.name != "rpc1-raw"])
        error = self.assertRaises(ValueError, choose, ["rpc1-raw"], V14)
        self.assertNotIn("rpc1-raw,", str(error))


class ComparisonTests(SynchronousTestCase):
    """
    Two servers side by side.
    """

    def test_ratios(self) -> None:
        """
        Ratios are taken pair by pair, whatever the machine did between the pairs.
        """
        pairs = [{"node": report(20), "ours": report(10)}, {"node": report(90), "ours": report(30)}]
        pairs.append({"node": report(50), "ours": report(10)})
        cpu = sidebyside.summary("cpu", pairs)
        self.assertEqual(cpu["ratio"], {"median": 3.0, "minimum": 2.0, "maximum": 5.0})
        self.assertEqual((cpu["node"]["median"], cpu["ours"]["median"]), (50, 10))

    def test_measuring(self) -> None:
        """
        The whole comparison of one scenario: it prints a row and writes everything to a file.
        """
        measured = self.measured(V20, "rpc1", PACKAGES / "socketcluster-server")
        self.assertIn("RPC, 100 connections, depth 1", publish.tables(publish.condensed(measured)))

    def test_version14(self) -> None:
        """
        The same with the servers of version 14, calls and publications, which speak version 1 of the protocol.
        """
        for name in ("rpc1", "fan100-outbound"):
            measured = self.measured(V14, name, PACKAGES / "sc14server")
            self.assertEqual((measured["api"], measured["versions"]["socketcluster-server"]), ("v14", "14.7.2"))
            self.assertIn("--api v14", measured["command"])

    def measured(self, api: API, name: str, server: Path) -> Any:
        """
        @param server: the package of the Node server.
        @return: what a comparison of one scenario has written to its file.
        """
        if not server.is_dir():
            missing(f"{server.name} is not installed below tests/interop")
        if shutil.which("node") is None:
            missing("node is not installed")
        packages = Path(self.mktemp()).absolute()
        packages.mkdir()
        (packages / "socketcluster-server").symlink_to(server)
        self.patch(sidebyside, "buildGenerator", lambda folder: generator())
        target = Path(self.mktemp())
        words = [name, "--api", api.name, "--rounds", "1", "--seconds", "0.2", "--warm-up", "0.1"]
        words += ["--node-modules", str(packages), "--json", str(target)]
        lines = printed(sidebyside.main, words).splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["scenario", name])
        measured = json.loads(target.read_text())
        self.assertTrue({"date", "machine", "versions", "command", "rounds"} <= set(measured))
        [result] = measured["results"]
        self.assertEqual({len(result["pairs"]), len(result["pairs"][0])}, {1, 2})
        self.assertGreater(result["figures"]["cpu"]["ratio"]["median"], 0)
        return measured


class MicroTests(SynchronousTestCase):
    """
    The micro-benchmarks.
    """

    def test_all(self) -> None:
        """
        Each job is measured, and its minimum is not above its median.
        """
        rows = [line.split() for line in printed(micro.main, ["--repeats", "3"]).splitlines()[1:]]
        self.assertEqual([row[0] for row in rows], list(micro.JOBS))
        for _, minimum, median in rows:
            self.assertTrue(0 < float(minimum) <= float(median))

    def test_answers(self) -> None:
        """
        What is measured does happen: in one turn as many calls are answered as came, and nothing else is sent.
        """
        sent: list[bytes] = []
        self.patch(micro.NullTransport, "write", lambda self, data: sent.append(data))
        job = micro.JOBS["rpc16"]()
        sent.clear()
        job.run()
        self.assertEqual(b"".join(sent).count(b'"rid":77'), 16)

    def test_deliveries(self) -> None:
        """
        A publication reaches all subscribers in the turn in which it came.
        """
        sent: list[bytes] = []
        self.patch(micro.NullTransport, "write", lambda self, data: sent.append(data))
        for name in ("fan100", "fan100-outbound"):
            job = micro.JOBS[name]()
            sent.clear()
            job.run()
            job.clean()
            self.assertEqual(b"".join(sent).count(b'"#publish"'), 100)

    def test_unknown(self) -> None:
        """
        An unknown job is told with those that there are.
        """
        with contextlib.redirect_stderr(io.StringIO()) as output:
            self.assertRaises(SystemExit, micro.main, ["rpc2"])
        self.assertIn("there is no rpc2; there are rpc1, rpc16", output.getvalue())


class ProfilingTests(SynchronousTestCase):
    """
    Profiles under load.
    """

    def test_counting(self) -> None:
        """
        Without py-spy the server's own profiler tells what the server did.
        """
        self.patch(profiling, "buildGenerator", lambda folder: generator())
        self.patch(profiling, "WARM_UP", 0.05)
        output = printed(profiling.main, ["rpc1", "--cprofile", "--seconds", "0.2"])
        self.assertRegex(output, r"\d+ operations a second, \d+\.\d µs of CPU each")
        self.assertIn("application.py", output)

    def test_unknown(self) -> None:
        """
        A scenario that the API has not is refused.
        """
        with contextlib.redirect_stderr(io.StringIO()) as output:
            self.assertRaises(SystemExit, profiling.main, ["rpc1-raw", "--api", "v14"])
        self.assertIn("there is no scenario rpc1-raw", output.getvalue())

    def test_samples(self) -> None:
        """
        A function counts by itself where it was at the end of a stack, and once for each stack that it was in.
        """
        own, cumulative, total = profiling.readSamples("a (m:1);b (m:2);a (m:7) 3\na (m:1);b (m:2) 2\n")
        self.assertEqual(own, Counter({"a (m)": 3, "b (m)": 2}))
        self.assertEqual(cumulative, Counter({"a (m)": 5, "b (m)": 5}))
        self.assertEqual(total, 5)


class PublishTests(SynchronousTestCase):
    """
    What the documentation shows.
    """

    def test_bars(self) -> None:
        """
        The chart of ratios is well-formed, names each row and shows both colours.
        """
        drawn = bars("Title & more", "caption", [Bar("fast", 4, 3, 5), Bar("slow <>", 0.5, 0.4, 0.6)])
        texts = [element.text for element in ElementTree.fromstring(drawn).iter() if element.tag.endswith("text")]
        self.assertTrue({"fast", "slow <>", "4.0×", "0.5×", "Title & more"} <= set(texts))
        self.assertIn('class="better"', drawn)
        self.assertIn('class="worse"', drawn)

    def test_curves(self) -> None:
        """
        The chart of curves is well-formed and has two curves in each panel.
        """
        drawn = curves("t", "c", [Panel("RPC", [1, 10, 100], [20, 30, 40], [5, 6, 7])])
        elements = list(ElementTree.fromstring(drawn).iter())
        self.assertEqual(len([each for each in elements if each.tag.endswith("polyline")]), 2)

    def test_upToDate(self) -> None:
        """
        Tables and charts of the documentation are what its figures make.
        """
        sources = sorted(publish.FOLDER.glob("*.json"))
        self.assertEqual([source.stem for source in sources], ["growth", "standard"])
        for source in sources:
            for suffix, content in publish.made(json.loads(source.read_text())).items():
                self.assertEqual(source.with_suffix(suffix).read_text(), content, "run python -m benchmarks.publish")
