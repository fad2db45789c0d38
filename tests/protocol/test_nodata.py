"""
Tests of L{agtwisted.protocol.nodata}.
"""

from __future__ import annotations

import copy
import pickle

from twisted.trial.unittest import SynchronousTestCase

from agtwisted.protocol.nodata import NO_DATA


class NoDataTests(SynchronousTestCase):
    """
    The absence of data.
    """

    def test_value(self) -> None:
        """
        It is false, says what it is, and stays the one that it is when data are copied.
        """
        self.assertFalse(NO_DATA)
        self.assertEqual(repr(NO_DATA), "NO_DATA")
        self.assertIs(copy.deepcopy([NO_DATA])[0], NO_DATA)
        self.assertIs(pickle.loads(pickle.dumps(NO_DATA)), NO_DATA)
