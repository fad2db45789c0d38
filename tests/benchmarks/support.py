"""
A built load generator, and servers for it.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from benchmarks.servers import ROOT, Address, Server, buildGenerator, twistd


def missing(what: str) -> None:
    """
    Something that the tests need is not there.

    @raise RuntimeError: in continuous integration, where nothing may be skipped.
    @raise SkipTest: elsewhere.
    """
    if os.environ.get("CI") == "true":
        raise RuntimeError(what)
    raise SkipTest(what)


@cache
def generator() -> Path:
    """
    @return: the load generator, built once for all tests, in trial's own folder.
    """
    if shutil.which("g++") is None:
        missing("g++ is not installed, and the load generator cannot be built without it")
    return buildGenerator(Path(tempfile.mkdtemp(dir=Path.cwd())))


def serve(application: str, folder: Path, transport: str = "tcp", options: Sequence[str] = ()) -> Server:
    """
    @param application: as for C{--app}.
    @param folder: for temporary files; its name must be short enough for a Unix socket's.
    @param options: more arguments of C{twistd agserver}.
    """
    address = Address(transport, folder)
    command = [twistd(), "-n", "--pidfile=", "agserver", "--app", application, "--endpoint", address.endpoint()]
    command += options
    return Server(command, {"PYTHONPATH": str(ROOT)}, address, None)


@cache
def plainServer() -> Server:
    """
    @return: a server that does everything right, for all tests that do it no harm.
    """
    folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
    server = serve("benchmarks.application:plain", folder)
    atexit.register(server.stop)
    return server.__enter__()


def load(server: Server, arguments: str) -> dict[str, Any]:
    """
    Put a server under load for a moment, or, when the machine had no time for it just then, for longer.

    @return: the generator's report.
    """
    given = arguments.split()
    moment = [] if "--warm-up" in given else ["--warm-up", "0.05", "--seconds", "0.2"]
    report = _load(server, [*given, *moment])
    isFaultless = report.get("errors", {}).get("total") == 0
    hasStoodStill = not report.get("operations", 1) or not report.get("server", {}).get("cpuPerOperation", 1)
    if isFaultless and hasStoodStill and given[0] != "idle":
        report = _load(server, [*given, *moment, "--seconds", "5"])
    return report


def _load(server: Server, arguments: list[str]) -> dict[str, Any]:
    command = [str(generator()), *arguments, *server.address.loadArguments(), "--pid", str(server.pid)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    report: dict[str, Any] = json.loads(done.stdout or json.dumps({"failed": done.stderr}))
    return report | {"status": done.returncode}
