"""The history of every strategy's rung (REG-7): where it stands is its newest row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.regime.errors import ToldOtherwise
from swarm.adapters.postgres.store.statements import statements
from swarm.core.trail import canonical
from swarm.regime.nouns import Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class RungChange:
    """One step of a strategy on the ladder. seq: from 1 without a gap; evidence: why it may."""

    strategy: str
    seq: int
    at_ns: int
    rung: Rung
    cause: str
    evidence: Mapping[str, Any]


class Rungs:
    """Append and read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, change: RungChange) -> None:
        """Add the next step. Raises ToldOtherwise when another one took its place meanwhile."""
        asked = {
            "strategy": change.strategy, "seq": change.seq, "at_ns": change.at_ns,
            "rung": int(change.rung), "share": change.rung.capital_share, "cause": change.cause,
            "evidence": canonical(dict(change.evidence)),
        }  # fmt: skip
        held = await self.history(change.strategy, limit=1)
        if change.seq != (held[0].seq if held else 0) + 1 and change not in held:
            raise ToldOtherwise(f"{change.strategy}: step {change.seq} is not the next one")
        if not await self._read("add_rung", asked):
            newest = await self.history(change.strategy, limit=1)
            if newest != [change]:
                raise ToldOtherwise(f"{change.strategy}: step {change.seq} was another one")

    async def history(self, strategy: str, limit: int = 100) -> list[RungChange]:
        """The newest steps, newest first."""
        rows = await self._read("rungs", {"strategy": strategy, "limit": limit})
        return [
            RungChange(
                strategy=strategy, seq=seq, at_ns=at_ns, rung=Rung(rung), cause=cause,
                evidence=evidence,
            )
            for seq, at_ns, rung, _, cause, evidence in rows
        ]  # fmt: skip

    async def now(self) -> dict[str, Rung]:
        """Where every strategy stands."""
        return {row[0]: Rung(row[3]) for row in await self._read("rungs_now", {})}

    async def _read(self, name: str, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
        async def tx(connection: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
            found = await connection.execute(statements("regime")[name], asked)
            return await found.fetchall()

        return await self._database.run(tx)
