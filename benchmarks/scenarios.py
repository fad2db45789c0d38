"""
What is measured, as values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.apis import API, V20


@dataclass(frozen=True, slots=True)
class Figure:
    """
    Something that a run of the load generator tells, and of which less is better.

    @ivar title: what it is, with its unit.
    @ivar read: gets it from the generator's report.
    """

    title: str
    read: Callable[[Any], float]


FIGURES = {
    "cpu": Figure("CPU, µs", lambda report: report["server"]["cpuPerOperation"]),
    "latency": Figure("latency, µs", lambda report: report["latency"]["p50"]),
    "share": Figure("CPU, % of a core", lambda report: report["server"]["share"] * 100),
    "memory": Figure("memory, KB", lambda report: report["server"]["residentPerConnection"] / 1024),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    One thing to measure on both servers.

    @ivar title: what it is, in words.
    @ivar load: the arguments of the load generator.
    @ivar variant: the function of L{benchmarks.application} that the server runs.
    @ivar transport: C{tcp}, C{tls} or C{unix}.
    @ivar isInC: whether agtwisted may use what it has in C.
    @ivar figures: what to compare, names in L{FIGURES}.
    @ivar isFresh: whether each run needs servers that have not served before.
    @ivar warmUp: seconds before measuring, if not as many as usual.
    @ivar seconds: how long to measure, if not as long as usual.
    @ivar series: the curve that it is a point of, and C{size} where on it.
    """

    name: str
    title: str
    load: str
    variant: str = "plain"
    transport: str = "tcp"
    isInC: bool = True
    figures: tuple[str, ...] = ("cpu",)
    isFresh: bool = False
    warmUp: float | None = None
    seconds: float | None = None
    series: str | None = None
    size: int = 0


_FAN100 = "pubsub --subscribers 100 --publishers 1"
_FAN1000 = "pubsub --subscribers 1000 --publishers 1"

SIDE_BY_SIDE = [
    Scenario("rpc1", "RPC, 100 connections, depth 1", "rpc --connections 100 --depth 1"),
    Scenario("rpc16", "RPC, 100 connections, depth 16", "rpc --connections 100 --depth 16"),
    Scenario("rpc1k", "RPC of 1 KB, depth 1", "rpc --connections 100 --depth 1 --size 1024"),
    Scenario("rpc16k", "RPC of 1 KB, depth 16", "rpc --connections 100 --depth 16 --size 1024"),
    Scenario("single", "RPC, a single connection", "rpc --connections 1 --depth 1", figures=("cpu", "latency")),
    Scenario("fan100", "1 publisher to 100 subscribers", _FAN100),
    Scenario("fan100x2", "1 publisher to 100, 2 in flight", f"{_FAN100} --in-flight 2"),
    Scenario("fan1000", "1 publisher to 1000 subscribers", _FAN1000),
    Scenario("fan1000x2", "1 publisher to 1000, 2 in flight", f"{_FAN1000} --in-flight 2"),
    Scenario("fan100p10", "10 publishers to 100 subscribers", "pubsub --subscribers 100 --publishers 10"),
    Scenario("fan100k", "1 publisher to 100 subscribers, 1 KB", f"{_FAN100} --size 1024"),
    Scenario("chat", "Chat: 100 channels of 10, saturated", "pubsub --channels 100 --subscribers 10 --publishers 100"),
    Scenario(
        "chat500",
        "Chat, 500 publications a second",
        "pubsub --channels 100 --subscribers 10 --publishers 0 --in-flight 8 --rate 500",
        figures=("cpu", "latency"),
    ),
    Scenario("connect", "Connecting, 50 at a time", "connect --connections 1000 --concurrency 50"),
    Scenario(
        "idle",
        "5000 idle connections",
        "idle --connections 5000",
        figures=("memory", "share"),
        isFresh=True,
        warmUp=3,
        seconds=16,
    ),
    Scenario("rpc1-raw", "RPC, inbound raw middleware", "rpc --connections 100", variant="rawMiddleware"),
    Scenario("rpc1-inbound", "RPC, inbound middleware", "rpc --connections 100", variant="inboundMiddleware"),
    Scenario("fan100-outbound", "1 to 100, outbound middleware", _FAN100, variant="outboundMiddleware"),
    Scenario(
        "connect-handshake",
        "Connecting, handshake middleware",
        "connect --connections 1000 --concurrency 50",
        variant="handshakeMiddleware",
    ),
    Scenario("rpc1-listener", "RPC, a listener on “message”", "rpc --connections 100", variant="messageListener"),
    Scenario("rpc1-deflate", "RPC, deflated", "rpc --connections 100 --deflate", variant="deflate"),
    Scenario("fan100-deflate", "1 to 100, deflated", f"{_FAN100} --deflate", variant="deflate"),
    Scenario("fan100k-deflate", "1 to 100, 1 KB, deflated", f"{_FAN100} --size 1024 --deflate", variant="deflate"),
    Scenario("rpc1-tls", "RPC over TLS", "rpc --connections 100", transport="tls"),
    Scenario("fan100-tls", "1 to 100 over TLS", _FAN100, transport="tls"),
    Scenario(
        "connect-tls", "Connecting over TLS", "connect --connections 400 --concurrency 50", transport="tls"
    ),
    Scenario("rpc1-unix", "RPC over a Unix socket", "rpc --connections 100", transport="unix"),
    Scenario("rpc1-python", "RPC, without C", "rpc --connections 100", isInC=False),
    Scenario("fan100-python", "1 to 100, without C", _FAN100, isInC=False),
]


def _curve(name: str, title: str, load: str, sizes: list[int]) -> list[Scenario]:
    return [
        Scenario(f"{name}-{size}", title.format(size), load.format(size), series=name, size=size)
        for size in sizes
    ]


#: The curves: their names, and what their sizes count.
SERIES = {
    "connections": "RPC (depth 1), by connections",
    "payload": "RPC (100 connections, depth 1), by bytes of data",
    "subscribers": "A delivery, by subscribers of one channel",
    "channels": "A delivery, by channels with 10 subscribers each",
}

GROWTH = [
    *_curve("connections", "RPC on {} connections", "rpc --connections {}", [1, 10, 100, 1000, 5000]),
    *_curve("payload", "RPC of {} bytes", "rpc --connections 100 --size {}", [32, 256, 1024, 4096, 16384, 65536]),
    *_curve("subscribers", "1 to {}", "pubsub --subscribers {}", [1, 10, 100, 1000, 5000]),
    *_curve(
        "channels",
        "{} channels of 10",
        "pubsub --channels {0} --subscribers 10 --publishers {0}",
        [1, 10, 100, 500],
    ),
]

SCENARIOS = {scenario.name: scenario for scenario in (*SIDE_BY_SIDE, *GROWTH)}
GROUPS = {"standard": SIDE_BY_SIDE, "growth": GROWTH}


def choose(names: list[str], api: API = V20) -> list[Scenario]:
    """
    @param names: names of scenarios or of groups.
    @param api: whose servers are to be measured.
    @return: the scenarios, as far as the API has their variants.
    @raise ValueError: there is none of such a name.
    """
    there = {name: scenario for name, scenario in SCENARIOS.items() if scenario.variant not in api.lacks}
    chosen: list[Scenario] = []
    for name in names:
        if name not in GROUPS and name not in there:
            raise ValueError(f"there is no scenario {name}; there are {', '.join((*GROUPS, *there))}")
        chosen += [each for each in GROUPS.get(name) or [SCENARIOS[name]] if each.name in there]
    return chosen
