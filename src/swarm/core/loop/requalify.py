"""Requalify: prove that a frozen scope works again, in shadow: nothing is changed (FRZ-3).

The proof is what a first mission after the freeze would stand on: main's required checks are
green, and every target answers healthily and runs what Git says.
"""

from __future__ import annotations

from datetime import datetime

from swarm.contract.verdict import Answer
from swarm.core.decision import MarkRequalified, Order
from swarm.core.findings import Findings
from swarm.core.gates import code_quality
from swarm.core.nouns import MissionKind, OutcomeKind
from swarm.core.orders import Orders
from swarm.core.reasons import Reason
from swarm.core.saying import Content, Ending, Saying, View, Word, settled, stage_off
from swarm.core.snapshot import Mission

ROOM = "verify"


def say(mission: Mission, found: Findings, view: View) -> Word:
    """Speak for requalification missions only, to their end."""
    if mission.kind is not MissionKind.REQUALIFY:
        return Content()
    if _outdated(mission, view):
        why = (Reason.FROZEN, "its scope was frozen once more meanwhile, and is proven anew")
        return _unproven(mission, found, view, why)
    if (off := stage_off(ROOM, "verify", view)) is not None:
        return off
    orders = Orders(mission, view.snapshot)
    if found.main is None:
        return _wait("asking where main stands", (orders.see_main("0"),))
    commit = found.main.commit
    checks = code_quality.required(mission, view.snapshot)
    verdict = code_quality.judge(checks, commit, found, view.snapshot)
    if not verdict.configured:
        why = (Reason.NO_REQUIRED_CHECKS, "no check is required: no proof")
        return _unproven(mission, found, view, why)
    if verdict.answer is Answer.FAIL or verdict.reason == Reason.CHECK_NOT_CONFIGURED:
        # The next round looks at main anew; waiting here would prove an old commit.
        return _unproven(mission, found, view, (Reason(verdict.reason), verdict.detail))
    if verdict.answer is not Answer.PASS:
        wanted = orders.missing_checks(checks, commit, commit, found)
        return _wait(verdict.detail, wanted, verdict.look_again)
    return _targets(mission, found, view, verdict.detail)


def _outdated(mission: Mission, view: View) -> bool:
    """Whether its scope was frozen since it began: what it saw may be from before that."""
    began = mission.opened_at
    return any(
        hold.since > began or (hold.extended is not None and hold.extended >= began)
        for hold in view.snapshot.freezes
        if hold.mission_class == mission.mission_class
    )


def _targets(mission: Mission, found: Findings, view: View, green: str) -> Saying:
    """Checks are green; now every target, then the proof."""
    orders = Orders(mission, view.snapshot)
    drifted = dict(view.snapshot.drifted)
    for name in mission.contract.targets:
        live = found.target(name).live
        if live is None:
            return _wait(f"asking {name} what it runs", (orders.see_live(name, "0"),))
        if not live.healthy:
            why = (Reason.TARGET_UNHEALTHY, f"{name} is not healthy")
            return _unproven(mission, found, view, why)
        if name in drifted:
            why = (Reason.TARGET_DRIFTED, f"{name} {drifted[name]}")
            return _unproven(mission, found, view, why)
    ending = Ending(kind=OutcomeKind.DELIVERED, reason=Reason.REQUALIFIED, detail=green)
    said = settled(ROOM, mission, found, view.now, ending)
    if mission.freeze is None:
        return said
    proof = MarkRequalified(
        freeze=mission.freeze, mission=mission.id, began=mission.opened_at, at=view.now
    )
    return said.recording(proof)


def _wait(detail: str, orders: tuple[Order, ...], look_again: datetime | None = None) -> Saying:
    return Saying(
        room=ROOM,
        reason=Reason.CHECKS_PENDING,
        detail=detail,
        next_action="the freeze lifts when this is proven",
        orders=orders,
        look_again=look_again,
    )


def _unproven(mission: Mission, found: Findings, view: View, why: tuple[Reason, str]) -> Saying:
    """It ends without a proof; `why` is reason and sentence."""
    reason, detail = why
    ending = Ending(kind=OutcomeKind.FAILED, reason=reason, detail=detail)
    return settled(ROOM, mission, found, view.now, ending)
