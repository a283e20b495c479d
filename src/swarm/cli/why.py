"""`swarmctl why`: why a need or mission was chosen, rejected, held or rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from swarm.cli.columns import SHORT_ID, money
from swarm.cli.desk import ask
from swarm.cli.options import Home, Output
from swarm.cli.output import Form, emit, show_one, visible

if TYPE_CHECKING:
    from swarm.adapters.postgres.database import Database

_ANSWERS = ("pass", "wait", "inconclusive", "fail")


def why(
    what: Annotated[str, Parameter(help="A need, a mission or a commit, by any unique prefix.")],
    *,
    output: Output = Form.TABLE,
    home: Home = None,
) -> None:
    """Explain a need (score, citations, what held it back) or a mission (gates, outcome, next).

    Everything printed is stored evidence or arithmetic on it; no model is asked.
    Exit status: 0, or 5 when nothing matches.

    Example: swarmctl why n-17ab
    """

    async def work(database: Database) -> dict[str, Any]:
        from swarm.adapters.postgres.store.desk.stories import Stories  # noqa: PLC0415

        stories = Stories(database)
        if what.startswith("n-"):
            return {"kind": "Need", **await stories.why_need(what)}
        return {"kind": "Mission", **await stories.trace(what)}

    story = ask(home, work)
    if output is not Form.TABLE:
        show_one(story, output)
    elif story["kind"] == "Need":
        _need(story)
    else:
        _mission(story)


def _need(story: dict[str, Any]) -> None:
    emit(f"{story['id'][:SHORT_ID]}  {visible(story['title'])}")
    emit(f"state:      {story['state']}{_because(story['state_reason'])}")
    score_lines(story)
    emit("citations:")
    for cited in story["citations"]:
        where = visible(cited["citation"] or "cannot be looked up")
        emit(f"  {cited['origin']:<20} trust {cited['trust']:.2f}  {where}")
    counted = story["counted"]
    emit(
        f"merged:     {counted['signals']} signals, {story['merged']} texts besides its own, "
        f"{counted['citations']} independent citations, confidence {story['confidence']:.2f}"
    )
    for pick in story["selection"]:
        if pick["reason"]:
            emit(f"passed over: {pick['reason']}: {visible(pick['detail'])}")
        elif story["state"] == "open" and pick["idle_reason"]:
            emit(f"not chosen: {visible(pick['idle_reason'])}")
    for mission in story["missions"]:
        ended = mission["outcome"] or "open"
        emit(f"mission:    {mission['id'][:SHORT_ID]}  {mission['kind']}  {ended}")


def score_lines(story: dict[str, Any]) -> None:
    """The rank taken apart: each term in nats, and their sum."""
    emit(f"score:      {story['score']:+.3f} nats")
    for name, nats in story["terms"]:
        emit(f"  {name:<12} {nats:+.3f}")


def _mission(story: dict[str, Any]) -> None:
    emit(f"{story['id'][:SHORT_ID]}  {visible(story['title'])}")
    emit(f"kind:     {story['kind']}, R{story['risk']}, {story['mission_class']}, {story['repo']}")
    if story["cause"]:
        emit(f"because:  {visible(story['cause'])}")
    need = story["needs_story"]
    if need:
        emit(f"need:     {need['id'][:SHORT_ID]}, confidence {need['confidence']:.2f}; chosen with")
        for name, nats in story["rank_terms"] or ():
            emit(f"            {name:<12} {nats:+.3f}")
    emit("gates:")
    emit("  discovery_quality     pass            when the need was selected")
    for verdict in _newest(story["verdicts"]):
        word = _ANSWERS[verdict["answer"]] if verdict["configured"] else "not configured"
        detail = visible(verdict["detail"])
        emit(f"  {verdict['gate']:<21} {word:<15} {verdict['reason']}: {detail}")
    outcome = story["outcome"]
    if outcome:
        emit(f"outcome:  {outcome['outcome']}: {outcome['reason']}: {visible(outcome['detail'])}")
        emit(f"          {outcome['attempts']} runs, {money(outcome['cost'])} spent")
        return
    standing = story["standing"] or {}
    emit(f"now:      {standing.get('reason', 'New')}: {visible(standing.get('detail', ''))}")
    emit(f"next:     {visible(standing.get('next_action', 'it is judged at once'))}")
    for hold in story["holds"]:
        emit(f"held by:  {hold['id'][:SHORT_ID]} {hold['reason']}: {visible(hold['detail'])}")


def _newest(verdicts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last word of each gate on each subject."""
    newest = {(verdict["gate"], verdict["subject"]): verdict for verdict in verdicts}
    return list(newest.values())


def _because(reason: str) -> str:
    return f" ({visible(reason)})" if reason else ""
