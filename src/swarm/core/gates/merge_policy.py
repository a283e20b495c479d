"""Gate 3: may this exact change be merged into this repository?"""

from __future__ import annotations

from swarm.contract.verdict import Answer, Verdict
from swarm.core.nouns import Approval, Change
from swarm.core.policy import exclusive
from swarm.core.policy.approval import Permission, Ruling
from swarm.core.reasons import Reason
from swarm.core.snapshot import Mission, Snapshot

NAME = "merge_policy"


def judge(
    mission: Mission,
    change: Change,
    snapshot: Snapshot,
    ruling: Ruling,
    answer: Approval | None,
) -> Verdict:
    """Pass when the allowlist, the guard rules and the people that policy asks all agree.

    ruling: what mode and risk ask for.    answer: a person's valid answer for this commit.
    """
    if mission.repo not in snapshot.spec.delivery.repo_allowlist:
        return Verdict(
            answer=Answer.FAIL,
            reason=Reason.REPOSITORY_NOT_ALLOWED,
            detail=f"{mission.repo!r} is not in spec.delivery.repoAllowlist",
        )
    if (path := exclusive.touched((*change.paths, *change.guarded))) is not None:
        return Verdict(
            answer=Answer.FAIL,
            reason=Reason.EXCLUSIVE_CONTROL,
            detail=f"{path!r} is changed by people alone, whoever approves",
        )
    if answer is not None and not answer.granted:
        return Verdict(
            answer=Answer.FAIL,
            reason=Reason.APPROVAL_DENIED,
            detail=f"{answer.approver}: {answer.reason}",
            evidence=(answer.id,),
        )
    if ruling.permission is Permission.ASK and answer is None:
        if not change.guarded:
            return Verdict(answer=Answer.WAIT, reason=Reason.APPROVAL_NEEDED, detail=ruling.why)
        return Verdict(
            answer=Answer.WAIT,
            reason=Reason.GUARDED_PATHS,
            detail=f"{change.guarded[0]} guards the repository; {ruling.why}",
        )
    detail = f"approved by {answer.approver}" if answer else ruling.why
    return Verdict(
        answer=Answer.PASS,
        reason=Reason.MERGE_ALLOWED,
        detail=detail,
        evidence=(answer.id,) if answer else (),
    )
