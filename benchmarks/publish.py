"""
Makes what the documentation shows from what was measured.

    python -m benchmarks --json /tmp/standard.json
    python -m benchmarks growth --json /tmp/growth.json
    python -m benchmarks.publish /tmp/standard.json /tmp/growth.json

Each file becomes three below C{docs/topics/performance}: the figures without the single runs (C{.json}), tables to
include (C{.inc}) and a chart (C{.svg}). Without arguments, the tables and charts are made again from the figures that
are there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.chart import Bar, Panel, bars, curves
from benchmarks.scenarios import FIGURES, SCENARIOS, SERIES
from benchmarks.sidebyside import NODE, OURS

FOLDER = Path(__file__).parent.parent / "docs" / "topics" / "performance"


def condensed(measured: dict[str, Any]) -> dict[str, Any]:
    """
    @param measured: what C{python -m benchmarks --json} has written.
    @return: the same without the single runs.
    """
    results = [{name: each[name] for name in ("scenario", "figures", "others")} for each in measured["results"]]
    return {**measured, "results": results}


def isGrowth(measured: dict[str, Any]) -> bool:
    """
    @return: whether it is about curves.
    """
    return all(result["scenario"]["series"] for result in measured["results"])


def provenance(measured: dict[str, Any]) -> str:
    """
    @return: when, where and with what it was measured, as a sentence or two.
    """
    machine, (before, after) = measured["machine"], measured["loadAverage"]
    versions = ", ".join(f"{name} {number}" for name, number in measured["versions"].items())
    return (
        f"Measured on {measured['date']} by ``{measured['command']}`` on {machine['cores']} cores of an "
        f"{machine['processor']} ({machine['system']}), with {versions}. The load average was "
        f"{before:.1f} before and {after:.1f} after; the measurement itself adds up to 2."
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _table(header: list[str], rows: list[list[str]], widths: str) -> Iterator[str]:
    yield from (".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", "")
    for row in [header, *rows]:
        for index, cell in enumerate(row):
            yield f"   {'*' if index == 0 else ' '} - {cell}"
    yield ""


def tables(measured: dict[str, Any]) -> str:
    """
    @return: reStructuredText with all the figures.
    """
    compared, loads = [], []
    for result in measured["results"]:
        title = _title(result)
        for name, figure in result["figures"].items():
            ratio = figure["ratio"]
            spread = f"**{ratio['median']:.2f}**", f"{ratio['minimum']:.2f}–{ratio['maximum']:.2f}"
            compared.append([title, FIGURES[name].title, *_sides(figure), *spread])
        others = result["others"]
        if result["scenario"]["name"] != "idle":
            shown = [others[name] for name in ("operationsPerSecond", "p50", "p99")]
            loads.append([title, *(side for figure in shown for side in _sides(figure))])
    lines = [provenance(measured), ""]
    lines += _table(["Scenario", "Figure", "Node", "agtwisted", "Ratio", "Range"], compared, "36 18 11 12 9 14")
    if not isGrowth(measured):
        sides = ["Node", "agtwisted"]
        header = ["Scenario", *(f"{what}, {side}" for what in ("Operations/s", "p50 µs", "p99 µs") for side in sides)]
        lines += ["What both did meanwhile, each on one core:", "", *_table(header, loads, "30 12 12 11 11 12 12")]
    return "\n".join(lines)


def _title(result: dict[str, Any]) -> str:
    # What a scenario is called may be put better later than it was when it was measured.
    scenario = SCENARIOS.get(result["scenario"]["name"])
    return scenario.title if scenario else str(result["scenario"]["title"])


def _sides(figure: dict[str, Any]) -> list[str]:
    return [_number(figure[which]["median"]) for which in (NODE, OURS)]


def chart(measured: dict[str, Any]) -> str:
    """
    @return: the SVG document.
    """
    versions = measured["versions"]
    setting = measured["machine"]["processor"], f"Python {versions['Python']}", f"Node {versions['Node']}"
    caption = ", ".join((measured["date"], *setting))
    if isGrowth(measured):
        return curves("Server CPU for one operation", caption, list(_panels(measured)))
    rows = []
    for result in measured["results"]:
        for name, figure in result["figures"].items():
            ratio, suffix = figure["ratio"], "" if name == "cpu" else f" ({FIGURES[name].title.split(',')[0]})"
            rows.append(Bar(_title(result) + suffix, ratio["median"], ratio["minimum"], ratio["maximum"]))
    return bars("How many times more Node needs (server CPU per operation, unless said otherwise)", caption, rows)


def _panels(measured: dict[str, Any]) -> Iterator[Panel]:
    for name, label in SERIES.items():
        points = [result for result in measured["results"] if result["scenario"]["series"] == name]
        if len(points) > 1:
            sizes = [point["scenario"]["size"] for point in points]
            cpu = [[point["figures"]["cpu"][which]["median"] for point in points] for which in (NODE, OURS)]
            yield Panel(label, sizes, *cpu)


def made(measured: dict[str, Any]) -> dict[str, str]:
    """
    @return: the contents of the files to make, by the ends of their names.
    """
    return {".inc": tables(measured), ".svg": chart(measured)}


def main(words: list[str] | None = None) -> None:
    """
    @param words: the command line; C{None} for that of the process.
    """
    FOLDER.mkdir(exist_ok=True)
    for name in sys.argv[1:] if words is None else words:
        measured = condensed(json.loads(Path(name).read_text()))
        target = FOLDER / ("growth.json" if isGrowth(measured) else "standard.json")
        target.write_text(json.dumps(measured, indent=1) + "\n")
    for source in sorted(FOLDER.glob("*.json")):
        for suffix, content in made(json.loads(source.read_text())).items():
            source.with_suffix(suffix).write_text(content)


if __name__ == "__main__":
    main()
