"""
Links from the API reference to the documentation of Twisted and Python, worked out without asking the network.

pydoctor would fetch an inventory of every project that docstrings refer to. The addresses of these two follow from the
names, and whether a name exists can be seen by importing it, so a wrong name is still a warning.
"""

import builtins
import inspect
import sys
from pydoc import ErrorDuringImport, locate

from pydoctor.model import System
from pydoctor.sphinx import SphinxInventory
from zope.interface.interface import InterfaceClass

TWISTED = "https://docs.twisted.org/en/stable/api"
PYTHON = "https://docs.python.org/3/library"


#: The built-in types that stand on the page of types; the others stand among the functions.
STANDARD_TYPES = {"bytearray", "bytes", "dict", "frozenset", "list", "memoryview", "range", "set", "str", "tuple"}
CONSTANTS = {"None", "True", "False", "Ellipsis", "NotImplemented"}


def find(name: str) -> object:
    """
    Import what a dotted name stands for.

    @param name: the name; built-in names stand by themselves.
    @return: what it stands for, which for a member of an interface is its description; L{None} when there is no such
        thing.
    """
    try:
        target = locate(name)
    except ErrorDuringImport:
        return None
    owner, _, member = name.rpartition(".")
    if target is None and owner:
        interface = locate(owner)
        return interface.get(member) if isinstance(interface, InterfaceClass) else None
    return target


def twistedLink(name: str, target: object) -> str:
    """
    Return the address of a name on Twisted's API pages: modules, classes and interfaces have their own page.

    @param name: the dotted name.
    @param target: what it stands for.
    @return: the address.
    """
    if inspect.ismodule(target) or inspect.isclass(target) or isinstance(target, InterfaceClass):
        return f"{TWISTED}/{name}.html"
    page, _, member = name.rpartition(".")
    return f"{TWISTED}/{page}.html#{member}"


def builtinLink(name: str) -> str:
    """
    Return the address of a built-in name in the documentation of Python's library.

    @param name: the name, or that of a member, such as C{dict.items}.
    @return: the address.
    """
    root = name.partition(".")[0]
    value = getattr(builtins, root)
    if root in CONSTANTS:
        page = "constants"
    elif isinstance(value, type) and issubclass(value, BaseException):
        page = "exceptions"
    else:
        page = "stdtypes" if root in STANDARD_TYPES or root != name else "functions"
    return f"{PYTHON}/{page}.html#{name}"


def libraryLink(name: str) -> str:
    """
    Return the address of a name in the documentation of Python's library.

    @param name: the dotted name, which can be imported.
    @return: the address.
    """
    module = name
    while module not in sys.modules:
        module = module.rpartition(".")[0]
    return f"{PYTHON}/{module}.html#{name}"


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
        root = name.partition(".")[0]
        if hasattr(builtins, root):
            return builtinLink(name) if name in CONSTANTS or find(name) is not None else None
        target = find(name)
        if target is None:
            return None
        if root == "twisted":
            return twistedLink(name, target)
        return libraryLink(name) if root in sys.stdlib_module_names else None


class OfflineSystem(System):
    """
    pydoctor's model with L{OfflineInventory} in place of fetched inventories.
    """

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.intersphinx = OfflineInventory(logger=self.msg)
