"""Gate 2: is every required check green on the exact head commit?"""

from __future__ import annotations

from datetime import datetime, timedelta

from swarm.contract.verdict import Answer, Verdict
from swarm.core.evidence import CheckEnded, CheckResult
from swarm.core.findings import Findings
from swarm.core.reasons import Reason
from swarm.core.snapshot import OpenOrder

NAME = "code_quality"

# An adapter enforces the deadline itself; if even its answer stays away this much longer,
# the silence is the answer (GATE-2).
GRACE = 1.5


def judge(
    checks: tuple[str, ...], commit: str, found: Findings, now: datetime, deadline: timedelta
) -> Verdict:
    """Join the checks' answers, the worst one first."""
    if not checks:
        return Verdict(
            answer=Answer.PASS,
            reason=Reason.NO_REQUIRED_CHECKS,
            detail="spec.delivery.requiredChecks is empty",
            configured=False,
        )
    verdicts = [_one(check, commit, found, now, deadline) for check in checks]
    worst = max(verdicts, key=lambda verdict: verdict.answer)
    evidence = tuple(item for verdict in verdicts for item in verdict.evidence)
    return Verdict(
        answer=worst.answer,
        reason=worst.reason,
        detail=worst.detail if worst.answer is not Answer.PASS else f"{len(checks)} checks green",
        evidence=evidence,
        look_again=worst.look_again,
    )


def _one(check: str, commit: str, found: Findings, now: datetime, deadline: timedelta) -> Verdict:
    ended = found.checks.get((check, commit))
    if ended is not None:
        return _reported(ended)
    order = _open_order(check, commit, found)
    if order is None:
        return Verdict(
            answer=Answer.WAIT, reason=Reason.CHECKS_PENDING, detail=f"{check} is about to start"
        )
    if order.waits_because:
        # The check could not be asked; that is the installation's trouble, not the change's.
        return Verdict(
            answer=Answer.WAIT,
            reason=Reason.CHECKS_PENDING,
            detail=f"{check} cannot run: {order.waits_because}",
            look_again=order.next_try,
        )
    silent_from = order.issued_at + deadline * GRACE
    if now >= silent_from:
        detail = f"{check} has not reported since {order.issued_at:%H:%M:%S}"
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
        case CheckResult.NEVER_REPORTED:
            answer, reason = Answer.FAIL, Reason.CHECK_NEVER_REPORTED
            detail = f"{where} passed its deadline"
        case CheckResult.NOT_CONFIGURED:
            # Nobody can say what the check is: no evidence, so no pass; and no fault of the
            # change, so no fail (laws 3 and 4).
            answer, reason = Answer.WAIT, Reason.CHECK_NOT_CONFIGURED
            detail = f"no check is bound to {ended.check!r} in swarm.toml"
    return Verdict(answer=answer, reason=reason, detail=detail, evidence=(ended.id,))


def _open_order(check: str, commit: str, found: Findings) -> OpenOrder | None:
    for key, order in found.open_orders.items():
        if key.endswith(f"/check/{commit}/{check}"):
            return order
    return None
