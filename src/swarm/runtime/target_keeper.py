"""Keeps targets alive and watches them for drift; tells the store what changed (FAIL-7)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

import structlog

from swarm.contract.errors import SwarmError
from swarm.core.ids import SwarmId
from swarm.ports.store import Intake
from swarm.runtime.events import Event

EVERY = timedelta(seconds=5)
#: After so long the store is told anew, even of nothing: what it heard last may be the late word of
#: another controller that is gone, and nobody else would take that back.
BELIEVED = timedelta(minutes=1)
log = structlog.get_logger()


class Seen(Protocol):
    """What a target says of itself."""

    @property
    def healthy(self) -> bool:
        """Everything that should serve answers."""

    @property
    def drift(self) -> Sequence[str]:
        """Sentences, one for each way in which it is not what was asked for."""


class Watched(Protocol):
    """Targets that can be asked and brought up."""

    async def seen(self, target: str) -> Seen:
        """What a target runs; asks and changes nothing."""

    async def ensure(self, target: str, main: str) -> Seen:
        """Have something serve: what is on record, or `main` where nothing ever did."""


class Mains(Protocol):
    """Where each repository's main stands."""

    async def tip(self, repo: str) -> str:
        """The commit that main is at."""


class Swarms(Protocol):
    """Which Swarms there are."""

    async def ids(self) -> Sequence[SwarmId]:
        """The ids of all Swarms that are not deleted."""


class TargetKeeper:
    """Looks at every target of this machine, every few seconds, and changes nothing that serves.

    targets: name -> repository.
    """

    def __init__(
        self,
        targets: Mapping[str, str],
        watched: Watched,
        mains: Mains,
        intake: Intake,
        swarms: Swarms,
        *,
        every: timedelta = EVERY,
    ) -> None:
        self._targets, self._watched, self._mains = targets, watched, mains
        self._intake, self._swarms = intake, swarms
        self._every = every
        # None: nobody knows what the store was told before; a killed controller may have left a
        # drift behind that is over by now.
        self._told: dict[str, str] | None = None
        self._looks_believed = max(1, BELIEVED // every)
        self._looks_left = self._looks_believed

    async def prepare(self) -> None:
        """Have main serve before anything lands on it: what lands later must prove itself."""
        await self.look()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._every.total_seconds())

    async def look(self) -> None:
        """Look once at every target; a target that cannot be asked is drifted, not fine."""
        seen: dict[str, str] = {}
        for target, repo in self._targets.items():
            if drift := await self._drift(target, repo):
                seen[target] = drift
        self._looks_left -= 1
        if seen == self._told and self._looks_left > 0:
            return
        try:
            for swarm in await self._swarms.ids():
                await self._intake.saw_drift(swarm, seen)
        except SwarmError:
            # Whatever is seen at the next look is told then: this may have been heard all the same,
            # by some Swarms or by all, and only the answer was lost.
            self._looks_left = 0
            return
        known = self._told or {}
        for target in seen.keys() - known.keys():
            log.warning(Event.TARGET_DRIFTED, target=target, detail=seen[target])
        for target in known.keys() - seen.keys():
            log.info(Event.TARGET_SETTLED, target=target)
        self._told, self._looks_left = seen, self._looks_believed

    async def _drift(self, target: str, repo: str) -> str:
        """What a target runs that nobody asked for, after healing; "" when nothing."""
        try:
            state = await self._watched.seen(target)
            if state.drift or not state.healthy:
                # Healed first: what a dead process or a moment between two steps of a rollout
                # looks like is gone then, and only what stays holds missions back.
                before = "; ".join(state.drift)
                state = await self._watched.ensure(target, await self._mains.tip(repo))
                if before and not state.drift:
                    log.warning(Event.TARGET_HEALED, target=target, detail=before)
        except SwarmError as error:
            return f"cannot be asked: {error.message}"
        return "; ".join(state.drift)
