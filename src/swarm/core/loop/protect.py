"""Protect: from the landed commit until every target serves it; or the rollback saga (LOOP-9)."""

from __future__ import annotations

from datetime import datetime

from swarm.contract.verdict import Answer, Verdict
from swarm.core import saga
from swarm.core.decision import GiveVerdict, Record
from swarm.core.evidence import Aborted, OrderRefused, PersonSaid
from swarm.core.exposure import Exposure
from swarm.core.findings import AGAINST, Findings
from swarm.core.gates import post_deploy_slo, progressive_rollout
from swarm.core.reasons import Reason
from swarm.core.saying import Content, Saying, View, Word, merge_queue, verdict_record
from swarm.core.snapshot import Mission

ROOM = "protect"
# A refused step of the rollout cannot be waited out: what was exposed is taken back.
_ROLLOUT_VERBS = {"sync", "set-traffic", "take-look", "promote"}


def say(mission: Mission, found: Findings, view: View) -> Word:
    """Speak from the landed commit until every target serves it, proven and observed."""
    if found.landed is None:
        return Content()
    if (against := _against(mission, found, view)) is not None:
        return saga.roll_back(ROOM, mission, found, view, against)
    if not mission.contract.targets:
        return Content(records=_not_configured(mission, found.landed.commit, view.now))
    if (busy := _busy(mission, found, view)) is not None:
        return busy
    kept: list[Record] = []
    drifted: Saying | None = None
    for name in mission.contract.targets:
        word = Exposure(mission, found, view, name).say()
        if isinstance(word, Content):
            kept.extend(word.records)
        elif word.reason is Reason.TARGET_DRIFTED and found.target(name).promoted is not None:
            drifted = drifted or word  # what is exposed elsewhere is watched all the same
        else:
            return word.holding(*saga.holds(mission)).recording(*kept)
    if drifted is not None:
        return drifted.holding(*saga.holds(mission)).recording(*kept)
    return Content(records=tuple(kept))


def _against(mission: Mission, found: Findings, view: View) -> tuple[Reason, str] | None:
    """Why the landed change goes back: evidence first, so that a word hides no failure."""
    proven = _broken(mission, found) or _denied(mission, found, view)
    if proven is not None:
        return proven
    person = found.against
    if person is not None:
        return Reason.CANCELLED, f"{person.by}: {person.reason}"
    if saga.started(found):
        return Reason.CANARY_UNDECIDED, "it was not decided in the time that it may take"
    return None


def _broken(mission: Mission, found: Findings) -> tuple[Reason, str] | None:
    for name, target in found.targets.items():
        if target.synced is not None and not target.synced.healthy:
            return Reason.SYNC_FAILED, f"{name}: {target.synced.detail}"
    for gate, reason in (
        (post_deploy_slo.NAME, Reason.SLO_REGRESSED),
        (progressive_rollout.NAME, Reason.CANARY_FAILED),
    ):
        for known, subject, verdict in mission.verdicts:
            if known == gate and verdict.answer is Answer.FAIL:
                where, _, rest = subject.partition("@")
                detail = f"{where} at {rest.partition('#')[2]} %: {verdict.detail}"
                return saga.named(verdict, reason)[0], detail
    if found.refused and (fact := _refused(mission)) is not None:
        return Reason.ORDER_REFUSED, f"{fact.verb}: {fact.reason}: {fact.detail}"
    return None


def _refused(mission: Mission) -> OrderRefused | None:
    """The first step of the rollout that was refused while it was still wanted.

    What is taken off a target, or was said to be, refuses the steps that are still on their way:
    that is no failure of the change.
    """
    for fact in mission.facts:
        if isinstance(fact, Aborted) or (isinstance(fact, PersonSaid) and fact.said in AGAINST):
            return None
        if isinstance(fact, OrderRefused) and fact.verb in _ROLLOUT_VERBS:
            return fact
    return None


def _denied(mission: Mission, found: Findings, view: View) -> tuple[Reason, str] | None:
    for name in mission.contract.targets:
        if (name, found.revision) in view.snapshot.denied:
            return Reason.DIGEST_DENIED, f"{found.revision[:8]} was rolled back at {name} before"
    return None


def _busy(mission: Mission, found: Findings, view: View) -> Saying | None:
    """All targets or none: a rollout that waits half-way could be waited for half-way."""
    if any(target.synced is not None for target in found.targets.values()):
        return None
    queue = merge_queue(mission.repo)
    for resource in saga.holds(mission):
        if (other := view.holder(resource, mission)) is not None:
            waiting = Saying(
                room=ROOM,
                reason=Reason.TARGET_BUSY,
                detail=f"{other} holds {resource}",
                next_action=f"starts after {other}",
                blocked_on=resource,
            )
            return waiting if view.holder(queue, mission) else waiting.holding(queue)
    return None


def _not_configured(mission: Mission, commit: str, now: datetime) -> tuple[GiveVerdict, ...]:
    nothing = Verdict(
        answer=Answer.PASS,
        reason=Reason.NOT_CONFIGURED,
        detail="no deployment target is bound, so nothing was exposed or observed",
        configured=False,
    )
    return (
        verdict_record(mission, progressive_rollout.NAME, commit, nothing, now),
        verdict_record(mission, post_deploy_slo.NAME, commit, nothing, now),
    )
