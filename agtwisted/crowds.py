"""
Who is heard first when more connections have something to say than one turn of the reactor has time for.

When thousands of clients that were silent say something at once, such as goodbye, those who are in the middle of a
conversation would have to stand in line behind all of them. So these come first; of the others as many are heard in each
turn as there is time for.
"""

from __future__ import annotations

from typing import Any

#: Events that are looked at, to find those who come first.
CROWD = 8192
#: Of those, so many are heard in a turn.
FIRST = 256
#: Seconds of a turn for the others, and how many are heard before it is looked at the time.
TIME = 0.006
PORTION = 32
#: With fewer others than that it makes no difference who comes first: for so many full turns nobody looks then.
FEW = 512
CALM = 4

#: Seconds after which a client that was heard is silent.
_SILENCE = 0.5

Events = list[tuple[int, int]]


def apart(events: Events, selectables: dict[int, Any], readable: int, now: float) -> tuple[Events, Events]:
    """
    Tell those who come first from the others: clients that have been heard just now, and whatever is no client, such as
    ports, and the connections that an application has to others.

    @param events: descriptors and what has happened to them.
    @param selectables: what they belong to.
    @param readable: what has happened if there is something to read and nothing else.
    @param now: the time.
    @return: the former and the latter, each in the order in which they came.
    """
    since = now - _SILENCE
    first: Events = []
    others: Events = []
    for event in events:
        descriptor, what = event
        try:
            isSilent = selectables[descriptor].protocol._receiver.lastHeard < since
        except (KeyError, AttributeError):
            isSilent = _isOpening(selectables.get(descriptor))
        (others if isSilent or what != readable else first).append(event)
    return first, others


def _isOpening(selectable: Any) -> bool:
    """
    @return: whether it is a connection that may become a client's: there is no socket yet that receives what comes.
    """
    return getattr(getattr(selectable, "protocol", None), "_receiver", selectable) is None
