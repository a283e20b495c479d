"""The six gates of a mission in one line: a glyph and a word for each, never a colour alone.

A gate that nobody configured never reads as passed (law 3).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

#: Gates in the order in which a mission meets them, with the words that people read.
GATES = {
    "discovery_quality": "discovery",
    "code_quality": "code",
    "merge_policy": "merge",
    "supply_chain": "supply chain",
    "progressive_rollout": "rollout",
    "post_deploy_slo": "after deployment",
}
_PASS, _WAIT, _INCONCLUSIVE, _FAIL = range(4)

#: Something of ours is at work; everything else that waits, waits for its turn.
_AT_WORK = {
    "ArtifactPending", "CanaryPending", "ChecksPending", "CollectingEvidence", "FirstLook",
    "NoLookYet", "Observing", "SloPending", "SyncPending",
}  # fmt: skip
#: A person or a policy holds it.
HELD = {"ApprovalNeeded", "CanaryUndecided", "Frozen", "RiskNotAutomatic", "Shadow"}


class GateState(StrEnum):
    """How a gate stands for one mission."""

    PASSED = "passed"  #: asked, and answered yes
    FAILED = "failed"  #: asked, and answered no
    RUNNING = "running"  #: evidence is being gathered
    WAITING = "waiting"  #: it is another mission's turn, or something outside must answer
    HELD = "held"  #: a person or a policy holds it
    NOT_CONFIGURED = "not configured"  #: nobody said what it should look at
    SKIPPED = "skipped"  #: the mission ended before it was reached
    AHEAD = "ahead"  #: not reached yet


_GLYPHS = {
    GateState.PASSED: ("✓", "+"),
    GateState.FAILED: ("✗", "x"),
    GateState.RUNNING: ("▶", ">"),
    GateState.WAITING: ("…", ","),
    GateState.HELD: ("‖", "!"),
    GateState.NOT_CONFIGURED: ("∅", "0"),
    GateState.SKIPPED: ("╌", "-"),
    GateState.AHEAD: ("·", "."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate of one mission."""

    name: str
    state: GateState
    reason: str = ""
    detail: str = ""

    @property
    def label(self) -> str:
        """Its name in words."""
        return GATES[self.name]

    @property
    def glyph(self) -> str:
        """Its state as one character that this terminal can show."""
        fancy, plain = _GLYPHS[self.state]
        encoding = getattr(sys.stdout, "encoding", None) or "ascii"
        return fancy if encoding.lower().startswith("utf") else plain


def gates_of(
    verdicts: Iterable[Mapping[str, Any]], *, ended: bool, reason: str = ""
) -> tuple[Gate, ...]:
    """The strip of one mission.

    verdicts: rows with gate, subject, answer, reason, detail, configured and at.
    reason:   why the mission stands where it stands; it tells held from waiting.
    """
    by_gate: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(verdicts, key=lambda row: row["at"]):
        by_gate.setdefault(row["gate"], []).append(row)
    strip = []
    for name in GATES:
        rows = by_gate.get(name)
        if rows:
            row = _telling(name, rows)
            state = _state(row, reason, ended=ended)
            strip.append(
                Gate(name=name, state=state, reason=row["reason"], detail=row["detail"] or "")
            )
        else:
            state = GateState.SKIPPED if ended else GateState.AHEAD
            strip.append(Gate(name=name, state=state))
    return tuple(strip)


def glyphs(strip: Iterable[Gate]) -> str:
    """The strip in six characters."""
    return " ".join(gate.glyph for gate in strip)


def _telling(name: str, rows: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The newest word; of a rollout gate, the worst of the newest words on each target."""
    if name not in {"progressive_rollout", "post_deploy_slo"}:
        return rows[-1]
    newest = {str(row["subject"]).partition("@")[0]: row for row in rows}
    return max(newest.values(), key=lambda row: int(row["answer"]))


def _state(row: Mapping[str, Any], reason: str, *, ended: bool) -> GateState:
    answer = row["answer"]
    if not row["configured"]:
        return GateState.NOT_CONFIGURED
    if answer == _PASS:
        return GateState.PASSED
    if answer == _FAIL:
        return GateState.FAILED
    if ended:
        return GateState.SKIPPED
    if answer == _INCONCLUSIVE or row["reason"] in HELD or reason in HELD:
        return GateState.HELD
    return GateState.RUNNING if row["reason"] in _AT_WORK else GateState.WAITING
