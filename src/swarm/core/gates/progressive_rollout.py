"""Gate 5: does the canary prove itself at this step, against the version beside it?"""

from __future__ import annotations

from datetime import datetime, timedelta

from swarm.contract.verdict import Answer, Verdict
from swarm.core.findings import TargetFindings
from swarm.core.nouns import Risk
from swarm.core.policy import regime_limits
from swarm.core.reasons import Reason
from swarm.core.rollout.counts import Absent, Arm, ArmCounts, Look, increase
from swarm.core.rollout.errors import BadLooks
from swarm.core.rollout.judgement import CanaryReason
from swarm.core.rollout.planner import plan_step
from swarm.core.rollout.remembered import RememberedJudge
from swarm.core.rollout.thresholds import CanaryThresholds
from swarm.core.snapshot import Installation

NAME = "progressive_rollout"

# A cache and nothing more: the answer is that of a fold over all looks, each folded once.
_JUDGE = RememberedJudge()


def thresholds(installation: Installation, risk: Risk) -> CanaryThresholds:
    """What is tolerated; R3 gets the stricter variant (MODE-3)."""
    return installation.canary.strict() if risk is Risk.R3 else installation.canary


def judge(
    target: TargetFindings,
    step: int,
    limits: CanaryThresholds,
    since: datetime,
    word_lasts: timedelta | None = None,
) -> Verdict:
    """The sequential test over all looks of this rollout up to `step`, exposed `since` then.

    What was proven at another weight is remembered and proves nothing at this one: a smaller step,
    or this one before a policy changed its weight.
    word_lasts: see `regime_limits.over`.
    """
    here = [taken for taken in target.looks_at(step) if taken.at >= since]
    known = [taken for taken in target.looks if taken.step <= step]
    if not here or known[-1] is not here[-1]:
        reason = CanaryReason.NO_LOOK_YET
        return Verdict(answer=Answer.WAIT, reason=reason, detail="nothing was read here yet")
    looks = [taken.look for taken in known]
    try:
        judged = _JUDGE.judge(_series(target), looks, limits)
        forecast = _forecast(looks, limits) if judged.answer is Answer.WAIT else ""
    except BadLooks as error:
        # Two versions may count in different buckets: that settles nothing, for this one alone.
        return Verdict(
            answer=Answer.INCONCLUSIVE,
            reason=Reason.CANARY_UNDECIDED,
            detail=f"the readings cannot be compared: {error.message}",
        )
    verdict = Verdict(
        answer=judged.answer,
        reason=judged.reason,
        detail=f"{judged.detail}{forecast}",
        evidence=tuple(taken.id for taken in here),
        look_again=judged.look_again,
    )
    return regime_limits.over(verdict, here, word_lasts)


def _series(target: TargetFindings) -> str:
    """A name for this rollout's looks; without any there is nothing to remember."""
    return f"{target.synced.target}@{target.synced.revision}" if target.synced else ""


def _forecast(looks: list[Look], limits: CanaryThresholds) -> str:
    """What the planner says where the traffic of this step cannot decide it in time, else ""."""
    step = [look for look in looks if look.traffic_percent == looks[-1].traffic_percent]
    if len(step) < 2 or not 0 < step[-1].traffic_percent < 100:  # noqa: PLR2004 - two readings
        return ""
    first, last = step[0], step[-1]
    canary, stable = _grown(first.canary, last.canary), _grown(first.stable, last.stable)
    if canary is None or stable is None:
        return ""
    seconds = (last.observed_at - first.observed_at).total_seconds()  # looks never stand still
    share = stable.bad / stable.total if stable.total else 0.0
    plan = plan_step((canary.total + stable.total) / seconds, share, last.traffic_percent, limits)
    return "" if plan.decidable else f"; {plan.detail}"


def _grown(before: Arm, after: Arm) -> ArmCounts | None:
    if isinstance(before, Absent) or isinstance(after, Absent):
        return None
    return increase(before, after).counts
