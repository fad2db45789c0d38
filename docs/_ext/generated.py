"""
Parts of pages that are made from the code, so that they cannot get stale.

  - C{server-options}: the table of all options of a server;
  - C{new-options}: those that the table of Node's options (C{fromnode/options.csv}) does not have;
  - C{command-line}: what C{twistd agserver --help} prints;
  - C{server-figures}: the table of what C{server.stats()} returns;
  - C{deliberate-differences}: why the differential tests expect something else than the reference gives.
"""

import re
from collections.abc import Iterable
from dataclasses import Field, fields
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from agtwisted.options import ServerOptions
from agtwisted.server.statistics import COUNTERS, FIGURES, SWITCH
from agtwisted.tap import Options, kebabCase
from tests.differential.deliberate import DELIBERATE

WIDTH = 100
NODE_OPTIONS = Path(__file__).parent.parent / "fromnode" / "options.csv"


def optionRow(option: Field[object]) -> list[str]:
    """
    Describe one option.

    @param option: its dataclass field.
    @return: the cells of its row: name, default, unit, command line, meaning.
    """
    metadata = option.metadata
    default = "" if option.default is None else f"``{option.default!r}``"
    commandLine = f"``--{kebabCase(option.name)}``" if metadata["commandLine"] else ""
    meaning = metadata["help"].replace("*", "\\*").replace("#handshake", "``#handshake``")
    if metadata["choices"]:
        meaning += ": " + ", ".join(f"``{choice}``" for choice in metadata["choices"])
    return [f"``{option.name}``", default, metadata["unit"], commandLine, meaning]


def optionsTable(options: Iterable[Field[object]]) -> str:
    """
    Describe options.

    @param options: their dataclass fields.
    @return: the table, in reStructuredText.
    """
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 20 13 9 24 34", ""]
    header = ["Option", "Default", "Unit", "Command line", "Meaning"]
    for row in [header, *map(optionRow, options)]:
        lines += [f"   {'* -' if index == 0 else '  -'} {cell}" for index, cell in enumerate(row)]
    return "\n".join(lines)


class ServerOptionsTable(SphinxDirective):
    """The table of all options."""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(optionsTable(fields(ServerOptions)))


class NewOptionsTable(SphinxDirective):
    """The table of the options that Node does not have."""

    def run(self) -> list[nodes.Node]:
        known = set(re.findall(r"``(\w+)``", NODE_OPTIONS.read_text(encoding="utf-8")))
        return self.parse_text_to_nodes(optionsTable(each for each in fields(ServerOptions) if each.name not in known))


def figuresTable() -> str:
    """
    Describe the figures of a server.

    @return: the table, in reStructuredText.
    """
    kinds = {SWITCH: "true or false", COUNTERS: "counters, by name"}
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 24 14 34 28", ""]
    rows = [
        [f"``{each.name}``", kinds.get(each.kind, each.kind), each.meaning, f"``{each.metric}``"] for each in FIGURES
    ]
    for row in [["Figure", "Kind", "Meaning", "For Prometheus"], *rows]:
        lines += [f"   {'* -' if index == 0 else '  -'} {cell}" for index, cell in enumerate(row)]
    return "\n".join(lines)


class ServerFiguresTable(SphinxDirective):
    """The table of all figures."""

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(figuresTable())


class CommandLine(SphinxDirective):
    """The help text of the command."""

    def run(self) -> list[nodes.Node]:
        text = Options().getUsage(width=WIDTH)
        return [nodes.literal_block(text, text, language="text")]


class DeliberateDifferences(SphinxDirective):
    """The reasons, each once."""

    def run(self) -> list[nodes.Node]:
        reasons = dict.fromkeys(difference.reason for difference in DELIBERATE.values())
        items = nodes.bullet_list()
        for reason in reasons:
            items += nodes.list_item("", nodes.paragraph("", reason))
        return [items]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("server-options", ServerOptionsTable)
    app.add_directive("server-figures", ServerFiguresTable)
    app.add_directive("new-options", NewOptionsTable)
    app.add_directive("command-line", CommandLine)
    app.add_directive("deliberate-differences", DeliberateDifferences)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
