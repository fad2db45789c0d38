"""
Subscribing, publishing, being kicked out.
"""

from __future__ import annotations

from typing import Any

from ..steps import Script, Step, close, connect, drop, hello, invoke, release, send, settle, transmit, wait
from .values import ECHO, VALUES, packet


def subscribe(channel: str, cid: int = 2, **members: Any) -> dict[str, Any]:
    """The packet that subscribes."""
    return invoke("#subscribe", {"channel": channel, **members}, cid)


def publish(channel: str, data: Any, cid: int = 3) -> dict[str, Any]:
    """The packet that publishes and asks for an answer."""
    return invoke("#publish", {"channel": channel, "data": data}, cid)


def second() -> list[Step]:
    """Another client, connected and subscribed to C{a}."""
    return [connect("b"), hello(client="b"), send(subscribe("a"), client="b"), wait(2, "b")]


SCRIPTS: list[Script] = []

for version in (1, 2):
    options = {"protocolVersion": version}
    for name, value in VALUES.items():
        data = packet(channel="a", data=value)
        SCRIPTS += [
            Script(
                f"channel-publish-data-{name}-v{version}",
                [hello(), send(subscribe("a"), invoke("#publish", data, 3), transmit("#publish", data), ECHO)],
                options,
                events=version == 2 and name in ("missing", "null", "text"),
            ),
            Script(
                f"channel-subscribe-data-{name}-v{version}",
                [hello(), send(invoke("#subscribe", data), invoke("state", cid=3))],
                options,
                events=version == 2,
            ),
        ]
    SCRIPTS += [
        Script(
            f"channel-subscribe-publish-pipelined-v{version}",
            [
                hello(),
                send(
                    subscribe("a"),
                    publish("a", 1),
                    publish("a", 2, 4),
                    invoke("#unsubscribe", "a", 5),
                    publish("a", 3, 6),
                ),
            ],
            options,
            events=True,
        ),
        Script(
            f"channel-two-clients-v{version}",
            [
                hello(),
                wait(1),
                *second(),
                send(publish("a", 1), transmit("#publish", {"channel": "a", "data": 2})),
                wait(4, "b"),
                send(invoke("#unsubscribe", "a", 3), client="b"),
                wait(5, "b"),
                send(publish("a", 3, 4)),
                settle(),
                settle("b"),
            ],
            options,
        ),
        Script(
            f"channel-kick-out-v{version}",
            [
                hello(),
                send(subscribe("a"), subscribe("b", 3), invoke("kickOut", {"channel": "a", "message": "go"}, 4)),
                wait(5),
                send(publish("a", 1, 5), publish("b", 1, 6), invoke("state", cid=7)),
            ],
            options,
            events=True,
        ),
        Script(
            f"channel-publish-from-server-v{version}",
            [hello(), send(subscribe("a"), invoke("publish", {"channel": "a", "data": {"x": 1}}, 3))],
            options,
        ),
    ]

