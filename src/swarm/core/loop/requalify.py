"""Requalify: prove that a frozen scope works again, in shadow: nothing is changed (FRZ-3).

The proof is what a first mission after the freeze would stand on: main's required checks are
green, and every target answers healthily with the revision it should run.
"""

from __future__ import annotations

from swarm.contract.verdict import Answer
from swarm.core.decision import MarkRequalified, Order
from swarm.core.findings import Findings
from swarm.core.gates import code_quality
from swarm.core.nouns import MissionKind, OutcomeKind
from swarm.core.orders import Orders
from swarm.core.reasons import Reason
from swarm.core.saying import Content, Ending, Saying, View, Word, settled
from swarm.core.snapshot import Mission

ROOM = "verify"


def say(mission: Mission, found: Findings, view: View) -> Word:
    """Speak for requalification missions only, to their end."""
    if mission.kind is not MissionKind.REQUALIFY:
        return Content()
    orders = Orders(mission, view.snapshot)
    if found.main is None:
        return _wait("asking where main stands", (orders.see_main("0"),))
    commit = found.main.commit
    deadline = view.snapshot.installation.check_deadline
    checks = mission.contract.checks
    verdict = code_quality.judge(checks, commit, found, view.now, deadline)
    if not verdict.configured:
        return _end(mission, found, view, OutcomeKind.FAILED, "no check is required: no proof")
    if verdict.answer is Answer.FAIL:
        return _end(mission, found, view, OutcomeKind.FAILED, verdict.detail)
    if verdict.answer is not Answer.PASS:
        wanted = [
            orders.run_check(check, commit, commit, deadline)
            for check in checks
            if (check, commit) not in found.checks
        ]
        return _wait(verdict.detail, tuple(o for o in wanted if found.is_open(o.key) is None))
    for name in mission.contract.targets:
        live = found.target(name).live
        if live is None:
            return _wait(f"asking {name} what it runs", (orders.see_live(name, "0"),))
        if not live.healthy:
            return _end(mission, found, view, OutcomeKind.FAILED, f"{name} is not healthy")
    said = _end(mission, found, view, OutcomeKind.DELIVERED, verdict.detail)
    if mission.freeze is None:
        return said
    proof = MarkRequalified(freeze=mission.freeze, mission=mission.id, at=view.now)
    return said.recording(proof)


def _wait(detail: str, orders: tuple[Order, ...]) -> Saying:
    return Saying(
        room=ROOM,
        reason=Reason.CHECKS_PENDING,
        detail=detail,
        next_action="the freeze lifts when this is proven",
        orders=orders,
    )


def _end(mission: Mission, found: Findings, view: View, kind: OutcomeKind, detail: str) -> Saying:
    good = kind is OutcomeKind.DELIVERED
    reason = Reason.REQUALIFIED if good else Reason.REQUIRED_CHECK_RED
    ending = Ending(kind=kind, reason=reason, detail=detail)
    return settled(ROOM, mission, found, view.now, ending)
