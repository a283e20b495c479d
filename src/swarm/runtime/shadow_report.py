"""What a shadow week says: precision per risk class, calibration, missed needs, a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

READY_PRECISION = 0.90  #: below it, people turned down more than one in ten recommendations
READY_ANSWERS = 10  #: answers per risk class before a precision means anything
EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def judge(found: Mapping[str, Any]) -> dict[str, Any]:
    """The report from what the store holds: `recommended` and `missed` rows.

    A need that was recommended more than once counts once, by its newest recommendation.
    """
    newest = {row["need"]: row for row in found["recommended"]}
    rows = list(newest.values())
    classes = [_class(risk, rows) for risk in sorted({row["risk"] for row in rows})]
    return {
        "verdict": _verdict(classes, rows),
        "classes": classes,
        "calibration": _calibration(rows),
        "missed": list(found["missed"]),
    }


def answer(row: Mapping[str, Any]) -> bool | None:
    """True when people accepted a recommendation, False when they turned it down, None if open.

    What Gate 1 refused since, and a later mission that failed, is nobody's answer.
    """
    if row["state"] == "done" or row["then_outcome"] == "delivered":
        return True
    by_person = row["state"] == "rejected" and row["turned_down"]
    return False if by_person or row["then_outcome"] == "rejected" else None


def _class(risk: int, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    mine = [answer(row) for row in rows if row["risk"] == risk]
    accepted, turned_down = mine.count(True), mine.count(False)
    answered = accepted + turned_down
    return {
        "risk": risk,
        "recommended": len(mine),
        "accepted": accepted,
        "turned_down": turned_down,
        "open": mine.count(None),
        "precision": accepted / answered if answered else None,
    }


def _calibration(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Predicted confidence against the share that was accepted, in fixed bands."""
    bands = []
    for low, high in pairwise(EDGES):
        inside = [
            (row["confidence"], answer(row))
            for row in rows
            if row["confidence"] is not None
            and (low <= row["confidence"] < high or row["confidence"] == high == 1.0)
            and answer(row) is not None
        ]
        if inside:
            bands.append(
                {
                    "between": (low, high),
                    "answered": len(inside),
                    "accepted": sum(said is True for _, said in inside),
                    "predicted": sum(confidence for confidence, _ in inside) / len(inside),
                }
            )
    return bands


def _verdict(classes: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> str:
    """Ready for limited lights-out or not, and the first reason why not."""
    if not rows:
        return "ready for limited lights-out: no, nothing was recommended yet"
    for row in classes:
        answered = row["accepted"] + row["turned_down"]
        if answered < READY_ANSWERS:
            return (
                f"ready for limited lights-out: no, R{row['risk']} has {answered} of "
                f"{READY_ANSWERS} answers"
            )
        if row["precision"] < READY_PRECISION:
            return (
                f"ready for limited lights-out: no, R{row['risk']} precision "
                f"{row['precision']:.2f} < {READY_PRECISION:.2f}"
            )
    return "ready for limited lights-out: yes"
