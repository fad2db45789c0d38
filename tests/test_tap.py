"""
Tests of L{agtwisted.tap}.
"""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from socket import AF_UNIX, create_connection, socket
from threading import Timer
from typing import Any
from urllib.request import urlopen

from twisted.application.service import IService, IServiceMaker
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from agtwisted import AGServer, tap
from agtwisted.options import ServerOptions
from agtwisted.tap import Options, kebabCase
from agtwisted.testing import connect
from tests.wire import RawClient

ROOT = Path(__file__).resolve().parent.parent


def application(server: AGServer) -> None:
    """
    An application for the tests.
    """


noFunction = 5


def parse(*arguments: str) -> Options:
    """
    @return: a command line, parsed.
    """
    options = Options()
    options.parseOptions(list(arguments))
    return options


class OptionsTests(SynchronousTestCase):
    """
    The command line.
    """

    def test_defaults(self) -> None:
        """
        Without anything it is port 8000, and the server has its own defaults.
        """
        options = parse()
        self.assertEqual(options["endpoints"], ["tcp:8000:backlog=4096"])
        self.assertEqual((options["serverOptions"], options["application"]), ({}, None))
        self.assertFalse(options["no-console"])

    def test_places(self) -> None:
        """
        A port, endpoints, or both.
        """
        self.assertEqual(parse("--port", "1234")["endpoints"], ["tcp:1234:backlog=4096"])
        self.assertEqual(parse("-p", "0")["endpoints"], ["tcp:0:backlog=4096"])
        self.assertEqual(parse("-e", "unix:x", "--endpoint", "tcp:1")["endpoints"], ["unix:x", "tcp:1"])
        self.assertEqual(parse("-e", "unix:x", "-p", "1")["endpoints"], ["tcp:1:backlog=4096", "unix:x"])

    def test_kebabCase(self) -> None:
        """
        Options are written as on command lines.
        """
        for name, expected in (
            ("ackTimeout", "ack-timeout"),
            ("path", "path"),
            ("batchOnHandshakeDuration", "batch-on-handshake-duration"),
        ):
            self.assertEqual(kebabCase(name), expected)

    def test_values(self) -> None:
        """
        Values of every kind: numbers, switches, texts, lists.
        """
        options = parse(
            *("--ack-timeout", "5000"),
            *("--ping-interval", "1.5"),
            *("--strict-handshake", "no"),
            *("--batch-on-handshake", "TRUE"),
            *("--per-message-deflate", "1"),
            *("--path", "/x/"),
            *("--auth-verify-algorithms", "HS256, HS512,"),
            *("--socket-stream-cleanup-mode", "close"),
            *("--auth-key", "secret"),
        )
        self.assertEqual(
            options["serverOptions"],
            {
                "ackTimeout": 5000,
                "pingInterval": 1.5,
                "strictHandshake": False,
                "batchOnHandshake": True,
                "perMessageDeflate": True,
                "path": "/x/",
                "authVerifyAlgorithms": ["HS256", "HS512"],
                "socketStreamCleanupMode": "close",
                "authKey": "secret",
            },
        )
        self.assertIsInstance(options["serverOptions"]["ackTimeout"], int)
        AGServer(Clock(), **options["serverOptions"])

    def test_versions(self) -> None:
        """
        The version of the protocol: 1, 2 or both.
        """
        for text in ("1", "2", "auto"):
            server = AGServer(Clock(), **parse("--protocol-version", text)["serverOptions"])
            self.assertEqual(str(server.protocolVersion), text)

    def refused(self, *arguments: str) -> str:
        """
        @return: what is said of a command line that cannot be.
        """
        return str(self.assertRaises(UsageError, parse, *arguments))

    def test_refused(self) -> None:
        """
        What cannot be is a usage error that says what and why, never a traceback.
        """
        for arguments, pattern in (
            (("--port", "http"), "--port: 'http' is no TCP port"),
            (("--port", "65536"), "--port: '65536' is no TCP port"),
            (("--port", "-1"), "--port: '-1' is no TCP port"),
            (("--port", "\u00b2"), "--port: '\u00b2' is no TCP port"),
            (("--ack-timeout", "soon"), "--ack-timeout: 'soon' cannot be"),
            (("--ack-timeout", "-5"), "ackTimeout"),
            (("--ack-timeout", "nan"), "ackTimeout"),
            (("--strict-handshake", "perhaps"), "--strict-handshake: 'perhaps' cannot be: is either true or false"),
            (("--socket-stream-cleanup-mode", "burn"), "socketStreamCleanupMode .*kill, close, none"),
            (("--protocol-version", "3"), "protocolVersion"),
            (("--path", "x"), "path"),
            (("--auth-public-key", "x"), "authPrivateKey"),
            (("--auth-key", "@/nowhere/at/all"), "--auth-key: '@/nowhere/at/all' cannot be: .*No such file"),
            (("--nonsense", "x"), "nonsense"),
            (("--wsEngine", "x"), "wsEngine"),
        ):
            self.assertRegex(self.refused(*arguments), pattern)

    def test_files(self) -> None:
        """
        Keys can come from files; what surrounds a secret there does not count, PEM files are taken as they are.
        """
        file = Path(self.mktemp())
        file.write_text("secret\n", encoding="utf-8")
        given = parse("--auth-key", f"@{file}")["serverOptions"]
        self.assertEqual(given, {"authKey": "secret"})
        given = parse("--auth-private-key", f"@{file}", "--auth-public-key", f"@{file}")["serverOptions"]
        self.assertEqual(given, {"authPrivateKey": "secret\n", "authPublicKey": "secret\n"})
        self.assertEqual(parse("--origins", "@x:*")["serverOptions"], {"origins": "@x:*"})

    def test_application(self) -> None:
        """
        C{--app} names a function.
        """
        self.assertIs(parse("--app", "tests.test_tap:application")["application"], application)

    def test_noApplication(self) -> None:
        """
        What is wrong with C{--app} is said.
        """
        for name, pattern in (
            ("tests.test_tap", "must have the form package.module:function"),
            ("tests.test_tap:nothing", "cannot be loaded: AttributeError"),
            ("tests.nothing:application", "cannot be loaded: "),
            ("no such thing:x", "cannot be loaded: "),
            ("tests.test_tap:noFunction", "is no function"),
        ):
            self.assertRegex(self.refused("--app", name), f"--app: '{re.escape(name)}' {pattern}")

    def test_help(self) -> None:
        """
        C{--help} explains each option, with its unit and its default, as well as what is special to the command.
        """
        text = " ".join(str(parse()).split())
        for each in fields(ServerOptions):
            name = kebabCase(each.name)
            if not each.metadata["commandLine"]:
                self.assertNotIn(f"--{name}=", text)
                continue
            start = text.index(f"--{name}= ")
            end = text.find(" --", start + 3)
            entry = text[start : end if end > 0 else None]
            self.assertIn(" ".join(each.metadata["help"].split()), entry)
            self.assertIn(f"in {each.metadata['unit']}" if each.metadata["unit"] else name, entry)
            if each.default is True or each.default is False:
                self.assertIn(f"default {str(each.default).lower()}", entry)
            elif each.default is not None:
                self.assertIn(f"default {each.default}", entry)
        for name in ("port", "endpoint", "app", "static", "admin-endpoint"):
            self.assertIn(f"--{name}=", text)
        self.assertIn("--no-console", text)
        self.assertIn("@FILE", text)

    def test_plugin(self) -> None:
        """
        The plugin offers this command line.
        """
        (maker,) = [maker for maker in getPlugins(IServiceMaker) if maker.tapname == "agserver"]
        self.assertIs(maker.options, Options)
        self.assertIs(maker.makeService, tap.makeService)


