"""`swarmctl budget`: spent, reserved, left, and who spends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from swarm.cli.columns import SHORT_ID, Kind, columns, money
from swarm.cli.desk import ask
from swarm.cli.errors import Usage
from swarm.cli.kinds import KINDS
from swarm.cli.options import LIMIT_MOST, WHOLE, Home, Limit, Output, limited
from swarm.cli.output import Form, emit, line, say, show, show_one

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database


app = App(name="budget", help="Spent, reserved, left, and who spends.")
SPENDERS = Kind(
    name="spenders",
    single="Spender",
    short="",
    name_from="mission",
    columns=columns(
        ("NAME", "name"), ("SPENT", "spent"), ("RESERVED", "reserved"), ("AGENT", "agent"),
        ("CLASS", "mission_class"), ("TITLE", "title"),
    ),
    when_empty="Each run is entered when it ends.",
)  # fmt: skip


@app.default
@app.command(name="show")
def windows(
    *,
    top: Annotated[int, WHOLE, Parameter(help="How many missions to list.")] = 5,
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Show each budget window: cap, spent, reserved, left, burn rate, and the top missions.

    Money is reserved before anything is dispatched, so that it cannot be overspent. Changes no
    limit: those are in swarm.toml, [budgets]. `swarmctl describe budget` also says what becomes of
    agents at work when it is spent.

    Exit status: 0; 2 wrong use.

    Example: swarmctl budget show
    """
    if not 1 <= top <= LIMIT_MOST:
        raise Usage(f"--top is {top}; it is 1 to {LIMIT_MOST}")

    async def work(database: Database) -> dict[str, Any]:
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

        look = Look(database)
        return {
            "windows": await look.rows("budgets", limit=20),
            "spenders": await look.rows("spenders", limit=top),
        }

    found = ask(home, work)
    if not output.for_people:
        show_one("BudgetReport", found, output)
        return
    if not found["windows"]:
        say("No budget window yet: nothing was reserved. Bind one in swarm.toml, [budgets].")
        return
    now = datetime.now(UTC)
    kind = next(kind for kind in KINDS if kind.name == "budgets")
    rows = kind.for_people([kind.row(row) for row in found["windows"]], now, whole_ids=False)
    show(rows, kind.columns, output, kind="Budget")
    for window in found["windows"]:
        if window["current"]:
            _burn(window, now)
    for row in found["spenders"]:
        spent = money(row["spent"] or 0)
        emit(f"  {row['mission'][:SHORT_ID]}  {spent:>8}  {row['agent']}  {line(row['title'])}")


@app.command(name="top")
def spenders(*, limit: Limit = 20, output: Output = Form.TABLE, home: Home = None) -> None:
    """List the missions that spent the most, over every window there is a ledger of.

    What is reserved is held back for work under way; it is given back or spent.

    Exit status: 0, also when nothing was spent; 2 wrong use.

    Example: swarmctl budget top --limit 5
    """

    async def work(database: Database) -> list[dict[str, Any]]:
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

        return await Look(database).rows("spenders", limit=limited(limit))

    rows = [SPENDERS.row(row) for row in ask(home, work)]
    if output.for_people:
        if not rows:
            say(f"Nothing was spent yet. {SPENDERS.when_empty}")
            return
        rows = SPENDERS.for_people(rows, datetime.now(UTC), whole_ids=output is Form.WIDE)
    show(rows, SPENDERS.columns, output, kind=SPENDERS.single)


def _burn(window: dict[str, Any], now: datetime) -> None:
    """How fast it goes, and when it would be gone at this speed."""
    hours = max((now - window["window_start"]).total_seconds() / 3600, 1 / 60)
    rate = window["spent"] / hours
    blocked = "yes" if window["left"] <= 0 else "no"
    gone = f"gone in {window['left'] / rate:.1f} h" if rate > 0 else "never gone"
    speed = f"{money(round(rate))} an hour, {gone} at this speed"
    emit(f"  {window['name']}: {speed}; blocked: {blocked}")
