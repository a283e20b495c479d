"""Protect: from the landed commit until every target serves it; or the rollback saga (LOOP-9)."""

from __future__ import annotations

from datetime import datetime

from swarm.contract.verdict import Answer, Verdict
from swarm.core import saga
from swarm.core.decision import GiveVerdict, Record
from swarm.core.exposure import Exposure
from swarm.core.findings import Findings
from swarm.core.gates import post_deploy_slo, progressive_rollout
from swarm.core.nouns import MissionKind
from swarm.core.reasons import Reason
from swarm.core.saying import Content, Saying, View, Word, target_resources, verdict_record
from swarm.core.snapshot import Mission

ROOM = "protect"
# A refused step of the rollout cannot be waited out: what was exposed is taken back.
_ROLLOUT_VERBS = {"sync", "set-traffic", "take-look", "promote"}


def say(mission: Mission, found: Findings, view: View) -> Word:
    """Speak from the landed commit until every target serves it, proven and observed."""
    if mission.kind is MissionKind.REQUALIFY or found.landed is None:
        return Content()
    person = found.person
    if person is not None and person.said in {"rollback", "cancel", "reject"}:
        why = (Reason.CANCELLED, f"{person.by}: {person.reason}")
        return saga.roll_back(ROOM, mission, found, view, why)
    broken = [fact for fact in found.refused if fact.verb in _ROLLOUT_VERBS]
    if broken and not saga.started(found):
        why = (Reason.ORDER_REFUSED, f"{broken[0].verb}: {broken[0].reason}: {broken[0].detail}")
        return saga.roll_back(ROOM, mission, found, view, why)
    if saga.started(found):
        return saga.roll_back(ROOM, mission, found, view, _why(mission, found))
    if not mission.contract.targets:
        return Content(records=_not_configured(mission, found.landed.commit, view.now))
    kept: list[Record] = []
    for name in mission.contract.targets:
        word = Exposure(mission, found, view, name).say()
        if isinstance(word, Saying):
            # All targets are held until the last one serves it: what lands next contains this
            # commit, and would carry it to a target that may yet take it back.
            return word.recording(*kept).holding(*target_resources(mission))
        kept.extend(word.records)
    return Content(records=tuple(kept))


def _why(mission: Mission, found: Findings) -> tuple[Reason, str]:
    """Why the saga began, from the evidence that began it."""
    for name, target in found.targets.items():
        if target.synced is not None and not target.synced.healthy:
            return Reason.SYNC_FAILED, f"{name}: {target.synced.detail}"
    for fact in found.refused:
        if fact.verb in _ROLLOUT_VERBS:
            return Reason.ORDER_REFUSED, f"{fact.verb}: {fact.reason}: {fact.detail}"
    for gate, reason in (
        (post_deploy_slo.NAME, Reason.SLO_REGRESSED),
        (progressive_rollout.NAME, Reason.CANARY_FAILED),
    ):
        for known, subject, verdict in mission.verdicts:
            if known == gate and verdict.answer is Answer.FAIL:
                return reason, f"{subject}: {verdict.detail}"
    return Reason.CANARY_UNDECIDED, "the longest hold passed without a verdict"


def _not_configured(mission: Mission, commit: str, now: datetime) -> tuple[GiveVerdict, ...]:
    nothing = Verdict(
        answer=Answer.PASS,
        reason=Reason.NOT_CONFIGURED,
        detail="no deployment target is bound, so nothing was exposed or observed",
        configured=False,
    )
    return (
        *verdict_record(mission, progressive_rollout.NAME, commit, nothing, now),
        *verdict_record(mission, post_deploy_slo.NAME, commit, nothing, now),
    )
