"""Ends a controller whose folder was removed or moved under it.

Nobody would find it any more: `down` reads who runs from that folder, and the next `up` begins
another one there, which would have every agent do the same work again.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from swarm.runtime.errors import FolderGone
from swarm.runtime.seat import Seat

EVERY = timedelta(seconds=3)


class SeatKeeper:
    """Looks whether the seat's file is still the one that is held."""

    def __init__(self, seat: Seat, folder: str, *, every: timedelta = EVERY) -> None:
        self._seat, self._folder, self._every = seat, folder, every

    async def prepare(self) -> None:
        """Nothing: the seat was taken a moment ago."""

    async def run(self) -> None:
        """Watch until cancelled. Raises FolderGone, which ends the controller."""
        while True:
            if self._seat.gone():
                told = f"{self._folder} was removed or moved while a controller worked in it"
                raise FolderGone(told)
            await asyncio.sleep(self._every.total_seconds())
