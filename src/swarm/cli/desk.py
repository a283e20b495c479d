"""The way from a verb to the store: find the installation, join its database, say who asks.

Imports here are light: what needs a database driver brings it along when it runs.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from swarm.cli.errors import NothingHere, Usage
from swarm.runtime.home import Home, find

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database
    from swarm.core.ids import SwarmId
    from swarm.core.nouns import ResumeRule

T = TypeVar("T")


def home_of(named: Path | None) -> Home:
    """The installation that a verb is about. Raises `NothingHere`."""
    found = Home(named.resolve()) if named is not None else find()
    if found is None or not (found.file.exists() or found.state.exists()):
        alone = named or os.environ.get("SWARM_HOME")
        where = alone or f"{Path.cwd()} or above it"
        raise NothingHere(f"no swarm.toml in {where}")
    return found


def ask(home: Path | None, work: Callable[[Database], Awaitable[T]]) -> T:
    """Run one piece of work on the installation's database and return what it returns."""
    import asyncio  # noqa: PLC0415 - a plain look does without both

    from swarm.runtime.database import joined  # noqa: PLC0415

    place = home_of(home)

    async def joined_work() -> T:
        async with joined(place) as database:
            return await work(database)

    return asyncio.run(joined_work())


def resume_rule(home: Path | None, swarm: Mapping[str, Any]) -> ResumeRule:
    """When freezes of a Swarm may be lifted at all. swarm: its row, as `Look` reads it."""
    from swarm.contract.profiles import profile_of  # noqa: PLC0415
    from swarm.core.nouns import ResumeRule  # noqa: PLC0415

    annotations = swarm["metadata"].get("annotations", {})
    provable = bool(swarm["spec"]["delivery"]["repoAllowlist"])
    if not profile_of(swarm["spec"]["domains"], annotations).thresholds.resume_window_required:
        return ResumeRule(provable=provable)
    from swarm.runtime.settings import load  # noqa: PLC0415 - pays for the settings only here

    window = load(home_of(home).file).loop.window()
    return ResumeRule(required=True, window=window, provable=provable)


def me() -> str:
    """Who speaks: the account of this process, as the trail will name it.

    Not what USER says: an environment variable is no identity.
    """
    import pwd  # noqa: PLC0415

    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid-{number}"


def picked(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    """The id of a Swarm by `namespace/name` or `name`; of the only one for "".

    Raises `NotFound`, and `Usage` when several fit.
    """
    if not name and len(rows) == 1:
        return str(rows[0]["id"])
    names = {f"{row['namespace']}/{row['name']}": str(row["id"]) for row in rows}
    known = ", ".join(sorted(names)) or "none; apply one with `swarmctl apply -f swarm.yaml`"
    fits = [id_ for full, id_ in names.items() if name in {full, full.partition("/")[2]}]
    if len(fits) == 1:
        return fits[0]
    if name and not fits:
        from swarm.adapters.postgres.store.errors import NotFound  # noqa: PLC0415

        raise NotFound(f"there is no Swarm {name[:100]!r}; there are: {known}")
    raise Usage(f"name one Swarm; there are: {known}")


async def swarm_named(database: Database, name: str) -> SwarmId:
    """The same, asked through an open database."""
    from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415
    from swarm.core.ids import SwarmId  # noqa: PLC0415

    return SwarmId(picked(await Look(database).rows("swarms"), name))
