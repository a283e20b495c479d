"""`swarmctl events`: the event log as lines or JSON lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.columns import SHORT_ID
from swarm.cli.desk import ask, swarm_named
from swarm.cli.follow import pause
from swarm.cli.options import Home, Limit, Output, SwarmName, limited
from swarm.cli.outage import Outage
from swarm.cli.output import Form, as_json, document, emit, line, say, show

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

POLL_SECONDS = 0.5
WORDS_MOST = 160
_FIELDS = ("at", "swarm", "chain", "seq", "kind", "actor")


def events(
    swarm: SwarmName = "",
    /,
    *,
    follow: Annotated[
        bool, Parameter(name=["--follow", "-f"], help="Keep printing as they happen.")
    ] = False,
    limit: Limit = 50,
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Print events, oldest first: one line each, or one JSON document each with -o jsonl.

    The log is the trail itself: hash-chained per mission, nothing is skipped. It begins with the
    last --limit events of every Swarm, or of one. An outage of the database is told and waited out
    while following. Ctrl-C ends that; nothing else changes.

    Exit status: 0; 2 wrong use; 5 no such Swarm; 130 following was ended.

    Example: swarmctl events -f -o jsonl
    """
    most = limited(limit)

    async def work(database: Database) -> None:
        from swarm.adapters.postgres.store.desk.trails import Trails  # noqa: PLC0415

        trails = Trails(database)
        id_ = await swarm_named(database, swarm) if swarm else None
        rows = await trails.newest(id_, limit=most)
        _print(rows, output, follow=follow)
        last = rows[-1] if rows else None
        outage = Outage()
        while follow:
            if fresh := await outage.asked(trails.since(id_, after=last)):
                _print(fresh, output, follow=True)
                last = fresh[-1]
            else:
                await pause(POLL_SECONDS)

    ask(home, work)


def _print(rows: list[dict[str, Any]], output: Form, *, follow: bool) -> None:
    if output.for_people:
        for row in rows:
            _line(row, whole=output is Form.WIDE)
        if not rows and not follow:
            say("No events. The first one comes with `swarmctl apply -f swarm.yaml`.")
        return
    found = [_event(row) for row in rows]
    if follow and output is not Form.NAME:
        # A document that never ends is no document: one for each event, whatever was asked.
        for one in found:
            emit(as_json(document("Event", one), indent=None))
    else:
        show(found, (), output, kind="Event")


def _event(row: dict[str, Any]) -> dict[str, Any]:
    shown = {key: row[key] for key in _FIELDS}
    name = f"{row['chain']}/{row['seq']}"
    return {"name": name, **shown, "body": json.loads(row["body"])}


def _line(row: dict[str, Any], *, whole: bool) -> None:
    body = json.loads(row["body"])
    words = ", ".join(
        f"{key}={line(str(value))}" for key, value in body.items() if value not in (None, "")
    )
    words = words if whole or len(words) <= WORDS_MOST else f"{words[: WORDS_MOST - 1]}…"
    chain = row["chain"] if whole else row["chain"][:SHORT_ID]
    emit(f"{row['at']:%H:%M:%S}  {chain}  {row['kind']:<20}  {words}")
