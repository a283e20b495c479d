"""`swarmctl trace`: the chain of evidence of a commit, a branch or a mission."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.columns import SHORT_ID
from swarm.cli.complete import missions
from swarm.cli.desk import ask
from swarm.cli.errors import EXIT_BAD_OUTCOME, EXIT_DONE
from swarm.cli.options import Home, Output
from swarm.cli.output import Form, emit, line, show_one, visible

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database


def trace(
    what: Annotated[
        str,
        Parameter(
            help="A commit, a branch, a run or a mission, by any unique prefix.",
            completer=missions,
        ),
    ],
    /,
    *,
    output: Output = Form.TABLE,
    home: Home = None,
) -> int:
    """Show everything from signal to outcome, in order, and check that nobody changed it.

    `-o json` is the audit record. Reads only the database: no repository and no target is asked.
    The times are those of the database.

    Exit status: 0 whole; 3 the chain is broken; 5 not found.

    Example: swarmctl trace 9f31c2a
    """

    async def work(database: Database) -> tuple[dict[str, Any], int, Any]:
        from swarm.adapters.postgres.store.desk.stories import Stories  # noqa: PLC0415
        from swarm.adapters.postgres.store.desk.trails import Trails  # noqa: PLC0415

        story = await Stories(database).trace(what)
        count, fault = await Trails(database).verify(story["id"])
        return story, count, fault

    story, count, fault = ask(home, work)
    if not output.for_people:
        broken = str(fault) if fault else None
        show_one("Trace", {"events": count, "broken": broken, **story}, output)
    else:
        _tell(story)
        broken = f"BROKEN: {visible(str(fault))}" if fault else "unbroken"
        emit(f"trail:  {count} events, {broken}")
    return EXIT_BAD_OUTCOME if fault else EXIT_DONE


def _tell(story: dict[str, Any]) -> None:
    emit(f"{story['id']}  {line(story['title'])}")
    need = story["needs_story"]
    if need:
        emit(f"need    {need['id']}  {line(need['title'])}")
        for signal in need["signals"]:
            where = line(signal["citation"] or "uncited")
            when = f"{signal['at']:%Y-%m-%d %H:%M:%S}"
            digest = signal["content_hash"][:12]
            emit(f"signal  {when}  {line(signal['source'])}: {where}  sha256:{digest}")
    for event in story["trail"]:
        body = json.loads(event["body"])
        words = ", ".join(f"{key}={_short(value)}" for key, value in body.items() if value)
        emit(f"{event['seq']:>5}  {event['at']:%H:%M:%S.%f}"[:-3] + f"  {event['kind']}  {words}")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = line(text)
    is_id = text[1:2] == "-" and " " not in text
    return text[:SHORT_ID] if is_id else text if len(text) <= 100 else f"{text[:99]}…"  # noqa: PLR2004
