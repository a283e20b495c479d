"""Gate 5: does the canary prove itself at this step, against the version beside it?"""

from __future__ import annotations

from swarm.contract.verdict import Answer, Verdict
from swarm.core.findings import TargetFindings
from swarm.core.nouns import Risk
from swarm.core.reasons import Reason
from swarm.core.rollout.canary import judge as judge_looks
from swarm.core.rollout.errors import BadLooks
from swarm.core.rollout.thresholds import CanaryThresholds
from swarm.core.snapshot import Installation

NAME = "progressive_rollout"


def thresholds(installation: Installation, risk: Risk) -> CanaryThresholds:
    """What is tolerated; R3 gets the stricter variant (MODE-3)."""
    return installation.canary.strict() if risk is Risk.R3 else installation.canary


def judge(target: TargetFindings, step: int, limits: CanaryThresholds) -> Verdict:
    """The sequential test over all looks of this rollout up to `step`."""
    looks = [
        taken.look
        for number in sorted(target.looks)
        if number <= step
        for taken in target.looks[number]
    ]
    try:
        judged = judge_looks(looks, limits)
    except BadLooks as error:
        # Two versions may count in different buckets: that settles nothing, for this one alone.
        return Verdict(
            answer=Answer.INCONCLUSIVE,
            reason=Reason.CANARY_UNDECIDED,
            detail=f"the readings cannot be compared: {error.message}",
        )
    return Verdict(
        answer=judged.answer,
        reason=judged.reason,
        detail=judged.detail,
        evidence=tuple(taken.id for taken in target.looks.get(step, ())),
        look_again=judged.look_again,
    )
