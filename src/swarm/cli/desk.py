"""The way from a verb to the store: find the installation, join its database, say who asks."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.desk.look import Look
from swarm.cli.errors import NothingHere, Usage
from swarm.core.ids import SwarmId
from swarm.runtime.database import joined
from swarm.runtime.home import Home, find

T = TypeVar("T")


def home_of(named: Path | None) -> Home:
    """The installation that a verb is about. Raises `NothingHere`."""
    found = Home(named.resolve()) if named is not None else find()
    if found is None or not (found.file.exists() or found.state.exists()):
        where = named or Path.cwd()
        raise NothingHere(f"no swarm.toml in {where} or above it")
    return found


def ask(home: Path | None, work: Callable[[Database], Awaitable[T]]) -> T:
    """Run one piece of work on the installation's database and return what it returns."""

    async def joined_work() -> T:
        async with joined(home_of(home)) as database:
            return await work(database)

    return asyncio.run(joined_work())


def me() -> str:
    """Who speaks: the account of this machine, as the trail will name it."""
    return getpass.getuser()


async def swarm_named(database: Database, name: str) -> SwarmId:
    """The id of a Swarm by name (`namespace/name` or `name`), or of the only one for ""."""
    rows = await Look(database).rows("swarms")
    if not name and len(rows) == 1:
        return SwarmId(rows[0]["id"])
    names = {f"{row['namespace']}/{row['name']}": row["id"] for row in rows}
    short = [id_ for full, id_ in names.items() if name in {full, full.partition("/")[2]}]
    if len(short) == 1:
        return SwarmId(short[0])
    known = ", ".join(sorted(names)) or "none; apply one with `swarmctl apply -f swarm.yaml`"
    raise Usage(f"name one Swarm; there are: {known}" if not name else f"{name!r}: {known}")
