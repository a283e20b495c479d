"""A freeze told to people: trigger, scope, end, and what is left to do before it is lifted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from swarm.cli.columns import SHORT_ID, span, stamp
from swarm.cli.desk import swarm_named
from swarm.cli.output import line
from swarm.cli.sentences import sentences

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database
    from swarm.core.nouns import Freeze

_FIELDS = (
    "id", "mission_class", "reason", "detail", "cause", "since", "until", "requalified",
    "needs_token", "by",
)  # fmt: skip


async def gather(database: Database, name: str, swarm: str) -> list[dict[str, Any]]:
    """The named freeze, or every open one, each with its checklist. Raises NotFound."""
    from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

    look = Look(database)
    if name:
        _, id_ = await look.find(name, "freeze")
        rows = await look.rows("freezes", like=id_)
    else:
        scope = await swarm_named(database, swarm) if swarm else None
        rows = await look.rows("freezes", scope, state="open")
    swarms = {row["id"]: f"{row['namespace']}/{row['name']}" for row in await look.rows("swarms")}
    open_ones = await look.rows("missions", state="open")
    found = []
    for row in rows:
        proofs = [
            mission["id"]
            for mission in open_ones
            if mission["kind"] == "requalify"
            and (mission["swarm"], mission["mission_class"]) == (row["swarm"], row["mission_class"])
        ]
        swarm_name = swarms.get(row["swarm"], row["swarm"])
        found.append({"name": row["id"], **row, "swarm_name": swarm_name, "proofs": proofs})
    return [{**row, "checklist": _checklist(row)} for row in found]


def _checklist(row: dict[str, Any]) -> list[dict[str, Any]]:
    from swarm.core.policy.freeze import checklist  # noqa: PLC0415

    return [
        {"text": item.text, "done": item.done}
        for item in checklist(_freeze(row), datetime.now(UTC))
    ]


def _freeze(row: dict[str, Any]) -> Freeze:
    from swarm.core.nouns import Freeze  # noqa: PLC0415

    return Freeze(**{field: row[field] for field in _FIELDS})


def tell(row: dict[str, Any], now: datetime) -> list[str]:
    """The lines of `describe freeze`."""
    whole = row["mission_class"] == "*"
    scope = "everything" if whole else f"mission class {row['mission_class']}"
    word = "LIFTED" if row["lifted_at"] else "FROZEN"
    lines = [
        f"{row['id'][:SHORT_ID]}  {word}: {scope} of {row['swarm_name']}",
        f"trigger:  {_trigger(row)}",
        f"since:    {stamp(row['since'])} ({span(row['since'], now)} ago), by {line(row['by'])}",
        f"until:    {_until(row, now)}",
    ]
    if row["lifted_at"]:
        return [*lines, f"lifted:   {stamp(row['lifted_at'])} by {line(row['lifted_by'])}"]
    lines.append("held:     no new runs, no merges, no promotion; rollback and checks go on")
    lines.append("to resume:")
    lines += [f"  [{'x' if one['done'] else ' '}] {one['text']}" for one in row["checklist"]]
    return [*lines, f"next:     {_next(row, now)}"]


def _trigger(row: dict[str, Any]) -> str:
    from swarm.core.reasons import Reason  # noqa: PLC0415

    meaning = sentences(Reason).get(row["reason"], "")
    told = f"{row['reason']}: {line(row['detail'] or '')}"
    return f"{told} ({meaning})" if meaning else told


def _until(row: dict[str, Any], now: datetime) -> str:
    if row["until"] is None:
        return "somebody resumes it"
    when = span(row["until"], now)
    over = when if when.startswith("in ") else f"{when} ago; it holds until it is lifted"
    return f"{stamp(row['until'])} ({over})"


def _next(row: dict[str, Any], now: datetime) -> str:
    left = [one for one in row["checklist"] if not one["done"]]
    command = f"`swarmctl resume {row['id'][:SHORT_ID]} --reason ...`"
    if not left:
        by_itself = row["until"] is not None
        return "it is lifted by itself at the next tick" if by_itself else f"lift it: {command}"
    if row["until"] is not None and now < row["until"]:
        return f"requalification begins {span(row['until'], now)}, when the window has passed"
    if row["requalified"] is None:
        under_way = f"mission {row['proofs'][0][:SHORT_ID]} is proving it" if row["proofs"] else ""
        return under_way or "requalification begins by itself; the controller must be running"
    return f"{command} with --token"
