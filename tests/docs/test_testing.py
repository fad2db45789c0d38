"""
The examples of C{docs/howto/testing.rst}.
"""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.internet.utils import getProcessOutputAndValue

from tests.docs.support import EXAMPLES, ROOT, ExampleTestCase


class TestingTests(ExampleTestCase):
    """
    Testing an application.
    """

    page = "testing"

    async def test_command(self) -> None:
        """
        The page's tests pass when they are run with the page's command.
        """
        place = self.mktemp()
        output, errors, status = await getProcessOutputAndValue(
            sys.executable,
            ["-m", "twisted.trial", "--temp-directory", str(Path(place).resolve()), "test_counter"],
            {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            str(EXAMPLES / self.page),
        )
        self.assertEqual(status, 0, (output + errors).decode())
        self.assertIn(b"PASSED (successes=7)", output)
