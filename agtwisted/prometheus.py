"""
The figures of a server in Prometheus's text format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agtwisted.server.statistics import COUNTERS, FIGURES, SWITCH, TEXT, Figure

#: The content type of the format.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: The kinds of figures that are no kinds of metrics.
_TYPES = {COUNTERS: "counter", SWITCH: "gauge", TEXT: "gauge"}

#: The names that Prometheus has for figures of processes, each with its type and its meaning.
_PROCESS = {
    "cpuSeconds": ("process_cpu_seconds_total", "counter", "CPU time used so far, in seconds"),
    "residentBytes": ("process_resident_memory_bytes", "gauge", "resident memory, in bytes"),
    "openDescriptors": ("process_open_fds", "gauge", "open file descriptors"),
    "descriptorLimit": ("process_max_fds", "gauge", "file descriptors that may be open"),
}


def expose(stats: Mapping[str, Any], usage: Mapping[str, float]) -> str:
    """
    @param stats: what L{agtwisted.AGServer.stats} returns.
    @param usage: what L{agtwisted.usage.processUsage} returns.
    @return: both in the text format. What nobody measures is left out.
    """
    lines: list[str] = []
    for figure in FIGURES:
        value = stats[figure.name]
        if value is not None:
            meaning = f"{figure.meaning}, in {figure.unit}" if figure.unit else figure.meaning
            lines += _metric(figure.metric, _TYPES.get(figure.kind, figure.kind), meaning, _samples(figure, value))
    for name, (metric, type, meaning) in _PROCESS.items():
        if name in usage:
            lines += _metric(metric, type, meaning, [("", usage[name])])
    return "\n".join([*lines, ""])


def _samples(figure: Figure, value: Any) -> Iterable[tuple[str, float]]:
    if figure.kind == TEXT:
        return [(_label(figure.name, value), 1)]
    if figure.kind == COUNTERS:
        return [(_label("limit", name), count) for name, count in value.items()]
    return [("", int(value) if figure.kind == SWITCH else value)]


def _label(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{{{name}="{escaped}"}}'


def _metric(name: str, type: str, meaning: str, samples: Iterable[tuple[str, float]]) -> list[str]:
    head = [f"# HELP {name} {meaning}", f"# TYPE {name} {type}"]
    return head + [f"{name}{labels} {value}" for labels, value in samples]
