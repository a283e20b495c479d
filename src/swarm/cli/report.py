"""`swarmctl report`: the daily review."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from swarm.cli.columns import SHORT_ID, length_of, money
from swarm.cli.desk import ask, swarm_named
from swarm.cli.options import LIMIT_MOST, Home, Output, Swarm, span_of
from swarm.cli.output import Form, emit, line, show_one
from swarm.contract.counted import counted

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

RECOMMENDED = "recommended"  #: the outcome of shadow mode


def report(
    period: Annotated[Literal["daily"], Parameter(help="The last 24 hours.")] = "daily",
    /,
    *,
    since: Annotated[str, Parameter(help="How far back, such as 24h.")] = "24h",
    swarm: Swarm = "",
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Report what ended and how, what waits for you, what is or was frozen, and what it cost.

    Reads only; nothing is sent anywhere.

    Exit status: 0; 2 wrong use; 5 no such Swarm.

    Example: swarmctl report daily
    """
    del period  # there is one so far; --since says another span
    begin = datetime.now(UTC) - span_of("--since", since)

    async def work(database: Database) -> dict[str, Any]:
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415

        look = Look(database)
        id_ = await swarm_named(database, swarm)
        outcomes = await look.rows("outcomes", id_, limit=LIMIT_MOST)
        outcomes = [row for row in outcomes if row["at"] >= begin]
        lifted = await look.rows("freezes", id_, state="lifted", limit=LIMIT_MOST)
        return {
            "outcomes": outcomes,
            "open": await look.rows("missions", id_, state="open"),
            "approvals": await look.rows("approvals", id_, state="open"),
            "freezes": await look.rows("freezes", id_, state="open"),
            "lifted": [row for row in lifted if row["lifted_at"] >= begin],
            "dark": [row for row in await look.rows("sources", id_) if row["dark_since"]],
        }

    found = ask(home, work)
    if not output.for_people:
        show_one("DailyReport", {"since": begin, **found}, output)
        return
    for told in digest(found):
        emit(told)


def digest(found: Mapping[str, Any]) -> Iterator[str]:
    """The review as lines, what only a person can move first.

    found: rows of `outcomes` that ended, and of what is `open`; open `approvals` and `freezes`;
           freezes that were `lifted`; sources that are `dark`.
    """
    yield from _needs_you(found)
    for row in found["lifted"]:
        held = length_of((row["lifted_at"] - row["since"]).total_seconds())
        what = f"{line(row['mission_class'])} after {held}, by {line(row['lifted_by'])}"
        yield f"lifted:    {what}: {row['reason']}: {line(row['detail'])}"
    recommended = [row for row in found["outcomes"] if row["outcome"] == RECOMMENDED]
    ended = [row for row in found["outcomes"] if row["outcome"] != RECOMMENDED]
    spent = money(sum(row["cost"] for row in ended))
    yield f"{counted(len(ended), 'mission')} ended, {spent} spent"
    for row in ended:
        took = length_of(row["seconds"] or 0)
        yield f"  {row['mission'][:SHORT_ID]}  {row['outcome']:<11}  {took:>4}  {_what(row)}"
    if recommended:
        yield f"{len(recommended)} recommended in shadow mode, and nothing done"
    for row in recommended:
        yield f"  {row['mission'][:SHORT_ID]}  R{row['risk']}  {line(row['title'])}"
    yield f"{counted(len(found['open']), 'mission')} open"
    for row in found["open"]:
        next_ = line(row["next_action"] or "")
        yield f"  {row['id'][:SHORT_ID]}  {row['reason']}: {next_}  ({line(row['title'])})"


def _what(row: Mapping[str, Any]) -> str:
    """What a mission was for, and why it ended so; a name that says no more gets the reason."""
    why = line(row["detail"])
    if why.endswith(":") or not why:
        why = f"{row['reason']} {why.rstrip(':')}".rstrip()
    return f"{line(row['title'])}: {why}"


def _needs_you(found: Mapping[str, Any]) -> Iterator[str]:
    for row in found["approvals"]:
        until = f"{row['expires_at']:%Y-%m-%d %H:%M} UTC"
        title = line(row["title"])
        yield f"needs you: approve {row['mission'][:SHORT_ID]} until {until}: {title}"
    for row in found["freezes"]:
        until = f"until {row['until']:%Y-%m-%d %H:%M} UTC" if row["until"] else "until resumed"
        detail = line(row["detail"])
        yield f"frozen:    {line(row['mission_class'])} {until}: {row['reason']}: {detail}"
    for row in found["dark"]:
        yield f"dark:      source {row['name']}: {line(row['detail'])}"
