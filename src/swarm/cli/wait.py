"""`swarmctl wait`: block until a mission reaches a state; exit by outcome."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.desk import ask
from swarm.cli.errors import EXIT_BAD_OUTCOME, EXIT_DONE, Usage, WaitedTooLong
from swarm.cli.options import Home
from swarm.cli.output import emit, say, visible

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

POLL_SECONDS = 0.2
ENDINGS = ("delivered", "rolled-back", "failed", "rejected", "refused", "recommended")
_STATES = (*ENDINGS, "ended", "held")


def wait(
    mission: Annotated[str, Parameter(help="The mission, by any unique prefix.")],
    *,
    until: Annotated[
        str, Parameter(name="--for", help="delivered, failed, ended, held, gate=merge_policy ...")
    ] = "ended",
    timeout: Annotated[str, Parameter(help="At most so long, such as 10m.")] = "1h",
    home: Home = None,
) -> int:
    """Wait for one state of one mission, and say meanwhile what it waits for.

    `held` is waiting for a person or a freeze. `gate=NAME` is that gate's pass.
    Exit status: 0 reached, 3 it ended in another state, 124 the time is over.

    Example: swarmctl wait m-41c0 --for delivered --timeout 10m
    """
    from swarm.contract.duration import parse_duration  # noqa: PLC0415

    if until not in _STATES and not until.startswith("gate="):
        raise Usage(f"--for {until!r}: use {', '.join(_STATES)} or gate=NAME")
    deadline = time.monotonic() + parse_duration(timeout).total_seconds()

    async def work(database: Database) -> int:
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

        look = Look(database)
        id_ = await look.find_mission(mission)
        told = ""
        while True:
            row = (await look.rows("missions", like=id_, limit=1))[0]
            gates = await look.rows("gates", like=id_, limit=200)
            code = verdict(row, gates, until)
            if code is not None:
                emit(f"{id_} {row['outcome']}: {visible(row['detail'] or '')}")
                return code
            now = f"{row['reason'] or 'New'}: {visible(row['detail'] or '')}"
            if now != told:
                say(f"waiting: {now}")
                told = now
            if time.monotonic() >= deadline:
                raise WaitedTooLong(f"{id_} is not {until} after {timeout}; it stands at {now}")
            await asyncio.sleep(POLL_SECONDS)

    return ask(home, work)


def verdict(row: dict[str, Any], gates: list[dict[str, Any]], until: str) -> int | None:
    """The exit code once the wait is over; None while it is not."""
    ended = row["outcome"] != "open"
    if until == "held" and not ended:
        held = row["reason"] in {"ApprovalNeeded", "Frozen", "Shadow", "CanaryUndecided"}
        return EXIT_DONE if held else None
    if until.startswith("gate="):
        name = until.removeprefix("gate=")
        if any(gate["gate"] == name and gate["answer"] == 0 for gate in gates):
            return EXIT_DONE
        return EXIT_BAD_OUTCOME if ended else None
    if not ended:
        return None
    return EXIT_DONE if until in {"ended", row["outcome"]} else EXIT_BAD_OUTCOME
