"""`swarmctl budget`: spent, reserved, left, and who spends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.columns import KINDS, SHORT_ID, money
from swarm.cli.desk import ask
from swarm.cli.options import Home, Output
from swarm.cli.output import Form, emit, say, show, show_one, visible

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database


def budget(
    *,
    top: Annotated[int, Parameter(help="How many spenders to name.")] = 5,
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Show each budget window: cap, spent, reserved, left, burn rate, and the top missions.

    Money is reserved before anything is dispatched, so that it cannot be overspent.

    Example: swarmctl budget
    """

    async def work(database: Database) -> dict[str, Any]:
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

        look = Look(database)
        return {
            "windows": await look.rows("budgets", limit=20),
            "spenders": await look.rows("spenders", limit=top),
        }

    found = ask(home, work)
    if output is not Form.TABLE:
        show_one({"kind": "BudgetReport", **found}, output)
        return
    if not found["windows"]:
        say("No budget window yet: nothing was reserved. Bind one in swarm.toml, [budgets].")
        return
    now = datetime.now(UTC)
    kind = next(kind for kind in KINDS if kind.name == "budgets")
    rows = [kind.for_people(kind.row(row), now) for row in found["windows"]]
    show(rows, kind.columns, output, kind="Budget")
    for window in found["windows"]:
        if window["current"]:
            _burn(window, now)
    for row in found["spenders"]:
        spent = money(row["spent"] or 0)
        emit(f"  {row['mission'][:SHORT_ID]}  {spent:>8}  {row['agent']}  {visible(row['title'])}")


def _burn(window: dict[str, Any], now: datetime) -> None:
    """How fast it goes, and when it would be gone at this speed."""
    hours = max((now - window["window_start"]).total_seconds() / 3600, 1 / 60)
    rate = window["spent"] / hours
    blocked = "yes" if window["left"] <= 0 else "no"
    gone = "never at this speed"
    if rate > 0:
        gone = f"in {window['left'] / rate:.1f} h at this speed"
    emit(f"  {window['name']}: {money(round(rate))} an hour, gone {gone}; blocked: {blocked}")
