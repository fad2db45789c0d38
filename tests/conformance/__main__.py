"""
Run the Autobahn TestSuite against the echo endpoint: C{python -m tests.conformance [case ...]}.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import react
from twisted.python.failure import Failure

from tests.conformance.echo import EchoServer
from tests.conformance.suite import Report, findProgram, specification

MISSING = """\
wstest was not found. It is a program of the package autobahntestsuite, which runs under Python 2.7 only:

    python2.7 -m pip install virtualenv
    python2.7 -m virtualenv wstest
    wstest/bin/pip install autobahntestsuite

Then say where it is: --wstest wstest/bin/wstest, or with the variable WSTEST."""


class Suite(ProcessProtocol):
    """
    The process of the suite.

    @ivar ended: fires with its exit status.
    """

    def __init__(self, isQuiet: bool) -> None:
        self.ended: Deferred[int | None] = Deferred()
        self._isQuiet = isQuiet

    def outReceived(self, data: bytes) -> None:
        """
        Show what it says.
        """
        if not self._isQuiet:
            sys.stdout.write(data.decode("utf-8", "replace"))
            sys.stdout.flush()

    def errReceived(self, data: bytes) -> None:
        """
        Show what it complains of.
        """
        sys.stderr.write(data.decode("utf-8", "replace"))

    def processEnded(self, reason: Failure) -> None:
        """
        It is done.
        """
        self.ended.callback(getattr(reason.value, "exitCode", None))


async def run(reactor: Any, options: argparse.Namespace) -> None:
    """
    Start the endpoint, let the suite talk to it, and tell what it found.
    """
    program = findProgram(options.wstest)
    if program is None:
        raise SystemExit(MISSING)
    reports = Path(options.reports or mkdtemp(prefix="conformance-")).absolute()
    reports.mkdir(parents=True, exist_ok=True)
    server = EchoServer(reactor)
    port: Any = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(server.websocketFactory())
    url = f"ws://127.0.0.1:{port.getHost().port}{server.getPath()}"
    instructions = reports / "specification.json"
    instructions.write_text(json.dumps(specification(url, reports, options.cases, options.without)), encoding="utf-8")
    suite = Suite(options.quiet)
    command = [program, "--mode", "fuzzingclient", "--spec", str(instructions)]
    reactor.spawnProcess(suite, program, command, None, str(reports))
    status = await suite.ended
    await port.stopListening()
    if status != 0:
        raise SystemExit(f"wstest has failed with status {status}")
    report = Report.read(reports)
    print(*report.lines(), sep="\n")
    print(f"see {reports / 'index.html'}")
    if not report.isAccepted:
        raise SystemExit(1)


def main(reactor: Any, *arguments: str) -> Deferred[None]:
    """
    Do what the arguments say.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--wstest", help="the program; the variable WSTEST, or the one on the path, if not given")
    parser.add_argument("--reports", help="folder for the suite's reports; a new one if not given")
    parser.add_argument("--without", action="append", default=[], metavar="CASE", help="leave cases out, such as 12.*")
    parser.add_argument("--quiet", action="store_true", help="print the summary only")
    parser.add_argument("cases", nargs="*", default=["*"], help="cases, such as 1.* or 6.4.3; all by default")
    return Deferred.fromCoroutine(run(reactor, parser.parse_args(arguments)))


if __name__ == "__main__":
    react(main, sys.argv[1:])
