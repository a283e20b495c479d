"""`swarmctl audit`: verify the trail, or export decisions."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from swarm.cli.complete import missions
from swarm.cli.desk import ask, home_of, swarm_named
from swarm.cli.errors import EXIT_BAD_OUTCOME, EXIT_DONE, Usage
from swarm.cli.options import Home, Output, Swarm
from swarm.cli.output import Form, as_json, emit, line, show_one

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

app = App(name="audit", help="Verify the trail, or export decisions.")
When = Annotated[datetime | None, Parameter(help="A time such as 2026-03-01T00:00:00+00:00.")]


@app.command
def verify(*, swarm: Swarm = "", output: Output = Form.TABLE, home: Home = None) -> int:
    """Recompute every hash chain of a Swarm and check it against what was sealed and published.

    The first event that was edited, cut, removed, moved or rolled back is named. What happened
    since the last seal is only held by its own chain. Repairs nothing: what was there before an
    edit is not known here.

    Exit status: 0 unbroken; 3 broken; 5 no such Swarm.

    Example: swarmctl audit verify
    """

    async def work(database: Database) -> Any:
        from swarm.adapters.postgres.store.desk.trails import Trails  # noqa: PLC0415
        from swarm.adapters.postgres.store.seals import PostgresSeals  # noqa: PLC0415
        from swarm.runtime.wiring import notary  # noqa: PLC0415 - imports the whole runtime

        id_ = await swarm_named(database, swarm)
        found = await Trails(database).verify_all(id_)
        return found, await PostgresSeals(database, notary(home_of(home))).verify(id_)

    found, (seals, broken) = ask(home, work)
    known = {fault.chain for fault in found.faults}  # a chain that is broken anyway is told once
    faults = [*found.faults, *(fault for fault in broken if fault.chain not in known)]
    if not output.for_people:
        body = {
            "chains": found.chains,
            "events": found.events,
            "seals": seals,
            "faults": [{**asdict(fault), "kind": str(fault.kind)} for fault in faults],
        }
        show_one("AuditVerdict", body, output)
    else:
        for fault in faults:
            emit(
                f"broken: {line(f'{fault.chain} at seq {fault.seq}: {fault.kind}: {fault.detail}')}"
            )
        emit(f"{found.chains} chains, {found.events} events, {seals} seals, {len(faults)} faults")
    return EXIT_BAD_OUTCOME if faults else EXIT_DONE


@app.command
def citations(
    mission: Annotated[
        str,
        Parameter(
            help="A mission, a run or a commit, by any unique beginning.", completer=missions
        ),
    ],
    /,
    *,
    signed: Annotated[
        bool, Parameter(help="Put each into a DSSE envelope, signed with the key of the seals.")
    ] = False,
    home: Home = None,
) -> None:
    """Write what was read again of a mission's citations, one in-toto statement on each line.

    Reads the database alone: no page is fetched. A mission below R2 has no such readings.

    Exit status: 0 written; 5 no such mission.

    Example: swarmctl audit citations m-41c0 --signed > citations.jsonl
    """

    async def work(database: Database) -> list[dict[str, Any]]:
        from swarm.adapters.postgres.store.desk.stories import Stories  # noqa: PLC0415
        from swarm.runtime.citation_record import statement  # noqa: PLC0415

        facts = (await Stories(database).trace(mission))["evidence"]
        return [statement(fact["body"]) for fact in facts if fact["kind"] == "citation-read"]

    found = ask(home, work)
    if signed and found:
        from swarm.runtime.wiring import notary  # noqa: PLC0415 - imports the whole runtime

        sign = notary(home_of(home))
        for one in found:
            emit(sign.envelope(one).decode().rstrip())
        return
    for one in found:
        emit(as_json(one, indent=None))


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
