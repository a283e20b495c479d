"""Gate 6: does the service hold its limits for the observation window after full exposure?"""

from __future__ import annotations

from datetime import datetime, timedelta

from swarm.contract.verdict import Answer, Verdict
from swarm.core.findings import TargetFindings
from swarm.core.policy import regime_limits
from swarm.core.policy.split import elsewhere
from swarm.core.reasons import Reason
from swarm.core.rollout.counts import Absent, ArmCounts, increase
from swarm.core.rollout.errors import BadLooks
from swarm.core.rollout.remembered import RememberedSlo
from swarm.core.rollout.thresholds import SloThresholds

NAME = "post_deploy_slo"

_JUDGE = RememberedSlo()  #: a cache and nothing more


def judge(
    target: TargetFindings,
    last_step: int,
    limits: SloThresholds,
    since: datetime,
    word_lasts: timedelta | None = None,
) -> Verdict:
    """Judge the looks since full exposure against objectives and the old version's counts.

    word_lasts: see `regime_limits.over`.
    """
    taken = [look for look in target.looks_at(last_step) if look.at >= since]
    again = taken[-1].at + limits.look_every if taken else None
    if taken and not target.in_force(taken[-1]):
        return elsewhere(taken[-1], limits.look_every)
    taken = [look for look in taken if target.in_force(look)]
    try:
        judged = _JUDGE.judge(
            taken[0].id if taken else "",
            [look.look for look in taken],
            limits,
            baseline(target, last_step),
        )
    except BadLooks as error:
        return unreadable(error, again)
    verdict = Verdict(
        answer=judged.answer,
        reason=judged.reason,
        detail=judged.detail,
        evidence=tuple(look.id for look in taken),
        look_again=again,
    )
    return regime_limits.over(verdict, taken, word_lasts)


def unreadable(error: BadLooks, again: datetime | None) -> Verdict:
    """Looks that do not fit together settle nothing, and must not stop other missions."""
    return Verdict(
        answer=Answer.INCONCLUSIVE,
        reason=Reason.CANARY_UNDECIDED,
        detail=f"the readings cannot be compared: {error.message}",
        look_again=again,
    )


def baseline(target: TargetFindings, last_step: int) -> ArmCounts | None:
    """What the old version counted while the canary grew beside it; None if nobody saw it."""
    seen = [
        taken.look.stable
        for taken in target.looks
        if taken.step < last_step and target.in_force(taken)
    ]
    counts = [arm for arm in seen if not isinstance(arm, Absent)]
    if len(counts) < 2:  # noqa: PLR2004 - an increase needs two readings
        return None
    return increase(counts[0], counts[-1]).counts
