"""`swarmctl get`: list one kind of object."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter

from swarm.cli.columns import Kind
from swarm.cli.complete import kinds, names
from swarm.cli.errors import Usage
from swarm.cli.glance import glance
from swarm.cli.kinds import parted
from swarm.cli.options import Home, Limit, Output, Swarm, limited
from swarm.cli.output import API_VERSION, Form, say, show, show_one


def get(
    kind: Annotated[
        str, Parameter(help="What to list: swarms, needs, missions, ...", completer=kinds)
    ] = "missions",
    name: Annotated[
        str, Parameter(help="Only what begins with this id or name.", completer=names)
    ] = "",
    /,
    *,
    swarm: Swarm = "",
    state: Annotated[str, Parameter(help="Only in this state, such as open.")] = "",
    limit: Limit = 100,
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """List one kind of object, the most telling first.

    Kinds: swarms, needs, missions, runs, changes, gates, rollouts, freezes, approvals, budgets,
    sources, signals, orders, outcomes. Reads only; asks no source, no repository and no target.
    Ids are shown short on a terminal; every verb takes any unique prefix of one.

    Exit status: 0, also when nothing is listed; 2 wrong use; 5 nothing of that name.

    Example: swarmctl get missions --state open -o wide
    """
    wanted, name = parted(kind, name)
    if state and state not in wanted.states:
        known = f"they are {', '.join(wanted.states)}" if wanted.states else "it has none"
        raise Usage(f"{wanted.name} are never in a state {state[:60]!r}; {known}")
    found = glance(
        home, wanted.name, swarm=swarm, like=name, state=state or None, limit=limited(limit)
    )
    rows = [wanted.row(row) for row in found]
    rows = [row for row in rows if row["name"] == name] or rows
    if name and not rows:
        raise nothing(wanted, name)
    if not rows and output.for_people:
        say(f"No {wanted.name}{' like that' if state or swarm else ''}. {wanted.when_empty}")
        return
    _print(wanted, rows, output, one=bool(name) and len(rows) == 1)


def _print(wanted: Kind, rows: list[dict[str, Any]], output: Form, *, one: bool) -> None:
    if output.for_people:
        people = wanted.for_people(rows, datetime.now(UTC), whole_ids=not sys.stdout.isatty())
        show(people, wanted.columns, output, kind=wanted.single)
        return
    if wanted.name == "swarms" and output is not Form.NAME:
        rows = [swarm_object(row) for row in rows]
    if one and output in {Form.JSON, Form.YAML}:
        show_one(wanted.single, rows[0], output)
    else:
        show(rows, wanted.columns, output, kind=wanted.single)


def swarm_object(row: dict[str, Any]) -> dict[str, Any]:
    """A Swarm as the API object that it is, so that what `get` prints can be applied.

    In a list, too, each one says its version: a list is read object by object.
    """
    notes = {key: value for key, value in (row.get("metadata") or {}).items() if value}
    metadata = {
        "name": row["name"],
        "namespace": row["namespace"],
        "uid": row["id"],
        "generation": row["generation"],
        "creationTimestamp": row["created_at"],
        **notes,
    }
    whole = {"metadata": metadata, "spec": row["spec"], "status": row["status"]}
    return {"apiVersion": API_VERSION, **whole}


def nothing(wanted: Kind, name: str) -> Exception:
    """The error for a name that nothing has."""
    from swarm.adapters.postgres.store.errors import NotFound  # noqa: PLC0415

    return NotFound(
        f"no {wanted.single.lower()} whose name begins with {name[:100]!r}",
        remedy=f"`swarmctl get {wanted.name}` lists what there is. {wanted.when_empty}",
    )
