"""`swarmctl mission`: act on one mission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from swarm.cli.complete import open_missions
from swarm.cli.desk import ask, me
from swarm.cli.options import Home, Mission, Reason
from swarm.cli.output import emit

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

app = App(name="mission", help="Act on one mission; what follows is decided like everything else.")
Open = Annotated[
    str,
    Parameter(help="The mission, by any unique beginning of its id.", completer=open_missions),
]


@app.command
def cancel(mission: Open, /, *, reason: Reason, home: Home = None) -> None:
    """End a mission. What it exposed already is rolled back first.

    Its agents and checks are ended within seconds, and nothing of them is taken.

    Exit status: 0 noted; 5 not found; 7 it has ended.

    Example: swarmctl mission cancel m-41c0 --reason "done by hand"
    """
    _say(mission, "cancel", reason, home)


@app.command
def retry(mission: Mission, /, *, reason: Reason, home: Home = None) -> None:
    """Open the need of a mission that ended again, without waiting for its rest.

    An open mission whose rollback was refused tries that again. What is running is not touched.

    Exit status: 0 noted; 5 not found; 7 another mission is open for the need.

    Example: swarmctl mission retry m-41c0 --reason "the flaky check is mended"
    """
    _say(mission, "retry", reason, home)


@app.command
def promote(mission: Open, /, *, reason: Reason, home: Home = None) -> None:
    """Let a canary without a verdict go on to its next step. A failing one cannot be promoted.

    Exit status: 0 noted; 5 not found; 7 it has ended.

    Example: swarmctl mission promote m-41c0 --reason "no traffic at night; looked at by hand"
    """
    _say(mission, "promote", reason, home)


@app.command
def rollback(mission: Open, /, *, reason: Reason, home: Home = None) -> None:
    """Take back what a mission landed: targets, then main. Works under a freeze as well.

    Only an open mission can be rolled back; undo a delivered one with a revert of its commit.

    Exit status: 0 noted; 5 not found; 7 it has ended.

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
