"""
The examples of C{docs/introduction.rst}, and of the README. (The page that the introduction makes is tested in a
browser: L{tests.browser.test_introduction}.)
"""

from __future__ import annotations

import re
import shlex
import sys
from types import ModuleType

from twisted.internet.task import Clock

from agtwisted import AGServer
from agtwisted.tap import Options
from agtwisted.testing import connect
from tests.docs.support import ROOT, ExampleTestCase


class IntroductionTests(ExampleTestCase):
    """
    The first server.
    """

    page = "introduction"

    async def test_hello(self) -> None:
        """
        The client calls the procedure and hears of it in the channel.
        """
        await self.check("hello.py", "client.mjs", "output.txt")


class ReadmeTests(ExampleTestCase):
    """
    The README's taste of the API.
    """

    def setUp(self) -> None:
        """
        Take the example out of the README.
        """
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        self.blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)
        [source] = [code for language, code in self.blocks if language == "python"]
        self.greeter = ModuleType("greeter")
        exec(compile(source, "README.md", "exec"), self.greeter.__dict__)

    def test_commands(self) -> None:
        """
        The commands that run a server are understood.
        """
        lines = [line for language, code in self.blocks if language == "sh" for line in code.splitlines()]
        commands = [line.partition("twistd -n agserver ")[2] for line in lines if "agserver" in line]
        self.assertEqual(len(commands), 2)
        self.patch(sys, "modules", {**sys.modules, "greeter": self.greeter})
        parsed = [Options() for _ in commands]
        for options, command in zip(parsed, commands, strict=True):
            options.parseOptions(shlex.split(command))
        self.assertEqual([options["endpoints"] for options in parsed], [["tcp:8000:backlog=4096"]] * 2)
        self.assertIs(parsed[1]["application"], self.greeter.start)

    def test_server(self) -> None:
        """
        The procedure answers and publishes; only the server may publish in its channel.
        """
        server = AGServer(Clock())
        self.greeter.start(server)
        ada, bob = connect(server), connect(server)
        ada.subscribe("greetings")
        self.assertEqual(self.successResultOf(bob.invoke("greet", "Bob")), "Hello, Bob!")
        refused = self.failureResultOf(bob.publish("greetings", "I am the server"))
        self.assertEqual((refused.value.name, refused.value.message), ("PermissionError", "Only the server greets"))
        self.assertEqual(ada.publications("greetings"), [{"name": "Bob"}])

    async def test_client(self) -> None:
        """
        The JavaScript on the page, against a server that runs the Python on the page.
        """
        [code] = [code for language, code in self.blocks if language == "js"]
        server = await self.serve(self.greeter.start)
        address = f"hostname: '127.0.0.1', port: {server.sourcePort}"
        self.assertIn("hostname: 'localhost', port: 8000", code)
        code = code.replace("hostname: 'localhost', port: 8000", address)
        output = await self.runNode(
            f"import socketClusterClient from 'socketcluster-client';\n{code}\nsocket.disconnect();\n"
        )
        self.assertIn("Hello, Ada!", output.splitlines())
