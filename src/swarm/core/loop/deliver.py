"""Deliver: Gates 3 and 4, then the exact commit lands on main, one after another (LOOP-8)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from swarm.contract.verdict import Answer
from swarm.core.decision import AskApproval, UseApproval
from swarm.core.evidence import ArtifactResult
from swarm.core.findings import Findings
from swarm.core.gates import merge_policy, supply_chain
from swarm.core.nouns import Approval, Change, OutcomeKind, Risk
from swarm.core.orders import Orders
from swarm.core.policy import approval, risk
from swarm.core.reasons import Reason
from swarm.core.saying import (
    Content,
    Ending,
    Saying,
    View,
    Word,
    degraded,
    frozen,
    merge_queue,
    settled,
    soonest,
    target_resources,
    verdict_record,
)
from swarm.core.snapshot import Mission

ROOM = "deliver"
#: How long the merge queue waits for a person's word on a change that was put on top of main.
PLACE_KEPT = timedelta(minutes=15)


def begun(mission: Mission, found: Findings, _: View) -> Word:
    """Speak while nobody knows whether a landing that was begun has happened.

    Until then nothing else is said of the mission: an end could lose a commit that is on main, and
    nobody is asked to approve what may have landed. If it did not, all is decided anew.
    """
    orders = found.open_orders.values()
    land = next((order for order in orders if order.kind == "land" and order.begun), None)
    if land is None or found.landed is not None:
        return Content()
    return Saying(
        room=ROOM,
        reason=Reason.MERGE_ALLOWED,
        detail=f"a landing on {mission.repo} was begun, and it is asked whether it happened",
        next_action="is decided anew if it did not land, is watched or goes back if it did",
        look_again=land.next_try,
    ).holding(merge_queue(mission.repo), *target_resources(mission))


def say(mission: Mission, found: Findings, view: View) -> Word:
    """Speak from the green head to the landed commit."""
    change = found.change
    if change is None or found.landed is not None:
        return Content()
    finding = risk.of_change(mission.risk, change, view.snapshot.installation.risk_rules)
    ruling = approval.ruling(view.snapshot, mission, finding.risk)
    answer = approval.valid(mission, change.head, view.snapshot.policy_hash, view.now)
    if _landing(mission, found, view, change):
        # It was used in time, for this very landing, which cannot be taken back by waiting.
        answer = approval.given(mission, change.head, view.snapshot.policy_hash)
    gate3 = merge_policy.judge(mission, change, view.snapshot, ruling, answer)
    record = verdict_record(mission, merge_policy.NAME, change.head, gate3, view.now)
    if gate3.answer is Answer.FAIL:
        rejected = gate3.reason == Reason.APPROVAL_DENIED
        # A list can be edited back, which says nothing new about the need.
        rests = gate3.reason == Reason.REPOSITORY_NOT_ALLOWED
        retry = view.now + view.snapshot.installation.need_cooldown if rests else None
        ending = Ending(
            kind=OutcomeKind.REJECTED if rejected else OutcomeKind.REFUSED,
            reason=Reason(gate3.reason),
            detail=gate3.detail,
            retry_at=retry,
        )
        return settled(ROOM, mission, found, view.now, ending).recording(record)
    if gate3.answer is not Answer.PASS:
        if (onto := _moved_to(found, change)) is not None:
            # Its approval ran out, or the policy changed: nobody is asked about what cannot land.
            word = _turn(mission, view) or _on_top(mission, view, change, onto)
            return word.recording(record)
        why = "; ".join((*_anew(mission, found, view), gate3.detail, *finding.why))
        asking = _ask(mission, change, view, finding.risk, why)
        return _in_place(asking, mission, _checked_at(found, change.head), view).recording(record)
    # A person's answer says that somebody has looked at it.
    dark = degraded(ROOM, finding.risk, view, "lands") if answer is None else None
    word = dark or _queue(mission, found, view, change, answer)
    if answer is not None:
        again = soonest(view.now, word.look_again, answer.expires_at)
        word = replace(word, look_again=again)
    return word.recording(record)


def _landing(mission: Mission, found: Findings, view: View, change: Change) -> bool:
    order = Orders(mission, view.snapshot).land(change, found)
    return found.is_open(order.key) is not None


def _ask(mission: Mission, change: Change, view: View, level: Risk, why: str) -> Saying:
    snapshot = view.snapshot
    question = AskApproval(
        mission=mission.id,
        commit=change.head,
        policy_hash=snapshot.policy_hash,
        risk=level,
        question=f"{mission.title}: {why}",
        at=view.now,
        expires_at=view.now + snapshot.installation.approval_lasts,
    )
    # An answer that is there and not valid was used and ran out since: it is no question any more.
    spent = approval.given(mission, change.head, snapshot.policy_hash) is not None
    asked = not spent and (change.head, snapshot.policy_hash) in mission.asked
    text = f"R{level:d} waits for you: {mission.title} ({mission.repo}@{change.head[:8]}). {why}"
    tell = Orders(mission, snapshot).notify(
        snapshot.spec.owner.channel, f"approval-{change.head}-{snapshot.policy_hash[:12]}", text
    )
    return Saying(
        room=ROOM,
        reason=Reason.APPROVAL_NEEDED,
        detail=why,
        next_action="lands after `swarmctl approve`",
        orders=() if asked else (tell,),
        records=() if asked else (question,),
    )


def _anew(mission: Mission, found: Findings, view: View) -> tuple[str, ...]:
    """Why a person who has answered is asked once more."""
    put = found.restaged
    if put is None or approval.given(mission, put.old_head, view.snapshot.policy_hash) is None:
        return ()
    return (f"main moved to {put.onto[:8]}, so the answer for {put.old_head[:8]} counts no more",)


def _in_place(asking: Saying, mission: Mission, checked: datetime | None, view: View) -> Saying:
    """Who is next in the queue and is asked for anew stays so for a while.

    Each landing before it would make it stale again, and void the approval again: it would never
    land beside missions that nobody is asked for. An absent person holds up nobody for long.
    """
    queue = merge_queue(mission.repo)
    if checked is None or view.now >= checked + PLACE_KEPT:
        return asking
    if view.holder(queue, mission) is not None or view.freeze_over(mission) is not None:
        return asking
    again = soonest(view.now, asking.look_again, checked + PLACE_KEPT)
    return replace(asking, look_again=again).holding(queue)


def _checked_at(found: Findings, head: str) -> datetime | None:
    """When a change that was put on top of main was checked there; None for any other."""
    if found.restaged is None:
        return None
    checks = (ended.at for (_, commit), ended in found.checks.items() if commit == head)
    return max([found.restaged.at, *checks])


def _queue(
    mission: Mission, found: Findings, view: View, change: Change, answer: Approval | None
) -> Saying:
    """One mission at a time: on top of main, attested, then compare-and-swap."""
    if (waiting := _turn(mission, view)) is not None:
        return waiting
    if (onto := _moved_to(found, change)) is not None:
        return _on_top(mission, view, change, onto)
    queue, orders = merge_queue(mission.repo), Orders(mission, view.snapshot)
    attests = mission.repo in view.snapshot.installation.attests
    gate4 = supply_chain.judge(change.head, found, attests=attests)
    record = verdict_record(mission, supply_chain.NAME, change.head, gate4, view.now)
    if gate4.answer is Answer.FAIL:
        ending = Ending(
            kind=OutcomeKind.FAILED,
            reason=Reason.ARTIFACT_REFUSED,
            detail=gate4.detail,
            # A policy that nobody bound is no failure (law 4).
            counts=found.artifacts[change.head].result is ArtifactResult.REFUSED,
            retry_at=view.now + view.snapshot.installation.need_cooldown,
        )
        return settled(ROOM, mission, found, view.now, ending).recording(record)
    if gate4.answer is not Answer.PASS:
        return Saying(
            room=ROOM,
            reason=Reason.ARTIFACT_PENDING,
            detail=gate4.detail,
            next_action="lands once it verifies",
            orders=(orders.judge_artifact(change.head),),
            records=(record,),
        ).holding(queue)
    if (hold := view.freeze_over(mission)) is not None:
        return frozen(ROOM, hold).recording(record)
    land = orders.land(change, found)
    begun = found.is_open(land.key)
    used = (UseApproval(approval=answer, at=view.now),) if answer and begun is None else ()
    return Saying(
        room=ROOM,
        reason=Reason.MERGE_ALLOWED,
        detail=f"landing {change.head[:8]} on {mission.repo}",
        next_action="main moves to it if it has not moved meanwhile",
        orders=(land,),
        records=(record, *used),
    ).holding(queue, *target_resources(mission))


def _turn(mission: Mission, view: View) -> Saying | None:
    """Whom it waits for; None when it is next."""
    queue = merge_queue(mission.repo)
    if (ahead := view.holder(queue, mission)) is not None:
        return Saying(
            room=ROOM,
            reason=Reason.QUEUED_BEHIND,
            detail=f"{ahead} is ahead in the merge queue of {mission.repo}",
            next_action=f"lands after {ahead}",
            blocked_on=queue,
        )
    for resource in sorted(target_resources(mission)):
        if (ahead := view.holder(resource, mission)) is not None:
            return Saying(
                room=ROOM,
                reason=Reason.TARGET_BUSY,
                detail=f"{ahead} is rolling out; landing now would carry it along",
                next_action=f"lands after {ahead}",
                blocked_on=resource,
            )
    return None


def _moved_to(found: Findings, change: Change) -> str | None:
    """Where main was found when the change was to land; None while the change is on top of it."""
    return found.moved_to if found.moved_to != change.base else None


def _on_top(mission: Mission, view: View, change: Change, onto: str) -> Saying:
    return Saying(
        room=ROOM,
        reason=Reason.HEAD_MOVED,
        detail=f"main moved to {onto[:8]}; putting the change on top",
        next_action="the checks run again on the new commit",
        orders=(Orders(mission, view.snapshot).restage(change, onto),),
    ).holding(merge_queue(mission.repo))
