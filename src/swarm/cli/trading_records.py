"""`swarmctl trading records`: prove the chain of decisions; note what a control was seen to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from swarm.cli.errors import EXIT_BAD_OUTCOME, EXIT_DONE, Usage
from swarm.cli.options import Home, Output, Reason
from swarm.cli.output import Form, emit, line, show_one
from swarm.cli.trading_home import configured

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

app = App(name="records", help="The gate's records: verify; and evidence by hand: add.")
SUBJECT_MOST = 200


@app.command
def verify(*, output: Output = Form.TABLE, home: Home = None) -> int:
    """Recompute the hash chain of every decision of the gate; what was found is kept as evidence.

    The first record that was edited, cut or moved is named. Trading goes on meanwhile, and nothing
    is repaired. A chain without a record proves nothing, and is no pass.

    Exit status: 0 unbroken; 3 broken; 5 nothing was recorded yet.

    Example: swarmctl trading records verify
    """
    from swarm.adapters.postgres.store.errors import NotFound  # noqa: PLC0415
    from swarm.adapters.postgres.store.trading.chain import GateChain  # noqa: PLC0415
    from swarm.cli.desk import ask, me  # noqa: PLC0415

    _, trading = configured(home)

    async def work(database: Database) -> tuple[int, Any]:
        count, fault = await GateChain(database, trading.chain, "verify").verify()
        if count or fault:
            body = {"records": count, "by": me(), "fault": fault.detail if fault else ""}
            await _add(database, "chain-verified", trading.chain, body, passed=fault is None)
        return count, fault

    count, fault = ask(home, work)
    if not count and fault is None:
        raise NotFound(f"the chain {trading.chain} holds no record")
    if not output.for_people:
        broken = {"seq": fault.seq, "kind": str(fault.kind), "detail": fault.detail}
        body = {"chain": trading.chain, "records": count, "fault": broken if fault else None}
        show_one("TradingRecords", body, output)
    elif fault is not None:
        emit(f"broken at record {fault.seq}: {line(fault.detail)}")
    else:
        emit(f"{count} records of {line(trading.chain)}, unbroken")
    return EXIT_DONE if fault is None else EXIT_BAD_OUTCOME


@app.command
def add(
    kind: Annotated[str, Parameter(help="What was done, such as penetration-test.")],
    subject: Annotated[str, Parameter(help="On what: a venue, a strategy, a report's name.")],
    /,
    *,
    reason: Reason,
    failed: Annotated[bool, Parameter(help="It did not pass; a later pass counts.")] = False,
    home: Home = None,
) -> None:
    """Note that a control was tried or reviewed, with what came of it. The assessment reads it.

    For what this program cannot see: a review, a restore drill, a test by somebody from outside.
    It is kept with your account and never changed.

    Exit status: 0 kept; 2 wrong use; 5 no installation, or no table [trading].

    Example: swarmctl trading records add penetration-test gateway --reason "report 2026-07"
    """
    from swarm.cli.desk import ask, me  # noqa: PLC0415
    from swarm.regime.controls.assessment import REQUIRED  # noqa: PLC0415

    configured(home)
    if kind not in REQUIRED:
        raise Usage(f"{line(kind[:40])!r} is no kind of evidence; there are: {', '.join(REQUIRED)}")
    if not subject.strip() or len(subject) > SUBJECT_MOST or not subject.isprintable():
        raise Usage(f"the subject has 1 to {SUBJECT_MOST} visible characters")
    if not reason.strip():
        raise Usage("--reason says what was seen")
    body = {"by": me(), "reason": reason[:2_000]}
    ask(home, lambda database: _add(database, kind, subject, body, passed=not failed))
    emit(f"kept: {kind} of {line(subject)} {'did not pass' if failed else 'passed'}, by {me()}")


async def _add(
    database: Database, kind: str, subject: str, body: dict[str, Any], *, passed: bool
) -> None:
    import time  # noqa: PLC0415

    from swarm.adapters.postgres.store.trading.evidence import ControlEvidences  # noqa: PLC0415

    await ControlEvidences(database).add(kind, subject, time.time_ns(), body, passed=passed)
