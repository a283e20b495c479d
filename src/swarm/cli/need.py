"""`swarmctl need`: feed or prune the backlog by hand."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from cyclopts import App, Parameter

from swarm.cli.complete import repositories
from swarm.cli.desk import ask, me, swarm_named
from swarm.cli.errors import Usage
from swarm.cli.options import Home, Need, Reason, Swarm
from swarm.cli.output import complain, emit, say, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swarm.adapters.postgres.database import Database
    from swarm.core.ids import SwarmId
    from swarm.core.nouns import Signal

app = App(name="need", help="Feed or prune the backlog by hand.")
SOURCE = "people"
TRUST = 0.8  #: of what a person of this installation says; a single tool has at most 0.9
TITLE_MOST, BODY_MOST, CITE_MOST = 300, 8_000, 2_000
VALUE_MOST = 1_000_000
RISKS = ("R0", "R1", "R2", "R3")
CLASS = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class About:
    """What else is said about a need; all of it has a default."""

    mission_class: Annotated[str, Parameter(name="--class", help="Mission class.")] = "by-hand"
    risk: Annotated[str, Parameter(help="R0 to R3; a change can raise it.")] = "R1"
    value: Annotated[float, Parameter(help="Value in points.")] = 5.0
    body: Annotated[str, Parameter(help="More about it; quoted to the agent as data.")] = ""


_ABOUT = About()


@app.command
def add(
    title: Annotated[str, Parameter(help="What should change, in one sentence.")],
    /,
    *,
    cite: Annotated[
        list[str],
        Parameter(
            negative_iterable="", help="A URL or path:line that supports it; may be repeated."
        ),
    ],
    repo: Annotated[
        str,
        Parameter(
            help="Which repository, as in repoAllowlist; may be left out if there is only one.",
            completer=repositories,
        ),
    ] = "",
    path: Annotated[
        list[str],
        Parameter(negative_iterable="", help="A path it is about; may be repeated."),
    ] = [],  # noqa: B006 - cyclopts copies
    about: About = _ABOUT,
    swarm: Swarm = "",
    home: Home = None,
) -> None:
    """Say that something should change. It goes through Gate 1 like every other need.

    You are one origin, and each site whose URL you cite is one more; places in the repository
    are yours. Adding the same again changes nothing. No mission is forced: policy, budget and
    rank decide as always.

    Exit status: 0 recorded, or known already; 2 wrong use; 5 no such Swarm.

    Example: swarmctl need add "drop Python 3.8" --cite setup.cfg:12
    """
    said = _Statement(
        title=" ".join(title.split()),
        repo=repo,
        cited=tuple(dict.fromkeys(cite)),
        paths=tuple(path),
        mission_class=about.mission_class,
        risk=about.risk,
        value=about.value,
        body=about.body,
    )
    _refuse_odd(said)
    said = replace(said, paths=_inside(said.paths))

    async def work(database: Database) -> str:
        from swarm.adapters.postgres.store.desk.look import Look  # noqa: PLC0415
        from swarm.adapters.postgres.store.ingest import PostgresIntake  # noqa: PLC0415
        from swarm.ports.sources import Reading  # noqa: PLC0415

        id_ = await swarm_named(database, swarm)
        spec = (await Look(database).rows("swarms", id_))[0]["spec"]
        about_one = replace(said, repo=_one_of(spec["delivery"]["repoAllowlist"], repo))
        reading = Reading(signals=tuple(_signals(id_, about_one)), cursor="")
        report = await PostgresIntake(database).ingest(id_, SOURCE, reading)
        if not report.new:
            return "nothing new: the same was said before"
        return ", ".join(report.opened) or "it joined a need that is there already"

    emit(ask(home, work))
    say("next: `swarmctl get needs` shows where it ranks")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statement:
    """What a person said should change."""

    title: str
    repo: str
    cited: tuple[str, ...]
    paths: tuple[str, ...]
    mission_class: str
    risk: str
    value: float
    body: str


def _one_of(allowed: Sequence[str], repo: str) -> str:
    """The repository that is meant: the one named, or the only one that may be changed."""
    if not repo and len(allowed) != 1:
        known = ", ".join(allowed) or "none"
        raise Usage(f"--repo says which repository; repoAllowlist names {known}")
    if repo and repo not in allowed:
        complain(f"warning: {repo!r} is not in repoAllowlist, so it is never chosen as it stands")
    return repo or allowed[0]


def class_named(name: str) -> None:
    """Raise `Usage` for what no mission class can be called."""
    if not CLASS.fullmatch(name):
        raise Usage(f"--class {name[:60]!r}: use a-z, 0-9 and dashes, at most 63")


def _refuse_odd(said: _Statement) -> None:
    """Raise `Usage` for what no need can be made of."""
    if said.risk not in RISKS:
        raise Usage(f"--risk {said.risk[:20]!r} is none of {', '.join(RISKS)}")
    if not said.title or len(said.title) > TITLE_MOST or len(said.body) > BODY_MOST:
        raise Usage(f"a title has 1 to {TITLE_MOST} characters, a body at most {BODY_MOST}")
    if not 0 < said.value <= VALUE_MOST:
        raise Usage(f"--value is {said.value}; it is above zero, and at most {VALUE_MOST}")
    class_named(said.mission_class)
    texts = (said.title, said.body, said.repo, *said.cited, *said.paths)
    if any(visible(text) != text for text in texts):
        raise Usage("a text holds control or invisible characters; write it without them")
    if any(not text.strip() for text in said.cited):
        raise Usage("--cite is empty")
    if any(len(text) > CITE_MOST for text in (*said.cited, said.repo)):
        raise Usage(f"--cite and --repo have at most {CITE_MOST} characters")
    for text in said.cited:
        try:
            _origin(text)
        except ValueError as error:
            raise Usage(f"--cite {text[:60]!r} is no URL: {error}") from error


def _inside(paths: Sequence[str]) -> tuple[str, ...]:
    """Paths as git writes them, as every source gives them: overlaps are told from their text."""
    from swarm.ports.signal_line import inside  # noqa: PLC0415

    try:
        return tuple(dict.fromkeys(inside(path) for path in paths))
    except ValueError as error:
        raise Usage(f"--{error}", remedy="Give a path from the repository's top.") from error


def _signals(swarm: SwarmId, said: _Statement) -> list[Signal]:
    """One signal for each citation. Its origin is who stands behind it: a site, or the person."""
    from swarm.core.ids import signal_id  # noqa: PLC0415
    from swarm.core.nouns import Risk, Signal  # noqa: PLC0415

    found = []
    for citation in said.cited:
        digest = hashlib.sha256(f"{said.title}\0{citation}".encode()).hexdigest()
        found.append(
            Signal(
                id=signal_id(swarm, SOURCE, digest),
                source=SOURCE,
                external_id=digest,
                title=said.title,
                body=said.body,
                citation=citation,
                origin=_origin(citation),
                author=me(),
                external=False,
                trust=TRUST,
                observed_at=datetime.now(UTC),
                content_hash=digest,
                mission_class=said.mission_class,
                repo=said.repo,
                paths=said.paths,
                risk=Risk[said.risk],
                value=said.value,
            )
        )
    return found


def _origin(citation: str) -> str:
    if citation.startswith(("https://", "http://")):
        return (urlsplit(citation).hostname or me()).removeprefix("www.")
    return me()


@app.command
def reject(
    need: Need,
    /,
    *,
    reason: Reason,
    home: Home = None,
) -> None:
    """Keep a need out until another independent citation arrives.

    A mission that is open for it goes on; `swarmctl mission cancel` ends it.

    Exit status: 0 recorded; 5 not found; 7 it is not open.

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
    """Let a rejected or resting need be chosen again. Gate 1 is asked again, too.

    Exit status: 0 recorded; 5 not found; 7 a mission is open for it.

    Example: swarmctl need reopen n-17ab --reason "it is real after all"
    """

    async def work(database: Database) -> str:
        from swarm.adapters.postgres.store.desk.people import People  # noqa: PLC0415

        return await People(database, me()).reopen_need(need, reason)

    emit(f"{ask(home, work)} open again")


@app.command
def done(
    need: Need,
    /,
    *,
    reason: Reason,
    home: Home = None,
) -> None:
    """Say that people have carried a need out, so that nothing does it again.

    In shadow mode this is how a recommendation is accepted; what nothing had recommended counts
    as missed. It says nothing about any gate, and changes no repository.

    Exit status: 0 recorded; 5 not found; 7 it is not open.

    Example: swarmctl need done n-17ab --reason "did it this morning"
    """

    async def work(database: Database) -> str:
        from swarm.adapters.postgres.store.desk.people import People  # noqa: PLC0415

        return await People(database, me()).finish_need(need, reason)

    emit(f"{ask(home, work)} done, says {me()}")
