"""Following the trail, and proving that nobody changed it afterwards (VAL-6)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store import texts
from swarm.adapters.postgres.store.desk.look import Row
from swarm.adapters.postgres.store.statements import statements
from swarm.core.trail import Event, EventKind, Fault, FaultKind, Head, verify

_BEGINNING = ("0", "", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """How many chains and events hold, and where the others do not."""

    chains: int
    events: int
    faults: tuple[Fault, ...]


class Trails:
    """What `events`, `audit` and `trace --verify` read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, swarm: str | None = None, *, limit: int = 100) -> list[Row]:
        """The last events, oldest first."""
        return await self._read("newest", {"swarm": swarm, "limit": limit})

    async def since(
        self,
        swarm: str | None = None,
        *,
        after: Row | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1_000,
    ) -> list[Row]:
        """Events after the last one seen (`after`, a row of an earlier answer), oldest first.

        Nothing is skipped: an event shows as soon as every older transaction has ended.
        """
        tx, after_chain, after_seq = (
            (after["tx"], after["chain"], after["seq"]) if after else _BEGINNING
        )
        asked = {
            "swarm": swarm, "tx": tx, "after_chain": after_chain,
            "after_seq": after_seq, "since": since, "until": until, "limit": limit,
        }  # fmt: skip
        return await self._read("tail", asked)

    async def every(
        self, swarm: str | None, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[Row]:
        """All events of a span, for an export; read in parts."""
        after: Row | None = None
        while part := await self.since(swarm, after=after, since=since, until=until):
            for row in part:
                yield row
            after = part[-1]

    async def verify(self, chain: str) -> tuple[int, Fault | None]:
        """How many events a chain has, and the first place where it does not hold.

        The facts themselves are checked against their digests as well.
        """

        async def tx(connection: AsyncConnection[Any]) -> tuple[int, Fault | None]:
            return await _verify(connection, chain)

        return await self._database.run(tx)

    async def verify_all(
        self, swarm: str, told: Callable[[int, int], None] = lambda _done, _of: None
    ) -> Verified:
        """Verify every chain of a swarm, one short transaction each.

        told: called after each chain with how many are done, and of how many.
        """
        chains = [row["id"] for row in await self._read("chains", {"swarm": swarm})]
        events, faults = 0, []
        for done, chain in enumerate(chains, 1):
            count, fault = await self.verify(chain)
            events += count
            if fault is not None:
                faults.append(fault)
            told(done, len(chains))
        return Verified(chains=len(chains), events=events, faults=tuple(faults))

    async def _read(self, name: str, asked: Row) -> list[Row]:
        async def tx(connection: AsyncConnection[Any]) -> list[Row]:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(statements("story")[name], asked)
            return await cursor.fetchall()

        return await self._database.run(tx)


async def _verify(connection: AsyncConnection[Any], chain: str) -> tuple[int, Fault | None]:
    sql = statements("story")
    # One instant for head and events: an event that arrives in between is no fault.
    await connection.execute("set transaction isolation level repeatable read, read only")
    found = await connection.execute(sql["head"], {"chain": chain})
    seq, digest = await found.fetchone() or (0, b"")
    rows = await (await connection.execute(sql["proof"], {"chain": chain}, binary=True)).fetchall()
    events = [Event(*row[:6]) for row in rows]
    fault = verify(chain, events, Head(seq=seq, hash=bytes(digest)))
    return len(events), fault or _facts(chain, rows)


def _facts(chain: str, rows: Sequence[tuple[Any, ...]]) -> Fault | None:
    """The first fact that is not the one whose digest the trail holds."""
    if chain.startswith("s-"):
        return None  # the swarm's own facts belong to no mission and are not looked up here
    for seq, _, kind, _, body, _, text in rows:
        if kind != EventKind.EVIDENCE_SEEN:
            continue
        if text is None or f'"sha256":"{texts.digest(text)}"' not in body:
            wrong = "is gone" if text is None else "is not what was seen"
            detail = f"the fact of {body} {wrong}"
            return Fault(chain=chain, seq=seq, kind=FaultKind.EDITED, detail=detail)
    return None
