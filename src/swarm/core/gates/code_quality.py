"""Gate 2: is every required check green on the exact head commit?"""

from __future__ import annotations

from collections.abc import Sequence

from swarm.contract.counted import counted
from swarm.contract.verdict import Answer, Verdict
from swarm.core.evidence import CheckEnded, CheckResult
from swarm.core.findings import Findings
from swarm.core.orders import REBOUND_DIGITS
from swarm.core.reasons import Reason
from swarm.core.saying import soonest
from swarm.core.snapshot import Mission, OpenOrder, Snapshot

NAME = "code_quality"

BAD = {CheckResult.RED, CheckResult.NEVER_REPORTED}

# An adapter enforces the deadline itself; if even its answer stays away this much longer,
# the silence is the answer (GATE-2).
GRACE = 1.5


def required(mission: Mission, snapshot: Snapshot) -> tuple[str, ...]:
    """What must be green: what policy asks now, and what the mission promised (LOOP-6, MODE-6).

    A promised check that policy dropped and that nobody binds any more cannot be kept.
    """
    now = snapshot.spec.delivery.required_checks
    bound = snapshot.installation.checks
    kept = (name for name in mission.contract.checks if name not in now and name in bound)
    return (*now, *kept)


def judge(checks: Sequence[str], commit: str, found: Findings, snapshot: Snapshot) -> Verdict:
    """Join the checks' answers, the worst one first."""
    if not checks:
        return Verdict(
            answer=Answer.PASS,
            reason=Reason.NO_REQUIRED_CHECKS,
            detail="spec.delivery.requiredChecks is empty",
            configured=False,
        )
    verdicts = [_one(check, commit, found, snapshot) for check in checks]
    worst = max(verdicts, key=lambda verdict: verdict.answer)
    evidence = tuple(item for verdict in verdicts for item in verdict.evidence)
    return Verdict(
        answer=worst.answer,
        reason=worst.reason,
        detail=worst.detail
        if worst.answer is not Answer.PASS
        else f"{counted(len(checks), 'check')} green",
        evidence=evidence,
        look_again=soonest(snapshot.now, *(verdict.look_again for verdict in verdicts)),
    )


def first_bad(
    mission: Mission, commit: str, found: Findings, snapshot: Snapshot
) -> CheckEnded | None:
    """The first required check that reported itself as failed on this commit."""
    ended = (found.checks.get((check, commit)) for check in required(mission, snapshot))
    return next((one for one in ended if one is not None and one.result in BAD), None)


def evidence_of(ended: CheckEnded) -> str:
    """What a fix attempt is shown of a check that failed (LOOP-7)."""
    return f"check {ended.check!r} on {ended.commit}:\n{ended.detail}"


def _one(check: str, commit: str, found: Findings, snapshot: Snapshot) -> Verdict:
    ended = found.checks.get((check, commit))
    if ended is not None and ended.result is not CheckResult.NOT_CONFIGURED:
        return _reported(ended)
    order = _open_order(check, commit, found, snapshot.policy_hash)
    if order is not None:
        return _under_way(check, commit, order, snapshot)
    if check not in snapshot.installation.checks:
        # Nobody can say what the check is: no evidence, so no pass; and no fault of the
        # change, so no fail (laws 3 and 4).
        detail = f"no check is bound to {check!r} in swarm.toml"
        return Verdict(answer=Answer.WAIT, reason=Reason.CHECK_NOT_CONFIGURED, detail=detail)
    return Verdict(
        answer=Answer.WAIT,
        reason=Reason.CHECKS_PENDING,
        detail=f"{check} is about to start",
        look_again=snapshot.now + snapshot.installation.check_deadline * GRACE,
    )


def _under_way(check: str, commit: str, order: OpenOrder, snapshot: Snapshot) -> Verdict:
    deadline = snapshot.installation.check_deadline
    began = max(order.begun_at or order.issued_at, order.next_try or order.issued_at)
    silent_from = began + deadline * GRACE
    if not order.begun or (order.waits_because and snapshot.now < silent_from):
        # It could not be asked yet; that is the installation's trouble, not the change's.
        why = f"cannot run: {order.waits_because}" if order.waits_because else "waits for its turn"
        again = soonest(snapshot.now, order.next_try, silent_from) or snapshot.now + deadline
        return Verdict(
            answer=Answer.WAIT,
            reason=Reason.CHECKS_PENDING,
            detail=f"{check} {why}",
            look_again=again,
        )
    if snapshot.now >= silent_from:
        detail = f"{check} has not reported since {began:%H:%M:%S}"
        return Verdict(answer=Answer.FAIL, reason=Reason.CHECK_NEVER_REPORTED, detail=detail)
    return Verdict(
        answer=Answer.WAIT,
        reason=Reason.CHECKS_PENDING,
        detail=f"{check} is running on {commit[:8]}",
        look_again=silent_from,
    )


def _reported(ended: CheckEnded) -> Verdict:
    where = f"{ended.check} on {ended.commit[:8]}"
    match ended.result:
        case CheckResult.GREEN:
            answer, reason, detail = Answer.PASS, Reason.CHECKS_GREEN, f"{where} is green"
        case CheckResult.RED:
            answer, reason, detail = Answer.FAIL, Reason.REQUIRED_CHECK_RED, f"{where} is red"
        case _:
            answer, reason = Answer.FAIL, Reason.CHECK_NEVER_REPORTED
            detail = f"{where} passed its deadline"
    return Verdict(answer=answer, reason=reason, detail=detail, evidence=(ended.id,))


def _open_order(check: str, commit: str, found: Findings, policy_hash: str) -> OpenOrder | None:
    policy = policy_hash[:REBOUND_DIGITS]
    ends = (f"/check/{commit}/{check}", f"/check-again/{commit}/{policy}/{check}")
    for key, order in found.open_orders.items():
        if key.endswith(ends):
            return order
    return None
