"""Looks after the store: an embedded server's log and ballast, and what need not be kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from swarm.contract.errors import SwarmError
from swarm.runtime.events import Event

EVERY = timedelta(minutes=1)
TIDY_EVERY = timedelta(hours=1)
SET_BACK = timedelta(seconds=10)  #: less than that delays nothing that anybody would notice
log = structlog.get_logger()


def wall_ahead() -> float:
    """Seconds by which the clock on the wall is ahead of the one that nobody sets."""
    return time.time() - time.monotonic()


class StoreKeeper:
    """Small regular care. Bringing a dead server back is not here: whoever misses it does that.

    look_after: bounds the server's log and takes its ballast back; None where it is not ours.
    tidy:       forgets what is due to be forgotten and heals impossible leases; writes nothing
                where there is nothing.
    set_back:   makes due what waits. Times in the store are those of the clock on the wall: when
                it is set back by an hour, a canary would go unwatched for that hour.
    """

    def __init__(
        self,
        look_after: Callable[[], None] | None,
        tidy: Callable[[], Awaitable[None]],
        set_back: Callable[[], Awaitable[None]],
        ahead: Callable[[], float] = wall_ahead,
    ) -> None:
        self._look_after, self._tidy, self._set_back = look_after, tidy, set_back
        self._tidied = float("-inf")
        self._ahead, self._was_ahead = ahead, ahead()

    async def prepare(self) -> None:
        """Nothing: starting the server has looked after it."""

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(EVERY.total_seconds())
            try:
                await self.look()
            except (SwarmError, OSError) as error:
                log.warning(Event.STORE_UNTENDED, error=type(error).__name__, detail=str(error))

    async def look(self) -> None:
        """Look once."""
        now_ahead = self._ahead()
        if now_ahead < self._was_ahead - SET_BACK.total_seconds():
            await self._set_back()
        self._was_ahead = now_ahead  # only now: a store that was away is told at the next look
        if self._look_after is not None:
            await asyncio.to_thread(self._look_after)
        if time.monotonic() - self._tidied >= TIDY_EVERY.total_seconds():
            await self._tidy()
            self._tidied = time.monotonic()
