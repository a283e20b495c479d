"""Gate 5: does the canary prove itself at this step, against the version beside it?"""

from __future__ import annotations

from datetime import datetime, timedelta

from swarm.contract.verdict import Answer, Verdict
from swarm.core.findings import TargetFindings
from swarm.core.nouns import Risk
from swarm.core.policy import regime_limits
from swarm.core.policy.split import elsewhere
from swarm.core.reasons import Reason
from swarm.core.rollout.counts import ArmCounts, Look, Reading
from swarm.core.rollout.errors import BadLooks
from swarm.core.rollout.judgement import CanaryJudgement, CanaryReason
from swarm.core.rollout.planner import plan_step, traffic
from swarm.core.rollout.remembered import RememberedJudge
from swarm.core.rollout.thresholds import CanaryThresholds
from swarm.core.snapshot import Installation

NAME = "progressive_rollout"
_WHOLE = 100  #: percent

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
    if not target.in_force(here[-1]):
        return elsewhere(here[-1], limits.look_every)
    known = [taken for taken in known if target.in_force(taken)]
    looks = [taken.look for taken in known]
    try:
        judged = _JUDGE.judge(known[0].id, looks, limits)
        forecast = _forecast(judged, looks, limits)
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


def outlook(target: TargetFindings, percent: int, limits: CanaryThresholds) -> str:
    """Of a step that has not begun: what the planner says where it cannot be decided in time.

    Asked of the traffic of the newest step, or of the stable version's before the first. "" where
    it can be decided, where nothing is compared, and where nobody read the traffic.
    """
    carried = None
    if target.looks:
        weight = target.looks[-1].look.traffic_percent
        looks = [taken.look for taken in target.looks if taken.look.traffic_percent == weight]
        readings = [Reading(observed_at=look.observed_at, counts=look.stable) for look in looks]
        carried = traffic(readings, stable_percent=_WHOLE - weight)
    if carried is None and target.synced is not None:
        carried = traffic(target.synced.before, stable_percent=_WHOLE)
    if carried is None or not 0 < percent < _WHOLE:
        return ""
    plan = plan_step(carried.requests_per_second, carried.error_share, percent, limits)
    return "" if plan.decidable else f"with {carried}, {plan.detail}"


def _forecast(judged: CanaryJudgement, looks: list[Look], limits: CanaryThresholds) -> str:
    """What the planner says where the traffic of this step cannot decide it in time, else ""."""
    if judged.reason is not CanaryReason.COLLECTING_EVIDENCE:
        return ""
    last, errors = looks[-1], judged.metrics[0]
    began = next(look.observed_at for look in looks if _counts(look, last.traffic_percent))
    seconds = (last.observed_at - began).total_seconds()  # looks never stand still
    share = errors.stable_bad / errors.stable_total if errors.stable_total else 0.0
    requests = errors.canary_total + errors.stable_total
    plan = plan_step(requests / seconds, share, last.traffic_percent, limits)
    return "" if plan.decidable else f"; {plan.detail}"


def _counts(look: Look, percent: int) -> bool:
    """Whether a look read both versions at this weight."""
    read = isinstance(look.canary, ArmCounts) and isinstance(look.stable, ArmCounts)
    return read and look.traffic_percent == percent
