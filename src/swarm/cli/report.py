"""`swarmctl report`: the daily review."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.columns import SHORT_ID, money
from swarm.cli.desk import ask, swarm_named
from swarm.cli.options import Home, Output, Swarm
from swarm.cli.output import Form, emit, show_one, visible

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database


def report(
    *,
    since: Annotated[str, Parameter(help="How far back, such as 24h.")] = "24h",
    swarm: Swarm = "",
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Say what happened: what ended and how, what waits for you, what is frozen, what it cost.

    Example: swarmctl report --since 24h
    """
    from swarm.contract.duration import parse_duration  # noqa: PLC0415

    begin = datetime.now(UTC) - parse_duration(since)

    async def work(database: Database) -> dict[str, Any]:
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

        look = Look(database)
        id_ = await swarm_named(database, swarm)
        outcomes = [row for row in await look.rows("outcomes", id_) if row["at"] >= begin]
        return {
            "outcomes": outcomes,
            "open": await look.rows("missions", id_, state="open"),
            "approvals": await look.rows("approvals", id_, state="open"),
            "freezes": await look.rows("freezes", id_, state="open"),
            "dark": [row for row in await look.rows("sources", id_) if row["dark_since"]],
        }

    found = ask(home, work)
    if output is not Form.TABLE:
        show_one({"kind": "DailyReport", "since": begin, **found}, output)
        return
    _needs_you(found)
    outcomes = found["outcomes"]
    cost = sum(row["cost"] for row in outcomes)
    emit(f"{len(outcomes)} missions ended, {money(cost)} spent")
    for row in outcomes:
        took = timedelta(seconds=row["seconds"] or 0)
        detail = visible(row["detail"])
        emit(f"  {row['mission'][:SHORT_ID]}  {row['outcome']:<11}  {took}  {detail}")
    emit(f"{len(found['open'])} missions are open")
    for row in found["open"]:
        next_ = visible(row["next_action"] or "")
        emit(f"  {row['id'][:SHORT_ID]}  {row['reason']}: {next_}  ({visible(row['title'])})")


def _needs_you(found: dict[str, Any]) -> None:
    """What only a person can move, first."""
    for row in found["approvals"]:
        until = f"{row['expires_at']:%Y-%m-%d %H:%M} UTC"
        emit(f"needs you: approve {row['mission'][:SHORT_ID]} until {until}: {row['title']}")
    for row in found["freezes"]:
        until = f"until {row['until']:%Y-%m-%d %H:%M} UTC" if row["until"] else "until resumed"
        emit(f"frozen:    {row['mission_class']} {until}: {row['reason']}: {row['detail']}")
    for row in found["dark"]:
        emit(f"dark:      source {row['name']}: {visible(row['detail'])}")
