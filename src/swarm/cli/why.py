"""`swarmctl why`: why something was chosen, rejected, held or rolled back, or nothing is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.columns import SHORT_ID
from swarm.cli.complete import missions_and_needs
from swarm.cli.desk import ask, swarm_named
from swarm.cli.mission_story import strip_of, tell_mission
from swarm.cli.need_story import idle_words, tell_need
from swarm.cli.options import Home, Output
from swarm.cli.output import Form, emit, line, show_one

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

RANKED = 500


def why(
    what: Annotated[
        str,
        Parameter(
            help="A need, a mission, a run or a commit, by any unique prefix; or a Swarm's"
            " name. Left out: the only Swarm.",
            completer=missions_and_needs,
        ),
    ] = "",
    /,
    *,
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Explain a need (score, citations, rank), a mission (gates, outcome) or an idle Swarm.

    Everything printed is stored evidence, or arithmetic on it; no model is asked, and nothing is
    changed.

    Exit status: 0 explained; 2 name one of several Swarms; 5 nothing matches, or several ids do.

    Example: swarmctl why n-17ab
    """
    kind, story = ask(home, lambda database: tell(database, what))
    if not output.for_people:
        show_one(kind, story, output)
        return
    told = {"Need": _need, "Mission": tell_mission, "Choice": _choice}[kind](story)
    for words in told:
        emit(words)


async def tell(database: Database, what: str) -> tuple[str, dict[str, Any]]:
    """The kind of thing that `what` names, and its story."""
    from swarm.adapters.postgres.store.desk.reference import bare  # noqa: PLC0415
    from swarm.adapters.postgres.store.desk.stories import Stories  # noqa: PLC0415
    from swarm.adapters.postgres.store.errors import NotFound  # noqa: PLC0415

    stories, what = Stories(database), bare(what)
    if what.startswith("n-"):
        need = await stories.why_need(what)
        need["ranking"] = (await stories.ranking(need["swarm"], limit=RANKED))["after"]
        return "Need", need
    if what.startswith("m-"):
        return "Mission", with_gates(await stories.trace(what))
    if not what:
        return "Choice", await stories.choice(await swarm_named(database, ""))
    try:
        return "Mission", with_gates(await stories.trace(what))
    except NotFound:
        return "Choice", await stories.choice(await swarm_named(database, what))


def with_gates(story: dict[str, Any]) -> dict[str, Any]:
    """The story with its gate strip in words."""
    gates = [{"gate": one.name, "state": one.state, "reason": one.reason, "detail": one.detail}
             for one in strip_of(story)]  # fmt: skip
    return {**story, "gates": gates}


def _need(story: dict[str, Any]) -> list[str]:
    return tell_need(story, story["ranking"])


def _choice(story: dict[str, Any]) -> list[str]:
    """Why a Swarm does what it does now: its last choice among the best needs."""
    status = story["status"] or {}
    lines = [f"{story['namespace']}/{story['name']}  {status.get('phase', 'not observed yet')}"]
    if story["at"] is None:
        return [*lines, "nothing was chosen yet: is a controller running? `swarmctl doctor`"]
    lines.append(f"idle:     {idle_words(story) or 'no; missions are open or opening'}")
    for pick in story["needs"]:
        why_ = f"{pick['reason']}: {line(pick['detail'] or '')}" if pick["reason"] else "eligible"
        lines.append(f"  {pick['need'][:SHORT_ID]}  {why_}  ({line(pick['title'] or 'gone')})")
    holds = [f"held by:  {one['id'][:SHORT_ID]} {one['reason']}" for one in story["freezes"]]
    return [*lines, *holds]
