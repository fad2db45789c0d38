"""
The layers of the package: which module may import which.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

PACKAGE = Path(__file__).resolve().parent.parent / "agtwisted"

BROKERS = {"protocol", "streams", "interfaces", "errors", "sparinglog"}
SOCKETS = {"protocol", "streams", "errors", "interfaces", "options", "sparinglog", "speedups"}
SERVER = SOCKETS | BROKERS | {"sockets", "brokers", "version"}
ALL_BUT_V14 = SERVER | {"server", "client", "websocket", "site", "service", "testing", "shortage", "sparing", "accepting"}

#: What each part of the package may import of the others. A part may always import itself.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "version": set(),
    "interfaces": {"errors", "protocol"},
    "options": {"errors", "protocol"},
    "protocol": {"errors"},
    "streams": {"errors", "sparinglog"},
    "sockets": SOCKETS,
    # The default broker comes with the server, which is why brokers stand below it. Its methods websocketFactory and
    # resource make what it can be listened with; those two modules know a server only by what they are given.
    "server": SERVER | {"websocket", "site"},
    "client": SOCKETS | {"sockets"},
    # For brokers that are themselves SocketCluster clients.
    "brokers": BROKERS | {"client"},
    "v14": SERVER | {"server"},
    "accepting": {"shortcuts"},
    "websocket": {"interfaces", "protocol", "options", "shortcuts", "sparinglog", "accepting", "speedups"},
    "answers": ALL_BUT_V14,
    "site": ALL_BUT_V14 | {"answers"},
    "service": ALL_BUT_V14 | {"admin"},
    "usage": set(),
    "prometheus": ALL_BUT_V14,
    "admin": ALL_BUT_V14 | {"answers", "prometheus", "usage"},
    "testing": ALL_BUT_V14,
    "process": {"streams", "shortcuts", "sparinglog", "hangups", "crowds"},
    "hangups": set(),
    "crowds": set(),
    "shortcuts": set(),
    "speedups": {"shortcuts"},
    "sparing": set(),
    "sparinglog": {"sparing"},
    "shortage": {"sparing"},
    "tap": ALL_BUT_V14 | {"v14", "process"},
}

#: The package's own name stands for its public names, C{__init__}.
FACE = "agtwisted"


def moduleName(path: Path, root: Path) -> str:
    """
    Return the dotted name of the module in a file.

    @param path: the file.
    @param root: the folder of the package that C{path} stands in.
    """
    parts = list(path.relative_to(root.parent).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(root: Path) -> Iterator[tuple[str, bool, ast.Module]]:
    """
    Parse every module of a package: its name, whether it is a package itself, and its tree.

    @param root: the folder of the package.
    """
    for path in sorted(root.rglob("*.py")):
        yield moduleName(path, root), path.name == "__init__.py", ast.parse(path.read_text(encoding="utf-8"), str(path))


def importedNames(node: ast.AST, module: str, isPackage: bool) -> list[str]:
    """
    Return the absolute names that one statement imports; C{from a import b} gives C{a.b}, which may be a module.

    @param node: any statement; one that is no import gives nothing.
    @param module: the module that it stands in.
    @param isPackage: whether that is the C{__init__} of a package.
    """
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    source = node.module or ""
    if node.level:
        parts = module.split(".")
        base = parts[: len(parts) - node.level + isPackage]
        source = ".".join([*base, source] if source else base)
    return [f"{source}.{alias.name}" for alias in node.names]


def atImportTime(node: ast.AST) -> Iterator[ast.AST]:
    """
    Walk over the statements that run when a module is imported: all but the bodies of functions.

    @param node: where to begin.
    """
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from atImportTime(child)


def partOf(name: str) -> str | None:
    """
    Return which part of agtwisted a dotted name belongs to.

    @param name: the name of a module, or of something in a module.
    @return: the part; C{"agtwisted"} for the face; L{None} for what is not ours.
    """
    head, *rest = name.split(".")
    if head != "agtwisted":
        return None
    return rest[0] if rest and rest[0] in MAY_IMPORT else FACE


def forbiddenArrows(module: str, isPackage: bool, tree: ast.Module) -> list[str]:
    """
    List the imports of one module that L{MAY_IMPORT} does not allow, wherever in the module they stand.

    @param module: the module's name.
    @param isPackage: whether it is the C{__init__} of a package.
    @param tree: the module's source.
    @return: one line for each.
    """
    if module == "agtwisted":
        return []
    part = module.split(".")[1]
    if part not in MAY_IMPORT:
        return [f"{module} belongs to no layer: give it a row in {__name__}.MAY_IMPORT"]
    allowed = MAY_IMPORT[part] | {part}
    return [
        f"{module}:{node.lineno} may not import {name}"
        for node in ast.walk(tree)
        for name in importedNames(node, module, isPackage)
        if partOf(name) not in {None, *allowed}
    ]


def uses(name: str, wanted: str) -> bool:
    """
    Return whether a dotted name is another one or stands inside it.

    @param name: the name.
    @param wanted: the name of a module or package.
    """
    return name == wanted or name.startswith(f"{wanted}.")


def importers(wanted: str, root: Path = PACKAGE, everywhere: bool = True) -> set[str]:
    """
    Find the modules that import something.

    @param wanted: the dotted name of a module or package.
    @param root: the folder of the package to look through.
    @param everywhere: whether imports inside functions count too.
    @return: the names of the modules.
    """
    walk = ast.walk if everywhere else atImportTime
    return {
        module
        for module, isPackage, tree in modules(root)
        for node in walk(tree)
        if any(uses(name, wanted) for name in importedNames(node, module, isPackage))
    }


#: What names version 14 of SocketCluster.
VERSION14 = re.compile(r"v14\b|version\W?14\b|SocketCluster\W14\b|\bSC(Server|Socket|Exchange|Client)", re.IGNORECASE)


def mentions(pattern: re.Pattern[str], root: Path = PACKAGE) -> set[str]:
    """
    Find the modules in whose source something stands, be it in a comment.

    @param root: the folder of the package to look through.
    @return: the names of the modules.
    """
    found = (path for path in root.rglob("*.py") if pattern.search(path.read_text(encoding="utf-8")))
    return {moduleName(path, root) for path in found}


class LayersTests(SynchronousTestCase):
    """
    The package keeps to its layers.
    """

    def test_arrows(self) -> None:
        """
        No module imports a part of agtwisted that its own layer may not lean on, not even for its types.
        """
        arrows = [arrow for module in modules(PACKAGE) for arrow in forbiddenArrows(*module)]
        self.assertEqual(arrows, [], "\n".join(arrows))

    def test_reactorIsPassedIn(self) -> None:
        """
        Importing agtwisted installs no reactor: nobody imports it outside a function.
        """
        self.assertEqual(importers("twisted.internet.reactor", everywhere=False), set())

    def test_autobahnInOnePlace(self) -> None:
        """
        Only C{agtwisted.websocket} knows Autobahn.
        """
        self.assertEqual({partOf(module) for module in importers("autobahn")}, {"websocket"})

    def test_protocolIsPure(self) -> None:
        """
        The protocol package needs neither Twisted nor a clock.
        """
        impure = importers("twisted") | importers("autobahn") | importers("time")
        self.assertEqual({module for module in impure if uses(module, "agtwisted.protocol")}, set())

    def test_version14InItsPlace(self) -> None:
        """
        Nothing in the core knows that there is an API of version 14: it is named where it is made, where its dialect and
        its options are, and where the command line and the face offer it.
        """
        parts = {partOf(module) for module in mentions(VERSION14)}
        self.assertEqual(parts, {"v14", "protocol", "options", "tap", FACE})


class CheckerTests(SynchronousTestCase):
    """
    The checks above see what they are there to see.
    """

    def arrows(self, module: str, source: str, isPackage: bool = False) -> list[str]:
        """
        Return the forbidden arrows of a module with the given source.
        """
        return forbiddenArrows(module, isPackage, ast.parse(source))

    def package(self, source: str) -> Path:
        """
        Make a package C{agtwisted} whose one module C{websocket} has the given source.
        """
        root = Path(self.mktemp()) / "agtwisted"
        root.mkdir(parents=True)
        (root / "websocket.py").write_text(source, encoding="utf-8")
        return root

    def test_upward(self) -> None:
        """
        An import of a higher layer is seen in every spelling.
        """
        for source in (
            "import agtwisted.server",
            "import agtwisted.server.server as server",
            "from agtwisted.server import server",
            "from agtwisted import server",
            "from ..server import server",
            "from .. import server",
        ):
            found = self.arrows("agtwisted.streams.stream", source)
            self.assertEqual(len(found), 1, source)
            self.assertIn("agtwisted.streams.stream:1 may not import agtwisted.server", found[0])

    def test_hidden(self) -> None:
        """
        An import for types only, or inside a function, is an import.
        """
        for source in (
            "if TYPE_CHECKING:\n    from agtwisted.client import clientsocket",
            "def late():\n    from agtwisted.client import clientsocket",
        ):
            self.assertEqual(
                self.arrows("agtwisted.server.server", source),
                ["agtwisted.server.server:2 may not import agtwisted.client.clientsocket"],
            )

    def test_face(self) -> None:
        """
        The public face may be imported by nobody inside, for it imports everything.
        """
        self.assertEqual(len(self.arrows("agtwisted.server.server", "from agtwisted import AGServer")), 1)
        self.assertEqual(len(self.arrows("agtwisted.tap", "import agtwisted")), 1)

    def test_allowed(self) -> None:
        """
        Imports of lower layers, of siblings and of other projects are fine, and the face imports what it likes.
        """
        self.assertEqual(self.arrows("agtwisted.server.server", "from agtwisted.sockets.socket import AGSocket"), [])
        self.assertEqual(self.arrows("agtwisted.server.server", "from .exchange import AGExchange"), [])
        self.assertEqual(self.arrows("agtwisted.streams", "from .stream import Consumer", isPackage=True), [])
        self.assertEqual(self.arrows("agtwisted.streams.turns", "from twisted.internet import defer"), [])
        self.assertEqual(self.arrows("agtwisted", "from agtwisted.v14.server import SCServer", isPackage=True), [])

    def test_withoutLayer(self) -> None:
        """
        A module that the table does not know is reported.
        """
        self.assertEqual(len(self.arrows("agtwisted.misc", "import os")), 1)

    def test_mentioned(self) -> None:
        """
        Every way to name version 14 is seen, in code and in prose; names of the core are not taken for it.
        """
        for source in ("V14 = 1", "from agtwisted.v14 import x", "# as in version 14", '"SocketCluster 14"', "SCServer()"):
            self.assertEqual(mentions(VERSION14, self.package(source)), {"agtwisted.websocket"}, source)
        for source in ("AGServer()", "class SCError: pass", "version = 140", "# version 1"):
            self.assertEqual(mentions(VERSION14, self.package(source)), set(), source)

    def test_reactor(self) -> None:
        """
        A reactor imported anywhere but in a function is found, one in a function is not.
        """
        for source in (
            "from twisted.internet import defer, reactor",
            "import twisted.internet.reactor",
            "try:\n    from twisted.internet import reactor\nfinally:\n    pass",
            "class Server:\n    from twisted.internet import reactor",
        ):
            found = importers("twisted.internet.reactor", self.package(source), everywhere=False)
            self.assertEqual(found, {"agtwisted.websocket"}, source)
        late = self.package("def run():\n    from twisted.internet import reactor")
        self.assertEqual(importers("twisted.internet.reactor", late, everywhere=False), set())
        self.assertEqual(importers("twisted.internet.reactor", late), {"agtwisted.websocket"})