SCRIPTS += [
    Script(
        "channel-subscribe-twice",
        [
            hello(),
            send(
                subscribe("a"),
                subscribe("a", 3),
                publish("a", 1, 4),
                invoke("state", cid=5),
                invoke("#unsubscribe", "a", 6),
                publish("a", 2, 7),
            ),
        ],
        events=True,
    ),
    Script(
        "channel-resubscribe",
        [
            hello(),
            send(
                subscribe("a"),
                invoke("#unsubscribe", "a", 3),
                subscribe("a", 4),
                publish("a", 1, 5),
                invoke("state", cid=6),
            ),
        ],
    ),
    Script("channel-publish-without-subscribers", [hello(), send(publish("a", 1))]),
    Script(
        "channel-publish-extra-members",
        [hello(), send(subscribe("a"), invoke("#publish", {"channel": "a", "data": 1, "x": 2, "y": {}}, 3))],
    ),
    Script(
        "channel-publish-not-to-others",
        [
            hello(),
            send(subscribe("a"), publish("b", 1), publish("A", 1, 4), publish("a ", 1, 5), publish("", 1, 6), ECHO),
        ],
    ),
    Script(
        "channel-subscribe-options",
        [hello(), send(subscribe("a", data={"x": 1}, waitForAuth=True, batch=True, other=[1]), invoke("state", cid=3))],
        events=True,
    ),
    Script(
        "channel-names",
        [
            hello(),
            send(
                *(
                    subscribe(name, n + 2)
                    for n, name in enumerate(
                        ["", " ", "a/b", "a", "é", "☃", "a\nb", "\u0000", "x" * 900, "#publish", "1", "0"]
                    )
                ),
                invoke("state", cid=50),
                *(publish(name, n, n + 60) for n, name in enumerate(["", "a/b", "a", "☃", "\u0000", "#publish", "1"])),
            ),
        ],
    ),
    Script(
        "channel-kick-out-all",
        [
            hello(),
            send(subscribe("a"), subscribe("b", 3), invoke("kickOut", None, 4)),
            wait(6),
            send(invoke("state", cid=7)),
        ],
        events=True,
    ),
    Script(
        "channel-kick-out-list",
        [
            hello(),
            send(
                subscribe("a"),
                subscribe("b", 3),
                subscribe("c", 4),
                invoke("kickOut", {"channel": ["a", "b"], "message": "out"}, 5),
            ),
            wait(7),
        ],
        events=True,
    ),
    Script(
        "channel-kick-out-not-subscribed",
        [hello(), send(invoke("kickOut", {"channel": "zz", "message": "m"}), ECHO)],
        events=True,
    ),
    Script("channel-kick-out-without-message", [hello(), send(subscribe("a"), invoke("kickOut", {"channel": "a"}, 3))]),
    Script("channel-kick-out-empty-list", [hello(), send(subscribe("a"), invoke("kickOut", {"channel": []}, 3))]),
    Script(
        "channel-kick-out-object-message",
        [hello(), send(subscribe("a"), invoke("kickOut", {"channel": "a", "message": {"why": 1}}, 3))],
    ),
    Script(
        "channel-kicked-at-once",
        [hello(), send(subscribe("a"), publish("a", 1)), settle(), send(publish("a", 2, 4))],
        app={"kickAfterSubscribe": True},
        events=True,
    ),
    Script(
        "channel-burst-from-server", [hello(), send(subscribe("a"), invoke("burst", {"channel": "a", "count": 50}, 3))]
    ),
    Script(
        "channel-burst-from-client",
        [
            hello(),
            wait(1),
            *second(),
            send(*(transmit("#publish", {"channel": "a", "data": n}) for n in range(60))),
            wait(62, "b"),
        ],
    ),
    Script(
        "channel-watched-by-server",
        [hello(), send(publish("w", 1), publish("w", {"a": None}, 4)), settle()],
        app={"watch": ["w"]},
        events=True,
    ),
    Script(
        "channel-unsubscribed-on-close",
        [hello(), send(subscribe("a"), subscribe("b", 3)), wait(3), close(1000, "")],
        events=True,
    ),
    Script(
        "channel-unsubscribed-on-drop", [hello(), send(subscribe("a"), subscribe("b", 3)), wait(3), drop()], events=True
    ),
    Script(
        "channel-slow-unsubscribe-on-close",
        [
            hello(),
            wait(1),
            connect("b"),
            hello(client="b"),
            wait(1, "b"),
            send(subscribe("a"), subscribe("b", 3)),
            wait(3),
            close(4000, ""),
            settle("b"),
            release(),
            settle("b"),
        ],
        app={"holdUnsubscribe": True},
        events=True,
    ),
    Script(
        "channel-slow-unsubscribe",
        [
            hello(),
            send(subscribe("a"), invoke("#unsubscribe", "a", 3), publish("a", 1, 4), ECHO),
            settle(),
            release(),
            wait(5),
        ],
        app={"holdUnsubscribe": True, "publishOnUnsubscribe": True},
        events=True,
    ),
    Script(
        "channel-publish-on-unsubscribe",
        [
            hello(),
            wait(1),
            connect("b"),
            hello(client="b"),
            wait(1, "b"),
            send(subscribe("a"), client="b"),
            wait(2, "b"),
            send(subscribe("a")),
            wait(2),
            send(invoke("#unsubscribe", "a", 3)),
            wait(2, "b"),
        ],
        app={"publishOnUnsubscribe": True},
    ),
    Script(
        "channel-publish-when-kicked-out",
        [
            hello(),
            send(subscribe("a"), invoke("kickOut", {"channel": "a"}, 3)),
            wait(4),
            send(publish("a", 1, 4), subscribe("a", 5), publish("a", 2, 6)),
        ],
    ),
    Script("channel-publication-large", [hello(), send(subscribe("a"), publish("a", "x" * 100000))]),
    Script(
        "channel-own-echo-order",
        [
            hello(),
            send(
                subscribe("a"),
                *(packet_ for n in range(10) for packet_ in (publish("a", n, 10 + n), transmit("echo", n))),
            ),
        ],
    ),
]
