"""
Tests for the load generator, against servers of ours in processes of their own.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.apis import API, V14, V20
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import OPTIONS, Server
from tests.benchmarks.support import generator, load, missing, plainServer, serve


class LoadTestCase(SynchronousTestCase):
    """
    Starts servers.
    """

    def setUp(self) -> None:
        generator()
        # Trial's own folder may have a name that is too long for a Unix socket.
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, application: str, transport: str = "tcp") -> Server:
        """
        @return: a server that listens, and ends with the test.
        """
        server = serve(application, self.folder, transport)
        self.addCleanup(server.stop)
        return server.__enter__()


class ModesTests(LoadTestCase):
    """
    What the generator tells about a server that does everything right.
    """

    def setUp(self) -> None:
        super().setUp()
        self.server = plainServer()

    def assertComplete(self, report: dict[str, Any]) -> None:
        """
        Everything is told, and there was no error.
        """
        self.assertEqual(report.get("errors", report)["total"], 0, report)
        self.assertEqual(report["status"], 0)
        self.assertGreater(report["operations"], 0)
        self.assertGreater(report["operationsPerSecond"], 0)
        latency = report["latency"]
        ordered = [latency[name] for name in ("p50", "p90", "p99", "p99.9")]
        self.assertEqual(ordered, sorted(ordered))
        self.assertGreater(latency["p50"], 0)
        self.assertGreater(report["server"]["cpuPerOperation"], 0)
        self.assertGreater(report["server"]["resident"], 1_000_000)
        self.assertGreater(report["generator"]["share"], 0)

    def test_rpc(self) -> None:
        """
        Calls, several in flight on each connection, with data that needs a longer frame header.
        """
        report = load(self.server, "rpc --connections 5 --depth 4 --size 300")
        self.assertComplete(report)
        self.assertEqual(report["connections"], 5)

    def test_large(self) -> None:
        """
        Calls whose data needs the longest frame header, and more than one read.
        """
        self.assertComplete(load(self.server, "rpc --connections 2 --size 100000"))

    def test_rate(self) -> None:
        """
        At a fixed rate there are as many operations as that, however fast the server is.
        """
        began = time.monotonic()
        report = load(self.server, "rpc --connections 5 --depth 50 --rate 200 --warm-up 0.05 --seconds 0.5")
        self.assertComplete(report)
        self.assertLessEqual(report["operations"], 200 * (time.monotonic() - began) + 10)

    def test_pubsub(self) -> None:
        """
        Publishers of their own: each publication is delivered to all subscribers of its channel.
        """
        report = load(self.server, "pubsub --channels 2 --subscribers 5 --publishers 3 --in-flight 2")
        self.assertComplete(report)
        self.assertEqual(report["connections"], 13)
        self.assertGreater(report["operations"], report["publications"])

    def test_chat(self) -> None:
        """
        Without publishers of their own the subscribers publish.
        """
        report = load(self.server, "pubsub --channels 3 --subscribers 4 --publishers 0 --rate 100 --in-flight 4")
        self.assertComplete(report)
        self.assertEqual(report["connections"], 12)

    def test_connect(self) -> None:
        """
        As many connections are opened as was asked for.
        """
        report = load(self.server, "connect --connections 40 --concurrency 8")
        self.assertComplete(report)
        self.assertEqual(report["operations"], 40)

    def test_idle(self) -> None:
        """
        Connections are held, and what they take is told for each. (Their pings would come later.)
        """
        report = load(self.server, "idle --connections 60")
        self.assertEqual((report["errors"]["total"], report["operations"]), (0, 0))
        self.assertGreater(report["server"]["residentPerConnection"], 0)

    def test_badCommandLine(self) -> None:
        """
        An unknown option is named.
        """
        report = load(self.server, "rpc --conns 5")
        self.assertEqual((report["status"], report["failed"]), (2, "load: there is no option --conns\n"))


class PingsTests(LoadTestCase):
    """
    Pings, of a server that soon gives up who does not answer them.
    """

    def test_pings(self) -> None:
        """
        Pings of both versions are answered and counted.
        """
        options = ["--ping-interval", "300", "--ping-timeout", "3000", "--path-v1", "/old/"]
        with serve("benchmarks.application:plain", self.folder, options=options) as server:
            for version in ("--protocol 2", "--protocol 1 --path /old/"):
                report = load(server, f"idle --connections 10 {version} --warm-up 0 --seconds 3.5")
                self.assertEqual(report["errors"]["total"], 0, report)
                self.assertEqual(report["operations"], report["pings"])
                self.assertGreaterEqual(report["pings"], 20)


class TransportsTests(LoadTestCase):
    """
    Other ways to the server than TCP.
    """

    def test_unix(self) -> None:
        """
        A Unix socket.
        """
        report = load(self.start("benchmarks.application:plain", "unix"), "rpc --connections 5 --depth 2")
        self.assertEqual(report["errors"]["total"], 0)
        self.assertGreater(report["operations"], 0)

    def test_tls(self) -> None:
        """
        TLS, with records that carry many frames.
        """
        server = self.start("benchmarks.application:plain", "tls")
        for arguments in ("rpc --connections 5 --depth 8", "pubsub --subscribers 10 --size 30000"):
            report = load(server, arguments)
            if "built without TLS" in report.get("failed", ""):
                missing("OpenSSL's headers are not installed (libssl-dev)")
            self.assertEqual(report["errors"]["total"], 0)
            self.assertGreater(report["operations"], 0)


class VariantsTests(LoadTestCase):
    """
    The variants of the application.
    """

    def test_deflated(self) -> None:
        """
        Where compression was agreed on, what the server sends is inflated and checked like everything else.
        """
        server = serve("benchmarks.application:deflate", self.folder, options=OPTIONS["deflate"])
        with server:
            for arguments in ("rpc --connections 3 --size 500", "pubsub --subscribers 3 --size 100000"):
                report = load(server, f"{arguments} --deflate")
                if "built without deflate" in report.get("failed", ""):
                    missing("zlib's header is not installed (zlib1g-dev)")
                self.assertEqual(report["errors"]["total"], 0, report)
                self.assertGreater(report["operations"], 0)

    def check(self, api: API, variants: set[str]) -> None:
        """
        Each variant serves calls and publications.
        """
        for variant in sorted(variants - api.lacks):
            with serve(f"{api.application}:{variant}", self.folder, options=["--api", api.name]) as server:
                for arguments in ("rpc --connections 3", "pubsub --subscribers 3"):
                    report = load(server, f"{arguments} --protocol {api.protocol} --warm-up 0.01 --seconds 0.05")
                    self.assertEqual(report["errors"]["total"], 0, f"{variant}: {report}")
                    self.assertGreater(report["operations"], 0)

    def test_variants(self) -> None:
        """
        Those of version 20. (The plain one is tested above.)
        """
        self.check(V20, {scenario.variant for scenario in SCENARIOS.values()} - {"plain"})

    def test_variants14(self) -> None:
        """
        Those of version 14.
        """
        self.check(V14, {scenario.variant for scenario in SCENARIOS.values()})


class FaultsTests(LoadTestCase):
    """
    The generator notices what is wrong.
    """

    def faults(self, application: str, arguments: str) -> dict[str, Any]:
        """
        @return: the errors that the generator tells about.
        """
        report = load(self.start(f"tests.benchmarks.faulty:{application}"), arguments)
        self.assertEqual(report["status"], 1)
        errors: dict[str, Any] = report["errors"]
        self.assertEqual(
            errors["total"],
            sum(errors[name] for name in ("protocol", "wrong", "disordered", "lost", "connection")),
        )
        return errors

    def test_wrongData(self) -> None:
        """
        An answer with other data.
        """
        errors = self.faults("wrongData", "rpc --connections 2 --size 40")
        self.assertGreater(errors["wrong"], 0)
        self.assertIn("the answer has other data", errors["first"])

    def test_refused(self) -> None:
        """
        An answer that is an error, and so never the answer that was waited for.
        """
        errors = self.faults("refusing", "rpc --connections 2 --depth 3")
        self.assertEqual((errors["protocol"], errors["lost"]), (6, 6))

    def test_closed(self) -> None:
        """
        A connection that the server closes.
        """
        errors = self.faults("leaving", "rpc --connections 2")
        self.assertEqual((errors["connection"], errors["lost"]), (2, 2))
        self.assertIn("closed by the server: 4500 enough", errors["first"])

    def test_repeated(self) -> None:
        """
        A delivery that comes twice.
        """
        errors = self.faults("repeating", "pubsub --subscribers 3")
        self.assertGreater(errors["disordered"], 0)

    def test_altered(self) -> None:
        """
        A delivery of something that nobody has published; what was published never comes.
        """
        errors = self.faults("altering", "pubsub --subscribers 3")
        self.assertEqual((errors["wrong"], errors["lost"]), (3, 3))
