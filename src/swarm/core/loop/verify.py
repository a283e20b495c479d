"""Verify: required checks on the exact head commit, and at most three fix attempts (LOOP-7)."""

from __future__ import annotations

from typing import NamedTuple

from swarm.contract.verdict import Answer, Verdict
from swarm.core.dispatch import Dispatch
from swarm.core.evidence import CheckEnded
from swarm.core.findings import Findings
from swarm.core.gates import code_quality
from swarm.core.nouns import Change, MissionKind, OutcomeKind
from swarm.core.orders import Orders
from swarm.core.reasons import Reason
from swarm.core.saying import (
    Content,
    Ending,
    Saying,
    View,
    Word,
    merge_queue,
    settled,
    stage_off,
    verdict_record,
)
from swarm.core.snapshot import Mission

ROOM = "verify"
_BINDS = "goes on when swarm.toml binds it"  #: what an unbound check waits for


class _Bad(NamedTuple):
    """A check that failed on the head, and what the same check says about main."""

    ended: CheckEnded
    base: str
    on_base: Verdict


def say(mission: Mission, found: Findings, view: View) -> Word:
    """Speak until Gate 2 passes on the newest head; then leave it to deliver.

    Switched off, it waits even where every check passed: not to verify is never a pass.
    """
    change = found.change
    if change is None or found.landed is not None:
        return Content()
    if (off := stage_off(ROOM, "verify", view)) is not None:
        return off
    checks = code_quality.required(mission, view.snapshot)
    verdict = code_quality.judge(checks, change.head, found, view.snapshot)
    record = verdict_record(mission, code_quality.NAME, change.head, verdict, view.now)
    if verdict.answer is Answer.PASS:
        return Content(records=(record,))
    if verdict.answer is Answer.FAIL:
        return _red(mission, found, view, change, verdict).recording(record)
    return _waiting(mission, found, view, change, verdict).recording(record)


def _waiting(
    mission: Mission, found: Findings, view: View, change: Change, verdict: Verdict
) -> Saying:
    checks = code_quality.required(mission, view.snapshot)
    orders = Orders(mission, view.snapshot)
    unbound = verdict.reason == Reason.CHECK_NOT_CONFIGURED
    waiting = Saying(
        room=ROOM,
        reason=Reason(verdict.reason),
        detail=verdict.detail,
        next_action=_BINDS if unbound else "the check reports",
        orders=orders.missing_checks(checks, change.head, change.base, found),
        look_again=verdict.look_again,
    )
    queue = merge_queue(mission.repo)
    if found.restaged is not None and view.holder(queue, mission) is None:
        # It was put on top because it is next: nobody lands before it and makes it stale again.
        return waiting.holding(queue)
    return waiting


def _red(mission: Mission, found: Findings, view: View, change: Change, verdict: Verdict) -> Saying:
    """Before a fix is paid for: is main itself red? Then the change did not break it."""
    ended = code_quality.first_bad(mission, change.head, found, view.snapshot)
    if ended is None:  # silence beyond every deadline: nothing to show to an agent but that
        return Dispatch(ROOM, mission, found, view).fix(Reason.CHECK_NEVER_REPORTED, verdict.detail)
    on_base = code_quality.judge((ended.check,), change.base, found, view.snapshot)
    bad = _Bad(ended, change.base, on_base)
    if on_base.answer is Answer.WAIT:
        return _ask_base(mission, found, view, bad)
    if on_base.answer is Answer.FAIL and mission.kind is not MissionKind.REMEDIATE:
        return _main_is_red(mission, found, view, bad)
    failure = code_quality.evidence_of(ended)
    return Dispatch(ROOM, mission, found, view).fix(Reason(verdict.reason), failure)


def _ask_base(mission: Mission, found: Findings, view: View, bad: _Bad) -> Saying:
    orders = Orders(mission, view.snapshot)
    unbound = bad.on_base.reason == Reason.CHECK_NOT_CONFIGURED
    why = bad.on_base.detail if unbound else "asking whether main is red as well"
    return Saying(
        room=ROOM,
        reason=Reason.CHECK_NOT_CONFIGURED if unbound else Reason.REQUIRED_CHECK_RED,
        detail=f"{bad.ended.check} is red; {why}",
        next_action=_BINDS if unbound else "the check reports on main",
        orders=orders.missing_checks((bad.ended.check,), bad.base, bad.base, found),
        look_again=bad.on_base.look_again,
    )


def _main_is_red(mission: Mission, found: Findings, view: View, bad: _Bad) -> Saying:
    on_base = found.checks.get((bad.ended.check, bad.base))
    shown = on_base.detail if on_base is not None else bad.on_base.detail
    ending = Ending(
        kind=OutcomeKind.FAILED,
        reason=Reason.MAIN_IS_RED,
        detail=f"{bad.ended.check} is red on main ({bad.base[:8]}) as well: {shown}",
        retry_at=view.now + view.snapshot.installation.need_cooldown,
    )
    return settled(ROOM, mission, found, view.now, ending)
