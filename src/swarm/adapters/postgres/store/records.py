"""Records of a plan as rows: each guarded by the state of the store, each with its trail event."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from typing import Any, cast

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
from swarm.core.ids import approval_id
from swarm.core.trail import EventKind

from . import texts
from .opening import open_mission
from .statements import statements
from .verdicts import give_verdicts
from .writing import MissionRow, Writing

#: Endings first, so that a repair may take over the need; openings last.
_ORDER: tuple[type[Any], ...] = (
    GiveVerdict,
    UseApproval,
    Settle,
    VoidOrder,
    MarkRequalified,
    LiftFreeze,
    OpenFreeze,
    Learn,
    AskApproval,
    OpenMission,
)


async def apply(writing: Writing, records: Sequence[Record]) -> None:
    """Apply a plan's records in an order that lets each see what the earlier ones did.

    What concerns a mission that this very plan opens comes after its opening.
    """
    opened = {record.id for record in records if isinstance(record, OpenMission)}

    def place(record: Record) -> tuple[bool, int]:
        return getattr(record, "mission", None) in opened, _ORDER.index(type(record))

    await _reject_needs(writing, [item for item in records if isinstance(item, RejectNeed)])
    others = (item for item in records if not isinstance(item, RejectNeed))
    for (_, number), some in groupby(sorted(others, key=place), place):
        if _ORDER[number] is GiveVerdict:
            given = await give_verdicts(writing, cast("list[GiveVerdict]", [*some]))
            for verdict, why_not in given:
                _note(writing, verdict, why_not)
            continue
        for record in some:
            _note(writing, record, await _HANDLERS[type(record)](writing, record))


def _note(writing: Writing, record: Record, why_not: str | None) -> None:
    """None: applied; a reason: refused; an empty one: nothing had to be written."""
    if why_not is None:
        writing.applied.append(record)
    elif why_not:
        writing.refused.append((record, why_not))


async def _use_approval(writing: Writing, record: UseApproval) -> str | None:
    approval = record.approval
    if await writing.run("missions", "use", id=approval.id, at=record.at):
        body = {"approval": approval.id, "commit": approval.commit, "by": approval.approver}
        writing.tell(approval.mission, EventKind.APPROVAL_USED, body)
        return None
    state = await writing.one("missions", "approval_state", id=approval.id)
    # Used by an earlier tick for the very same commit: the order it allowed is under way.
    return "" if state == "used" else f"ApprovalNot{(state or 'known').capitalize()}"


async def _settle(writing: Writing, record: Settle) -> str | None:
    mission = writing.missions.get(record.mission)
    if mission is None or mission.ended_at is not None:
        return ""
    charged = await _charge_unheard(writing, mission, record.run_cost)
    outcome = record.outcome
    cost = await writing.one(
        "missions", "outcome", mission=record.mission, outcome=outcome.kind, reason=outcome.reason,
        detail=texts.plain(outcome.detail), attempts=outcome.attempts, cost=outcome.cost + charged,
        counts=outcome.counts_as_failure, landed=outcome.landed, at=outcome.at,
    )  # fmt: skip
    if cost is None:
        return ""
    mission.ended_at = outcome.at
    await writing.run("missions", "end", id=mission.id, at=outcome.at)
    writing.touch(mission.id, versions=1)
    body = {
        "outcome": outcome.kind,
        "reason": outcome.reason,
        "detail": outcome.detail,
        "attempts": outcome.attempts,
        "cost": cost,
        "landed": outcome.landed,
        "counts_as_failure": outcome.counts_as_failure,
    }
    writing.tell(mission.id, EventKind.MISSION_SETTLED, body)
    await _drop_leftovers(writing, mission.id)
    for target, revision in record.deny:
        await writing.run(
            "missions", "deny", swarm=writing.swarm, target=target, revision=revision,
            mission=mission.id, at=outcome.at,
        )  # fmt: skip
    if mission.need is not None and mission.need in writing.needs:
        state = "done" if record.need_done else "open" if record.retry_need_at else "rejected"
        reason = f"{outcome.kind}: {outcome.reason}"
        await writing.move_need(mission.need, state, reason, record.retry_need_at)
    if mission.budget is not None and mission.reserved:
        amount, mission.reserved = mission.reserved, 0
        await writing.run(
            "missions", "release", budget=mission.budget, mission=mission.id, amount=amount
        )
    return None


async def _charge_unheard(writing: Writing, mission: MissionRow, each: int) -> int:
    """Charge the runs that this ending cuts off, before the rest of the reservation is released.

    They spent something, and nobody will say how much in all: ending a mission in time may not be
    a way around its budget. each: what a run is expected to cost. returns: micro-units.
    """
    found = await writing.connection.execute(
        statements("missions")["unheard"], {"mission": mission.id, "each": each}
    )
    amounts = await found.fetchall()
    for key, amount in amounts:
        await writing.run("orders", "spend", mission=mission.id, effect=key, amount=amount)
    charged: int = sum(amount for _, amount in amounts)
    mission.reserved -= min(mission.reserved, charged)
    return charged


async def _drop_leftovers(writing: Writing, mission: str) -> None:
    found = await writing.connection.execute(
        statements("missions")["drop_orders"], {"ids": [mission]}
    )
    for _, key in await found.fetchall():
        body = {"order": key, "reason": "the mission ended"}
        writing.tell(mission, EventKind.ORDER_VOIDED, body)


async def _void_order(writing: Writing, record: VoidOrder) -> str | None:
    if not await writing.run("missions", "void_order", key=record.order):
        return "OrderInHand"
    writing.touch(record.mission, versions=1)
    body = {"order": record.order, "reason": record.reason}
    writing.tell(record.mission, EventKind.ORDER_VOIDED, body)
    return None


async def _reject_needs(writing: Writing, records: Sequence[RejectNeed]) -> None:
    """Many at once: a source that cites nothing brings hundreds."""
    reasons: dict[str, str] = {}
    for record in records:
        row = writing.needs.get(record.need)
        if row is None or row.state != "open":
            there = row is not None and row.state == "rejected"
            _note(writing, record, "" if there else "NeedNotOpen")
        elif row.signals != record.signals:
            # Evidence came between the snapshot and this write; the next tick judges it as well.
            _note(writing, record, "NewEvidence")
        else:
            reasons[row.id] = texts.plain(f"{record.reason}: {record.detail}")
            writing.count_need(row, "rejected")
            body = {"need": record.need, "reason": record.reason, "detail": record.detail}
            writing.tell(writing.swarm, EventKind.NEED_REJECTED, body)
            _note(writing, record, None)
    if reasons:
        values = {"ids": list(reasons), "reasons": list(reasons.values())}
        await writing.run("needs", "reject", at=writing.now, **values)


async def _open_freeze(writing: Writing, record: OpenFreeze) -> str | None:
    freeze = record.freeze
    row = await (
        await writing.connection.execute(
            _sql("freeze"),
            {
                "swarm": writing.swarm,
                "id": freeze.id,
                "mission_class": freeze.mission_class,
                "reason": freeze.reason,
                "detail": texts.plain(freeze.detail),
                "cause": freeze.cause,
                "since": freeze.since,
                "until": freeze.until,
                "needs_token": freeze.needs_token,
                "by": freeze.by,
            },
        )
    ).fetchone()
    if row is None:
        known = await writing.connection.execute(_sql("frozen_as"), {"id": freeze.id})
        same = (freeze.mission_class, freeze.reason, freeze.cause)
        return "" if await known.fetchone() == same else "FreezeIdTaken"
    kept, until, fresh = row
    kind = EventKind.FREEZE_OPENED if fresh else EventKind.FREEZE_EXTENDED
    body = {
        "freeze": kept,
        "class": freeze.mission_class,
        "reason": freeze.reason,
        "detail": freeze.detail,
        "cause": freeze.cause,
        "until": until.isoformat() if until else None,
    }
    writing.tell(writing.swarm, kind, body)
    return None


async def _lift_freeze(writing: Writing, record: LiftFreeze) -> str | None:
    scope = await writing.one(
        "missions", "lift", swarm=writing.swarm, id=record.freeze, at=record.at, by=record.by
    )
    if scope is None:
        return ""
    body = {"freeze": record.freeze, "class": scope, "by": record.by}
    writing.tell(writing.swarm, EventKind.FREEZE_LIFTED, body)
    return None


async def _mark_requalified(writing: Writing, record: MarkRequalified) -> str | None:
    scope = await writing.one(
        "missions", "requalify", swarm=writing.swarm, id=record.freeze, mission=record.mission,
        began=record.began, at=record.at,
    )  # fmt: skip
    if scope is None:
        return ""
    body = {"freeze": record.freeze, "class": scope, "mission": record.mission}
    writing.tell(writing.swarm, EventKind.FREEZE_REQUALIFIED, body)
    return None


async def _learn(writing: Writing, record: Learn) -> str | None:
    seq = await writing.one(
        "missions", "learn", swarm=writing.swarm, at=writing.now, cause=record.cause,
        class_bias=json.dumps(record.class_bias), source_trust=json.dumps(record.source_trust),
    )  # fmt: skip
    body = {"seq": seq, "cause": record.cause, "class_bias": record.class_bias}
    writing.tell(writing.swarm, EventKind.LEARNED, body)
    return None


async def _ask_approval(writing: Writing, record: AskApproval) -> str | None:
    if record.mission not in writing.missions:
        return "NoSuchMission"
    id_ = approval_id(record.mission, record.commit, record.policy_hash)
    values = {
        "commit": record.commit,
        "policy_hash": record.policy_hash,
        "risk": int(record.risk),
        "question": texts.plain(record.question),
    }
    wrote = await writing.run(
        "missions", "ask", id=id_, mission=record.mission, swarm=writing.swarm, at=record.at,
        expires_at=record.expires_at, **values,
    )  # fmt: skip
    if not wrote:
        return ""
    writing.due.append(record.expires_at)
    writing.touch(record.mission, versions=1)
    writing.tell(record.mission, EventKind.APPROVAL_ASKED, {"approval": id_, **values})
    return None


def _sql(name: str) -> Any:
    return statements("missions")[name]


_HANDLERS: dict[type[Any], Callable[[Writing, Any], Awaitable[str | None]]] = {
    UseApproval: _use_approval,
    Settle: _settle,
    VoidOrder: _void_order,
    OpenFreeze: _open_freeze,
    LiftFreeze: _lift_freeze,
    MarkRequalified: _mark_requalified,
    Learn: _learn,
    AskApproval: _ask_approval,
    OpenMission: open_mission,
}
