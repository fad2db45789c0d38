"""
Tests of L{agtwisted.options}.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from agtwisted.errors import InvalidOptionsError
from agtwisted.options import NODE_ONLY, NOT_IN_14, SCServerOptions, ServerOptions, seconds

#: SocketCluster's defaults, from its documentation; times in milliseconds.
DOCUMENTED = {
    "protocolVersion": 2,
    "path": "/socketcluster/",
    "origins": "*:*",
    "strictHandshake": True,
    "handshakeTimeout": 10000,
    "ackTimeout": 10000,
    "pingInterval": 8000,
    "pingTimeout": 30000,
    "pingTimeoutDisabled": False,
    "batchOnHandshake": False,
    "batchOnHandshakeDuration": 400,
    "batchInterval": 50,
    "authDefaultExpiry": 86400,
    "authAlgorithm": None,
    "authVerifyAlgorithms": None,
    "allowClientPublish": True,
    "socketChannelLimit": 1000,
    "middlewareEmitFailures": True,
    "socketStreamCleanupMode": "kill",
    "cloneData": False,
}


class MergingTests(SynchronousTestCase):
    """
    Options over defaults.
    """

    def refusal(self, **given: Any) -> str:
        """
        @return: what is said of options that cannot be.
        """
        return str(self.assertRaises(InvalidOptionsError, ServerOptions.merged, given))

    def test_defaults(self) -> None:
        """
        Without any the options are SocketCluster's defaults.
        """
        options = ServerOptions.merged({})
        self.assertEqual({name: getattr(options, name) for name in DOCUMENTED}, DOCUMENTED)

    def test_given(self) -> None:
        """
        What is given stands, all else stays.
        """
        options = ServerOptions.merged({"ackTimeout": 5, "authKey": b"secret", "socketChannelLimit": None})
        self.assertEqual((options.ackTimeout, options.authKey, options.socketChannelLimit), (5, b"secret", None))
        self.assertEqual(options.pingInterval, 8000)

    def test_unknown(self) -> None:
        """
        An option that is not known is refused, and the nearest one is named, if there is one near.
        """
        table = {
            "ackTimeOut": "The option ackTimeOut is not known; did you mean ackTimeout?",
            "pinginterval": "The option pinginterval is not known; did you mean pingInterval?",
            "ping_timeout": "The option ping_timeout is not known; did you mean pingTimeout?",
            "xyzzy": "The option xyzzy is not known",
            "": "The option  is not known",
            "__class__": "The option __class__ is not known",
            "merged": "The option merged is not known",
        }
        for name, message in table.items():
            self.assertEqual(self.refusal(**{name: 1}), message)

    def test_nodeOnly(self) -> None:
        """
        What only Node has a use for is accepted and ignored, with a line in the log.
        """
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        options = ServerOptions.merged({name: object() for name in sorted(NODE_ONLY)})
        self.assertEqual(options, ServerOptions.merged({}))
        named = [event["name"] for event in events if event.get("log_namespace") == "agtwisted.options"]
        self.assertEqual(named, sorted(NODE_ONLY))

    def test_wrongValues(self) -> None:
        """
        A value that cannot be is refused at once, in words that name the option and what it may be.
        """
        ms = "a number of ms and not negative"
        table: list[tuple[str, Any, str]] = [
            ("pingTimeout", "30", ms),
            ("pingTimeout", -1, ms),
            ("pingTimeout", True, ms),
            ("pingTimeout", float("nan"), ms),
            ("pingTimeout", float("inf"), ms),
            ("pingTimeout", [1], ms),
            ("pingTimeout", None, "given a value"),
            ("maxPayload", -1, "a number of bytes and not negative"),
            ("forwardedForHops", "1", "a number and not negative"),
            ("strictHandshake", "no", "True or False"),
            ("strictHandshake", 0, "True or False"),
            ("strictHandshake", None, "given a value"),
            ("socketStreamCleanupMode", "destroy", "one of kill, close, none"),
            ("socketStreamCleanupMode", ["kill"], "one of kill, close, none"),
            ("socketStreamCleanupMode", None, "given a value"),
            ("authVerifyAlgorithms", "HS256", "a list of texts"),
            ("authVerifyAlgorithms", [1], "a list of texts"),
            ("authAlgorithm", 256, "text"),
            ("authKey", 5, "text"),
            ("origins", ["foo.com:*"], "text"),
            ("path", b"/socketcluster/", "text"),
            ("path", None, "given a value"),
        ]
        for name, value, wanted in table:
            given = "a value of type int" if name == "authKey" else repr(value)
            self.assertEqual(self.refusal(**{name: value}), f"The {name} option must be {wanted}, not {given}")

    def test_possibleValues(self) -> None:
        """
        What may be is not refused.
        """
        table: list[tuple[str, Any]] = [
            ("pingTimeout", 0),
            ("pingTimeout", 0.5),
            ("maxPayload", None),
            ("socketStreamCleanupMode", "none"),
            ("authVerifyAlgorithms", ["HS256", "RS256"]),
            ("authVerifyAlgorithms", ()),
            ("perMessageDeflate", True),
            ("perMessageDeflate", {"threshold": 1024}),
            ("authKey", "secret"),
            ("codecEngine", object()),
        ]
        for name, value in table:
            self.assertEqual(getattr(ServerOptions.merged({name: value}), name), value)

    def test_keyPairs(self) -> None:
        """
        A private key needs its public key, and the other way round.
        """
        message = "The {} option must be specified if {} is specified"
        self.assertEqual(self.refusal(authPrivateKey="k"), message.format("authPublicKey", "authPrivateKey"))
        self.assertEqual(self.refusal(authPublicKey="k"), message.format("authPrivateKey", "authPublicKey"))
        self.assertEqual(ServerOptions.merged({"authPrivateKey": "a", "authPublicKey": b"b"}).authPublicKey, b"b")

    def test_protocolVersion(self) -> None:
        """
        There are two versions of the protocol; a server may speak both.
        """
        for version in (1, 2, "auto"):
            self.assertEqual(ServerOptions.merged({"protocolVersion": version}).protocolVersion, version)
        for version in (3, 0, "1", "both"):
            message = f"The protocolVersion option must be 1, 2 or auto, not {version!r}"
            self.assertEqual(self.refusal(protocolVersion=version), message)

    def test_paths(self) -> None:
        """
        A path begins with a slash; that of version 1 is another than the ordinary one.
        """
        for name in ("path", "pathV1"):
            for path in ("socketcluster/", ""):
                message = f"The {name} option must begin with a slash; {path!r} does not"
                self.assertEqual(self.refusal(**{name: path}), message)
        same = self.refusal(path="/a/", pathV1="/a/")
        self.assertEqual(same, "The pathV1 option must be another path than the path option, '/a/'")
        self.assertEqual(ServerOptions.merged({"pathV1": "/v1/"}).pathV1, "/v1/")

    def test_noSuchAttribute(self) -> None:
        """
        A misspelt option cannot be assigned later either.
        """
        self.assertRaises(AttributeError, setattr, ServerOptions(), "pingTimeOut", 1)


class SCServerOptionsTests(SynchronousTestCase):
    """
    The options of SocketCluster 14.
    """

    def test_defaults(self) -> None:
        """
        Its own defaults stand where they differ; each application has a name of its own.
        """
        first, second = SCServerOptions.merged({}), SCServerOptions.merged({})
        self.assertEqual((first.protocolVersion, first.pingTimeout, first.ackTimeout), (1, 20000, 10000))
        self.assertTrue(first.appName)
        self.assertNotEqual(first.appName, second.appName)
        self.assertEqual(SCServerOptions.merged({"appName": "shop"}).appName, "shop")

    def test_paths(self) -> None:
        """
        Paths may be given without slashes around them, as 14 takes them.
        """
        for path in ("chat", "/chat", "chat/", "/chat/"):
            self.assertEqual(SCServerOptions.merged({"path": path}).path, "/chat/")
        self.assertEqual(SCServerOptions.merged({"path": "/"}).path, "/")

    def test_refused(self) -> None:
        """
        What only AGServer has, what nobody has and what cannot be is refused.
        """
        for name in sorted(NOT_IN_14):
            error = self.assertRaises(InvalidOptionsError, SCServerOptions.merged, {name: 1})
            self.assertEqual(str(error), f"The option {name} is one of AGServer and means nothing to an SCServer")
        for given in ({"pingTimeOut": 1}, {"path": 5}, {"pingTimeout": "1"}):
            self.assertRaises(InvalidOptionsError, SCServerOptions.merged, given)


class DeclarationTests(SynchronousTestCase):
    """
    What a command line makes of the options.
    """

    def test_declared(self) -> None:
        """
        Every option says how it is read and what it is for; times say their unit; objects are not for a command line.
        """
        for each in fields(ServerOptions):
            self.assertTrue(each.metadata["help"], each.name)
            self.assertEqual(each.metadata["commandLine"], each.metadata["kind"] != "object", each.name)
            if each.name.endswith(("Timeout", "Interval", "Duration")):
                self.assertEqual(each.metadata["unit"], "ms", each.name)

    def test_seconds(self) -> None:
        """
        Milliseconds become seconds.
        """
        self.assertEqual((seconds(1500), seconds(0)), (1.5, 0))
