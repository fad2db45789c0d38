"""
The examples of C{docs/topics/streams.rst}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from agtwisted import AGServer
from agtwisted.testing import connect
from tests.docs.support import ExampleTestCase


class StreamTests(ExampleTestCase):
    """
    Reading, buffering and ending.
    """

    page = "streams"

    async def test_reading(self) -> None:
        """
        Every way to read prints what the page shows.
        """
        await self.load("reading.py").main()
        self.assertEqual("\n".join([*self.printed, ""]), self.read("reading.txt"))

    def handled(self, mode: str) -> list[Any]:
        """
        Let a client send five jobs and go while the first is being worked on.

        @return: the jobs that were worked on, and what the example has printed.
        """
        server: Any = AGServer(Clock(), socketStreamCleanupMode=mode)
        jobs: list[Any] = []
        going: list[Deferred[None]] = []

        def work(job: Any) -> Deferred[None]:
            jobs.append(job)
            going.append(Deferred())
            return going[-1]

        server.work = work
        self.load("cleanup.py").start(server)
        client = connect(server)
        for number in range(5):
            client.transmit("job", number)
        client.disconnect()
        while going:
            going.pop().callback(None)
            client.settle()
        return [*jobs, *self.printed]

    def test_cleanup(self) -> None:
        """
        The three modes end a slow reader as the page's table says.
        """
        self.assertEqual(self.handled("kill"), [0, "the loop has ended"])
        self.assertEqual(self.handled("close"), [0, 1, 2, 3, 4, "the loop has ended"])
        self.assertEqual(self.handled("none"), [0, 1, 2, 3, 4])
