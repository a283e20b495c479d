"""Opening a mission: its need is free, its budget carries it, and no other mission has it."""

from __future__ import annotations

import json
from typing import Any

from swarm.core.decision import OpenMission
from swarm.core.nouns import MissionKind
from swarm.core.trail import EventKind

from . import shapes, texts
from .statements import statements
from .writing import MissionRow, Writing

_SIGNALS_NAMED = 64  #: of a storm's ten thousand, the trail names the first ones and the number

_PROVENANCE = """
select
  (select coalesce(json_agg(json_build_array(origin, citation, source) order by origin), '[]')
   from citation where need = %(need)s)::text,
  (select coalesce(json_agg(id), '[]')
   from (select id from signal where need = %(need)s order by at, id limit %(most)s) s)::text,
  (select signals from need where id = %(need)s)
"""


async def open_mission(writing: Writing, record: OpenMission) -> str | None:
    """None when the mission is open now; else why the store did not allow it."""
    need = writing.needs.get(record.need) if record.need is not None else None
    if record.need is not None:
        if need is None:
            return "NoSuchNeed"
        if record.kind is MissionKind.DELIVER and need.state != "open":
            return "NeedNotOpen"
    body, rule = (need.body, need.rule) if need else await _text_of_parent(writing, record)
    if not await _insert(writing, record, body, rule):
        return "AlreadyOpen"
    if record.reserve and not await _reserve(writing, record):
        await writing.connection.execute("delete from mission where id = %s", (record.id,))
        return "BudgetUnknown" if writing.budget_id is None else "BudgetExhausted"
    writing.chains.know(record.id, 0, b"")
    writing.missions[record.id] = MissionRow(
        record.id, record.need, record.kind, record.mission_class, writing.budget_id,
        record.reserve, record.at, None, writing.snapshot.shadow, None,
    )  # fmt: skip
    async with writing.connection.pipeline():  # one way there and back for both
        if need is not None:
            counts = int(record.kind is MissionKind.DELIVER)
            await writing.run("needs", "take", id=need.id, at=writing.now, round=counts)
            writing.count_need(need, "taken")
        event = await _event(writing, record)
    writing.tell(record.id, EventKind.MISSION_OPENED, event)
    return None


async def _insert(writing: Writing, record: OpenMission, body: str, rule: str) -> int:
    return await writing.run(
        "missions", "insert", id=record.id, swarm=writing.swarm, need=record.need,
        kind=record.kind, parent=record.parent, depth=record.depth,
        mission_class=record.mission_class, risk=int(record.risk), repo=record.repo,
        title=texts.plain(record.title), body=body, rule=rule, agent=record.agent,
        cause=texts.plain(record.cause), requalifies=record.freeze,
        contract=shapes.dump(shapes.contract_adapter(), record.contract),
        rank_terms=json.dumps(record.rank_terms), generation=writing.snapshot.generation,
        policy_hash=writing.snapshot.policy_hash, shadow=writing.snapshot.shadow,
        budget=writing.budget_id if record.reserve else None, reserved=record.reserve,
        opened_at=record.at,
    )  # fmt: skip


async def _reserve(writing: Writing, record: OpenMission) -> bool:
    if writing.budget_id is None:
        return False
    carried = await writing.one(
        "missions", "reserve", budget=writing.budget_id, mission=record.id, amount=record.reserve
    )
    return bool(carried)


async def _text_of_parent(writing: Writing, record: OpenMission) -> tuple[str, str]:
    if record.parent is None:
        return "", ""
    found = await writing.connection.execute(
        statements("missions")["text_of_parent"], {"id": record.parent}
    )
    row = await found.fetchone()
    return (row[0], row[1]) if row else ("", "")


async def _event(writing: Writing, record: OpenMission) -> dict[str, Any]:
    contract = json.loads(shapes.dump(shapes.contract_adapter(), record.contract))
    event = {
        "need": record.need,
        "kind": record.kind,
        "parent": record.parent,
        "cause": record.cause,
        "class": record.mission_class,
        "risk": int(record.risk),
        "repo": record.repo,
        "title": record.title,
        "agent": record.agent,
        "contract": contract,
        "reserve": record.reserve,
        "rank": record.rank_terms,
        "generation": writing.snapshot.generation,
        "policy_hash": writing.snapshot.policy_hash,
        "shadow": writing.snapshot.shadow,
    }
    if record.need is None:
        return event
    found = await writing.connection.execute(
        _PROVENANCE, {"need": record.need, "most": _SIGNALS_NAMED}
    )
    citations, signals, count = await found.fetchone() or ("[]", "[]", 0)
    return event | {
        "citations": json.loads(citations),
        "signals": json.loads(signals),
        "signals_in_all": count,
    }
