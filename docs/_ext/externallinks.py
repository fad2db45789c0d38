"""
Links from the API reference to the documentation of Twisted and Python, worked out without asking the network.

pydoctor would fetch an inventory of every project that docstrings refer to. The addresses of these two follow from the
names, and whether a name exists can be seen by importing it, so a wrong name is still a warning.
"""

import inspect
import sys
from pydoc import ErrorDuringImport, locate

from pydoctor.model import System
from pydoctor.sphinx import SphinxInventory

TWISTED = "https://docs.twisted.org/en/stable/api"
PYTHON = "https://docs.python.org/3/library"


def moduleOf(name: str) -> str:
    """
    Return the longest head of a dotted name that is an imported module.

    @param name: a dotted name that could be imported.
    @return: the module's name.
    """
    while name not in sys.modules:
        name = name.rpartition(".")[0]
    return name


def twistedLink(name: str, target: object) -> str:
    """
    Return the address of a name on Twisted's API pages: modules, classes and interfaces have their own page.

    @param name: the dotted name.
    @param target: what it stands for.
    @return: the address.
    """
    if inspect.ismodule(target) or inspect.isclass(target) or type(target).__name__ == "InterfaceClass":
        return f"{TWISTED}/{name}.html"
    page, _, member = name.rpartition(".")
    return f"{TWISTED}/{page}.html#{member}"


def pythonLink(name: str) -> str:
    """
    Return the address of a name in the documentation of Python's library.

    @param name: the dotted name; built-in names stand in the module C{builtins}.
    @return: the address.
    """
    module = moduleOf(name)
    if module != "builtins":
        return f"{PYTHON}/{module}.html#{name}"
    short = name.removeprefix("builtins.")
    value = getattr(sys.modules["builtins"], short.partition(".")[0], None)
    isError = inspect.isclass(value) and issubclass(value, BaseException)
    page = "exceptions" if isError else "stdtypes" if inspect.isclass(value) else "functions"
    return f"{PYTHON}/{page}.html#{short}"


class OfflineInventory(SphinxInventory):
    """
    Answers for Twisted and Python's library by rule.
    """

    def getLink(self, name: str) -> str | None:
        """
        Find where a name is documented.

        @param name: a dotted name.
        @return: its address, or L{None} for what is not found.
        """
        try:
            target = locate(name)
        except ErrorDuringImport:
            return None
        if target is None and name != "None":
            return None
        root = name.partition(".")[0]
        if root == "twisted":
            return twistedLink(name, target)
        if root in sys.stdlib_module_names:
            return pythonLink(name)
        if "." not in name:
            return pythonLink(f"builtins.{name}")
        return None


class OfflineSystem(System):
    """
    pydoctor's model with L{OfflineInventory} in place of fetched inventories.
    """

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.intersphinx = OfflineInventory(logger=self.msg)
