"""Kinds that need no page of their own: every field, and what happens next."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from swarm.cli.columns import MICRO, SHORT_ID, Kind, span, stamp
from swarm.cli.desk import home_of, swarm_named
from swarm.cli.get import nothing
from swarm.cli.output import as_json, line, visible

if TYPE_CHECKING:
    from pathlib import Path

    from swarm.adapters.postgres.database import Database

Data = dict[str, Any]
_MONEY = {"cap", "reserved", "spent", "left", "cost", "overrun", "predicted_cost", "amount"}

_TOLD_OTHERWISE = {"name", "answer"}  #: in the first line; as the word `verdict`


def gather_of(
    kind: Kind, home: Path | None
) -> Callable[[Database, str, str], Awaitable[list[Data]]]:
    """What reads the objects of such a kind.

    home: of the installation, whose swarm.toml says what a budget does when it is spent.
    """

    async def gather(database: Database, name: str, swarm: str) -> list[Data]:
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

        look = Look(database)
        scope = await swarm_named(database, swarm) if swarm else None
        rows = [kind.row(row) for row in await look.rows(kind.name, scope, like=name, limit=50)]
        exact = [row for row in rows if row["name"] == name]
        if not rows and name:
            raise nothing(kind, name)
        if kind.name == "budgets":
            rows = [row for row in rows if row["current"]] or rows[:1]
            terms = _when_spent(home)
            for row in rows:
                row["when_spent"] = terms(row["name"])
                row["spenders"] = await look.rows("spenders", scope, limit=10)
        if kind.name == "sources":
            for row in exact or rows:
                every = await look.rows("signals", row["swarm"], limit=1_000)
                row["latest"] = [one for one in every if one["source"] == row["name"]][:5]
        return exact or rows

    return gather


def _when_spent(home: Path | None) -> Callable[[str], str]:
    """What becomes of agents at work when the budget of a name is overdrawn, as bound now."""
    from swarm.runtime.errors import BadSettings, SettingsMissing  # noqa: PLC0415
    from swarm.runtime.settings import load  # noqa: PLC0415 - pays for the settings only here

    try:
        bound = load(home_of(home).file).budgets
    except (BadSettings, SettingsMissing):
        return lambda _: "unknown: swarm.toml cannot be read; `swarmctl doctor` tells why"
    unbound = "nothing: swarm.toml does not bind it any more"
    return lambda name: bound[name].when_spent if name in bound else unbound


def teller_of(kind: Kind) -> Callable[[Data, datetime], list[str]]:
    """What tells people about an object of such a kind."""

    def tell(row: Data, now: datetime) -> list[str]:
        lines = [f"{kind.single.lower()}/{line(str(row['name']))}"]
        for field, value in row.items():
            if field not in _TOLD_OTHERWISE and value not in (None, "", [], ()):
                lines += _field(field, value, now)
        return [*lines, f"next: {_next(kind.name, row, now)}"]

    return tell


def _field(field: str, value: Any, now: datetime) -> list[str]:
    label = f"{field.replace('_', ' ')}:"
    if isinstance(value, datetime):
        when = span(value, now)
        text = f"{stamp(value)} ({when if when.startswith('in ') else f'{when} ago'})"
    elif field in _MONEY and isinstance(value, int):
        text = f"{value / MICRO:.2f}"
    elif isinstance(value, list | dict):
        return [label, *(f"  {part}" for part in visible(as_json(value)).splitlines())]
    else:
        parts = visible(str(value)).splitlines() or [""]
        if len(parts) > 1:
            return [label, *(f"  | {part}" for part in parts)]
        text = parts[0]
    return [f"{label:<16} {text}"]


def _next(kind: str, row: Data, now: datetime) -> str:
    mission = str(row.get("mission") or "")[:SHORT_ID]
    tell = _NEXT.get(kind)
    if tell is None:
        return f"`swarmctl describe mission {mission}` tells where it leads"
    return tell(row, now)


def _run(row: Data, now: datetime) -> str:
    del now
    mission = row["mission"][:SHORT_ID]
    if row["result"]:
        return f"it has ended; `swarmctl describe mission {mission}` goes on from there"
    return f"{row['waits_because'] or 'it is at work'}; `swarmctl logs {mission} -f`"


def _approval(row: Data, now: datetime) -> str:
    if row["state"] != "open":
        return f"nothing; it is {row['state']}"
    mission, due = row["mission"][:SHORT_ID], span(row["expires_at"], now)
    return f"it expires {due}; `swarmctl approve {mission} --reason ...`"


def _budget(row: Data, now: datetime) -> str:
    turns = f"the window turns {span(row['window_end'], now)}"
    if row["left"] > 0:
        return f"dispatch goes on; {turns}"
    if row["cap"] > row["spent"]:
        return f"nothing is dispatched until a mission gives back what it reserves; {turns}"
    return f"nothing is dispatched until {turns}"


def _source(row: Data, now: datetime) -> str:
    del now
    if row["dark_since"]:
        return f"it is asked again; R2 and R3 wait. `swarmctl source test {line(row['name'])}`"
    return "it is read again on the Swarm's cadence"


def _order(row: Data, now: datetime) -> str:
    if row["settled_at"]:
        return "nothing; it is settled"
    return f"it is looked at {span(row['due_at'], now)}" if row["due_at"] else "its mission decides"


def _signal(row: Data, now: datetime) -> str:
    del now
    return f"it counts for `swarmctl describe need {row['need'][:SHORT_ID]}`"


def _outcome(row: Data, now: datetime) -> str:
    del row, now
    return "nothing by itself; a failed or rolled back one has opened a repair of its own"


_NEXT: dict[str, Callable[[Data, datetime], str]] = {
    "runs": _run,
    "approvals": _approval,
    "budgets": _budget,
    "sources": _source,
    "orders": _order,
    "signals": _signal,
    "outcomes": _outcome,
}
