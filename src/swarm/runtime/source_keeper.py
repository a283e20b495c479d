"""Reads sources when they are due, each on its own, and tells the store only what is new.

A quiet source costs the store nothing: when it was read last and where it stands is kept here, in
memory. After a restart every source is read once, from its stored cursor.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import structlog

from swarm.contract.errors import Refused, SourceDown, SwarmError, Unavailable
from swarm.contract.swarm import SwarmSpec
from swarm.core.ids import SwarmId
from swarm.core.loop import discover
from swarm.core.loop.discover import Pace, SourceStanding
from swarm.core.policy import stages
from swarm.ports.sources import Reading, Source
from swarm.ports.store import IngestReport, Intake
from swarm.runtime.events import Event

SWARMS_EVERY = timedelta(minutes=1)  #: how soon a changed Swarm is noticed when its hint is lost
SWARMS_SOONEST = timedelta(seconds=5)  #: hints come in herds: no two looks are closer than this
#: How long the cursor in memory is believed. After that the store is asked, and told that the
#: source answers: it may have heard the contrary from a controller that is gone.
KNOWN_FOR = timedelta(minutes=10)
AGAIN = timedelta(seconds=5)  #: between two attempts to reach a store that cannot be had
T = TypeVar("T")
log = structlog.get_logger()


class _StoreAway(Exception):
    """The store could not be asked, which says nothing about the source."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a source stood when the store was asked or told last."""

    cursor: str
    since: datetime


class Specs(Protocol):
    """The Swarms that are not deleted, with their specs."""

    async def all(self) -> Sequence[tuple[SwarmId, SwarmSpec]]:
        """Read them; one query."""


class Bound(Protocol):
    """The sources of an installation."""

    def source(self, swarm: SwarmId, name: str) -> Source | None:
        """The source of that name, working for that Swarm; None when nobody bound it."""

    def every(self, name: str) -> timedelta | None:
        """Its own cadence, where it has one."""

    def quiet_after(self, name: str) -> timedelta | None:
        """How long it may say nothing new; None where silence is no alarm."""


