"""What `doctor` looks at in the store: it answers, its schema fits, the loop moves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from swarm.cli.columns import SHORT_ID, span
from swarm.cli.describe_swarm import remedy, well
from swarm.cli.finding import Finding, fault, note, ok
from swarm.cli.output import line
from swarm.contract.errors import SwarmError
from swarm.runtime.background import running_pid

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from swarm.adapters.postgres.database import Database
    from swarm.contract.swarm import SwarmObject
    from swarm.runtime.home import Home
    from swarm.runtime.settings import Settings

Stored = dict[str, Any]
OUTCOMES_READ = 100  #: of which the newest of each Swarm counts
_UP = "Start it: `swarmctl up`."


def stored(place: Home) -> tuple[Stored | None, list[Finding]]:
    """What the store holds, and findings about reaching it; None when it cannot be asked."""
    from swarm.adapters.postgres.layout import lay_out  # noqa: PLC0415
    from swarm.runtime.database import joined  # noqa: PLC0415
    from swarm.runtime.database_named import EMBEDDED, named  # noqa: PLC0415

    try:
        url, _ = named(place)
        # Not in our own folder: as root the data may lie elsewhere, where the server can reach it.
        data = lay_out(place.database) if url == EMBEDDED else None
        if data is not None and not data.cluster.exists():
            return None, [note("database", "the embedded database was never started", _UP)]

        async def ask() -> Stored:
            async with joined(place) as database:
                return await _read(database)

        found = asyncio.run(ask())
    except SwarmError as error:
        return None, [fault("database", error.message, error.fix)]
    where = "" if data is None else f", in {data.data}"
    return found, [_schema(found, where), *_clock(found["ahead"])]


async def _read(database: Database) -> Stored:
    from swarm.adapters.postgres.store.clock import PostgresClock  # noqa: PLC0415
    from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415
    from swarm.runtime.clock_keeper import difference  # noqa: PLC0415

    async def tx(connection: AsyncConnection[Any]) -> tuple[Any, ...]:
        said = await connection.execute(
            "select max(version), current_setting('server_version') from migration"
        )
        return await said.fetchone() or (None, "")

    version, server = await database.run(tx)
    look = Look(database)
    return {
        "ahead": await difference(lambda: datetime.now(UTC), PostgresClock(database).now),
        "version": version,
        "server": server,
        "swarms": await look.rows("swarms"),
        "missions": await look.rows("missions", state="open"),
        "outcomes": await look.rows("outcomes", limit=OUTCOMES_READ),
        "freezes": await look.rows("freezes", state="open"),
        "approvals": await look.rows("approvals", state="open"),
        "sources": await look.rows("sources"),
    }


def _schema(found: Stored, where: str) -> Finding:
    from swarm.adapters.postgres.migrate import read_migrations  # noqa: PLC0415

    known = len(read_migrations())
    at = f"Postgres {found['server']}, schema {found['version']}"
    if (found["version"] or 0) > known:
        said = f"{at}, newer than this release, which knows {known}"
        return note("database", said, "Upgrade this swarmctl when you can; it still fits.")
    if (found["version"] or 0) < known:
        said = f"{at}, and this release has {known}: a controller of an older one is at work"
        return note("database", said, "Have it begin anew: swarmctl down && swarmctl up")
    return ok("database", f"{at}{where}")


def _clock(ahead: timedelta) -> Iterator[Finding]:
    """A clock with which no controller works."""
    from swarm.runtime.clock_keeper import TOLERATED, told  # noqa: PLC0415
    from swarm.runtime.errors import ClockWrong  # noqa: PLC0415

    if abs(ahead) > TOLERATED:
        yield fault("clock", told(ahead), ClockWrong.remedy)


def _stops_nothing(condition: Mapping[str, Any]) -> bool:
    """Worth knowing only: held or assisting as somebody wrote it down, or no source there yet."""
    kind, status = condition["type"], condition["status"]
    return kind in {"PolicyComplete", "Frozen"} or (kind, status) == ("DiscoveryHealthy", "Unknown")


def controller(place: Home, found: Stored | None) -> Finding:
    """Whether a controller works for this installation."""
    pid = running_pid(place)
    if pid is not None:
        since = f"pid {pid} works since {place.read_note().get('since')}"
        if _changed_since(place):
            again = "Have it begin anew: swarmctl down && swarmctl up"
            return note("controller", f"{since}, by {place.file.name} as it was then", again)
        return ok("controller", since)
    if found is not None and found["swarms"]:
        return fault("controller", "none is running here, and Swarms are applied", _UP)
    return note("controller", "none is running here", _UP)


def _changed_since(place: Home) -> bool:
    """Whether the installation file was written after the controller had read it."""
    try:
        return place.file.stat().st_mtime > place.note.stat().st_mtime
    except OSError:
        return False


def applied(swarms: Sequence[SwarmObject], found: Stored) -> Iterator[Finding]:
    """Swarms whose manifest says something else than what is applied."""
    from swarm.contract.canonical import canonical_spec  # noqa: PLC0415

    live = {(row["namespace"], row["name"]): row["spec"] for row in found["swarms"]}
    for swarm in swarms:
        spec = live.get((swarm.metadata.namespace, swarm.name))
        if spec is not None and spec != json.loads(canonical_spec(swarm.spec)):
            said = f"{swarm.name}: the manifest says something else than what is applied"
            yield note(
                "manifest", said, "`swarmctl diff -f` shows it, `swarmctl apply -f` takes it"
            )


def loop(found: Stored) -> Iterator[Finding]:
    """Findings about what the Swarms themselves report."""
    now = datetime.now(UTC)
    for swarm in found["swarms"]:
        name, status = swarm["name"], swarm["status"] or {}
        if not status:
            yield note("swarm", f"{name}: no controller has looked at it yet", _UP)
            continue
        off = [one for one in status.get("conditions", ()) if not well(one)]
        for one in off:
            about = f"{name}: {one['type']} is {one['status']}: {line(one.get('message', ''))}"
            yield (note if _stops_nothing(one) else fault)("swarm", about, remedy(one))
        if not off:
            yield ok("swarm", f"{name}: {status.get('phase')}, every condition is well")
    yield from _red_mains(found)
    for asked in found["approvals"]:
        said = (
            f"{asked['mission'][:SHORT_ID]} waits for you, expires {span(asked['expires_at'], now)}"
        )
        yield note("approval", said, f"`swarmctl describe mission {asked['mission'][:SHORT_ID]}`")


def _red_mains(found: Stored) -> Iterator[Finding]:
    """Repositories whose own main fails a check, as far as missions met it."""
    for mission in found["missions"]:
        if mission["reason"] == "MainIsRed":
            said = f"{mission['repo']}: {line(mission['detail'] or 'main is red')}"
            yield fault("main", said, "Mend main first; missions go on once it is green.")
    newest: dict[str, dict[str, Any]] = {}
    for outcome in found["outcomes"]:
        newest.setdefault(outcome["swarm"], outcome)
    for outcome in newest.values():
        if outcome["reason"] == "MainIsRed":
            said = (
                f"{outcome['mission'][:SHORT_ID]} ended, newest of all: {line(outcome['detail'])}"
            )
            yield note(
                "main", said, "Mend main, if it is red still; `swarmctl why` shows what rests."
            )


def resuming(found: Stored, settings: Settings) -> Iterator[Finding]:
    """Swarms whose freezes can never be lifted, because nobody said when (FRZ-5)."""
    from swarm.contract.profiles import profile_of  # noqa: PLC0415

    if settings.loop.window() is not None:
        return
    for row in found["swarms"]:
        held = profile_of(row["spec"]["domains"], row["metadata"].get("annotations", {}))
        if held.thresholds.resume_window_required:
            said = f"{row['name']}: no resume window is set, and without one no freeze is lifted"
            yield note("policy", said, "Set `resume_window` in [loop] of swarm.toml.")
