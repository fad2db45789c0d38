"""
What a socket sends, collected until the end of the reactor's turn and then written at once.
"""

from __future__ import annotations

from typing import Any

from agtwisted.streams.turns import Turns


class Outbox:
    """
    The finished frames that wait for the end of the turn.

    @ivar frames: the frames that wait.
    @ivar sentCount: how many frames have been handed to the transport.
    """

    __slots__ = ("frames", "sentCount", "_transport", "_turns")

    def __init__(self, transport: Any, turns: Turns) -> None:
        """
        @param transport: an L{agtwisted.interfaces.ITransport}.
        """
        self.frames: list[bytes] = []
        self.sentCount = 0
        self._transport = transport
        self._turns = turns

    def append(self, frame: bytes) -> None:
        """
        Send a frame with this turn's others.
        """
        if not self.frames:
            self._turns.flush(self.flush)
        self.frames.append(frame)

    def flush(self) -> None:
        """
        Write what waits.
        """
        frames = self.frames
        if frames:
            self.frames = []
            self.sentCount += len(frames)
            self._transport.write(frames[0] if len(frames) == 1 else b"".join(frames))
