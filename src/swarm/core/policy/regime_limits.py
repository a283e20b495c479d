"""The limits of the regime, laid over what a gate makes of a service's counters (REG-8, GATE-6).

A strategy may answer fast and without errors, and lose money. So a target that trades has a second
voice: a broken limit fails the gate, and without a fresh word that none is broken nothing passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from swarm.contract.verdict import Answer, Verdict
from swarm.core.evidence import LookTaken, RegimeRead
from swarm.core.reasons import Reason


def over(judged: Verdict, looks: Sequence[LookTaken], oldest: timedelta | None) -> Verdict:
    """The gate's verdict with these limits in mind; as it is for a target that does not trade.

    looks:  those that the verdict is about, oldest first.
    oldest: how old a word may be when the look is taken; None: the target does not trade.
    """
    if oldest is None:
        return judged
    broken = [(taken.id, word) for taken in looks for word in _breached(taken)]
    if broken:
        detail = f"{broken[0][1]}; no counter of the service outweighs that"
        evidence = tuple(dict.fromkeys(id_ for id_, _ in broken))
        return Verdict(
            answer=Answer.FAIL, reason=Reason.LIMIT_BREACHED, detail=detail, evidence=evidence
        )
    if judged.answer is not Answer.PASS:
        return judged
    why = _unproven(looks[-1], oldest) if looks else "nothing was read yet"
    if why:
        return replace(judged, answer=Answer.WAIT, reason=Reason.LIMITS_UNPROVEN, detail=why)
    read = looks[-1].regime or RegimeRead()
    return replace(judged, detail=f"{judged.detail}; within the limits of {read.regime}")


def hold(looks: Sequence[LookTaken], oldest: timedelta | None, now: datetime) -> bool:
    """Whether the newest look brought a word that all limits hold, and it is still fresh.

    Always true of a target that does not trade. See `over` for the parameters.
    """
    if oldest is None:
        return True
    read = looks[-1].regime if looks else None
    if read is None or read.at is None or read.breached or read.lacking:
        return False
    return now - read.at <= oldest


def _breached(taken: LookTaken) -> tuple[str, ...]:
    return taken.regime.breached if taken.regime is not None else ()


def _unproven(taken: LookTaken, oldest: timedelta) -> str:
    """Why the newest look does not prove that the limits hold; "" when it does."""
    read = taken.regime
    if read is None:
        return "the look says nothing of the regime"
    if read.lacking:
        return f"nobody has said: {', '.join(read.lacking)}"
    if read.at is None or taken.at - read.at > oldest:
        return f"the newest word on its limits is older than {oldest}"
    return ""
