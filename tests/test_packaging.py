"""
What an installed agtwisted must have.
"""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

import agtwisted

ROOT = Path(__file__).resolve().parent.parent


class PackagingTests(SynchronousTestCase):
    """
    The metadata, the marker for type checkers and the plugin.
    """

    def setUp(self) -> None:
        """
        Read the metadata.
        """
        self.metadata = ConfigParser()
        self.metadata.read(ROOT / "setup.cfg", encoding="utf-8")

    def test_version(self) -> None:
        """
        The version stands in one place, the package, in the form that Python packages have.
        """
        self.assertEqual(self.metadata["metadata"]["version"], "attr: agtwisted.version.__version__")
        self.assertRegex(agtwisted.__version__, re.compile(r"\A\d+\.\d+\.\d+(\.dev\d+|rc\d+)?\Z"))

    def test_typed(self) -> None:
        """
        The package tells type checkers that it is annotated, and the marker is installed with it.
        """
        self.assertTrue((ROOT / "agtwisted" / "py.typed").is_file())
        self.assertIn("py.typed", self.metadata["options.package_data"]["agtwisted"].split())

    def test_plugin(self) -> None:
        """
        C{twistd} finds exactly one C{agserver}, which is ours.
        """
        makers = [maker for maker in getPlugins(IServiceMaker) if maker.tapname == "agserver"]
        self.assertEqual([maker.module for maker in makers], ["agtwisted.tap"])

    def test_pluginFolder(self) -> None:
        """
        C{twisted/} and C{twisted/plugins/} are no packages of ours: an C{__init__} there would hide Twisted's own.
        """
        self.assertEqual(list((ROOT / "twisted").rglob("__init__.py*")), [])
        self.assertEqual(self.metadata["options"]["package_dir"].split(), ["=", "."])
