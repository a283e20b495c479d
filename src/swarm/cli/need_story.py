"""A need told to people: its score taken apart, its citations, where it ranks, what holds it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from swarm.cli.columns import SHORT_ID, length_of, money, stamp
from swarm.cli.output import line
from swarm.contract.counted import counted
from swarm.core.reasons import Reason

CITATIONS_SHOWN = 20


def tell_need(story: Mapping[str, Any], ranking: Sequence[tuple[str, str, float]]) -> list[str]:
    """The lines of `why NEED`. ranking: (id, title, score) of the backlog, the best first."""
    repo = line(story["repo"] or "no repository")
    lines = [
        f"{story['id'][:SHORT_ID]}  {line(story['title'])}",
        f"state:       {story['state']}{_because(story['state_reason'])}",
        f"about:       {repo}, {story['mission_class']}, R{story['risk']}",
        *score_lines(story),
        *_rank(story, ranking),
        *_citations(story),
    ]
    number = story["counted"]
    lines.append(
        f"merged:      {counted(number['signals'], 'signal')}, "
        f"{counted(story['merged'], 'text')} besides its own, "
        f"{counted(number['citations'], 'independent citation')}"
    )
    lines += _held(story)
    for mission in story["missions"]:
        ended = mission["outcome"] or "open"
        lines.append(f"mission:     {mission['id'][:SHORT_ID]}  {mission['kind']}  {ended}")
    return lines


def score_lines(story: Mapping[str, Any]) -> list[str]:
    """The rank taken apart: each term in nats, how it came about, and their sum."""
    lines = [f"score:       {story['score']:+.3f} nats"]
    notes = _notes(story)
    for name, nats in story["terms"]:
        lines.append(f"  {name:<11} {nats:+8.3f}   {notes.get(name, '')}".rstrip())
    return lines


def _notes(story: Mapping[str, Any]) -> dict[str, str]:
    """What each term was computed from, for the terms that have a source in plain numbers."""
    waited = dict(story["terms"])["waiting"] * 8 * 3600
    return {
        "value": f"ln of {story['value']:g} points",
        "confidence": f"ln of {story['confidence']:.2f}, from "
        f"{counted(story['counted']['citations'], 'independent citation')}",
        "pheromone": f"ln of {story['pheromone']:.2f} fresh deposits",
        "cost": f"an expected cost of {money(story['cost'])}",
        "risk": f"R{story['risk']}, half a nat for each class",
        "waiting": f"first seen {length_of(max(0.0, waited))} ago, one nat for every 8 hours",
        "learned": f"how {story['mission_class']} has fared so far",
    }


def _rank(story: Mapping[str, Any], ranking: Sequence[tuple[str, str, float]]) -> list[str]:
    """Its place in the backlog, its neighbours, and what would turn the order."""
    ids = [id_ for id_, _, _ in ranking]
    if story["id"] not in ids:
        return []
    place = ids.index(story["id"])
    lines = [f"rank:        {place + 1} of {len(ids)} open needs"]
    score = ranking[place][2]
    if place > 0:
        other, title, theirs = ranking[place - 1]
        lines.append(f"  behind     {other[:SHORT_ID]} by {theirs - score:.3f}  ({line(title)})")
        lines.append(f"  passes it  {_turn(theirs - score, story)}")
    if place + 1 < len(ids):
        other, title, theirs = ranking[place + 1]
        lines.append(f"  ahead of   {other[:SHORT_ID]} by {score - theirs:.3f}  ({line(title)})")
    return lines


def _turn(gap: float, story: Mapping[str, Any]) -> str:
    """What would make up for `gap` nats, one cause at a time."""
    factor = math.exp(min(gap, 50.0))
    ways = [f"with a value above {story['value'] * factor:.3g}"]
    ways.append(f"a pheromone above {story['pheromone'] * factor:.3g}")
    if story["confidence"] * factor <= 1:
        ways.append(f"a confidence above {story['confidence'] * factor:.2f}")
    return ", or ".join(ways)


def _citations(story: Mapping[str, Any]) -> Iterable[str]:
    cited = story["citations"]
    yield f"citations:   {len(cited)}" if cited else "citations:   none"
    for one in cited[:CITATIONS_SHOWN]:
        where = line(one["citation"]) or "cannot be looked up"
        outside = ", from outside" if one["external"] else ""
        yield f"  {line(one['origin']):<24} trust {one['trust']:.2f}{outside}  {where}"
    if len(cited) > CITATIONS_SHOWN:
        yield f"  and {len(cited) - CITATIONS_SHOWN} more: -o json lists them"


def idle_words(choice: Mapping[str, Any]) -> str:
    """Why a Swarm opens nothing. A choice never sees needs that rest, so it knows of none."""
    if choice["resting"] and (choice["idle_reason"] or "").startswith(Reason.NOTHING_TO_DO):
        first = stamp(choice["rest_ends"])
        return (
            f"each open need rests: {counted(choice['resting'], 'need')}, the first until {first}"
        )
    return line(choice["idle_reason"] or "")


def _held(story: Mapping[str, Any]) -> Iterable[str]:
    rests = story["not_before"]
    if story["state"] == "open" and rests is not None and rests > datetime.now(UTC):
        yield f"not chosen:  it rests until {stamp(rests)}, after its mission"
        return
    for pick in story["selection"]:
        if pick["reason"]:
            yield f"passed over: {pick['reason']}: {line(pick['detail'] or '')}"
        elif story["state"] == "open" and pick["idle_reason"]:
            yield f"not chosen:  {line(pick['idle_reason'])}"


def _because(reason: str) -> str:
    return f" ({line(reason)})" if reason else ""