class Reactor(MemoryReactorClock):
    """
    A reactor in memory that knows whether it was stopped.
    """

    isStopped = False

    def __init__(self) -> None:
        super().__init__()
        self.running = True

    def stop(self) -> None:
        """
        Remember it.
        """
        self.isStopped = True


class ServiceTests(SynchronousTestCase):
    """
    C{makeService}.
    """

    def setUp(self) -> None:
        """
        Keep the test's own process as it is.
        """
        from twisted.internet import reactor  # noqa: F401  (installed, so that it can be replaced)

        self.reactor = Reactor()
        self.tuned: list[str] = []
        for name in ("tuneGarbageCollector", "useMonotonicClock", "useLeanPolling"):
            self.patch(tap, name, lambda *arguments, name=name: self.tuned.append(name))

    def make(self, *arguments: str) -> Any:
        """
        @return: a service whose reactor is in memory.
        """
        from twisted import internet

        self.patch(internet, "reactor", self.reactor)
        return tap.makeService(parse(*arguments))

    def start(self, *arguments: str) -> Any:
        """
        @return: a service that was started.
        """
        service = self.make(*arguments)
        service.startService()
        self.reactor.advance(0)
        return service

    def ask(self, path: str) -> bytes:
        """
        @return: the answer to a request.
        """
        client = RawClient(self.reactor.tcpServers[-1][1], self.reactor)
        client.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return client.take()

    def test_made(self) -> None:
        """
        It is a service for a server with the options given; nothing happens before it starts.
        """
        service = self.make("--ack-timeout", "5")
        self.assertTrue(IService.providedBy(service))
        self.assertEqual((service.server.ackTimeout, self.reactor.tcpServers, self.tuned), (5, [], []))

    def test_started(self) -> None:
        """
        It listens, serves the health check, and tunes its process, which is its own.
        """
        service = self.start("--port", "1234", "--no-console")
        self.assertEqual(self.reactor.tcpServers[0][0], 1234)
        self.assertTrue(service.server.isReady)
        self.assertIn(b"200 OK", self.ask("/health-check"))
        self.assertEqual(sorted(self.tuned), ["tuneGarbageCollector", "useLeanPolling", "useMonotonicClock"])
        self.successResultOf(service.stopService())

    def test_admin(self) -> None:
        """
        Figures and health are where C{--admin-endpoint} wants them, and only there.
        """
        service = self.start("--port", "1234", "--admin-endpoint", "tcp:9000:interface=127.0.0.1")
        port, _, _, interface = self.reactor.tcpServers[0]
        self.assertEqual((port, interface), (9000, "127.0.0.1"))
        self.assertIn(b" 404 ", self.ask("/stats"))
        client = RawClient(self.reactor.tcpServers[0][1], self.reactor)
        client.send(b"GET /stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertIn(b'"isReady": true', client.take())
        self.assertEqual(service.server.sourcePort, 1234)
        self.successResultOf(service.stopService())

    def test_failedAtOnce(self) -> None:
        """
        A service that cannot be started raises why, which ends the process with a status that says so.
        """
        service = self.make()
        service._application = lambda server: 1 // 0
        self.assertRaises(ZeroDivisionError, service.startService)
        gc.collect()
        self.assertEqual((self.flushLoggedErrors(), self.reactor.tcpServers), ([], []))

    def test_failedLater(self) -> None:
        """
        If that turns out later, the process logs why and ends.
        """
        ready: Deferred[None] = Deferred()
        service = self.make()
        service._application = lambda server: ready
        service.startService()
        self.assertFalse(self.reactor.isStopped)
        ready.errback(ZeroDivisionError())
        self.assertTrue(self.reactor.isStopped)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_console(self) -> None:
        """
        Without an application there are procedures for the console page to call.
        """
        service = self.start()
        client = connect(service.server)
        for data, name in (({"name": "Ada"}, "Ada"), ("Ada", "Ada"), (None, "world"), ({}, "world")):
            answer = self.successResultOf(client.invoke("hello", data))
            self.assertEqual(answer, {"greeting": f"Hello {name}", "from": client.id})
        moment = self.successResultOf(client.invoke("time"))["time"]
        self.assertRegex(moment, r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00\Z")

    def test_application(self) -> None:
        """
        With an application there is only what it serves.
        """
        service = self.start("--app", "tests.test_tap:application")
        client = connect(service.server)
        self.assertNoResult(client.invoke("hello"))

    def test_errorsAreLogged(self) -> None:
        """
        Errors and warnings of the server are in the log.
        """
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        service = self.start()
        service.server.emitError("an error")
        service.server.emitWarning("a warning")
        self.reactor.advance(0)
        found = [(event["log_level"].name, event.get("error", event.get("problem"))) for event in events]
        self.assertIn(("error", "an error"), found)
        self.assertIn(("warn", "a warning"), found)

    def ends(self, *arguments: str) -> list[tuple[str, str]]:
        """
        @return: what is logged, with its level, when clients go in every way.
        """
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        server = self.start(*arguments).server
        for code in (1000, 1001, 1005, 1006, 4500, 1002, 4001):
            connect(server).disconnect(code, "bye")
        self.reactor.advance(0)
        globalLogPublisher.removeObserver(events.append)
        return [(event["log_level"].name, event["problem"]) for event in events if "problem" in event]

    def test_ordinaryEnds(self) -> None:
        """
        That clients go is not worth a line, however they do: they hang up, close their tabs, or give a code of the
        application's. What they have done wrong is. Who asks for all gets it at the level debug.
        """
        faults = [("warn", "A WebSocket protocol error was encountered"), ("warn", "Client pong timed out")]
        ordinary = [
            ("debug", "Socket closed without status code"),
            ("debug", "Socket hung up"),
            ("debug", "Socket connection closed with status code 4500 and reason: bye"),
        ]
        for api in ("v20", "v14"):
            self.assertEqual(self.ends("--api", api), faults)
            self.assertEqual(self.ends("--api", api, "--verbose"), ordinary + faults)

    def test_ordinaryEndsAreEvents(self) -> None:
        """
        The server's listeners hear of them as ever.
        """
        server = self.start().server
        heard = server.listener("warning").once()
        connect(server).disconnect(1006)
        self.reactor.advance(0)
        self.assertEqual(self.successResultOf(heard).warning.code, 1006)

    def test_limitsAreLoggedSparingly(self) -> None:
        """
        However often a limit is hit, the log has one line about it in ten seconds, which tells how often; other limits have
        their own.
        """
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        server = self.start().server
        self.patch(server.wheel, "seconds", self.reactor.seconds)
        for _ in range(2):
            for limit in ("maxConnections", "maxPayload"):
                for _ in range(100):
                    server.limitHit(limit, limit)
            self.reactor.advance(11)
        found = [(event["problem"], event["more"]) for event in events if "problem" in event]
        first = [("maxConnections", ""), ("maxPayload", "")]
        self.assertEqual(found, first + [(name, " (and 99 more)") for name, _ in first])


def callHello(port: int) -> object:
    """
    Connect to a server as a client does and call its procedure C{hello}.
    """
    with create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(
            b"GET /socketcluster/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        for packet in (b'{"event":"#handshake","cid":1}', b'{"event":"hello","data":"Ada","cid":2}'):
            connection.sendall(bytes((0x81, 0x80 | len(packet), 0, 0, 0, 0)) + packet)
        received = b""
        while b"}}" not in received.partition(b'"greeting"')[2]:
            received += connection.recv(4096)
    answer = json.loads(received[received.rindex(b'{"rid":2') :])
    return answer["data"]["greeting"]


def unixConnection(path: str) -> socket:
    """
    @return: a connection to a Unix socket.
    """
    connection = socket(AF_UNIX)
    connection.settimeout(60)
    connection.connect(path)
    return connection


class ProcessTests(SynchronousTestCase):
    """
    The real thing, in a process of its own.
    """

    def checkProcess(self, *command: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """
        Run a server, ask it for its health, and end it as an operating system does.

        @param meanwhile: called when a client has been served.
        """
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        folder = Path(self.mktemp())
        folder.mkdir()
        process = subprocess.Popen(
            [sys.executable, *command, "--port", "0"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        watchdog = Timer(120, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                ready = re.search(r"ready at ws://localhost:(\d+)/socketcluster/\. Open http://localhost:\1/ to", line)
                if ready is not None:
                    break
            else:
                self.fail("".join(lines))
            with urlopen(f"http://127.0.0.1:{ready[1]}/health-check", timeout=60) as answer:
                self.assertEqual(answer.read(), b"OK")
            self.assertEqual(callHello(int(ready[1])), "Hello Ada")
            meanwhile()
            process.send_signal(signal.SIGTERM)
            rest = process.stdout.read()
            self.assertEqual(process.wait(), 0, rest)
            self.assertRegex(rest, r"Port \d+ Closed")
            self.assertNotIn("Traceback", "".join(lines) + rest)
        finally:
            watchdog.cancel()
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def test_admin(self) -> None:
        """
        A real process shows its figures at a Unix socket, which is gone when it has ended.
        """
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "admin.sock")
        self.checkProcess(
            *("-m", "twisted", "--log-format=text", "agserver", "--admin-endpoint", f"unix:{path}"),
            meanwhile=lambda: self.checkFigures(path),
        )
        self.assertEqual(os.listdir(folder), [])

    def checkFigures(self, path: str) -> None:
        """
        Read the figures of a process that one client has been connected to.
        """
        with unixConnection(path) as connection:
            connection.sendall(b"GET /stats HTTP/1.0\r\n\r\n")
            head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
        self.assertIn(b" 200 OK", head)
        stats = json.loads(body)
        self.assertEqual((stats["acceptedConnections"], stats["isReady"]), (1, True))
        self.assertGreaterEqual(stats["messagesIn"], 2)
        self.assertGreaterEqual(stats["messagesOut"], 2)
        self.assertGreater(stats["bytesOut"], 100)
        self.assertGreater(stats["process"]["cpuSeconds"], 0)
        self.assertGreater(stats["uptime"], 0)
        self.assertGreaterEqual(stats["longestStall"], 0)

    def test_portTaken(self) -> None:
        """
        A process that cannot listen ends, says why, and its status says that it failed.
        """
        with socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            endpoint = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            command = [sys.executable, "-m", "twisted", "--log-format=text", "agserver", "--endpoint", endpoint]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("Address already in use", ended.stderr)

    def test_twist(self) -> None:
        """
        C{python -m twisted agserver} serves; SIGTERM ends it in good order, with a status that says so.
        """
        self.checkProcess("-m", "twisted", "--log-format=text", "agserver")

    def test_reactors(self) -> None:
        """
        Any reactor will do; only the shorter way of polling is for one of them.
        """
        for reactor in ("select", "poll", "asyncio"):
            self.checkProcess("-m", "twisted", "--log-format=text", f"--reactor={reactor}", "agserver")

    def test_twistd(self) -> None:
        """
        So does C{twistd -n agserver}.
        """
        twistd = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"
        self.checkProcess("-c", twistd, "-n", "--pidfile=", "agserver")
