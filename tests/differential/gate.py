"""
Holds back what a script wants to happen later, until the script says so.
"""

from __future__ import annotations

from collections.abc import Callable


class Gate:
    """
    What waits at one server's gate goes on when the script opens it; the gate stays open. gate.js is its twin.
    """

    def __init__(self) -> None:
        self._held: list[Callable[[], object]] = []
        self._isOpen = False
        self._opened: Callable[[], object] | None = None

    def hold(self, goOn: Callable[[], object]) -> None:
        """Call a function when the gate opens, or at once if it is open."""
        if self._isOpen:
            goOn()
            return
        self._held.append(goOn)
        if self._opened is not None:
            self._open(self._opened)

    def release(self, opened: Callable[[], object]) -> None:
        """
        Open the gate as soon as something waits there, so that what is to be late is never early on a slow machine.

        @param opened: called when it is open.
        """
        if self._held or self._isOpen:
            self._open(opened)
        else:
            self._opened = opened

    def _open(self, opened: Callable[[], object]) -> None:
        self._isOpen, self._opened = True, None
        held, self._held = self._held, []
        for goOn in held:
            goOn()
        opened()
