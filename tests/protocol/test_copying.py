"""
Tests of L{agtwisted.protocol.copying}.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agtwisted.protocol.copying import ownCopy


class OwnCopyTests(SynchronousTestCase):
    """
    A copy that can be changed without anybody else noticing.
    """

    def test_equal(self) -> None:
        """
        A copy equals what it was made of, whatever that is.
        """
        for value in (None, True, 0, 1.5, "text", b"bytes", [], {}, [1, [2, {"a": [3]}]], {"a": {"b": []}}, (1, [2])):
            self.assertEqual(ownCopy(value), value)

    def test_ownContainers(self) -> None:
        """
        Every list and every dict in it is another one, also inside of values that are neither.
        """
        moment = datetime(2026, 1, 1, tzinfo=UTC)
        value: dict[str, Any] = {"list": [[1]], "dict": {"a": {}}, "tuple": ([],), "moment": moment}
        copied = ownCopy(value)
        copied["list"][0].append(2)
        copied["dict"]["a"]["b"] = 1
        copied["tuple"][0].append(3)
        self.assertEqual((value["list"], value["dict"], value["tuple"]), ([[1]], {"a": {}}, ([],)))

    def test_deep(self) -> None:
        """
        However deep a value is, copying it does not fail.
        """
        value: list[Any] = []
        for _ in range(100_000):
            value = [value]
        copied, depth = ownCopy(value), 0
        while copied:
            copied, depth = copied[0], depth + 1
        self.assertEqual(depth, 100_000)
