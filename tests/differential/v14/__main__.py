"""
C{python -m tests.differential.v14 [--self] [--list] [--answers] [PATTERN …]}: play scripts of version 14 to both servers and
show what differs.
"""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatch
from functools import partial
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import react

from ..player import Side, playAll
from .comparing import describe, verdict
from .harness import startNode, startPython
from .scripts import SCRIPTS


def parseArguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential.v14", description=__doc__)
    parser.add_argument("patterns", nargs="*", default=["*"], metavar="PATTERN", help="names of scripts, * and ? allowed")
    parser.add_argument("--self", dest="node", action="store_true", help="compare the reference with itself")
    parser.add_argument("--list", action="store_true", help="only print the names of the scripts")
    parser.add_argument("--answers", action="store_true", help="print the reference's answers even if nothing differs")
    return parser.parse_args()


async def run(reactor: Any, arguments: argparse.Namespace) -> None:
    """Play the chosen scripts and print each difference."""
    chosen = [script for script in SCRIPTS if any(fnmatch(script.name, pattern) for pattern in arguments.patterns)]
    if arguments.list:
        print("\n".join(script.name for script in chosen))
        return
    ours = Side(reactor, startNode if arguments.node else startPython, arguments.node)
    judge = partial(verdict, equal=arguments.node)
    outcomes = await playAll(reactor, [Side(reactor, startNode, True), ours], chosen, judge)
    failed = 0
    for script in chosen:
        problem = judge(script, *outcomes[script.name])
        if arguments.answers:
            print(f"== {script.name}", *describe(outcomes[script.name][0]), sep="\n")
        if problem is not None:
            failed += 1
            print(f"!! {script.name}", problem, "", sep="\n")
    print(f"{len(chosen)} scripts, {failed} not as they should be")
    sys.exit(bool(failed))


if __name__ == "__main__":
    parsed = parseArguments()
    react(lambda reactor: ensureDeferred(run(reactor, parsed)))
