"""Gate 4: do signature and provenance of the exact commit verify?"""

from __future__ import annotations

from swarm.contract.verdict import Answer, Verdict
from swarm.core.evidence import ArtifactResult
from swarm.core.findings import Findings
from swarm.core.reasons import Reason

NAME = "supply_chain"


def judge(commit: str, found: Findings, *, attests: bool) -> Verdict:
    """Pass on proof; without any policy the gate reads "not configured", never "passed".

    attests: somebody configured what must be signed in this repository.
    """
    if not attests:
        return Verdict(
            answer=Answer.PASS,
            reason=Reason.NOT_CONFIGURED,
            detail="no signature or provenance policy is configured for this repository",
            configured=False,
        )
    judged = found.artifacts.get(commit)
    if judged is None:
        return Verdict(
            answer=Answer.WAIT,
            reason=Reason.ARTIFACT_PENDING,
            detail=f"signature and provenance of {commit[:8]} are being verified",
        )
    if judged.result is ArtifactResult.VERIFIED:
        return Verdict(
            answer=Answer.PASS,
            reason=Reason.ARTIFACT_VERIFIED,
            detail=f"signed by {judged.identity}" if judged.identity else judged.reason,
            evidence=(judged.id,),
        )
    # Configured here and "not configured" there is a contradiction, and not a pass.
    return Verdict(
        answer=Answer.FAIL,
        reason=Reason.ARTIFACT_REFUSED,
        detail=judged.reason or judged.result,
        evidence=(judged.id,),
    )
