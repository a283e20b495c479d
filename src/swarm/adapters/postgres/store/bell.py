"""Wake-ups across processes: a row is the truth, a notification only the hint."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database
from swarm.contract.errors import Unavailable
from swarm.core.ids import SwarmId

from .statements import statements

CHANNEL = "swarm_wake"


class PostgresBell:
    """`ports.store.Bell` on Postgres."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ring(self, swarm: SwarmId) -> None:
        """Make a swarm due at once and tell every controller."""

        async def tx(connection: AsyncConnection[Any]) -> None:
            await connection.execute(statements("tick")["wake"], {"swarm": swarm})

        await self._database.run(tx)
        await hint(self._database, swarm)

    def listen(self) -> AsyncIterator[str]:
        """Swarm ids that were rung for; "" means that hints may have been missed."""
        return self._database.listen(CHANNEL)


async def hint(database: Database, swarm: str) -> None:
    """Notify the controllers, outside of every hot transaction: notifying serialises commits.

    What it speaks of is committed already, and the poll finds it: a hint that fails is no failure.
    """
    with suppress(Unavailable):
        async with database.connection() as connection:
            await connection.execute("select pg_notify(%s, %s)", (CHANNEL, swarm))
