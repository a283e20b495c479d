"""Forgetting what is no longer needed, in small parts. Missions, evidence and trails stay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database

from .regime.observations import Observations
from .statements import statements

_PART = 5_000  #: rows per transaction: a few tens of milliseconds


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
    values = {
        "expire": kept.expire,
        "keep_signals": kept.keep_signals,
        "keep_needs": kept.keep_needs,
        "limit": _PART,
    }
    expired = await _in_parts(database, "expire_needs", values)
    signals = await _in_parts(database, "drop_signals", values)
    needs = await _in_parts(database, "drop_needs", values)
    await _in_parts(database, "drop_intake", values)
    observations, old = 0, Observations(database)
    while gone := await old.forget_old(_PART):
        observations += gone
    return Forgotten(expired=expired, needs=needs, signals=signals, observations=observations)


async def _in_parts(database: Database, name: str, values: dict[str, Any]) -> int:
    async def tx(connection: AsyncConnection[Any]) -> int:
        found = await connection.execute(statements("retain")[name], values)
        if found.description is None:
            return found.rowcount
        return sum(count for (count,) in await found.fetchall())

    total = 0
    while done := await database.run(tx):
        total += done
        if done < _PART:
            break
    return total
