"""Observations as they came in: a state is a snapshot and a replay of these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.regime.errors import ObservationRefused, ToldOtherwise
from swarm.adapters.postgres.store.statements import statements

_PART = 20_000  #: rows that are read or dropped at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One tick of one stream. at_ns: nanoseconds UTC; value: in the stream's order of columns."""

    tick: int
    at_ns: int
    value: tuple[float, ...]


class Observations:
    """Append and read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, stream: str, observations: Sequence[Observation]) -> int:
        """How many were new. All or none. Raises ObservationRefused, ToldOtherwise."""

        async def tx(connection: AsyncConnection[Any]) -> int:
            return await append(connection, stream, observations)

        return await self._database.run(tx)

    async def newest(self, stream: str) -> int | None:
        """The newest tick; None of a stream that never was."""
        rows = await self._read("newest_tick", {"stream": stream})
        tick: int | None = rows[0][0]
        return tick

    async def since(self, stream: str, after: int, limit: int = _PART) -> list[Observation]:
        """Observations behind a tick (-1 is all), oldest first, at most `limit`."""
        asked = {"stream": stream, "after": after, "limit": limit}
        return [
            Observation(tick=tick, at_ns=at_ns, value=tuple(value))
            for tick, at_ns, value in await self._read("observations", asked)
        ]

    async def forget_old(self, limit: int = _PART) -> int:
        """Drop what is past its retention of 13 months, at most `limit`; gives how many."""

        async def tx(connection: AsyncConnection[Any]) -> int:
            gone = await connection.execute(
                statements("regime")["drop_observations"], {"limit": limit}
            )
            return gone.rowcount

        return await self._database.run(tx)

    async def _read(self, name: str, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
        async def tx(connection: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
            found = await connection.execute(statements("regime")[name], asked)
            return await found.fetchall()

        return await self._database.run(tx)


async def append(
    connection: AsyncConnection[Any], stream: str, observations: Sequence[Observation]
) -> int:
    """`Observations.append` within the transaction of this connection.

    A tick that is there with the same values is fine: who never heard the answer tells it again.
    Missing values are not told at all; a gap in the ticks is what a gap is.
    """
    if not observations:
        return 0
    _check(observations)
    rows = [
        {"stream": stream, "tick": one.tick, "at_ns": one.at_ns, "value": list(one.value)}
        for one in observations
    ]
    sql = statements("regime")
    async with connection.cursor() as cursor:
        await cursor.executemany(sql["add_observation"], rows)
        written = cursor.rowcount
    if written < len(observations):
        span = {"stream": stream, "first": observations[0].tick, "last": observations[-1].tick}
        found = await connection.execute(sql["observations_between"], span)
        held = {row[0]: (row[1], tuple(row[2])) for row in await found.fetchall()}
        for one in observations:
            if held[one.tick] != (one.at_ns, one.value):
                raise ToldOtherwise(f"{stream}: tick {one.tick} was observed otherwise")
    return written


def _check(observations: Sequence[Observation]) -> None:
    last = -1
    for one in observations:
        if one.tick <= last:
            raise ObservationRefused(f"tick {one.tick} comes after tick {last}")
        last = one.tick
        if not one.value or not all(math.isfinite(number) for number in one.value):
            raise ObservationRefused(f"tick {one.tick}: {one.value!r:.80} is not all finite")
