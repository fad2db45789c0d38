"""
Every reserved event with data of every JSON type, and with every kind of call id.
"""

from __future__ import annotations

from ..steps import Script, hello, invoke, send, settle
from .values import CIDS, ECHO, VALUES, packet

EVENTS = {
    "publish": "#publish",
    "subscribe": "#subscribe",
    "unsubscribe": "#unsubscribe",
    "remove-token": "#removeAuthToken",
    "set-token": "#setAuthToken",
    "kick-out": "#kickOut",
    "disconnect": "#disconnect",
    "unknown": "#whatever",
    "procedure": "echo",
}
"""What a client may send besides #handshake and #authenticate, the server's own events included."""

GOOD = {
    "#publish": {"channel": "a", "data": 1},
    "#subscribe": {"channel": "a"},
    "#unsubscribe": "a",
    "#authenticate": None,
}

SCRIPTS: list[Script] = []

for version in (1, 2):
    options = {"protocolVersion": version}
    for title, event in EVENTS.items():
        for name, value in VALUES.items():
            SCRIPTS.append(
                Script(
                    f"reserved-{title}-data-{name}-v{version}",
                    [hello(), send(packet(event=event, data=value, cid=2), packet(event=event, data=value), ECHO)],
                    options,
                    events=version == 2 and name in ("missing", "null", "nested"),
                )
            )
    for name, value in VALUES.items():
        SCRIPTS.append(
            Script(
                f"reserved-authenticate-data-{name}-v{version}",
                [hello(), send(packet(event="#authenticate", data=value, cid=2), ECHO)],
                options,
                events=version == 2,
            )
        )
    for title in ("publish", "subscribe", "unsubscribe"):
        event = EVENTS[title]
        for name, value in VALUES.items():
            SCRIPTS.append(
                Script(
                    f"reserved-{title}-channel-{name}-v{version}",
                    [
                        hello(),
                        send(
                            packet(event=event, data=packet(channel=value, data="d"), cid=2),
                            invoke("state", cid=3),
                            ECHO,
                        ),
                    ],
                    options,
                )
            )

for title, event in {**EVENTS, "authenticate": "#authenticate"}.items():
    for name, cid in CIDS.items():
        SCRIPTS.append(
            Script(
                f"reserved-{title}-cid-{name}",
                [hello(), send(packet(event=event, data=GOOD.get(event, 1), cid=cid), invoke("state", cid=3), ECHO)],
            )
        )

SCRIPTS += [
    Script(
        "reserved-event-of-wrong-type",
        [
            hello(),
            send(
                *(
                    {"event": event, "cid": 2, "data": 1}
                    for event in (None, True, 0, 1.5, [], ["echo"], {}, {"name": "echo"})
                ),
                ECHO,
            ),
        ],
        events=True,
    ),
    Script("reserved-empty-event", [hello(), send({"event": "", "cid": 2, "data": 1}, ECHO)]),
    Script("reserved-event-missing", [hello(), send({"cid": 2, "data": 1}, {"data": 1}, ECHO)], events=True),
    Script("reserved-event-and-rid", [hello(), send({"event": "echo", "rid": 1, "cid": 2, "data": 1}, ECHO)]),
    Script(
        "reserved-unsubscribe-twice",
        [
            hello(),
            send(
                invoke("#subscribe", {"channel": "a"}, 2),
                invoke("#unsubscribe", "a", 3),
                invoke("#unsubscribe", "a", 4),
                ECHO,
            ),
        ],
        events=True,
    ),
    Script(
        "reserved-unsubscribe-transmitted",
        [
            hello(),
            send(
                invoke("#subscribe", {"channel": "a"}, 2),
                {"event": "#unsubscribe", "data": "a"},
                {"event": "#unsubscribe", "data": "a"},
                invoke("#publish", {"channel": "a", "data": 1}, 3),
                ECHO,
            ),
        ],
        events=True,
    ),
    Script(
        "reserved-subscribe-transmitted",
        [
            hello(),
            send(
                {"event": "#subscribe", "data": {"channel": "a"}},
                invoke("#publish", {"channel": "a", "data": 1}, 3),
                ECHO,
            ),
            settle(),
            send(invoke("state", cid=4)),
        ],
        events=True,
    ),
    Script(
        "reserved-unsubscribe-object",
        [hello(), send(invoke("#subscribe", {"channel": "a"}, 2), invoke("#unsubscribe", {"channel": "a"}, 3), ECHO)],
    ),
]
