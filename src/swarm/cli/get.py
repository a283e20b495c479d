"""`swarmctl get`: list one kind of object."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.columns import KINDS, Kind
from swarm.cli.desk import ask, swarm_named
from swarm.cli.errors import Usage
from swarm.cli.options import Home, Output, Swarm
from swarm.cli.output import Form, say, show, show_one

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database


def get(
    kind: Annotated[str, Parameter(help="What to list: swarms, needs, missions, ...")] = "missions",
    name: Annotated[str, Parameter(help="Only this one, by any unique prefix.")] = "",
    *,
    swarm: Swarm = "",
    state: Annotated[str, Parameter(help="Only in this state, such as open.")] = "",
    limit: Annotated[int, Parameter(help="At most so many.")] = 100,
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """List swarms, needs, missions, runs, changes, gates, rollouts, freezes, approvals, ...

    Reads only. Ids are shown by their shortest useful prefix; every verb takes any unique one.
    Exit status: 0, or 5 when a named object does not exist.

    Example: swarmctl get missions -o wide
    """
    wanted = _kind(kind)

    async def read(database: Database) -> list[dict[str, Any]]:
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

        id_ = await swarm_named(database, swarm) if swarm else None
        look = Look(database)
        rows = await look.rows(wanted.name, id_, like=name, state=state or None, limit=limit)
        return [wanted.row(row) for row in rows]

    rows = ask(home, read)
    if name and output in {Form.JSON, Form.YAML} and len(rows) == 1:
        show_one(rows[0], output)
        return
    if not rows and output in {Form.TABLE, Form.WIDE}:
        say(f"No {wanted.name}. {wanted.when_empty}")
        return
    now = datetime.now(UTC)
    if output in {Form.TABLE, Form.WIDE}:
        rows = [wanted.for_people(row, now) for row in rows]
    show(rows, wanted.columns, output, kind=wanted.single)


def _kind(word: str) -> Kind:
    """A kind by any of its usual names: `mission`, `missions`, `m`."""
    for kind in KINDS:
        if word.lower() in {kind.name, kind.single.lower(), kind.short}:
            return kind
    known = ", ".join(kind.name for kind in KINDS)
    raise Usage(f"no kind {word!r}; there are {known}")
