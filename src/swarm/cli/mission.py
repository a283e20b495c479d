"""`swarmctl mission`: act on one mission."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from swarm.cli.complete import open_missions
from swarm.cli.desk import ask, me
from swarm.cli.errors import HeldBack, WaitedTooLong
from swarm.cli.options import Home, Mission, Need, Output, Reason, span_of
from swarm.cli.output import Form, emit, line, show_one

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database
    from swarm.adapters.postgres.store.desk.stories import Stories

POLL_SECONDS = 0.2
app = App(name="mission", help="Act on one mission; what follows is decided like everything else.")
Open = Annotated[
    str,
    Parameter(help="The mission, by any unique prefix of its id.", completer=open_missions),
]


@app.command
def start(
    need: Need,
    /,
    *,
    reason: Reason,
    timeout: Annotated[str, Parameter(help="Longest wait for the answer.")] = "10s",
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Ask for a mission for one need now. A resting or rejected need is reopened for it.

    Nothing is forced: evidence, freezes, budget, free slots and rank decide as always, and what
    stands in the way is printed. Once that has passed, the mission begins automatically. If one
    is already open for the need, it is shown and nothing is written.

    Exit status: 0 a mission is open; 2 wrong use; 5 not found; 6 policy holds it back; 124 no
    controller answered.

    Example: swarmctl mission start n-17ab --reason "needed for Friday's release"
    """
    span = span_of("--timeout", timeout)

    async def work(database: Database) -> dict[str, Any]:
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415
        from swarm.adapters.postgres.store.desk.people import People  # noqa: PLC0415
        from swarm.adapters.postgres.store.desk.stories import Stories  # noqa: PLC0415

        stories = Stories(database)
        opened = _opened(await stories.why_need(need))
        if opened is None:
            id_ = await People(database, me()).reopen_need(need, reason)
            opened = await _answer(stories, id_, span)
        return (await Look(database).rows("missions", like=opened, limit=1))[0]

    row = ask(home, work)
    if output.for_people:
        emit(f"{row['id']} is open: {line(row['title'])}; `swarmctl why` shows what follows")
    else:
        show_one("Mission", row, output)


def _opened(story: Mapping[str, Any], since: datetime | None = None) -> str | None:
    """The mission that is open for a need, or that was opened since then."""
    for one in story["missions"]:
        lately = since is not None and one["opened_at"] >= since
        if one["outcome"] is None or (lately and one["outcome"] != "recommended"):
            return str(one["id"])
    return None


async def _answer(stories: Stories, need: str, span: timedelta) -> str:
    """The mission that the next tick opens for a need. Raises HeldBack or WaitedTooLong."""
    import asyncio  # noqa: PLC0415

    asked = await stories.why_need(need)
    end = time.monotonic() + span.total_seconds()
    while True:
        choice = await stories.choice(asked["swarm"])
        story = await stories.why_need(need)  # read behind the choice, so that what it opened shows
        opened = _opened(story, asked["state_at"])
        if opened is not None:
            return opened
        if not choice["unheard"]:
            raise HeldBack(f"no mission began for {need}: {_held_by(story, choice)}")
        if time.monotonic() >= end:
            remedy = "Start a controller with `swarmctl up`; what you said is kept for it."
            raise WaitedTooLong(f"no controller looked at {need} in time", remedy=remedy)
        await asyncio.sleep(POLL_SECONDS)


def _held_by(story: Mapping[str, Any], choice: Mapping[str, Any]) -> str:
    """What the last choice says of a need that it did not take."""
    if choice["shadow"]:
        return "Shadow: what it would be is recommended only"
    if story["state"] != "open":
        return line(f"it is {story['state']}: {story['state_reason']}")
    for pick in story["selection"]:
        if pick["reason"]:
            return line(f"{pick['reason']}: {pick['detail']}")
    return line(choice["idle_reason"] or "NoFreeSlot: others rank above it")


@app.command
def cancel(mission: Open, /, *, reason: Reason, home: Home = None) -> None:
    """End a mission. What it has exposed is rolled back first.

    Its agents and checks are ended within seconds, and their results are discarded.

    Exit status: 0 recorded; 5 not found; 7 it has ended.

    Example: swarmctl mission cancel m-41c0 --reason "done by hand"
    """
    _say(mission, "cancel", reason, home)


@app.command
def retry(mission: Mission, /, *, reason: Reason, home: Home = None) -> None:
    """Reopen the need of a mission that has ended, without waiting out its pause.

    An open mission whose rollback was refused tries that again. What is running is not touched.

    Exit status: 0 recorded; 5 not found; 7 another mission is open for the need.

    Example: swarmctl mission retry m-41c0 --reason "the flaky check is fixed"
    """
    _say(mission, "retry", reason, home)


@app.command
def promote(mission: Open, /, *, reason: Reason, home: Home = None) -> None:
    """Let a canary without a verdict go on to its next step. A failing one cannot be promoted.

    Exit status: 0 recorded; 5 not found; 7 it has ended.

    Example: swarmctl mission promote m-41c0 --reason "no traffic at night; checked by hand"
    """
    _say(mission, "promote", reason, home)


@app.command
def rollback(mission: Open, /, *, reason: Reason, home: Home = None) -> None:
    """Take back what a mission landed: targets, then main. Works under a freeze as well.

    Only an open mission can be rolled back; undo a delivered one with a revert of its commit.

    Exit status: 0 recorded; 5 not found; 7 it has ended.

    Example: swarmctl mission rollback m-41c0 --reason "customers complain"
    """
    _say(mission, "rollback", reason, home)


def _say(
    mission: str,
    said: Literal["cancel", "retry", "promote", "rollback"],
    reason: str,
    home: Home,
) -> None:
    async def work(database: Database) -> str:
        from swarm.adapters.postgres.store.desk.people import People  # noqa: PLC0415

        return await People(database, me()).say(mission, said, reason)

    emit(f"{ask(home, work)} {said}: noted; `swarmctl why` shows what follows")
