"""Ends the work that nobody wants any more, and clears away what is old.

Level-triggered: it looks at what is alive on this machine and asks the store which missions are
open. So it does not matter who ended a mission, when, or whether a controller was killed between
the end and the stop: the next look finds the agent. While nothing is alive nothing is asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

import structlog

from swarm.contract.errors import SwarmError
from swarm.core.ids import MissionId, mission_of
from swarm.ports.store import Missions
from swarm.runtime.events import Event

EVERY = timedelta(seconds=2)  #: an agent of a mission that was ended lives on at most this long
SWEEP_EVERY = timedelta(hours=1)
log = structlog.get_logger()


class Workshop(Protocol):
    """Where jobs of one kind run on this machine: agents, or checks."""

    def at_work(self) -> Mapping[Any, MissionId]:
        """Names of the jobs that are alive, each with its mission."""

    def known(self) -> Sequence[str]:
        """Names of all jobs that still lie here and belong to a mission."""

    @property
    def stop(self) -> Callable[[Any], Awaitable[None]]:
        """End a job and everything it started; what is not there is success."""

    async def sweep(self, wanted: Callable[[str], bool]) -> list[str]:
        """End jobs that nobody wants and remove what is old; the names of those removed."""


class JobKeeper:
    """Looks after every workshop of this machine."""

    def __init__(self, workshops: Sequence[Workshop], missions: Missions) -> None:
        self._workshops, self._missions = workshops, missions
        self._swept = float("-inf")

    async def prepare(self) -> None:
        """Nothing has to be so before the first decision: a new job is never an unwanted one."""

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self.look()
            except (SwarmError, OSError) as error:
                # We could not ask, so nothing is ended; the next look is soon.
                log.warning(Event.JOBS_UNSEEN, error=type(error).__name__, detail=str(error))
            await asyncio.sleep(EVERY.total_seconds())

    async def look(self) -> None:
        """End what nobody wants; now and then clear away what is old."""
        for workshop in self._workshops:
            await self._end_unwanted(workshop)
        if time.monotonic() - self._swept >= SWEEP_EVERY.total_seconds():
            for workshop in self._workshops:
                await self._sweep(workshop)
            self._swept = time.monotonic()

    async def _end_unwanted(self, workshop: Workshop) -> None:
        alive = await asyncio.to_thread(workshop.at_work)
        if not alive:
            return
        # The jobs first and the missions after: a job begins only when its mission is in the
        # store, so one that is not open there now is unwanted, and no new one is taken for it.
        wanted = await self._missions.open_among(list(alive.values()))
        for name, mission in alive.items():
            if mission not in wanted:
                await workshop.stop(name)
                log.info(Event.JOB_STOPPED, job=name, mission=mission)

    async def _sweep(self, workshop: Workshop) -> None:
        names = await asyncio.to_thread(workshop.known)
        missions = [mission_of(name) for name in names]
        wanted = await self._missions.open_among(missions) if missions else frozenset()
        unwanted = {name for name in names if mission_of(name) not in wanted}
        for name in await workshop.sweep(lambda name: name not in unwanted):
            log.info(Event.JOB_REMOVED, job=name)
