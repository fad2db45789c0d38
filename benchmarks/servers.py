"""
What takes part in a measurement: the load generator and the two servers, each a process on a core of its own.
"""

from __future__ import annotations

import json
import os
import resource
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from agtwisted.shortcuts import VARIABLE
from benchmarks.apis import API, V20
from benchmarks.scenarios import Scenario

HERE = Path(__file__).parent
ROOT = HERE.parent
STARTING_TIME = 20.0
#: What the load generator can have: the header that it needs, Debian's package of that, and libraries.
EXTRAS = {
    "TLS": ("openssl/ssl.h", "libssl-dev", ["-lssl", "-lcrypto"]),
    "DEFLATE": ("zlib.h", "zlib1g-dev", ["-lz"]),
}
#: Options of the server that a variant needs.
OPTIONS = {"deflate": ["--per-message-deflate", "true"]}


class BenchmarkError(Exception):
    """
    Nothing can be measured, for a reason that the message tells.
    """


def cacheFolder() -> Path:
    """
    @return: where what was built and installed is kept.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agtwisted-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def buildGenerator(folder: Path) -> Path:
    """
    Compile the load generator, unless that was done since it was last changed; without what headers are missing for.

    @return: the program.
    """
    source, program = HERE / "load.cpp", folder / "load"
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return program
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise BenchmarkError(f"{compiler} is needed to build the load generator")
    command = [compiler, "-O2", "-std=c++17", "-o", str(program), str(source)]
    for macro, (header, package, libraries) in EXTRAS.items():
        probe, line = [compiler, "-E", "-x", "c++", "-"], f"#include <{header}>".encode()
        if subprocess.run(probe, input=line, capture_output=True).returncode == 0:
            command += [f"-D{macro}", *libraries]
        else:
            print(f"The load generator is built without {macro}: {package} is missing.", file=sys.stderr)
    subprocess.run(command, check=True)
    return program


def installNode(folder: Path, api: API = V20) -> Path:
    """
    Install the Node server unless it is there.

    @param folder: where what was installed is kept.
    @return: the folder C{node_modules}.
    """
    folder = folder if api is V20 else folder / api.name
    folder.mkdir(exist_ok=True)
    manifest, packages = api.node / "package.json", folder / "node_modules"
    installed = folder / "package.json"
    if packages.exists() and installed.exists() and installed.read_text() == manifest.read_text():
        return packages
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise BenchmarkError(f"{tool} is needed for the server to compare with")
    shutil.copy(manifest, installed)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)
    return packages


def makeCertificate(folder: Path) -> tuple[Path, Path]:
    """
    Make a certificate for this machine that nobody else trusts.

    @return: the files of the key and of the certificate.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name.from_rfc4514_string("CN=localhost")
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    today = datetime.now(UTC)
    made = builder.not_valid_before(today).not_valid_after(today + timedelta(days=7)).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    keyFile, certificateFile = folder / "key.pem", folder / "certificate.pem"
    keyFile.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    certificateFile.write_bytes(made.public_bytes(pem))
    return keyFile, certificateFile


