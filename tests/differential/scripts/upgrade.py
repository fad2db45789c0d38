"""
The HTTP request before everything else: paths, origins, headers.
"""

from __future__ import annotations

from ..steps import Script, connect, hello, invoke, send

SCRIPTS: list[Script] = []

PATHS = [
    "/socketcluster/",
    "/socketcluster",
    "/",
    "/socketcluster/?a=b&c=d",
    "/socketcluster//",
    "/SocketCluster/",
    "/socketcluster/x",
    "/x/socketcluster/",
    "//socketcluster/",
    "/socketcluster/%20",
    "/%73ocketcluster/",
    "/socketcluster/?",
    "/socketcluster/;x",
    "/socketcluster/../socketcluster/",
]

for number, path in enumerate(PATHS):
    SCRIPTS.append(
        Script(f"upgrade-path-{number}", [connect(path=path), send({"event": "#handshake", "cid": 1}, invoke("state"))])
    )

SCRIPTS += [
    Script("upgrade-other-path", [connect(path="/other/"), hello()], {"path": "/other/"}),
    Script("upgrade-other-path-refused", [connect(), hello()], {"path": "/other/"}),
    Script("upgrade-path-without-slash", [connect(path="/other"), hello()], {"path": "/other"}),
]

ORIGINS = {
    "allowed": ("http://example.com", "example.com:80"),
    "allowed-port": ("http://example.com:8080", "example.com:8080"),
    "allowed-https": ("https://example.com", "example.com:443"),
    "any-port": ("http://example.com:1234", "example.com:*"),
    "any-host": ("http://whoever.org:8000", "*:8000"),
    "any-host-default-port": ("http://whoever.org", "*:80"),
    "second-of-list": ("http://b.com", "a.com:80, b.com:80"),
    "second-of-list-tight": ("http://b.com", "a.com:80,b.com:80"),
    "second-of-list-spaces": ("http://b.com", "a.com:80 b.com:80"),
    "wrong-host": ("http://evil.com", "example.com:80"),
    "wrong-port": ("http://example.com:81", "example.com:80"),
    "wrong-scheme": ("https://example.com", "example.com:80"),
    "upper-case": ("http://EXAMPLE.com", "example.com:80"),
    "missing": (None, "example.com:80"),
    "null": ("null", "example.com:80"),
    "empty": ("", "example.com:80"),
    "rubbish": ("::::", "example.com:80"),
    "star-star": ("http://evil.com", "*:*"),
    "star-star-in-list": ("http://evil.com", "a.com:80, *:*"),
    "path-in-origin": ("http://example.com/x", "example.com:80"),
    "user-in-origin": ("http://example.com:80@evil.com", "example.com:80"),
    "suffix": ("http://ample.com", "example.com:80"),
    "port-prefix": ("http://example.com:8", "example.com:80"),
    "ipv6": ("http://[::1]:8000", "*:8000"),
}

for name, (origin, allowed) in ORIGINS.items():
    SCRIPTS.append(
        Script(
            f"upgrade-origin-{name}",
            [connect(headers={"Origin": origin}), hello()],
            {"origins": allowed},
            events=name in ("allowed", "wrong-host", "missing"),
        )
    )

HEADERS: dict[str, dict[str, str | None]] = {
    "version-missing": {"Sec-WebSocket-Version": None},
    "version-8": {"Sec-WebSocket-Version": "8"},
    "version-0": {"Sec-WebSocket-Version": "0"},
    "version-rubbish": {"Sec-WebSocket-Version": "x"},
    "key-missing": {"Sec-WebSocket-Key": None},
    "key-short": {"Sec-WebSocket-Key": "abc"},
    "upgrade-other": {"Upgrade": "h2c"},
    "upgrade-upper-case": {"Upgrade": "WebSocket"},
    "upgrade-missing": {"Upgrade": None, "Connection": None},
    "connection-list": {"Connection": "keep-alive, Upgrade"},
    "subprotocol": {"Sec-WebSocket-Protocol": "chat"},
    "subprotocols": {"Sec-WebSocket-Protocol": "chat, superchat"},
    "extensions": {"Sec-WebSocket-Extensions": "permessage-deflate"},
    "extensions-unknown": {"Sec-WebSocket-Extensions": "x-unknown"},
    "cookie": {"Cookie": "a=b", "X-Other": "ü"},
}

for name, headers in HEADERS.items():
    SCRIPTS.append(Script(f"upgrade-header-{name}", [connect(headers=headers), hello()]))
SCRIPTS += [
    Script("upgrade-method-post", [connect(method="POST"), hello()]),
    Script("upgrade-method-head", [connect(method="HEAD", headers={"Upgrade": None, "Connection": None})]),
]
