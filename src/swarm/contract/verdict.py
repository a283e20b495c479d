"""The one type that all gates share: four answers, never a boolean."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Answer(IntEnum):
    """What a gate says. Ordered: the worse one wins when several are joined."""

    PASS = 0  #: the evidence proves what the gate asks
    WAIT = 1  #: evidence is on its way, or the gate may not be asked yet
    INCONCLUSIVE = 2  #: evidence arrived and cannot settle the question
    FAIL = 3  #: the evidence proves the opposite


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A gate's answer with the reason, the evidence it rests on, and when to look again.

    reason:     a CamelCase word from `core.reasons.Reason`; becomes the condition's reason.
    detail:     one sentence for people, with the numbers.
    evidence:   ids of the evidence used, oldest first.
    configured: False when nobody configured this gate; it then reads "not configured",
                never "passed", whatever the answer lets through.
    """

    answer: Answer
    reason: str
    detail: str = ""
    evidence: tuple[str, ...] = ()
    look_again: datetime | None = None
    configured: bool = True

    def __bool__(self) -> bool:
        """Refuse to be a boolean: four answers do not fit in two."""
        raise TypeError("a verdict has four answers; compare .answer")
