"""
Run scenarios from the command line: C{python -m tests.interop --client 19 --server python [scenario ...]}.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)

from tests.interop.host import Run, run


def show(result: dict[str, Any]) -> None:
    """
    Print what became of a scenario.
    """
    print(f"{'ok    ' if result['ok'] else 'FAILED'} {result['name']} ({result['milliseconds']} ms)")
    if not result["ok"]:
        print(result["error"])


def summarize(outcome: Run) -> None:
    """
    Print how the run went, and exit accordingly.
    """
    failed = [name for name, result in outcome.results.items() if not result["ok"]]
    if outcome.errors:
        print(outcome.errors, file=sys.stderr)
    if outcome.timedOut:
        print("The run took too long and was ended.")
    print(f"{len(outcome.results)} scenarios, {len(failed)} failed: {' '.join(failed) or 'none'}")
    if failed or outcome.errors or outcome.timedOut:
        raise SystemExit(1)


def main(reactor: Any, *arguments: str) -> Deferred[Any]:
    """
    Run what the arguments say.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.interop", description=__doc__)
    parser.add_argument("--client", type=int, default=20, help="version of socketcluster-client: 14, 16, 17, 19 or 20")
    servers = ("python", "tls", "unix", "site", "service", "node")
    explanation = "agtwisted (by itself, over TLS, at a Unix socket, in a web site, as a service), or the reference"
    parser.add_argument("--server", choices=servers, default="python", help=explanation)
    parser.add_argument("scenarios", nargs="*", help="names of scenarios; all by default")
    options = parser.parse_args(arguments)
    warnings = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
    observer = FilteringLogObserver(textFileLogObserver(sys.stderr), [warnings])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    return run(reactor, options.client, options.server, options.scenarios, show).addCallback(summarize)


react(main, sys.argv[1:])
