"""`swarmctl wait`: block until a mission reaches a state; exit by outcome."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.desk import ask
from swarm.cli.errors import EXIT_BAD_OUTCOME, EXIT_DONE, Usage, WaitedTooLong
from swarm.cli.gate_strip import GATES, HELD, GateState, gates_of
from swarm.cli.kinds import ENDINGS
from swarm.cli.options import Home, Mission, span_of
from swarm.cli.outage import Outage
from swarm.cli.output import emit, line, say

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database
    from swarm.adapters.postgres.store.desk.look import Look, Row

POLL_SECONDS = 0.2
_STATES = (*ENDINGS, "ended", "held")


def wait(
    mission: Mission,
    /,
    *,
    until: Annotated[
        str, Parameter(name="--for", help="delivered, failed, ended, held, gate=5 ...")
    ] = "ended",
    timeout: Annotated[str, Parameter(help="Longest wait, such as 10m.")] = "1h",
    home: Home = None,
) -> int:
    """Wait until a mission reaches a state; meanwhile, say what it is waiting for.

    `held` means waiting for a person or a freeze. `gate=5` or `gate=progressive_rollout` means
    that this gate has passed; a gate that nobody configured never passes. An outage of the
    database is told and waited out. Changes nothing; Ctrl-C ends only the waiting.

    Exit status: 0 reached; 2 wrong use; 3 it ended in another state; 5 not found; 124 timed out.

    Example: swarmctl wait m-41c0 --for delivered --timeout 10m
    """
    wanted, begun = _wanted(until), time.monotonic()
    deadline = begun + span_of("--timeout", timeout).total_seconds()

    async def work(database: Database) -> int:
        import asyncio  # noqa: PLC0415

        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

        look = Look(database)
        id_ = await look.find_mission(mission)
        told, outage = "", Outage()
        while True:
            if found := await outage.asked(_standing(look, id_)):
                row, gates = found
                code = verdict(row, gates, wanted)
                if code is not None:
                    emit(f"{id_} {row['outcome']}: {line(row['detail'] or '')}")
                    return code
                now = f"{row['reason'] or 'New'}: {line(row['detail'] or '')}"
                if now != told:
                    say(f"{time.monotonic() - begun:>5.0f} s  waiting: {now}")
                    told = now
            if time.monotonic() >= deadline:
                stands = f"it stands at {told}" if found else "the database does not answer"
                raise WaitedTooLong(f"{id_} is not {until} after {timeout}; {stands}")
            await asyncio.sleep(POLL_SECONDS)

    try:
        return ask(home, work)
    except KeyboardInterrupt:
        say(f"the mission goes on; `swarmctl wait {mission} --for {until}` waits for it again")
        raise


async def _standing(look: Look, mission: str) -> tuple[Row, list[Row]]:
    """A mission's row, and the verdicts of its gates."""
    (row,) = await look.rows("missions", like=mission, limit=1)
    return row, await look.rows("gates", like=mission, limit=200)


def _wanted(until: str) -> str:
    """The awaited state, with the gate's number as its name. Raises `Usage`."""
    if until in _STATES:
        return until
    name = until.removeprefix("gate=").replace("-", "_")
    if until.startswith("gate="):
        numbered = {str(number): gate for number, gate in enumerate(GATES, 1)}
        name = numbered.get(name, name)
        if name in GATES:
            return f"gate={name}"
    raise Usage(f"--for {until[:60]!r}: use {', '.join(_STATES)}, or gate=1 to gate={len(GATES)}")


def verdict(row: Mapping[str, Any], gates: Sequence[Mapping[str, Any]], wanted: str) -> int | None:
    """The exit code once the wait is over; None while it is not."""
    ended = row["outcome"] != "open"
    if wanted == "held" and not ended:
        return EXIT_DONE if row["reason"] in HELD else None
    if wanted.startswith("gate="):
        strip = gates_of(gates, ended=ended)
        state = next(gate.state for gate in strip if gate.name == wanted.removeprefix("gate="))
        if state is GateState.PASSED:
            return EXIT_DONE
        return EXIT_BAD_OUTCOME if ended else None
    if not ended:
        return None
    return EXIT_DONE if wanted in {"ended", row["outcome"]} else EXIT_BAD_OUTCOME
