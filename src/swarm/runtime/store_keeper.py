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
log = structlog.get_logger()


class StoreKeeper:
    """Small regular care. Bringing a dead server back is not here: whoever misses it does that.

    look_after: bounds the server's log and takes its ballast back; None where it is not ours.
    tidy:       forgets what is due to be forgotten and heals impossible leases; writes nothing
                where there is nothing.
    """

    def __init__(
        self, look_after: Callable[[], None] | None, tidy: Callable[[], Awaitable[None]]
    ) -> None:
        self._look_after, self._tidy = look_after, tidy
        self._tidied = float("-inf")

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
        if self._look_after is not None:
            await asyncio.to_thread(self._look_after)
        if time.monotonic() - self._tidied >= TIDY_EVERY.total_seconds():
            await self._tidy()
            self._tidied = time.monotonic()