class SourceKeeper:
    """One task per Swarm and source, so that a slow or hostile one holds up no other."""

    def __init__(
        self,
        specs: Specs,
        bound: Bound,
        intake: Intake,
        now: Callable[[], datetime],
        *,
        swarms_every: timedelta = SWARMS_EVERY,
        swarms_soonest: timedelta = SWARMS_SOONEST,
    ) -> None:
        self._specs, self._bound, self._intake, self._now = specs, bound, intake, now
        self._swarms_every, self._swarms_soonest = swarms_every, swarms_soonest
        self._hinted = asyncio.Event()
        self._places: dict[tuple[SwarmId, str], _Place] = {}
        self._tasks: dict[tuple[SwarmId, str, timedelta], asyncio.Task[None]] = {}

    def hint(self) -> None:
        """A Swarm may be new, changed or gone."""
        self._hinted.set()

    async def prepare(self) -> None:
        """Nothing: what a source says is never waited for."""

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            while True:
                self._hinted.clear()
                seen = await self._follow()
                await asyncio.sleep(self._swarms_soonest.total_seconds())
                if seen:
                    rest = self._swarms_every - self._swarms_soonest
                    with suppress(TimeoutError):
                        async with asyncio.timeout(rest.total_seconds()):
                            await self._hinted.wait()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _follow(self) -> bool:
        """Begin with new sources, stop those that are gone; False when nobody could be asked."""
        try:
            swarms = await self._specs.all()
        except Unavailable:
            return False
        wanted = {
            (swarm, source.name, self._bound.every(source.name) or stages.discover_every(spec))
            for swarm, spec in swarms
            if not stages.off(spec, "discover")
            for source in spec.discovery.sources
        }
        for key in sorted(self._tasks.keys() - wanted):
            self._tasks.pop(key).cancel()
        for key in sorted(wanted - self._tasks.keys()):
            self._tasks[key] = asyncio.create_task(self._keep(*key), name=f"source {key[1]}")
        return True

    async def _keep(self, swarm: SwarmId, name: str, every: timedelta) -> None:
        pace = Pace(
            swarm=swarm, source=name, every=every, quiet_after=self._bound.quiet_after(name)
        )
        standing, told = SourceStanding(source=name), False
        while True:
            standing = await self._read(swarm, name, pace, standing)
            due = standing.due or self._now() + every
            told = standing.dark_since is not None and (
                told or await self._tell(swarm, standing, due)
            )
            await asyncio.sleep(max(0.05, (due - self._now()).total_seconds()))

    async def _read(
        self, swarm: SwarmId, name: str, pace: Pace, standing: SourceStanding
    ) -> SourceStanding:
        """Read a source once, to its end."""
        source = self._bound.source(swarm, name)
        if source is None:
            detail = f"no source {name!r} is bound in swarm.toml"
            return discover.failed(standing, pace, self._now(), detail)
        news = False
        try:
            place, afresh = await self._place(swarm, name)
            cursor = place.cursor
            async for reading in _of_use(source.read(cursor)):
                if afresh or reading.signals or reading.cursor != cursor:
                    news = await self._take_in(swarm, name, reading, cursor) or news
                elif reading.refused:
                    _log_reading(swarm, name, reading, IngestReport())
                cursor = reading.cursor
            if afresh and await _asked(self._intake.source_answered(swarm, name)):
                log.info(Event.SOURCE_BACK, source=name)
            self._places[swarm, name] = _Place(cursor, place.since)
        except Refused as stale:
            # Another controller read on from the same cursor: it has what we saw.
            log.debug(Event.SOURCE_READ, source=name, detail=stale.message)
            return discover.answered(standing, pace, self._now(), news=news)
        except _StoreAway:
            return replace(standing, due=self._now() + AGAIN)
        except SwarmError as error:
            return self._failed(standing, pace, error)
        except Exception as error:
            # A fault of ours in one source: it goes dark with its name, the others go on.
            log.exception(Event.SOURCE_DARK, source=name)
            detail = f"{type(error).__name__}: {error}"
            return discover.failed(standing, pace, self._now(), detail)
        return discover.answered(standing, pace, self._now(), news=news)

    def _failed(self, before: SourceStanding, pace: Pace, error: SwarmError) -> SourceStanding:
        if isinstance(error, SourceDown) and error.certain:
            return discover.stuck(before, pace, self._now(), f"{error.message}. {error.fix}")
        asked = getattr(error, "retry_after", None)
        return discover.failed(before, pace, self._now(), error.message, asked)

    async def _place(self, swarm: SwarmId, name: str) -> tuple[_Place, bool]:
        """Where to read on, and whether the store had to be asked.

        It is forgotten until the reading went well, so a failure or another reader asks anew. What
        another controller read meanwhile is not taken in twice: `ingest` compares.
        """
        known, now = self._places.pop((swarm, name), None), self._now()
        if known is not None and now - known.since < KNOWN_FOR:
            return known, False
        return _Place(await _asked(self._intake.cursor(swarm, name)), now), True

    async def _take_in(self, swarm: SwarmId, name: str, reading: Reading, after: str) -> bool:
        """Hand one reading over; whether it brought something new."""
        report = await _asked(self._intake.ingest(swarm, name, reading, after=after))
        if report.new or reading.refused:
            _log_reading(swarm, name, reading, report)
        return report.new > 0

    async def _tell(self, swarm: SwarmId, standing: SourceStanding, due: datetime) -> bool:
        """Tell the store that a source went dark; that it is back, the reading tells.

        A store that cannot be had is told again, until the source is read anew. False: not yet.
        """
        while True:
            try:
                if await self._intake.source_failed(swarm, standing.source, standing.detail):
                    log.warning(Event.SOURCE_DARK, source=standing.source, detail=standing.detail)
            except Unavailable:
                if self._now() + AGAIN >= due:
                    return False
                await asyncio.sleep(AGAIN.total_seconds())
            except Refused:
                return True  # the Swarm is gone: nobody is there to be told
            else:
                return True


async def _of_use(readings: AsyncIterator[Reading]) -> AsyncIterator[Reading]:
    """The same readings. Raises SourceDown behind one of which nothing was understood.

    To whoever waits for a source, saying what nobody understands is the same as saying nothing.
    """
    async for reading in readings:
        yield reading
        if not reading.understood:
            count, first = len(reading.refused), reading.refused[0]
            raise SourceDown(f"nothing it says can be taken: {count} refused: {first}")


async def _asked(asking: Awaitable[T]) -> T:
    """What the store answers. Raises _StoreAway."""
    try:
        return await asking
    except Unavailable as error:
        raise _StoreAway from error


def _log_reading(swarm: SwarmId, name: str, reading: Reading, report: IngestReport) -> None:
    log.info(
        Event.SOURCE_READ,
        source=name,
        swarm=swarm,
        signals=report.new,
        opened=len(report.opened),
        refused=list(reading.refused[:5]),
    )
