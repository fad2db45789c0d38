"""
The wall clock leaps an hour, either way, under the process: the clients notice nothing but what tokens have to say.

C{libfaketime} makes it leap: it gives the process another wall clock, by a file that is read each time, and leaves it
the monotonic one.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, TestCase

from tests.clocks.application import OPTIONS
from tests.differential.wire import TEXT, WireClient, encodeFrame, upgradeRequest
from tests.hostile.process import ROOT, TROUBLE, Server

HOUR = 3600
#: How much a busy machine may be late, in seconds: far less than an hour.
LATE = 20.0
#: How long is waited for what never comes, in seconds.
PATIENCE = 60.0

TWISTD = "import sys; sys.path.insert(0, ''); from twisted.scripts.twistd import run; run()"


class Client(WireClient):
    """
    A client that answers pings.

    @ivar pings: when they have come.
    """

    def __init__(self) -> None:
        super().__init__(reactor, upgradeRequest("/socketcluster/", {}))  # type: ignore[arg-type]
        self.pings: list[float] = []
        self._calls = 0

    def dataReceived(self, data: bytes) -> None:
        """
        Read, and answer pings.
        """
        super().dataReceived(data)
        while len(self.pings) < self.records.count({"text": ""}):
            self.pings.append(time.monotonic())
            if self._calls:  # before the handshake nothing may be said
                self.sendBytes(encodeFrame(TEXT, b""))

    @property
    def packets(self) -> list[dict[str, Any]]:
        """
        The packets that have come.
        """
        return [json.loads(record["text"]) for record in self.records if record.get("text")]

    def answer(self, callId: int) -> Any:
        """
        @return: the answer to a call, C{None} if it has not come.
        """
        return next((packet for packet in self.packets if packet.get("rid") == callId), None)

    async def invoke(self, event: str, data: object = None) -> tuple[Any, float]:
        """
        @return: the answer's data, and after how many seconds it came.
        """
        self._calls += 1
        callId, start = self._calls, time.monotonic()
        self.sendBytes(encodeFrame(TEXT, json.dumps({"event": event, "data": data, "cid": callId}).encode()))
        await self.whenTrue(lambda: self.answer(callId) is not None, PATIENCE)
        answer = self.answer(callId)
        if answer is None:
            raise AssertionError(f"{event} was not answered: {self.records}")
        return answer.get("data"), time.monotonic() - start


class LeapTests(TestCase):
    """
    The wall clock leaps.
    """

    timeout = 400

    def fakeTime(self) -> dict[str, str]:
        """
        @return: what lets a process have another wall clock.
        """
        found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not found:
            missing = "libfaketime is not installed"
            if os.environ.get("CI") == "true":
                raise RuntimeError(missing)
            raise SkipTest(missing)
        self.clock = Path(self.mktemp()).resolve()
        self.setClock(0)
        return {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self.clock),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def setClock(self, ahead: int) -> None:
        """
        Set the wall clock of the process, in one step.

        @param ahead: seconds.
        """
        new = self.clock.with_suffix(".new")
        new.write_text(f"{ahead:+d}\n", encoding="ascii")
        new.replace(self.clock)

    async def start(self, *arguments: str) -> tuple[Server, int]:
        """
        @return: a process and its port.
        """
        server = Server()
        environment = {**os.environ, **self.fakeTime(), "PYTHONPATH": str(ROOT)}
        spawn: Any = reactor.spawnProcess
        spawn(server, sys.executable, [sys.executable, *arguments], environment, str(ROOT))
        self.addCleanup(server.stop)
        return server, await server.ready

    async def connect(self, port: int, handshake: bool = True) -> Client:
        """
        @return: a client.
        """
        client = Client()
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), client)
        await client.whenUpgraded(PATIENCE)
        if handshake:
            await client.invoke("#handshake")
        self.addCleanup(client.drop)
        return client

    async def until(self, client: Client, condition: Callable[[], bool], what: str) -> None:
        """
        Wait for something.
        """
        self.assertTrue(await client.whenTrue(condition, PATIENCE), f"{what}: {client.records}")

    def assertInTime(self, seconds: float, due: float) -> None:
        """
        Something has taken as long as it should, and no more than a busy machine adds.
        """
        self.assertGreater(seconds, due - 0.1)
        self.assertLess(seconds, due + LATE)

    async def leap(self, port: int, client: Client, ahead: int) -> None:
        """
        Set the clock while deadlines of every kind are to come, and see that they come in time.
        """
        before, _ = await client.invoke("wall clock")
        began = time.monotonic()
        silent = await self.connect(port, handshake=False)
        asking = Deferred.fromCoroutine(client.invoke("ask", 1500))
        waiting = Deferred.fromCoroutine(client.invoke("wait", 1500))
        await deferLater(reactor, 0.3, lambda: None)
        self.setClock(ahead)
        after, _ = await client.invoke("wall clock")
        self.assertGreater(abs(after - before), HOUR / 2, "the clock has not leapt")
        answer, seconds = await asking
        self.assertEqual(answer, "timed out")
        self.assertInTime(seconds, 1.5)
        answer, seconds = await waiting
        self.assertEqual(answer, "timed out")
        self.assertInTime(seconds, 1.5)
        await self.until(silent, lambda: silent.ended, "the handshake timeout has not come")
        self.assertEqual(silent.records[-1], {"close": [4005, ""]})
        self.assertInTime(time.monotonic() - began, OPTIONS["handshakeTimeout"] / 1000)
        await self.assertPingsInTime(client)

    async def assertPingsInTime(self, client: Client) -> None:
        """
        Pings come at their pace. Each may be noticed late, but none before it was sent.
        """
        since = time.monotonic()
        await client.invoke("wall clock")  # all pings of the time before have come as well
        already = len(client.pings)
        await self.until(client, lambda: len(client.pings) >= already + 3, "no pings come")
        self.assertInTime(client.pings[already + 2] - since, 2 * OPTIONS["pingInterval"] / 1000)

    async def check(self, *arguments: str) -> None:
        """
        Let the clock leap forward, then back.
        """
        server, port = await self.start(*arguments)
        client = await self.connect(port)
        await client.invoke("login", HOUR // 2)
        await self.leap(port, client, HOUR)
        self.assertIn({"event": "#removeAuthToken"}, client.packets)
        self.assertEqual((await client.invoke("state"))[0], "unauthenticated")
        await client.invoke("login", HOUR // 2)
        await self.leap(port, client, 0)
        self.assertEqual((await client.invoke("state"))[0], "authenticated")
        await self.leap(port, client, -HOUR)
        self.assertEqual((await client.invoke("state"))[0], "authenticated")
        self.assertFalse(client.ended)
        self.assertEqual([line for line in server.log.splitlines() if TROUBLE.search(line)], [])

    async def test_twistd(self) -> None:
        """
        C{twistd agserver}.
        """
        options = ["--ping-interval=1000", "--ping-timeout=10000", "--handshake-timeout=3000"]
        options += ["--auth-expiry-mode=deauthenticate", "--endpoint=tcp:0:interface=127.0.0.1"]
        command = ["-n", "--pidfile=", "agserver", *options, "--app=tests.clocks.application:begin"]
        await self.check("-c", TWISTD, *command)

    async def test_script(self) -> None:
        """
        A script that calls C{listen} and runs the reactor as Twisted makes it, whose clock is the wall clock.
        """
        await self.check("-m", "tests.clocks.application")

