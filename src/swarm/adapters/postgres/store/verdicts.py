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
    """Write those of missions that are there. With each record: None, or why it was refused."""
    given = [record for record in records if record.mission in writing.missions]
    rows = [_row(writing, record) for record in given]
    if given:
        await writing.connection.execute(
            statements("missions")["give_verdicts"],
            {
                "missions": [record.mission for record in given],
                "ats": [record.at for record in given],
                "looks": [record.verdict.look_again for record in given],
                "verdicts": [texts.storable(json.dumps(row)) for row in rows],
            },
        )
    for record, row in zip(given, rows, strict=True):
        writing.tell(record.mission, EventKind.VERDICT_GIVEN, row)
    return [
        (record, None if record.mission in writing.missions else "NoSuchMission")
        for record in records
    ]


def _row(writing: Writing, record: GiveVerdict) -> dict[str, object]:
    return {
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
