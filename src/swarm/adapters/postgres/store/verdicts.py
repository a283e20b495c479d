"""Verdicts of one tick as rows: all of them in one statement."""

from __future__ import annotations

import json
from collections.abc import Sequence

from swarm.core.decision import GiveVerdict
from swarm.core.trail import EventKind

from . import texts
from .statements import statements
from .writing import Writing


async def give_verdicts(
    writing: Writing, records: Sequence[GiveVerdict]
) -> list[tuple[GiveVerdict, str | None]]:
    """Write those that say something new. With each: None, why it was refused, or "" for no news.

    Of one gate and one subject at most one may be among them.
    """
    rows = [
        {
            "gate": record.gate,
            "subject": record.subject,
            "answer": int(record.verdict.answer),
            "reason": str(record.verdict.reason),
            "detail": texts.plain(record.verdict.detail),
            "evidence": list(record.verdict.evidence),
            "configured": record.verdict.configured,
            "policy_hash": writing.snapshot.policy_hash,
            "generation": writing.snapshot.generation,
        }
        for record in records
    ]
    found = await writing.connection.execute(
        statements("missions")["give_verdicts"],
        {
            "known": list(writing.missions),
            "missions": [record.mission for record in records],
            "ats": [record.at for record in records],
            "looks": [record.verdict.look_again for record in records],
            "verdicts": [texts.storable(json.dumps(row)) for row in rows],
        },
    )
    given = {number for (number,) in await found.fetchall()}
    answers: list[tuple[GiveVerdict, str | None]] = []
    for number, (record, row) in enumerate(zip(records, rows, strict=True), start=1):
        if number in given:
            writing.tell(record.mission, EventKind.VERDICT_GIVEN, row)
        known = record.mission in writing.missions
        answers.append((record, None if number in given else "" if known else "NoSuchMission"))
    return answers
