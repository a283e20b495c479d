"""What the database knows of one swarm's past, in the form in which a history is judged."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.desk.trails import Trails
from swarm.adapters.postgres.store.statements import statements
from swarm.core.history.journal import Effect, Entry, History, Movement


class Histories:
    """Reads trail, ledger and orders; what happened outside is the caller's to bring."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_others(self, swarm: str, missions: Collection[str]) -> frozenset[str]:
        """Those of these missions that belong to another swarm."""

        async def tx(connection: AsyncConnection[Any]) -> list[tuple[str]]:
            asked = {"swarm": swarm, "ids": sorted(missions)}
            return await (
                await connection.execute(statements("story")["foreign"], asked)
            ).fetchall()

        return frozenset(id_ for (id_,) in await self._database.run(tx))

    async def read(self, swarm: str) -> History:
        """All that ever happened to a swarm, by its trail and its ledger, until before it is read.

        What is under way while it is read, for minutes perhaps, is nobody's omission yet.
        """

        async def asked(connection: AsyncConnection[Any]) -> datetime:
            ((now,),) = await (await connection.execute("select clock_timestamp()")).fetchall()
            return cast("datetime", now)

        async def moved(connection: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
            money = await connection.execute(statements("story")["movements"], {"swarm": swarm})
            return await money.fetchall()

        until = await self._database.run(asked)
        decode, words = _thrifty()
        every = Trails(self._database).every(swarm)
        entries = [
            Entry(
                row["at"], words(row["swarm"]), words(row["chain"]), words(row["kind"]),
                decode(row["body"]), words(row["actor"]),
            )
            async for row in every
        ]  # fmt: skip
        money = await self._database.run(moved)  # last: so it has whatever the trail tells of
        return History(
            entries=tuple(sorted(entries, key=lambda entry: entry.at)),
            effects=(),
            until=until,
            movements=tuple(Movement(*row[:5]) for row in money),
            caps={row[1]: row[5] for row in money},
        )

    async def with_effects(
        self, swarm: str, history: History, effects: Iterable[Effect]
    ) -> History:
        """The same, with these effects of the outside in the order of time.

        An effect under a key that the store knows learns when it was begun; what nobody knows any
        more is held against the time of the effect itself.
        """

        async def tx(connection: AsyncConnection[Any]) -> list[tuple[str, datetime]]:
            asked = await connection.execute(statements("story")["begun"], {"swarm": swarm})
            return await asked.fetchall()

        since = dict(await self._database.run(tx))
        known = (
            replace(effect, begun_at=effect.begun_at or since.get(effect.key)) for effect in effects
        )
        return replace(history, effects=tuple(sorted(known, key=lambda effect: effect.at)))


def _thrifty() -> tuple[Callable[[str], Any], Callable[[str], str]]:
    """A reader of bodies, and one of texts, in which equal texts are one text.

    A trail says few words very often: names of fields, of gates and reasons, ids and policies.
    Kept as often as they are said, they would take most of the memory of an audit.
    """
    known: dict[str, str] = {}

    def word(text: str) -> str:
        return known.setdefault(text, text)

    def shared(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {word(name): word(value) if type(value) is str else value for name, value in pairs}

    return json.JSONDecoder(object_pairs_hook=shared).decode, word
