"""Opens the database of an installation: the embedded server, or a DSN. Light to import."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection

from swarm.adapters.postgres.binaries import find_binaries
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.errors import DatabaseUnavailable
from swarm.adapters.postgres.layout import lay_out
from swarm.adapters.postgres.migrate import migrate, read_migrations, refuse_newer
from swarm.adapters.postgres.server import EmbeddedServer
from swarm.runtime.background import running_pid
from swarm.runtime.database_named import EMBEDDED, named
from swarm.runtime.home import Home


def server_of(home: Home) -> EmbeddedServer | None:
    """The embedded server of an installation; None when it uses a DSN."""
    url, binaries = named(home)
    if url != EMBEDDED:
        return None
    return EmbeddedServer(home.database, binaries=find_binaries(binaries))


@asynccontextmanager
async def opened(home: Home, *, size: int = 8) -> AsyncIterator[Database]:
    """The database, started and migrated; stopped again if we were its last user."""
    url, _ = named(home)
    if url == EMBEDDED:
        home.make()  # before the server is laid out: whether its account gets there depends on it
    server = server_of(home)
    if server is None:
        await asyncio.to_thread(migrate, url)
        async with Database(url, size=size) as database:
            yield database
        return
    await asyncio.to_thread(server.start)
    try:
        await asyncio.to_thread(migrate, server.dsn)
        async with Database(server.dsn, size=size, revive=server.revive) as database:
            yield database
    finally:
        await asyncio.to_thread(server.leave)


@asynccontextmanager
async def joined(home: Home) -> AsyncIterator[Database]:
    """The database for one quick command: a running controller's, else opened for a moment.

    Raises SchemaNewer in either case: the controller may be of a newer release than this command.
    """
    dsn = home.read_note().get("dsn")
    if isinstance(dsn, str) and dsn and (running_pid(home) is not None or dsn == _meant(home)):
        async with Database(dsn, size=2, patience=timedelta(seconds=1)) as database:
            if await _answers(database):
                yield database
                return
    async with opened(home, size=2) as database:
        yield database


def _meant(home: Home) -> str:
    """Where the settings lead. The note of a controller that was killed may be of another time."""
    url, _ = named(home)
    return lay_out(home.database).dsn if url == EMBEDDED else url


async def _answers(database: Database) -> bool:
    """False when the controller died and only its note is left."""

    async def asked(connection: AsyncConnection[Any]) -> tuple[str, int] | None:
        newest = "select name, needs from migration order by needs desc limit 1"
        return await (await connection.execute(newest)).fetchone()

    try:
        found = await database.run(asked)
    except DatabaseUnavailable:
        return False
    if found is not None:
        refuse_newer(*found, known=len(read_migrations()))
    return True
