"""`swarmctl need`: feed or prune the backlog by hand."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from swarm.cli.complete import repositories
from swarm.cli.desk import ask, me, swarm_named
from swarm.cli.errors import Usage
from swarm.cli.options import Home, Need, Reason, Swarm
from swarm.cli.output import emit

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

app = App(name="need", help="Feed or prune the backlog by hand.")
SOURCE = "people"
TITLE_MOST, BODY_MOST = 300, 8_000


@app.command
def add(
    title: Annotated[str, Parameter(help="What should change, in one sentence.")],
    /,
    *,
    repo: Annotated[
        str, Parameter(help="Which repository, as in repoAllowlist.", completer=repositories)
    ],
    cite: Annotated[
        list[str], Parameter(help="A URL or path:line that supports it; may be repeated.")
    ],
    path: Annotated[list[str], Parameter(help="A path it is about; may be repeated.")] = [],  # noqa: B006 - cyclopts copies
    mission_class: Annotated[str, Parameter(name="--class", help="Mission class.")] = "by-hand",
    risk: Annotated[str, Parameter(help="R0 to R3; a change can raise it.")] = "R1",
    value: Annotated[float, Parameter(help="Value in points.")] = 5.0,
    body: Annotated[str, Parameter(help="More about it; quoted to the agent as data.")] = "",
    swarm: Swarm = "",
    home: Home = None,
) -> None:
    """Say that something should change. It goes through Gate 1 like every other need.

    All that one person says is one origin, so --cite again adds evidence to look up, but no
    second independent citation. Adding the same again changes nothing. No mission is forced:
    policy, budget and rank decide as always.

    Exit status: 0 noted, or known already; 2 wrong use; 5 no such Swarm.

    Example: swarmctl need add "drop Python 3.8" --repo acme/shop --cite setup.cfg:12
    """
    from swarm.adapters.postgres.store.ingest import PostgresIntake  # noqa: PLC0415
    from swarm.core.ids import signal_id  # noqa: PLC0415
    from swarm.core.nouns import Risk, Signal  # noqa: PLC0415
    from swarm.ports.sources import Reading  # noqa: PLC0415

    if risk not in Risk.__members__:
        raise Usage(f"--risk {risk!r} is none of R0, R1, R2, R3")
    if not title.strip() or len(title) > TITLE_MOST or len(body) > BODY_MOST:
        raise Usage(f"a title has 1 to {TITLE_MOST} characters, a body at most {BODY_MOST}")
    if value <= 0:
        raise Usage(f"--value is {value}; it is above zero")

    async def work(database: Database) -> str:
        id_ = await swarm_named(database, swarm)
        now = datetime.now(UTC)
        signals = []
        for number, citation in enumerate(dict.fromkeys(cite)):
            digest = hashlib.sha256(f"{title}\0{citation}".encode()).hexdigest()
            signals.append(
                Signal(
                    id=signal_id(id_, SOURCE, digest),
                    source=SOURCE,
                    external_id=digest,
                    title=title.strip(),
                    body=body,
                    citation=citation,
                    origin=me() if number == 0 else f"{me()}:{citation}",
                    author=me(),
                    external=False,
                    trust=0.8,
                    observed_at=now,
                    content_hash=digest,
                    mission_class=mission_class,
                    repo=repo,
                    paths=tuple(path),
                    risk=Risk[risk],
                    value=value,
                )
            )
        reading = Reading(signals=tuple(signals), cursor="")
        report = await PostgresIntake(database).ingest(id_, SOURCE, reading)
        if not report.new:
            return "nothing new: the same was said before"
        opened = ", ".join(report.opened) or "it joined a need that is there already"
        return f"{opened}\nnext: `swarmctl get needs` shows where it ranks"

    emit(ask(home, work))


@app.command
def reject(
    need: Need,
    /,
    *,
    reason: Reason,
    home: Home = None,
) -> None:
    """Keep a need out until another independent citation arrives.

    A mission that is open for it goes on; `swarmctl mission cancel` ends that.

    Exit status: 0 noted; 5 not found; 7 it is not open.

    Example: swarmctl need reject n-17ab --reason "works as intended"
    """

    async def work(database: Database) -> str:
        from swarm.adapters.postgres.store.desk.people import People  # noqa: PLC0415

        return await People(database, me()).reject_need(need, reason)

    emit(f"{ask(home, work)} rejected by {me()}")


@app.command
def reopen(
    need: Need,
    /,
    *,
    reason: Reason,
    home: Home = None,
) -> None:
    """Let a rejected or resting need be chosen again. Gate 1 is asked again as well.

    Exit status: 0 noted; 5 not found; 7 a mission is open for it.

    Example: swarmctl need reopen n-17ab --reason "it is real after all"
    """

    async def work(database: Database) -> str:
        from swarm.adapters.postgres.store.desk.people import People  # noqa: PLC0415

        return await People(database, me()).reopen_need(need, reason)

    emit(f"{ask(home, work)} open again")
