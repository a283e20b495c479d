"""`swarmctl events`: the event log as lines or JSON lines."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.columns import SHORT_ID
from swarm.cli.desk import ask, swarm_named
from swarm.cli.options import Home, Output
from swarm.cli.output import Form, emit, visible

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

POLL_SECONDS = 0.5


def events(
    swarm: Annotated[str, Parameter(help="Which Swarm; default: all.")] = "",
    *,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], help="Go on as they happen.")] = (
        False
    ),
    limit: Annotated[int, Parameter(help="Begin with so many of the last ones.")] = 50,
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Print events, oldest first: one line each, or one JSON document each with -o jsonl.

    The log is the trail itself: hash-chained per mission, nothing is skipped.
    Ctrl-C ends following.

    Example: swarmctl events -f -o jsonl
    """

    async def work(database: Database) -> None:
        from swarm.adapters.postgres.store.desk.trails import Trails  # noqa: PLC0415

        trails = Trails(database)
        id_ = await swarm_named(database, swarm) if swarm else None
        rows = await trails.newest(id_, limit=limit)
        for row in rows:
            _line(row, output)
        last = rows[-1] if rows else None
        while follow:
            fresh = await trails.since(id_, after=last)
            for row in fresh:
                _line(row, output)
            last = fresh[-1] if fresh else last
            if not fresh:
                await asyncio.sleep(POLL_SECONDS)

    ask(home, work)


def _line(row: dict[str, Any], output: Form) -> None:
    body = json.loads(row["body"])
    if output is not Form.TABLE:
        shown = {key: row[key] for key in ("at", "swarm", "chain", "seq", "kind", "actor")}
        emit(json.dumps({**shown, "body": body}, default=str))
        return
    words = ", ".join(
        f"{key}={visible(str(value))}" for key, value in body.items() if value not in (None, "")
    )
    at = f"{row['at']:%H:%M:%S}"
    emit(f"{at}  {row['chain'][:SHORT_ID]}  {row['kind']:<20}  {words[:160]}")
