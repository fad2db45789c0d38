"""
Charts as SVG, readable on light and on dark pages: bars of ratios, and curves.

They are plain text without fonts or scripts of their own, so that a change of the figures is a readable change of the
file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log2, log10

WIDTH = 860
_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2933 }
  .title { font-weight: 600; font-size: 15px }
  .small { font-size: 11px; fill: #52606d }
  .card { fill: #ffffff; stroke: #d9dee4 }
  .grid { stroke: #e4e7eb }
  .axis { stroke: #616e7c; stroke-width: 1.5 }
  .better { fill: #2563eb } .worse { fill: #c2410c }
  .range { stroke: #1f2933; stroke-width: 1.2; opacity: .55 }
  .ours { fill: none; stroke: #2563eb; stroke-width: 2.5 } .node { fill: none; stroke: #7b8794; stroke-width: 2 }
  .oursText { fill: #2563eb; font-weight: 600 } .nodeText { fill: #616e7c }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e7eb } .small { fill: #a8b3bf }
    .card { fill: #1b1f24; stroke: #39424e } .grid { stroke: #333c47 } .axis { stroke: #9aa5b1 }
    .better { fill: #4f8ff7 } .worse { fill: #f08a4b } .range { stroke: #e4e7eb }
    .ours { stroke: #60a5fa } .node { stroke: #9aa5b1 } .oursText { fill: #7fb5ff } .nodeText { fill: #a8b3bf }
  }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """
    A ratio, and how far it went up and down.
    """

    label: str
    value: float
    least: float
    greatest: float


@dataclass(frozen=True, slots=True)
class Panel:
    """
    A small chart: two curves over the same sizes.

    @ivar label: what the sizes count, and what the curves show.
    """

    label: str
    sizes: list[int]
    node: list[float]
    ours: list[float]


def _document(height: int, title: str, body: Iterable[str]) -> str:
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    card = f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", f"<style>{_STYLE}</style>", card, *body, "</svg>\n"])


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    attributes = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{attributes}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def bars(title: str, caption: str, rows: list[Bar]) -> str:
    """
    Draw ratios around 1, on a scale on which twice and half are equally far away.

    @param caption: said below the title.
    @return: the SVG document.
    """
    left, right, top, step = 350, WIDTH - 70, 78, 24
    # A single round that went astray must not press everything else together: ranges are cut at the borders.
    low = floor(log2(min(0.6, *(row.value for row in rows))) - 0.2)
    high = ceil(log2(max(1.8, *(row.value for row in rows))) + 0.2)
    bottom = top + step * len(rows)

    def place(ratio: float) -> float:
        return left + (min(max(log2(ratio), low), high) - low) / (high - low) * (right - left)

    body = [_text(20, 28, title, "title"), _text(20, 47, caption, "small")]
    for power in range(low, high + 1):
        x = place(2.0**power)
        body += [_line(x, top - 6, x, bottom, "axis" if power == 0 else "grid")]
        body += [_text(x, top - 11, f"{2.0**power:g}×", "small", "middle")]
    for index, row in enumerate(rows):
        y = top + step * index + 4
        start, end = sorted((place(1), place(row.value)))
        kind = "better" if row.value >= 1 else "worse"
        body.append(_text(left - 30, y + 12, row.label, anchor="end"))
        shape = f'x="{start:.1f}" y="{y}" width="{end - start:.1f}" height="{step - 8}" rx="2"'
        body.append(f'<rect class="{kind}" {shape}/>')
        body.append(_line(place(row.least), y + 8, place(row.greatest), y + 8, "range"))
        if row.value >= 1:
            body.append(_text(max(end, place(row.greatest)) + 7, y + 12, f"{row.value:.1f}×"))
        else:
            body.append(_text(min(start, place(row.least)) - 7, y + 12, f"{row.value:.2f}×", anchor="end"))
    return _document(bottom + 20, title, body)


def curves(title: str, caption: str, panels: list[Panel]) -> str:
    """
    Draw small charts, two in a row; both scales are logarithmic.

    @return: the SVG document.
    """
    width, height = WIDTH // 2, 250
    body = [_text(20, 28, title, "title"), _text(20, 47, caption, "small")]
    for index, panel in enumerate(panels):
        body += _panel(panel, width * (index % 2), 62 + height * (index // 2), width, height)
    return _document(62 + height * ((len(panels) + 1) // 2) + 10, title, body)


def _panel(panel: Panel, x: int, y: int, width: int, height: int) -> list[str]:
    left, right, top, bottom = x + 62, x + width - 88, y + 30, y + height - 34
    ticks = _ticks([*panel.node, *panel.ours])
    low, high = log10(ticks[0]), log10(ticks[-1])
    first, last = log10(panel.sizes[0]), log10(panel.sizes[-1])

    def across(size: int) -> float:
        return left + (log10(size) - first) / (last - first) * (right - left)

    def up(value: float) -> float:
        return bottom - (log10(value) - low) / (high - low) * (bottom - top)

    body = [_text(left - 42, y + 14, panel.label)]
    for tick in ticks:
        body += [_line(left, up(tick), right, up(tick), "grid")]
        body += [_text(left - 7, up(tick) + 4, f"{tick:g} µs", "small", "end")]
    for size in panel.sizes:
        body.append(_text(across(size), bottom + 17, f"{size:g}", "small", "middle"))
    for kind, points in (("node", panel.node), ("ours", panel.ours)):
        places = [(across(size), up(value)) for size, value in zip(panel.sizes, points, strict=True)]
        body.append(f'<polyline class="{kind}" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in places)}"/>')
    # The names stand where the curves end, but not on each other.
    ends = {"node": up(panel.node[-1]), "ours": up(panel.ours[-1])}
    apart = max(0.0, 15 - abs(ends["node"] - ends["ours"])) / 2
    for kind, name in (("node", "Node"), ("ours", "agtwisted")):
        isUpper = ends[kind] <= min(ends.values()) and (kind == "node" or ends["node"] != ends["ours"])
        body.append(_text(right + 8, ends[kind] + 4 + (-apart if isUpper else apart), name, f"{kind}Text"))
    return body


def _ticks(values: list[float]) -> list[float]:
    """
    @return: round numbers from below the least value to above the greatest.
    """
    powers = range(floor(log10(min(values))), ceil(log10(max(values))) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    lowest = max(tick for tick in ticks if tick <= min(values))
    highest = min(tick for tick in ticks if tick >= max(values) and tick > lowest)
    return [tick for tick in ticks if lowest <= tick <= highest]
