"""One swarm on paper as people read it: the rows that the daily and the shadow report are made of.

Same fields as `adapters/postgres/queries/look.sql` and `story.sql`, as far as the reports read
them; made of the trail, so that they say what was written down and nothing else.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import datetime
from typing import Any

from swarm.core.history.journal import Entry
from swarm.core.nouns import NeedState, OutcomeKind
from swarm.core.trail import EventKind
from swarm.testing.paper import PaperStore

Row = dict[str, Any]


def digest_rows(paper: PaperStore, since: datetime) -> Row:
    """What `swarmctl report` reads: what ended since then, and what is open, asked, frozen or dark.

    Cost: one pass over the trail.
    """
    outcomes = [row for row in _endings(paper) if row["at"] >= since]
    outcomes.sort(key=lambda row: (row["at"], row["mission"]), reverse=True)
    return {
        "outcomes": outcomes,
        "open": [_standing(paper, id_) for id_ in sorted(paper.missions)],
        "approvals": list(_questions(paper)),
        "freezes": [
            {
                "mission_class": hold.mission_class, "until": hold.until, "reason": hold.reason,
                "detail": hold.detail,
            }
            for hold in paper.world.freezes
        ],
        "lifted": [row for row in _lifted(paper) if row["lifted_at"] >= since],
        "dark": [
            {"name": source.name, "detail": source.detail}
            for source in paper.world.sources
            if source.dark_since is not None
        ],
    }  # fmt: skip


def shadow_rows(paper: PaperStore, since: datetime) -> Row:
    """What `swarmctl shadow report` reads: what was recommended, what came of it, what it missed.

    Cost: one pass over the trail, and one over the needs.
    """
    endings = sorted(_endings(paper), key=lambda row: row["opened_at"])
    of_need: dict[str, list[Row]] = {}
    for row in endings:
        of_need.setdefault(row["need"] or "", []).append(row)
    refused = _refused(paper)
    recommended = [
        {**row, **_now(paper, row, refused), "then_outcome": _then(row, of_need)}
        for row in endings
        if row["outcome"] == OutcomeKind.RECOMMENDED and row["opened_at"] >= since
    ]
    known = {
        row["need"]
        for row in endings
        if row["outcome"] in {OutcomeKind.RECOMMENDED, OutcomeKind.DELIVERED}
    }
    return {"recommended": recommended, "missed": list(_missed(paper, since, known))}


def _endings(paper: PaperStore) -> Iterator[Row]:
    """Every mission that ended, in the order of their endings."""
    opened: dict[str, Entry] = {}
    for entry in paper.trail:
        if entry.kind == EventKind.MISSION_OPENED:
            opened[entry.chain] = entry
        elif entry.kind == EventKind.MISSION_SETTLED:
            begun = opened[entry.chain]
            yield {
                "mission": entry.chain, "need": begun.body["need"], "title": begun.body["title"],
                "risk": begun.body["risk"], "outcome": entry.body["outcome"],
                "reason": entry.body["reason"], "detail": entry.body["detail"],
                "cost": entry.body["cost"],
                "seconds": (entry.at - begun.at).total_seconds(), "at": entry.at,
                "opened_at": begun.at,
            }  # fmt: skip


def _lifted(paper: PaperStore) -> Iterator[Row]:
    """Every freeze that was lifted, the newest first; its reason is the newest that was told."""
    rows: list[Row] = []
    held: dict[str, Row] = {}
    for entry in paper.trail:
        body = entry.body
        if entry.kind in {EventKind.FREEZE_OPENED, EventKind.FREEZE_EXTENDED}:
            since = held.get(body["freeze"], {}).get("since", entry.at)
            held[body["freeze"]] = {
                "since": since, "mission_class": body["class"], "reason": body["reason"],
                "detail": body["detail"],
            }  # fmt: skip
        elif entry.kind == EventKind.FREEZE_LIFTED:
            hold = held.pop(body["freeze"])
            rows.append({**hold, "lifted_at": entry.at, "lifted_by": body["by"]})
    return reversed(rows)


def _standing(paper: PaperStore, id_: str) -> Row:
    mission = paper.missions[id_]
    stands = mission.standing
    return {
        "id": id_,
        "title": mission.title,
        "reason": stands.reason if stands is not None else None,
        "next_action": stands.next_action if stands is not None else None,
    }


def _questions(paper: PaperStore) -> Iterator[Row]:
    for asked in paper.questions.values():
        mission = paper.missions.get(asked.answer.mission)
        if asked.state == "open" and mission is not None:
            expires = asked.answer.expires_at
            yield {"mission": mission.id, "title": mission.title, "expires_at": expires}


def _refused(paper: PaperStore) -> dict[str, datetime]:
    """When a person last rejected each need. On paper Gate 1 leaves no such event."""
    said = (entry for entry in paper.trail if entry.kind == EventKind.NEED_REJECTED)
    return {str(entry.body["need"]): entry.at for entry in said}


def _now(paper: PaperStore, row: Row, refused: dict[str, datetime]) -> Row:
    known = paper.needs[row["need"]]
    at = refused.get(known.id)
    return {
        "confidence": known.confidence,
        "state": str(known.state),
        "turned_down": at is not None and at > row["opened_at"],
    }


def _then(row: Row, of_need: dict[str, list[Row]]) -> str | None:
    """How the first real mission ended that followed a recommendation."""
    later = (
        other["outcome"]
        for other in of_need[row["need"]]
        if other["outcome"] != OutcomeKind.RECOMMENDED and other["at"] > row["opened_at"]
    )
    return next(later, None)


def _missed(paper: PaperStore, since: datetime, known: Container[str | None]) -> Iterator[Row]:
    """What people carried out while nothing recommended it and no mission did it."""
    for id_, need in paper.needs.items():
        at = paper.moved_at.get(id_)
        if need.state is NeedState.DONE and id_ not in known and at is not None and at >= since:
            yield {"need": id_, "title": need.title, "at": at}
