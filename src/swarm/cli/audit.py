"""`swarmctl audit`: verify the trail, or export decisions."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from swarm.cli.desk import ask, swarm_named
from swarm.cli.errors import EXIT_BAD_OUTCOME, EXIT_DONE
from swarm.cli.options import Home, Output, Swarm
from swarm.cli.output import Form, emit, show_one

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

app = App(name="audit", help="Verify the trail, or export decisions.")
When = Annotated[datetime | None, Parameter(help="A time such as 2026-03-01T00:00:00+00:00.")]


@app.command
def verify(*, swarm: Swarm = "", output: Output = Form.TABLE, home: Home = None) -> int:
    """Recompute every hash chain of a Swarm. An edited, removed or reordered event is named.

    Exit status: 0 unbroken, 3 broken.

    Example: swarmctl audit verify
    """

    async def work(database: Database) -> Any:
        from swarm.adapters.postgres.store.desk.trails import Trails  # noqa: PLC0415

        return await Trails(database).verify_all(await swarm_named(database, swarm))

    found = ask(home, work)
    faults = [str(fault) for fault in found.faults]
    if output is not Form.TABLE:
        show_one({"kind": "AuditVerdict", "events": found.events, "faults": faults}, output)
    else:
        for fault in faults:
            emit(f"broken: {fault}")
        emit(f"{found.events} events, {len(faults)} faults")
    return EXIT_BAD_OUTCOME if faults else EXIT_DONE


@app.command
def export(
    *,
    begin: Annotated[When, Parameter(name="--from")] = None,
    end: Annotated[When, Parameter(name="--to")] = None,
    swarm: Swarm = "",
    home: Home = None,
) -> None:
    """Write every event of a span as JSON lines, with the hashes that prove them.

    Example: swarmctl audit export --from 2026-03-01T00:00:00+00:00 > march.jsonl
    """

    async def work(database: Database) -> None:
        from swarm.adapters.postgres.store.desk.trails import Trails  # noqa: PLC0415

        id_ = await swarm_named(database, swarm)
        async for row in Trails(database).every(id_, begin, end):
            emit(json.dumps({**row, "body": json.loads(row["body"])}, default=_text))

    ask(home, work)


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
