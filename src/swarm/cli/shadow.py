"""`swarmctl shadow`: recommend only, then compare with what people accepted (VAL-4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from swarm.cli.columns import SHORT_ID
from swarm.cli.desk import ask, me, swarm_named
from swarm.cli.options import Home, Output, SwarmName, span_of
from swarm.cli.output import Form, emit, line, show_one
from swarm.contract.counted import counted

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

app = App(name="shadow", help="Only recommend, then compare with what people accepted.")


@app.command
def start(swarm: SwarmName = "", /, *, home: Home = None) -> None:
    """Record recommendations and do nothing. Rollouts in progress are only watched.

    Rolling back goes on: a canary that fails is still taken back.

    Exit status: 0 it is in shadow mode now; 2 wrong use; 5 no such Swarm.

    Example: swarmctl shadow start
    """
    _set(swarm, home, shadow=True)


@app.command
def stop(swarm: SwarmName = "", /, *, home: Home = None) -> None:
    """Leave shadow mode: what is allowed is carried out again. Lifts no freeze.

    Exit status: 0 it acts now; 2 wrong use; 5 no such Swarm.

    Example: swarmctl shadow stop
    """
    _set(swarm, home, shadow=False)


@app.command
def report(
    swarm: SwarmName = "",
    /,
    *,
    since: Annotated[str, Parameter(help="How far back, such as 168h.")] = "168h",
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Compare predicted with accepted: precision per risk class, calibration, missed needs.

    A recommendation counts as accepted when its need was carried out, by a later mission or by
    people (`swarmctl need done`), and as turned down when a person rejected it; the rest is open,
    and counts for neither. Changes no mode by itself.

    Exit status: 0, whatever the verdict; 2 wrong use; 5 no such Swarm.

    Example: swarmctl shadow report --since 168h
    """
    from swarm.runtime.shadow_report import judge  # noqa: PLC0415

    begin = datetime.now(UTC) - span_of("--since", since)

    async def work(database: Database) -> dict[str, Any]:
        from swarm.adapters.postgres.store.desk.stories import Stories  # noqa: PLC0415

        return await Stories(database).shadow(await swarm_named(database, swarm), begin)

    found = judge(ask(home, work))
    if not output.for_people:
        show_one("ShadowReport", {"since": begin, **found}, output)
        return
    for told in readiness(found):
        emit(told)


def readiness(found: Mapping[str, Any]) -> Iterator[str]:
    """What `runtime.shadow_report.judge` found, as lines, the verdict first."""
    yield str(found["verdict"])
    for row in found["classes"]:
        precision = "no answer yet" if row["precision"] is None else f"{row['precision']:.2f}"
        yield (
            f"  R{row['risk']}  recommended {row['recommended']}, accepted {row['accepted']},"
            f" turned down {row['turned_down']}, open {row['open']}; precision {precision}"
        )
    for row in found["calibration"]:
        low, high = row["between"]
        yield (
            f"  confidence {low:.1f}-{high:.1f}: {row['accepted']} of {row['answered']} accepted"
            f" (predicted {row['predicted']:.2f})"
        )
    if missed := found["missed"]:
        yield f"{counted(len(missed), 'need')} missed: done by hand, and never recommended"
    for row in missed:
        yield f"  missed  {row['need'][:SHORT_ID]}  {line(row['title'])}"


def _set(swarm: str, home: Home, *, shadow: bool) -> None:
    async def work(database: Database) -> bool:
        from swarm.adapters.postgres.store.desk.swarms import SwarmDesk  # noqa: PLC0415

        id_ = await swarm_named(database, swarm)
        return await SwarmDesk(database, me()).set_shadow(id_, shadow=shadow)

    changed = ask(home, work)
    word = "in shadow mode: it recommends and does nothing" if shadow else "acting"
    emit(f"the Swarm is {word}" if changed else f"the Swarm is already {word}")
