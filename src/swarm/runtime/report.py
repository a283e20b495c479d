"""What one tick wrote, as events. One event per decision and per verdict; nothing else."""

from __future__ import annotations

import structlog

from swarm.core.decision import (
    AskApproval,
    GiveVerdict,
    Learn,
    LiftFreeze,
    MarkRequalified,
    OpenFreeze,
    OpenMission,
    Record,
    RejectNeed,
    Settle,
    UseApproval,
    VoidOrder,
)
from swarm.core.ids import MissionId
from swarm.ports.store import Tick
from swarm.runtime.events import Event

log = structlog.get_logger()


class Teller:
    """Tells ticks. Remembers where missions stood, so that only a move is told as one."""

    def __init__(self) -> None:
        self._stood: dict[MissionId, tuple[str, str]] = {}

    def tell(self, tick: Tick) -> None:
        """Log what was applied, then which missions stand elsewhere now."""
        for record in tick.applied:
            event, fields = _event(record)
            log.info(event, swarm=tick.name, **fields)
            if isinstance(record, Settle):
                self._stood.pop(record.mission, None)
        for record, why in tick.refused:
            if isinstance(record, OpenFreeze):  # nothing decides it anew, so somebody must look
                _, fields = _event(record)
                log.error(Event.FREEZE_REFUSED, swarm=tick.name, why=why, **fields)
        for mission, standing in tick.plan.standings:
            stands = (standing.room, standing.reason)
            if self._stood.get(mission) != stands:
                self._stood[mission] = stands
                log.info(
                    Event.MISSION_MOVED,
                    swarm=tick.name,
                    mission=mission,
                    room=standing.room,
                    reason=standing.reason,
                    detail=standing.detail,
                )


def _event(record: Record) -> tuple[Event, dict[str, object]]:  # noqa: C901 - one arm per kind
    match record:
        case OpenMission():
            fields = {
                "mission": record.id,
                "need": record.need,
                "kind": record.kind,
                "mission_class": record.mission_class,
            }
            return Event.MISSION_OPENED, {**fields, "title": record.title, "risk": record.risk}
        case GiveVerdict():
            verdict = record.verdict
            return Event.VERDICT_GIVEN, {
                "mission": record.mission,
                "gate": record.gate,
                "subject": record.subject,
                "verdict": verdict.answer.name.lower(),
                "reason": verdict.reason,
                "detail": verdict.detail,
                "configured": verdict.configured,
            }
        case Settle():
            outcome = record.outcome
            return Event.MISSION_ENDED, {
                "mission": record.mission,
                "outcome": outcome.kind,
                "reason": outcome.reason,
                "detail": outcome.detail,
            }
        case AskApproval():
            return Event.APPROVAL_ASKED, {"mission": record.mission, "commit": record.commit}
        case UseApproval():
            return Event.APPROVAL_USED, {
                "mission": record.approval.mission,
                "approver": record.approval.approver,
            }
        case VoidOrder():
            fields = {"mission": record.mission, "order": record.order}
            return Event.ORDER_POSTPONED, {**fields, "reason": record.reason}
        case RejectNeed():
            return Event.NEED_REJECTED, {"need": record.need, "reason": record.reason}
        case OpenFreeze():
            hold = record.freeze
            return Event.FREEZE_OPENED, {"mission_class": hold.mission_class, "reason": hold.reason}
        case MarkRequalified():
            return Event.FREEZE_PROVEN, {"freeze": record.freeze, "mission": record.mission}
        case LiftFreeze():
            return Event.FREEZE_LIFTED, {"freeze": record.freeze, "by": record.by}
        case Learn():
            return Event.RANKING_LEARNED, {"mission": record.cause}
