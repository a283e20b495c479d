"""Implement: have an agent make the change that the mission promised."""

from __future__ import annotations

from swarm.core.decision import Settle, VoidOrder
from swarm.core.dispatch import Dispatch
from swarm.core.evidence import RunEnded, RunResult
from swarm.core.findings import Findings
from swarm.core.gates import code_quality
from swarm.core.ids import order_key
from swarm.core.nouns import MissionKind, OutcomeKind
from swarm.core.reasons import Reason
from swarm.core.saying import Content, Ending, Saying, View, Word, lane_of, settled
from swarm.core.snapshot import Mission

ROOM = "implement"


def say(mission: Mission, found: Findings, view: View) -> Word:
    """Speak until the mission has a change; nothing to say once it has one."""
    if ended := _person_ended(mission, found, view) or _refused(mission, found, view):
        return ended
    if mission.kind is MissionKind.REQUALIFY:
        return Content()
    if (waiting := _at_work(mission, found, view)) is not None:
        return waiting
    if not found.runs:
        return Dispatch(ROOM, mission, found, view).send()
    last = found.runs[-1]
    if found.conflict is not None and not found.tried_since:
        return Dispatch(ROOM, mission, found, view).fix(
            Reason.MERGE_CONFLICT, found.conflict.detail, base=found.conflict.onto
        )
    if last.result is RunResult.CHANGED:
        return Content()
    return _unhappy(mission, found, view, last)


def _at_work(mission: Mission, found: Findings, view: View) -> Saying | None:
    attempt = len(found.runs)
    order = found.is_open(order_key(mission.id, "run", str(attempt)))
    if order is None:
        return None
    if (stopped := Dispatch(ROOM, mission, found, view).stopped()) is not None:
        return stopped
    lane = frozenset({lane_of(attempt)})
    if order.idle and (barred := Dispatch(ROOM, mission, found, view).barred()) is not None:
        if any(isinstance(record, Settle) for record in barred.records):
            return barred
        # Kept for when it may begin, it would keep the lane from every other class until then.
        void = VoidOrder(mission=mission.id, order=order.key, reason=barred.reason)
        return barred.holding(*lane).recording(void)
    if order.waits_because:
        return Saying(
            room=ROOM,
            reason=Reason.CAPACITY,
            detail=order.waits_because,
            next_action="the agent is asked again",
            look_again=order.next_try,
            holds=lane,
        )
    return Saying(
        room=ROOM,
        reason=Reason.RUN_PENDING,
        detail=f"{mission.agent} is at work, attempt {attempt}",
        next_action="the agent finishes",
        holds=lane,
    )


def _unhappy(mission: Mission, found: Findings, view: View, last: RunEnded) -> Saying:
    if last.result is RunResult.REFUSED:
        detail = "; ".join(last.violations) or last.detail
        ending = Ending(
            kind=OutcomeKind.REFUSED, reason=Reason.CHANGE_REFUSED, detail=detail, counts=True
        )
        return settled(ROOM, mission, found, view.now, ending)
    if last.result is RunResult.NOTHING:
        return _nothing(mission, found, view, last)
    timed_out = last.result is RunResult.TIMED_OUT
    reason = Reason.RUN_TIMED_OUT if timed_out else Reason.RUN_FAILED
    base = found.conflict.onto if found.conflict is not None else ""
    red = _still_red(mission, found, view)
    return Dispatch(ROOM, mission, found, view).fix(reason, last.detail, base=base, red=red)


def _still_red(mission: Mission, found: Findings, view: View) -> str:
    """The failing check that an attempt without a change leaves; empty where none failed."""
    if found.change is None:
        return ""
    bad = code_quality.first_bad(mission, found.change.head, found, view.snapshot)
    return code_quality.evidence_of(bad) if bad is not None else ""


def _nothing(mission: Mission, found: Findings, view: View, last: RunEnded) -> Saying:
    """The agent ended well and changed nothing. Asking again would only burn the budget.

    Where no change is there yet, or on top of a main that moved, there was probably nothing left
    to change: no failure, and the need waits for new evidence. At a fix it is one: the check is
    still red.
    """
    reason = Reason.RUN_PRODUCED_NOTHING
    if found.change is not None and found.conflict is None:
        return Dispatch(ROOM, mission, found, view).failed(reason, last.detail)
    ending = Ending(kind=OutcomeKind.FAILED, reason=reason, detail=last.detail)
    return settled(ROOM, mission, found, view.now, ending)


def _refused(mission: Mission, found: Findings, view: View) -> Saying | None:
    """A port refused an order for good before anything landed: the mission ends, uncounted.

    It is the installation that cannot do this, not the agent that failed (law 4).
    """
    refusals = [fact for fact in found.refused if fact.verb != "notify"]
    if not refusals or found.landed is not None:
        return None
    first = refusals[0]
    known = first.reason in Reason.__members__.values()
    ending = Ending(
        kind=OutcomeKind.REFUSED,
        reason=Reason(first.reason) if known else Reason.ORDER_REFUSED,
        detail=f"{first.verb}: {first.reason}: {first.detail}",
        retry_at=view.now + view.snapshot.installation.need_cooldown,
    )
    return settled(ROOM, mission, found, view.now, ending)


def _person_ended(mission: Mission, found: Findings, view: View) -> Saying | None:
    """A person's word against a mission ends it before it has landed; later it rolls back."""
    person = found.against
    if person is None or found.landed is not None:
        return None
    reason = Reason.REJECTED if person.said == "reject" else Reason.CANCELLED
    detail = f"{person.by}: {person.reason}"
    ending = Ending(kind=OutcomeKind.REJECTED, reason=reason, detail=detail)
    return settled(ROOM, mission, found, view.now, ending)
