"""A freeze told to people: trigger, scope, end, and what is left to do before it is lifted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from swarm.cli.columns import SHORT_ID, span, stamp
from swarm.cli.desk import resume_rule, swarm_named
from swarm.cli.output import line
from swarm.cli.sentences import sentences

if TYPE_CHECKING:
    from pathlib import Path

    from swarm.adapters.postgres.database import Database
    from swarm.core.nouns import Freeze, ResumeRule

_FIELDS = (
    "id", "mission_class", "reason", "detail", "cause", "since", "until", "requalified",
    "needs_token", "by",
)  # fmt: skip


async def gather(
    database: Database, name: str, swarm: str, *, home: Path | None
) -> list[dict[str, Any]]:
    """The named freeze, or every open one, each with its checklist. Raises NotFound.

    home: of the installation, whose resume window counts where a profile asks for one.
    """
    from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

    look = Look(database)
    if name:
        _, id_ = await look.find(name, "freeze")
        rows = await look.rows("freezes", like=id_)
    else:
        scope = await swarm_named(database, swarm) if swarm else None
        rows = await look.rows("freezes", scope, state="open")
    open_ones = await look.rows("missions", state="open")
    found = []
    for row in rows:
        proofs = [
            mission["id"]
            for mission in open_ones
            if mission["kind"] == "requalify"
            and (mission["swarm"], mission["mission_class"]) == (row["swarm"], row["mission_class"])
        ]
        (whose,) = await look.rows("swarms", row["swarm"])
        told = {"swarm_name": f"{whose['namespace']}/{whose['name']}", "proofs": proofs}
        told |= _lifting(row, resume_rule(home, whose))
        found.append({"name": row["id"], **row, **told})
    return found


def _lifting(row: dict[str, Any], rule: ResumeRule) -> dict[str, Any]:
    """The checklist, and when the resume window opens next."""
    from swarm.core.policy.freeze import checklist  # noqa: PLC0415

    now = datetime.now(UTC)
    items = [{"text": item.text, "done": item.done} for item in checklist(_freeze(row), now, rule)]
    return {"checklist": items, "opens": None if rule.allows(now) else rule.next_opening(now)}


def _freeze(row: dict[str, Any]) -> Freeze:
    from swarm.core.nouns import Freeze  # noqa: PLC0415

    return Freeze(**{field: row[field] for field in _FIELDS})


def tell(row: dict[str, Any], now: datetime) -> list[str]:
    """The lines of `describe freeze`."""
    whole = row["mission_class"] == "*"
    scope = "everything" if whole else f"mission class {line(row['mission_class'])}"
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
    from swarm.core.policy.freeze import NO_REPOSITORY  # noqa: PLC0415

    left = [one for one in row["checklist"] if not one["done"]]
    command = f"`swarmctl resume {row['id'][:SHORT_ID]} --reason ...`"
    if not left:
        by_itself = row["until"] is not None
        return "it is lifted by itself at the next tick" if by_itself else f"lift it: {command}"
    if row["until"] is not None and now < row["until"]:
        return f"requalification begins {span(row['until'], now)}, when the window has passed"
    if any(one["text"].endswith(NO_REPOSITORY) for one in left):
        return "list a repository in spec.delivery.repoAllowlist; without one it is not lifted"
    if row["requalified"] is None:
        under_way = f"mission {row['proofs'][0][:SHORT_ID]} is proving it" if row["proofs"] else ""
        return under_way or "requalification begins by itself; the controller must be running"
    if row["opens"] is not None:
        return f"the resume window opens {span(row['opens'], now)}"
    if any(one["text"].startswith("resume window") for one in left):
        return "set a resume window in swarm.toml; without one it is not lifted"
    return f"{command} with --token"
