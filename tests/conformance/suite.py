"""
The Autobahn TestSuite as a program: what it is told to do, and what its report says.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any, Self

#: The name that the report calls us.
AGENT = "agtwisted"

#: What the suite may say of a case, and of how the connection was closed in it. Anything else is a fault: C{NON-STRICT},
#: C{UNCLEAN}, C{WRONG CODE}, C{UNIMPLEMENTED}, C{FAILED BY CLIENT} and C{FAILED}.
ACCEPTED = frozenset({"OK", "INFORMATIONAL"})


def findProgram(given: str | None = None, environment: Mapping[str, str] = os.environ) -> str | None:
    """
    @param given: where it is, if somebody knows.
    @return: the path of C{wstest}: the one given, that of the variable C{WSTEST}, or the one on the path.
    """
    return which(given or environment.get("WSTEST") or "wstest", path=environment.get("PATH"))


def specification(url: str, reports: Path, cases: Sequence[str], without: Sequence[str] = ()) -> dict[str, Any]:
    """
    @param reports: the folder that reports go to.
    @param cases: numbers of cases, with C{*} for all that begin so.
    @param without: those to leave out.
    @return: what C{wstest} reads as its specification.
    """
    return {
        "outdir": str(reports),
        "servers": [{"agent": AGENT, "url": url}],
        "cases": list(cases),
        "exclude-cases": list(without),
        "exclude-agent-cases": {},
    }


@dataclass(slots=True, frozen=True)
class Result:
    """
    What became of one case.

    @ivar case: its number.
    @ivar behavior: what the suite says of it.
    @ivar closing: what it says of how the connection was closed.
    """

    case: str
    behavior: str
    closing: str

    @property
    def isAccepted(self) -> bool:
        """
        Whether both are as they should be.
        """
        return self.behavior in ACCEPTED and self.closing in ACCEPTED

    @property
    def order(self) -> list[int]:
        """
        What to sort by.
        """
        return [int(part) for part in self.case.split(".")]


@dataclass(slots=True, frozen=True)
class Report:
    """
    What became of all.
    """

    results: Sequence[Result]

    @classmethod
    def read(cls, reports: Path) -> Self:
        """
        @param reports: the folder with C{index.json}.
        """
        cases = json.loads((reports / "index.json").read_text(encoding="utf-8")).get(AGENT, {})
        results = [Result(case, each["behavior"], each["behaviorClose"]) for case, each in cases.items()]
        return cls(sorted(results, key=lambda result: result.order))

    @property
    def faults(self) -> list[Result]:
        """
        The cases that did not go as they should.
        """
        return [result for result in self.results if not result.isAccepted]

    @property
    def isAccepted(self) -> bool:
        """
        Whether cases were run and all of them went as they should.
        """
        return bool(self.results) and not self.faults

    def lines(self) -> Iterable[str]:
        """
        @return: a summary for people.
        """
        for result in self.faults:
            yield f"case {result.case}: {result.behavior}, closing: {result.closing}"
        yield f"behaviour: {_counted(result.behavior for result in self.results)}"
        yield f"closing: {_counted(result.closing for result in self.results)}"
        yield f"{len(self.results) - len(self.faults)} passed, {len(self.faults)} failed"


def _counted(words: Iterable[str]) -> str:
    return ", ".join(f"{number} {word}" for word, number in sorted(Counter(words).items())) or "nothing"
