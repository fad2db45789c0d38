"""
The pages that list names: what they name is there, and nothing is left out.
"""

from __future__ import annotations

import csv
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import fields

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import agtwisted
from agtwisted.errors import socketProtocolErrorStatuses
from agtwisted.options import NODE_ONLY, SCServerOptions, ServerOptions
from agtwisted.tap import Options
from agtwisted.testing import connect
from tests.docs.support import DOCS, EXAMPLES

#: Names that the tables mention because they are not here.
ABSENT = {"wsServer", "usabilityMode"}


def rows(name: str) -> list[list[str]]:
    """
    @return: the rows of one table of the page for those who come from Node.
    """
    with open(DOCS / "fromnode" / f"{name}.csv", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def names(cell: str) -> list[str]:
    """
    @return: the names in a cell, without their arguments.
    """
    return [name.rstrip("_") if name == "return_" else name for name in re.findall(r"``(\w+)", cell)]


class FromNodeTests(SynchronousTestCase):
    """
    C{docs/from-node.rst}.
    """

    def check(self, table: str, target: object) -> None:
        """
        Look every name of a table up.
        """
        for cell, _ in rows(table):
            if not cell.startswith("events") and cell != "not in Node":
                for name in names(cell):
                    found = name in ABSENT or hasattr(target, {"return": "return_"}.get(name, name))
                    self.assertTrue(found or hasattr(agtwisted, name), f"{table}: {name}")

    def test_names(self) -> None:
        """
        Every member that a table names exists.
        """
        server = agtwisted.AGServer(Clock())
        client = connect(server)
        stream: agtwisted.WritableConsumableStream[object] = agtwisted.WritableConsumableStream(server.turns)
        for table, target in {
            "server": server,
            "socket": client.socket,
            "exchange": server.exchange,
            "channel": server.exchange.channel("name"),
            "request": agtwisted.AGRequest(client.socket, 1, "name"),
            "action": agtwisted.AGAction("name"),
            "stream": stream,
            "consumer": stream.createConsumer(),
        }.items():
            self.check(table, target)

    def test_options(self) -> None:
        """
        Every option that the table names is one, or is ignored as the table says.
        """
        known = {option.name for option in fields(ServerOptions)}
        for cell, _, here in rows("options"):
            for name in names(cell):
                expected = name in known or name in ABSENT
                self.assertTrue(name in NODE_ONLY if here.startswith("ignored") else expected, name)

    def test_defaults(self) -> None:
        """
        An option that the table calls the same has the default that the table gives for Node.
        """
        defaults = {option.name: option.default for option in fields(ServerOptions)}
        compared = 0
        for cell, inNode, here in rows("options"):
            for name, text in zip(names(cell), inNode.split(), strict=False):
                value = {"``true``": True, "``false``": False}.get(text, text.strip("`"))
                if here.startswith("the same") and (value in (True, False) or re.fullmatch(r"\d+|[*:]+|/\w+/", value)):
                    self.assertEqual(str(defaults[name]), str(value), name)
                    compared += 1
        self.assertGreater(compared, 10)


class OptionTests(SynchronousTestCase):
    """
    Options, on the pages that tell what they are for.
    """

    def test_explained(self) -> None:
        """
        Every option is told of where its subject is, besides the table of all of them.
        """
        pages = [path for folder in ("howto", "topics") for path in (DOCS / folder).glob("*.rst")]
        told = set(re.findall(r"\w+", " ".join(path.read_text(encoding="utf-8") for path in pages)))
        self.assertEqual({option.name for option in fields(SCServerOptions)} - told, set())


class CommandTests(SynchronousTestCase):
    """
    The commands on the pages.
    """

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """
        @return: each command that runs a server, with its page.
        """
        command = re.compile(r"^    +((?:twistd|twist|python -m twisted) .*agserver.*)$", re.M)
        for page in sorted(DOCS.rglob("*.rst")):
            if "_build" not in page.parts:
                for line in command.findall(page.read_text(encoding="utf-8")):
                    yield page.relative_to(DOCS).with_suffix("").as_posix(), shlex.split(line)

    def test_commands(self) -> None:
        """
        Every command that a page gives is understood, in the folder of that page's example.
        """
        path, modules = list(sys.path), set(sys.modules)
        self.addCleanup(lambda: [sys.modules.pop(name) for name in set(sys.modules) - modules])
        self.addCleanup(lambda: sys.path.__setitem__(slice(None), path))
        folders = {"reference/commandline": "introduction"}
        found = 0
        for page, words in self.commands():
            folder = EXAMPLES / folders.get(page, page.rpartition("/")[2])
            for name in ("server", "hello", "address"):
                sys.modules.pop(name, None)
            sys.path[0] = str(folder)
            arguments = words[words.index("agserver") + 1 :]
            for index, word in enumerate(arguments):
                if word.startswith("@"):
                    key = self.mktemp()
                    with open(key, "w", encoding="utf-8") as file:
                        file.write("a key")
                    arguments[index] = f"@{key}"
            Options().parseOptions(arguments)
            found += 1
        self.assertGreater(found, 8)


class CloseCodeTests(SynchronousTestCase):
    """
    The table of close codes.
    """

    def test_codes(self) -> None:
        """
        Every code that has a text stands in the table, but for those of the client's WebSocket layer and version 14.
        """
        text = (DOCS / "topics" / "lifecycle.rst").read_text(encoding="utf-8")
        listed = {int(code) for line in text.splitlines() for code in re.findall(r"\b\d{4}\b", line[:22])}
        self.assertEqual(set(socketProtocolErrorStatuses) - listed, {1010, 4006})
