"""Verify: required checks on the exact head commit, and at most three fix attempts (LOOP-7)."""

from __future__ import annotations

from swarm.contract.verdict import Answer, Verdict
from swarm.core import dispatch
from swarm.core.evidence import CheckEnded, CheckResult
from swarm.core.findings import Findings
from swarm.core.gates import code_quality
from swarm.core.ids import order_key
from swarm.core.nouns import Change, MissionKind, OutcomeKind
from swarm.core.orders import Orders
from swarm.core.reasons import Reason
from swarm.core.saying import Content, Ending, Saying, View, Word, settled, verdict_record
from swarm.core.snapshot import Mission

ROOM = "verify"
_BAD = {CheckResult.RED, CheckResult.NEVER_REPORTED}


def say(mission: Mission, found: Findings, view: View) -> Word:
    """Speak until Gate 2 passes on the newest head; then leave it to deliver."""
    change = found.change
    if mission.kind is MissionKind.REQUALIFY or change is None or found.landed is not None:
        return Content()
    checks = mission.contract.checks
    deadline = view.snapshot.installation.check_deadline
    verdict = code_quality.judge(checks, change.head, found, view.now, deadline)
    record = verdict_record(mission, code_quality.NAME, change.head, verdict, view.now)
    if verdict.answer is Answer.PASS:
        return Content(records=record)
    if verdict.answer is Answer.FAIL:
        return _red(mission, found, view, change, verdict).recording(*record)
    return _waiting(mission, found, view, change, verdict).recording(*record)


def _waiting(
    mission: Mission, found: Findings, view: View, change: Change, verdict: Verdict
) -> Saying:
    orders = Orders(mission, view.snapshot)
    wanted = [
        orders.run_check(check, change.head, change.base, view.snapshot.installation.check_deadline)
        for check in mission.contract.checks
        if (check, change.head) not in found.checks
    ]
    return Saying(
        room=ROOM,
        reason=Reason(verdict.reason),
        detail=verdict.detail,
        next_action="the check reports",
        orders=tuple(order for order in wanted if found.is_open(order.key) is None),
        look_again=verdict.look_again,
    )


def _red(mission: Mission, found: Findings, view: View, change: Change, verdict: Verdict) -> Saying:
    """Before a fix is paid for: is main itself red? Then the change did not break it."""
    bad = _first_bad(mission, found, change.head)
    if bad is None:  # silence beyond every deadline: nothing to show to an agent but that
        return dispatch.fix(
            ROOM, mission, found, view, reason=Reason.CHECK_NEVER_REPORTED, failure=verdict.detail
        )
    on_base = found.checks.get((bad.check, change.base))
    if on_base is None:
        return _ask_base(mission, found, view, change, bad)
    if on_base.result in _BAD and mission.kind is not MissionKind.REMEDIATE:
        ending = Ending(
            kind=OutcomeKind.FAILED,
            reason=Reason.MAIN_IS_RED,
            detail=f"{bad.check} is red on main ({change.base[:8]}) as well: {on_base.detail}",
            retry_at=view.now + view.snapshot.installation.need_cooldown,
        )
        return settled(ROOM, mission, found, view.now, ending)
    reason = Reason(verdict.reason)
    failure = f"check {bad.check!r} on {bad.commit}:\n{bad.detail}"
    return dispatch.fix(ROOM, mission, found, view, reason=reason, failure=failure)


def _ask_base(
    mission: Mission, found: Findings, view: View, change: Change, bad: CheckEnded
) -> Saying:
    deadline = view.snapshot.installation.check_deadline
    order = Orders(mission, view.snapshot).run_check(bad.check, change.base, change.base, deadline)
    known = found.is_open(order_key(mission.id, "check", change.base, bad.check))
    return Saying(
        room=ROOM,
        reason=Reason.REQUIRED_CHECK_RED,
        detail=f"{bad.check} is red; asking whether main is red as well",
        next_action="the check reports on main",
        orders=() if known else (order,),
    )


def _first_bad(mission: Mission, found: Findings, commit: str) -> CheckEnded | None:
    for check in mission.contract.checks:
        ended = found.checks.get((check, commit))
        if ended is not None and ended.result in _BAD:
            return ended
    return None
