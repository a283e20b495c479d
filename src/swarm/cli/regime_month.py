"""`swarmctl regime month`: a quant desk lives through a month on a paper venue."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.errors import Usage
from swarm.cli.options import WHOLE, Output
from swarm.cli.output import Column, Form, emit, say, show_one, table

if TYPE_CHECKING:
    from swarm.runtime.month.desk import Desk

DAYS_MOST = 250
DAYS = (
    Column(title="DAY", field="day"),
    Column(title="MARKET", field="market"),
    Column(title="REGIME", field="regime"),
    Column(title="POSTURE", field="posture"),
    Column(title="RUNGS", field="rungs"),
    Column(title="SHARES", field="shares"),
    Column(title="EQUITY", field="equity"),
    Column(title="WORST", field="drawdown"),
    Column(title="ORDERS", field="orders"),
)


def month(
    *,
    seed: Annotated[int, WHOLE, Parameter(help="The same seed gives the same month.")] = 1,
    days: Annotated[int, WHOLE, Parameter(help="How many days of 78 five-minute bars.")] = 21,
    output: Output = Form.TABLE,
) -> None:
    """Live through a month: regimes change, a strategy fades, a limit breaks, the venue drops out.

    The market is made up, from the seed, and so its true regime is known and shown beside what was
    published. All else is what runs live: detectors, capital ladder, allocation, freeze, the
    trading gate and its order path, on a paper venue. Nothing is kept. Takes some seconds.

    Exit status: 0; 2 wrong use.

    Example: swarmctl regime month --seed 1
    """
    if not 1 <= days <= DAYS_MOST:
        raise Usage(f"--days is {days}; 1 to {DAYS_MOST} is wanted")
    if seed < 0:
        raise Usage(f"--seed is {seed}; 0 or more is wanted")
    from swarm.cli.regime import _compiling  # noqa: PLC0415 - not before it is needed
    from swarm.runtime.month.desk import HeldRecords, lived  # noqa: PLC0415 - numerics

    _compiling()
    say("fitting a model to what was seen before ...")
    with tempfile.TemporaryDirectory(prefix="swarm-month-") as folder:
        desk = asyncio.run(
            lived(seed, days, Path(folder), HeldRecords(), lambda day: say(f"day {day} of {days}"))
        )
    if not output.for_people:
        body = {
            "days": [_day(desk, number) for number in range(len(desk.days))],
            "trace": [asdict(one) for one in desk.told],
            "digest": desk.digest(),
        }
        show_one("QuantMonth", body, output)
        return
    table([_day(desk, number) for number in range(len(desk.days))], DAYS)
    emit("")
    for one in desk.told:
        emit(f"day {one.day + 1:2} bar {one.bar:2}  {one.kind:8} {one.text}")
    emit(f"the same seed ends in {desk.digest()[:16]}")


def _day(desk: Desk, number: int) -> dict[str, Any]:
    """One day, in the words of the table."""
    day = desk.days[number]
    return {
        "day": day.day + 1,
        "market": str(day.truth),
        "regime": day.regime,
        "posture": day.posture,
        "rungs": " ".join(f"{name}:{rung}" for name, rung in day.rungs.items()),
        "shares": " ".join(f"{share:.2%}" for share in day.shares.values()),
        "equity": "unknown" if day.equity is None else f"{day.equity / 1_000_000:,.0f}",
        "drawdown": f"-{day.drawdown_ppm / 10_000:.2f} %",
        "orders": f"{day.accepted}/{day.accepted + day.refused}",
    }