def freePort() -> int:
    """
    @return: a TCP port that nobody uses.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Address:
    """
    Where a server listens, in the words of everybody who has to know.

    @ivar transport: C{tcp}, C{tls} or C{unix}.
    """

    def __init__(self, transport: str, folder: Path) -> None:
        """
        @param folder: for the Unix socket, or the certificate.
        """
        self.transport = transport
        self.port = freePort()
        self.path = folder / f"{self.port}.sock"
        self._certificate = makeCertificate(folder) if transport == "tls" else ()

    def endpoint(self) -> str:
        """
        @return: the description of Twisted's endpoint.
        """
        if self.transport == "unix":
            return f"unix:{self.path}:backlog=4096"
        listening = f"{self.port}:interface=127.0.0.1:backlog=4096"
        if self.transport == "tcp":
            return f"tcp:{listening}"
        key, certificate = self._certificate
        return f"ssl:{listening}:privateKey={key}:certKey={certificate}"

    def nodeArguments(self) -> list[str]:
        """
        @return: what the Node server is to be given.
        """
        where: dict[str, Any] = {"port": self.port, "host": "127.0.0.1"}
        if self.transport == "unix":
            where = {"path": str(self.path)}
        return [json.dumps(where), *map(str, self._certificate)]

    def loadArguments(self) -> list[str]:
        """
        @return: what the load generator is to be given.
        """
        if self.transport == "unix":
            return ["--unix", str(self.path)]
        return ["--port", str(self.port), *(["--tls"] if self.transport == "tls" else [])]

    def isListening(self) -> bool:
        """
        @return: whether somebody listens there.
        """
        kind, where = (socket.AF_INET, ("127.0.0.1", self.port))
        if self.transport == "unix":
            kind, where = socket.AF_UNIX, str(self.path)  # type: ignore[assignment]
        with socket.socket(kind) as probe:
            return probe.connect_ex(where) == 0


def _onCore(core: int | None) -> Callable[[], None]:
    """
    @return: what a child process does first: go to its core, and allow itself many connections.
    """

    def prepare() -> None:
        if core is not None:
            os.sched_setaffinity(0, {core})
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    return prepare


class Server:
    """
    A server process. As a context manager it runs while inside.
    """

    def __init__(self, command: list[str], environment: dict[str, str], address: Address, core: int | None) -> None:
        """
        @param core: the number of the core to run at; C{None} for any.
        """
        self.address = address
        self._log = tempfile.TemporaryFile("w+", errors="replace")
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            preexec_fn=_onCore(core),
        )

    @property
    def pid(self) -> int:
        """
        The number of the process.
        """
        return self._process.pid

    def __enter__(self) -> Server:
        deadline = time.monotonic() + STARTING_TIME
        while not self.address.isListening():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise BenchmarkError(f"The server {shlex.join(self._process.args)} does not start:\n{self.output()}")
            time.sleep(0.05)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """
        End the process.
        """
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def output(self) -> str:
        """
        @return: what the process has written.
        """
        self._log.seek(0)
        return self._log.read()


def twistd() -> str:
    """
    @return: the program that belongs to this interpreter.
    """
    beside = Path(sys.executable).with_name("twistd")
    found = str(beside) if beside.exists() else shutil.which("twistd")
    if found is None:
        raise BenchmarkError("twistd is not installed; is agtwisted?")
    return found


def startOurs(
    scenario: Scenario, folder: Path, core: int | None, options: tuple[str, ...] = (), api: API = V20
) -> Server:
    """
    @param folder: for temporary files.
    @param options: more options of twistd itself.
    @return: C{twistd agserver}, of this checkout.
    """
    address = Address(scenario.transport, folder)
    application = ["--api", api.name, "--app", f"{api.application}:{scenario.variant}", "--endpoint", address.endpoint()]
    application += OPTIONS.get(scenario.variant, [])
    command = [twistd(), "-n", "--pidfile=", *options, "agserver", *application]
    environment = {"PYTHONPATH": str(ROOT)} | ({} if scenario.isInC else {VARIABLE: "python"})
    return Server(command, environment, address, core)


def startNode(scenario: Scenario, folder: Path, core: int | None, packages: Path, api: API = V20) -> Server:
    """
    @param packages: the folder C{node_modules}.
    @return: the Node server.
    """
    address = Address(scenario.transport, folder)
    command = ["node", str(api.node / "server.js"), scenario.variant, *address.nodeArguments()]
    return Server(command, {"NODE_PATH": str(packages)}, address, core)


def runLoad(
    program: Path,
    scenario: Scenario,
    server: Server,
    core: int | None,
    *,
    warmUp: float,
    seconds: float,
    api: API = V20,
) -> dict[str, Any]:
    """
    Put a server under load.

    @param program: the load generator.
    @return: its report.
    @raise BenchmarkError: it could not do its work, or the server made an error.
    """
    command = [str(program), *scenario.load.split(), *server.address.loadArguments(), "--pid", str(server.pid)]
    command += ["--protocol", str(api.protocol)]
    command += ["--warm-up", str(scenario.warmUp or warmUp), "--seconds", str(scenario.seconds or seconds)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", preexec_fn=_onCore(core))
    if done.returncode != 0:
        written = f"{done.stdout}{done.stderr}\nThe server wrote:\n{server.output()[-2000:]}"
        raise BenchmarkError(f"{shlex.join(command)}:\n{written}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report
