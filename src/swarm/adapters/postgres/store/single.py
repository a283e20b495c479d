"""One statement as its own transaction, in one round trip instead of three."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.failures import Failure, classify
from swarm.contract.errors import Unavailable


async def rows(
    database: Database, statement: LiteralString, values: dict[str, Any]
) -> list[tuple[Any, ...]]:
    """Execute one idempotent statement that returns rows, and commit.

    When it fails for a passing reason it goes the long way, which tries again: so a statement whose
    commit was lost on the way back may run twice.
    """
    try:
        async with database.connection() as connection:
            return await _execute(connection, statement, values)
    except Unavailable:
        pass
    except psycopg.Error as error:
        if classify(error) is Failure.FINAL:
            raise

    async def tx(connection: AsyncConnection[Any]) -> list[tuple[Any, ...]]:
        return await _execute(connection, statement, values)

    return await database.run(tx)


async def _execute(
    connection: AsyncConnection[Any], statement: LiteralString, values: dict[str, Any]
) -> list[tuple[Any, ...]]:
    found = await connection.execute(statement, values)
    return await found.fetchall()
