"""Traffic that is split in another way than was set: what gates 5 and 6 make of such a look."""

from __future__ import annotations

from datetime import timedelta

from swarm.contract.verdict import Answer, Verdict
from swarm.core.evidence import LookTaken
from swarm.core.rollout.judgement import CanaryReason


def elsewhere(taken: LookTaken, look_every: timedelta) -> Verdict:
    """A target that splits its traffic in another way than it was told says nothing of this way."""
    return Verdict(
        answer=Answer.INCONCLUSIVE,
        reason=CanaryReason.SAMPLE_RATIO_MISMATCH,
        detail=f"the canary was given {taken.look.traffic_percent} % of the traffic at that look,"
        " which is not this step",
        evidence=(taken.id,),
        look_again=taken.at + look_every,
    )
