"""`swarmctl audit`: verify the trail, or export decisions."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from swarm.cli.desk import ask, swarm_named
from swarm.cli.errors import EXIT_BAD_OUTCOME, EXIT_DONE, Usage
from swarm.cli.options import Home, Output, Swarm
from swarm.cli.output import Form, as_json, emit, line, show_one

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

app = App(name="audit", help="Verify the trail, or export decisions.")
When = Annotated[datetime | None, Parameter(help="A time such as 2026-03-01T00:00:00+00:00.")]


@app.command
def verify(*, swarm: Swarm = "", output: Output = Form.TABLE, home: Home = None) -> int:
    """Recompute every hash chain of a Swarm. An edited, removed or reordered event is named.

    Repairs nothing: what was there before an edit is not known here.

    Exit status: 0 unbroken; 3 broken; 5 no such Swarm.

    Example: swarmctl audit verify
    """

    async def work(database: Database) -> Any:
        from swarm.adapters.postgres.store.desk.trails import Trails  # noqa: PLC0415

        return await Trails(database).verify_all(await swarm_named(database, swarm))

    found = ask(home, work)
    faults = [str(fault) for fault in found.faults]
    if not output.for_people:
        body = {"chains": found.chains, "events": found.events, "faults": faults}
        show_one("AuditVerdict", body, output)
    else:
        for fault in faults:
            emit(f"broken: {line(fault)}")
        emit(f"{found.chains} chains, {found.events} events, {len(faults)} faults")
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

    Reads only. The end of a span is exclusive, so that spans join without a gap.

    Exit status: 0 written; 2 wrong use; 5 no such Swarm.

    Example: swarmctl audit export --from 2026-03-01T00:00:00+00:00 > march.jsonl
    """

    async def work(database: Database) -> None:
        from swarm.adapters.postgres.store.desk.trails import Trails  # noqa: PLC0415

        id_ = await swarm_named(database, swarm)
        if begin is not None and end is not None and end <= begin:
            raise Usage(f"--to {end} is not after --from {begin}")
        async for row in Trails(database).every(id_, begin, end):
            emit(as_json({**row, "body": json.loads(row["body"])}, indent=None))

    ask(home, work)
