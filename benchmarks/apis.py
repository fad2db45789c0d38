"""
The two APIs whose servers are measured: each of ours next to the Node server that it was made after.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class API:
    """
    One of them.

    @ivar name: what C{twistd agserver --api} calls it.
    @ivar application: the module of the application, which has a function for each variant.
    @ivar node: the folder of its twin for Node.
    @ivar protocol: the version of the protocol that is spoken.
    @ivar lacks: the variants that there are not.
    """

    name: str
    application: str
    node: Path
    protocol: int
    lacks: frozenset[str] = frozenset()


V20 = API("v20", "benchmarks.application", _HERE / "node", 2)
V14 = API("v14", "benchmarks.application14", _HERE / "node14", 1, frozenset({"rawMiddleware"}))
APIS = {api.name: api for api in (V20, V14)}
