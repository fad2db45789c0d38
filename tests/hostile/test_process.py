"""
All of it again, over real sockets, against the process that people run: C{twistd agserver}.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random

from twisted.internet.defer import DeferredSemaphore, gatherResults

from tests.wire import BINARY, clientFrame, packet, upgradeRequest

from .process import ProcessTestCase, join
from .support import SEED
from .test_bytes import CONVERSATION, REQUESTS, mutated, randomFrame
from .test_messages import encoded
from .values import packets, rubbish, texts

#: Hostile clients at the same time.
CONCURRENT = 16


def attacks(random: Random) -> Iterator[tuple[bytes, float | None]]:
    """
    @return: what each hostile client says, and how long it stays.
    """

    def patience() -> float | None:
        return random.choice((None, 0.02, 0.2))

    whole = b"".join(CONVERSATION)
    for request, _ in REQUESTS.values():
        yield request, 0.05
        yield mutated(random, request or b"x"), patience()
    for path in ("/", "/health-check", "/../../etc/passwd", "/%00", "/console.js?" + "a" * 5000):
        page = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        yield page, 0.1
        yield page * 50, patience()
        yield mutated(random, page), patience()
    for _ in range(300):
        yield mutated(random, upgradeRequest()), patience()
        yield upgradeRequest() + random.randbytes(random.randrange(400)), patience()
        yield join(random.randbytes(random.randrange(400))), patience()
        yield join(*(randomFrame(random) for _ in range(20))), patience()
        yield upgradeRequest() + mutated(random, whole), patience()
    for end in range(0, len(whole), 7):
        yield upgradeRequest() + whole[:end], None
    for text in texts():
        yield join(clientFrame(text)), patience()
    for text in rubbish():
        yield join(clientFrame(text)), patience()
    wrong = list(map(encoded, packets()))
    for start in range(0, len(wrong), 50):
        yield join(*(clientFrame(text, BINARY if start % 100 else 1) for text in wrong[start : start + 50])), 0.2
    for number in range(200):
        yield join(packet("#subscribe", {"channel": f"c{number}"}, 2), *CONVERSATION[1:4] * 20), patience()
    for _ in range(20):
        yield join(clientFrame("x" * 1_100_000)), patience()
        yield join(clientFrame("x" * 1_000_000, final=False)), patience()
        yield join(packet("echo", "x" * 900_000, 2)), None
        yield join(b"".join(packet("echo", n, n) for n in range(2000))), patience()


class ProcessTests(ProcessTestCase):
    """
    The process outlives everything.
    """

    async def test_outlives(self) -> None:
        """
        After thousands of hostile clients the process serves the next one, holds no descriptor more, has its memory
        back once garbage has been collected, and has logged no exception.
        """
        server, port = await self.start()
        for _ in range(20):
            await self.assertServes(port)
        descriptors, memory = server.descriptors, server.memory

        gate = DeferredSemaphore(CONCURRENT)
        clients = attacks(Random(SEED))
        while batch := list(islice(clients, 200)):
            await gatherResults([gate.run(self.play, port, *attack) for attack in batch], consumeErrors=True)
            await self.assertServes(port)
        await self.assertUnhurt(server, port, descriptors, memory)
