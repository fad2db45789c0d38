"""
The MessagePack codec over real sockets, with the npm package in the official clients.
"""

from __future__ import annotations

import json
import shutil
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from agtwisted import AGServer, AGServerSocket, SCServer, SCServerSocket, listen
from agtwisted.errors import SCError
from agtwisted.protocol.minbin import MinBinCodec
from tests.interop.host import HERE

WHOLE = [0, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, -1, -32, -33, -128, -129, -32768, -32769, -(2**31)]

#: What each value that the client sends is here, and whether what comes back is what was sent.
DESCRIPTIONS: list[list[Any]] = [
    ["text", repr("äöü 日本語 \U0001f600"), True],
    ["empty", "''", True],
    ["whole", repr(WHOLE), True],
    ["large", repr([2.0**32, 2.0**53 - 1, 1 - 2.0**53]), True],
    ["broken", "[0.5, -1e+300, inf, nan]", True],
    ["flags", "[True, False]", True],
    ["nothing", "None", True],
    ["nested", repr({"a": [{"b": {"c": [[], {}, None]}}]}), True],
    ["long", repr("x" * 70000), True],
    ["many", repr([index % 300 for index in range(20000)]), True],
    ["bytes", repr(b"\x00\x01\x7f\x80\xff"), True],
    ["noBytes", "b''", True],
    ["manyBytes", repr(b"\xdc" * 70000), True],
    ["deepBytes", repr({"list": [b"\x01", {"more": b"\x02"}]}), True],
    ["noData", "None"],
]
REST: list[list[Any]] = [
    ["bytes", {"hex": bytes(range(256)).hex()}],
    ["end", None],
    ["fail", "OddError", "It is odd", {"left": [0, None]}],
    ["question", {"asked": {"hex": "07"}, "answer": {"hex": "0402"}}],
    ["news", {"text": "hello", "n": 1.5, "none": None}],
    ["files", {"hex": "010203"}],
    ["nothing", None],
    ["told", {"bytes": {"hex": "05"}}],
    ["together", [{"n": n, "bytes": {"hex": f"{n:02x}"}} for n in (1, 2, 3)]],
]


class OddError(SCError):
    """An error with data in it."""

    detail: object = None


class Application:
    """
    What the server does for the clients.

    @ivar unexpected: what should not have been: raw messages, errors and warnings.
    """

    def __init__(self, server: AGServer) -> None:
        self.unexpected: list[str] = []
        Deferred.fromCoroutine(self._connections(server))
        Deferred.fromCoroutine(self._collect(server, "warning"))
        Deferred.fromCoroutine(self._collect(server, "error"))

    async def _connections(self, server: AGServer) -> None:
        async for event in server.listener("connection"):
            for serve in (self._calls, self._notes):
                Deferred.fromCoroutine(serve(event.socket))
            Deferred.fromCoroutine(self._collect(event.socket, "raw"))

    async def _collect(self, emitter: Any, name: str) -> None:
        async for event in emitter.listener(name):
            self.unexpected.append(f"{name}: {vars(event)}")

    async def _calls(self, socket: AGServerSocket) -> None:
        for name in ("echo", "describe", "bytes", "end", "fail", "callBack"):
            Deferred.fromCoroutine(self._serve(socket, name))

    async def _serve(self, socket: AGServerSocket, name: str) -> None:
        async for request in socket.procedure(name):
            if name == "end":
                request.end()
            elif name == "fail":
                error = OddError("It is odd")
                error.detail = request.data
                request.error(error)
            else:
                request.end(await self._answer(socket, name, request.data))

    async def _answer(self, socket: AGServerSocket, name: str, data: Any) -> Any:
        if name == "describe":
            return repr(data)
        if name == "bytes":
            return bytes(range(256))
        return await socket.invoke(data["procedure"], data["data"]) if name == "callBack" else data

    async def _notes(self, socket: AGServerSocket) -> None:
        async for data in socket.receiver("note"):
            socket.transmit("told", data)


