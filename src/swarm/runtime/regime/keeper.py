"""Freezes a Swarm as soon as a limit of what its targets trade is broken (FRZ-5).

A rollout that is under way is taken back by Gates 5 and 6. This is for all the rest of the time:
nothing is begun or promoted for a Swarm whose capital is in trouble, whatever it is about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from swarm.adapters.postgres.store.desk.freezes import FreezeDesk
from swarm.contract.errors import SwarmError
from swarm.contract.swarm import SwarmSpec
from swarm.core.ids import SwarmId
from swarm.core.reasons import Reason
from swarm.runtime.events import Event
from swarm.runtime.regime.reading import RegimeReader, breach

EVERY = timedelta(seconds=5)
log = structlog.get_logger()


class Specs(Protocol):
    """The Swarms that are not deleted, with their specs."""

    async def all(self) -> Sequence[tuple[SwarmId, SwarmSpec]]:
        """Read them; one query."""


class RegimeKeeper:
    """Looks at the words on the limits every few seconds; writes only when one is broken.

    needs_token: whether a resume asks for the installation's token.
    """

    def __init__(
        self,
        reader: RegimeReader,
        desk: FreezeDesk,
        specs: Specs,
        now: Callable[[], datetime],
        *,
        needs_token: bool,
    ) -> None:
        self._reader, self._desk, self._specs, self._now = reader, desk, specs, now
        self._needs_token = needs_token
        self._told: set[tuple[SwarmId, str]] = set()

    async def prepare(self) -> None:
        """Nothing that is broken already may be built upon."""
        await self.look()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(EVERY.total_seconds())
            await self.look()

    async def look(self) -> None:
        """Freeze for every word of a breach that was not told before; once for each word."""
        try:
            for target in self._reader.bound:
                for word in await self._reader.words(target, self._now()):
                    if not word.passed:
                        await self._freeze(target, word.id, breach(word))
        except SwarmError as error:
            log.warning(Event.STORE_LOST, error=type(error).__name__, detail=error.message)

    async def _freeze(self, target: str, cause: str, detail: str) -> None:
        for swarm, spec in await self._specs.all():
            if target not in spec.delivery.deployment_targets or (swarm, cause) in self._told:
                continue
            held = await self._desk.hold(
                swarm,
                detail,
                why=Reason.LIMIT_BREACHED,
                cause=cause,
                lasts=spec.risk.freeze_duration,
                needs_token=self._needs_token,
            )
            self._told.add((swarm, cause))
            if held is not None:
                log.warning(Event.LIMIT_BREACHED, swarm=swarm, target=target, detail=detail)
