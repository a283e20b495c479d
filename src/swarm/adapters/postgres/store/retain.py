"""Forgetting what is no longer needed, in small parts. Missions, evidence and trails stay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database

from . import single
from .regime.observations import Observations
from .statements import statements

_PART = 5_000  #: rows per transaction: a few tens of milliseconds
_BLOCKS = 256  #: of needs per transaction: some thousands
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long things are kept. Anything less than the 24-hour figures need is refused.

    expire:       an open need that nobody repeated for this long expires.
    keep_signals: of needs that are closed.    keep_needs: closed ones that had no mission.
    """

    expire: timedelta = timedelta(days=60)
    keep_signals: timedelta = timedelta(days=30)
    keep_needs: timedelta = timedelta(days=90)

    def __post_init__(self) -> None:
        for name in ("expire", "keep_signals", "keep_needs"):
            if getattr(self, name) < timedelta(days=2):
                raise ValueError(f"{name} is shorter than two days, which the figures need")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """How many rows went. observations: of the regime, which have their own retention."""

    expired: int
    needs: int
    signals: int
    observations: int


async def retain(database: Database, retention: Retention | None = None) -> Forgotten:
    """Forget everything that is due to be forgotten. Safe beside everything else, at any time."""
    kept = retention or Retention()
    expired = await _needs(database, "expire_needs", {"expire": kept.expire})
    signals = 0
    for (swarm,) in await single.rows(database, statements("retain")["swarms"], {}):
        signals += await _signals(database, swarm, kept.keep_signals)
    needs = await _needs(database, "drop_needs", {"keep_needs": kept.keep_needs})
    await _drop_intake(database)
    observations, old = 0, Observations(database)
    while gone := await old.forget_old(_PART):
        observations += gone
    return Forgotten(expired=expired, needs=needs, signals=signals, observations=observations)


async def _needs(database: Database, name: str, values: dict[str, Any]) -> int:
    """Do it to all needs, some blocks at a time; to how many it was done."""
    sql, total = statements("retain"), 0
    ((blocks,),) = await single.rows(database, sql["blocks_of_needs"], {})
    for first in range(0, blocks, _BLOCKS):
        place = {"first": f"({first},0)", "last": f"({first + _BLOCKS},0)"}
        total += await _counted(database, name, values | place)
    return total


async def _counted(database: Database, name: str, values: dict[str, Any]) -> int:
    ((count,),) = await single.rows(database, statements("retain")[name], values)
    return int(count)


async def _signals(database: Database, swarm: str, keep: timedelta) -> int:
    total, after, after_id = 0, _BEGINNING, ""
    while True:
        asked = {"swarm": swarm, "keep_signals": keep, "after": after, "after_id": after_id}
        part = await single.rows(database, statements("retain")["drop_signals"], asked)
        if not part:
            return total
        ((gone, after, after_id),) = part
        total += gone


async def _drop_intake(database: Database) -> None:
    async def tx(connection: AsyncConnection[Any]) -> None:
        await connection.execute(statements("retain")["drop_intake"])

    await database.run(tx)