class CallbackApplication:
    """
    The same for an C{SCServer}.
    """

    def __init__(self, server: SCServer) -> None:
        self.unexpected: list[str] = []
        server.on("connection", self._connected)
        for name in ("notice", "warning", "error"):
            server.on(name, lambda problem, name=name: self.unexpected.append(f"{name}: {problem!r}"))

    def _connected(self, socket: SCServerSocket, status: Any) -> None:
        def fail(data: Any, respond: Any) -> None:
            error = OddError("It is odd")
            error.detail = data
            respond(error)

        socket.on("echo", lambda data, respond: respond(None, data))
        socket.on("describe", lambda data, respond: respond(None, repr(data)))
        socket.on("bytes", lambda data, respond: respond(None, bytes(range(256))))
        socket.on("end", lambda data, respond: respond())
        socket.on("fail", fail)
        socket.on("callBack", lambda data, respond: socket.emit(data["procedure"], data["data"], respond))
        socket.on("note", lambda data, respond: socket.emit("told", data))
        socket.on("raw", lambda message: self.unexpected.append(f"raw: {message!r}"))


class MinBinTests(TestCase):
    """
    The client plays its story, C{minbin.js}, in a Node process of its own.
    """

    timeout = 180

    async def play(self, client: int, codec: int, spoken: int, pings: list[Any], **options: Any) -> None:
        """
        Serve one client, and compare what it saw.

        @param options: of the server; its class is C{serverType}.
        @param client: the version of the client.
        @param codec: the version of the npm package.
        @param spoken: the version of the protocol that the client speaks.
        @param pings: the kinds of pings that it gets.
        """
        options = {"codecEngine": "minBin", "protocolVersion": spoken, "pingInterval": 150} | options
        server = await listen("tcp:0:interface=127.0.0.1", reactor=reactor, **options)
        application = (CallbackApplication if isinstance(server, SCServer) else Application)(server)
        node = shutil.which("node")
        assert node is not None
        arguments = [str(HERE / "minbin.js"), *map(str, (client, codec, server.sourcePort, spoken))]
        try:
            output, errors, status = await getProcessOutputAndValue(node, arguments, env=None)
        finally:
            await server.listeningPort.stopListening()
            await server.close()
        seen = [json.loads(line) for line in output.decode().splitlines()]
        expected = [*DESCRIPTIONS, *REST, ["pings", pings], ["still", "here"]]
        self.assertEqual(seen, expected, errors.decode())
        self.assertEqual((status, application.unexpected), (0, []))

    async def test_client20(self) -> None:
        """
        Client 20; its pings are empty texts, as with any codec.
        """
        await self.play(20, 3, 2, [""])

    async def test_client16(self) -> None:
        """
        Client 16 does the same.
        """
        await self.play(16, 3, 2, [""])

    async def test_client14(self) -> None:
        """
        Client 14, over version 1; its pings come through the codec.
        """
        await self.play(14, 3, 1, [{"hex": "a22331"}])

    async def test_client14BothVersions(self) -> None:
        """
        Client 14 at a server of both versions sees no ping of version 2, on which its codec would fail.
        """
        await self.play(14, 3, 1, [{"hex": "a22331"}], protocolVersion="auto")

    async def test_callbackServer(self) -> None:
        """
        Client 14 at an SCServer, with both versions of the npm package.
        """
        for package in (3, 2):
            await self.play(14, package, 1, [{"hex": "a22331"}], serverType=SCServer)

    async def test_callbackServerBothVersions(self) -> None:
        """
        Client 14 and client 20 at an SCServer of both versions.
        """
        await self.play(14, 3, 1, [{"hex": "a22331"}], serverType=SCServer, protocolVersion="auto")
        await self.play(20, 3, 2, [""], serverType=SCServer, protocolVersion="auto")

    async def test_client20BothVersions(self) -> None:
        """
        Client 20 at a server of both versions.
        """
        await self.play(20, 3, 2, [""], protocolVersion="auto")

    async def test_olderPackage(self) -> None:
        """
        Version 2 of the npm package writes batches in full.
        """
        await self.play(20, 2, 2, [""])
        await self.play(14, 2, 1, [{"hex": "a22331"}])

    async def test_batches(self) -> None:
        """
        The server's batches are read by version 3 of the package, and by version 2 if they are written in full.
        """
        await self.play(20, 3, 2, [""], batchOnHandshake=True)
        await self.play(20, 2, 2, [""], batchOnHandshake=True, codecEngine=MinBinCodec(shortenBatches=False))

    async def test_compressed(self) -> None:
        """
        Binary messages survive compression.
        """
        await self.play(20, 3, 2, [""], perMessageDeflate=True)
