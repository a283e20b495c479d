"""Serial ticks: one transaction locks a swarm, reads its snapshot, decides and writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from swarm.adapters.postgres.database import Database
from swarm.core.decision import (
    AskApproval,
    GiveVerdict,
    OpenMission,
    Order,
    Plan,
    Record,
    RejectNeed,
    Settle,
    UseApproval,
    VoidOrder,
)
from swarm.core.history import terms
from swarm.core.ids import SwarmId
from swarm.core.trail import EventKind
from swarm.ports.store import Agenda, Binding, BindingOf, Decide, StatusOf, Tick

from . import shapes, single, texts
from .chains import Chains
from .errors import SpecUnreadable
from .records import apply
from .snapshots import Cursor, Snapshots, Specs, SwarmRow, TickReading, swarm_row
from .statements import statements
from .status import means_the_same
from .writing import Writing

#: A refused record means that the snapshot was older than the store: look again, but never spin.
_AFTER_REFUSAL = timedelta(seconds=1)


class PostgresTicks:
    """`ports.store.Ticks` on Postgres. One per process: it remembers what earlier ticks read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._snapshots = Snapshots()
        self._specs = Specs()
        self._unreadable: dict[str, tuple[str, str]] = {}  #: version of the row, and why
        self._pondered: dict[SwarmId, tuple[object, ...]] = {}

    @property
    def unreadable(self) -> Mapping[str, str]:
        """Swarms that a newer release wrote, which this one must leave alone, and why."""
        return {swarm: why for swarm, (_, why) in self._unreadable.items()}

    async def agenda(self, kinds: Sequence[str] | None = None) -> Agenda:
        """What is due, in one read."""
        asked = {
            "kinds": shapes.kinds_text(kinds),
            "unreadable": self._passed_over(),
        }
        ((swarms, orders, *waits),) = await single.rows(
            self._database, statements("tick")["agenda"], asked
        )
        known = [wait for wait in waits if wait is not None]
        return Agenda(
            swarms=swarms,
            orders=orders,
            wait=max(min(known), timedelta(0)) if known else None,
        )

    async def tick(
        self,
        decide: Decide,
        binding_of: BindingOf,
        controller: str,
        status_of: StatusOf | None = None,
    ) -> Tick | None:
        """Tick the swarm that is due the longest and that nobody else holds; None if none is."""

        async def whole(connection: AsyncConnection[Any]) -> tuple[Tick, TickReading] | None:
            row = await self._take(connection)
            if row is None:
                await connection.execute("rollback")
                return None
            binding = binding_of(row.id, row.spec)
            chains = Chains(row.id, row.now, controller)
            chains.know(row.id, row.trail_seq, row.trail_hash)
            if row.policy_hash != binding.policy_hash:
                chains.add(row.id, EventKind.POLICY_BOUND, _policy(row, binding))
            async with connection.pipeline():
                lapsing = await _lapse(connection, row, binding)
                asked = await self._snapshots.ask(connection, row, binding)
            voided = await _lapsed(connection, row, binding, chains, lapsing)
            if voided is None:
                voided = ()
            else:  # the missions of what lapsed are not what they were
                async with connection.pipeline():
                    asked = await self._snapshots.ask(connection, row, binding)
            reading = await self._snapshots.read(connection, row, binding, asked)
            plan = decide(reading.snapshot)
            writing = Writing(connection, reading.snapshot, chains, reading.budget_id)
            await _write(writing, plan)
            due = _due(writing, plan, reading)
            status = _status(row, reading, plan, status_of)
            # None of these is waited for: they go out together and are answered together.
            async with connection.pipeline():
                await writing.flush()
                await self._ponder(connection, row, plan)
                await _write_status(connection, row, status)
                await _close(connection, row, binding, chains, due)
                await connection.execute("commit")
            return _result(row, writing, plan, voided, due, status), reading

        done = await self._database.attempt(whole)
        if done is None:
            return None
        tick, reading = done
        self._snapshots.keep(tick.swarm, reading.fresh)
        self._pondered[tick.swarm] = _pondering(tick.plan)
        return tick

    async def _take(self, connection: AsyncConnection[Any]) -> SwarmRow | None:
        """Begin the transaction and lock a swarm that is due."""
        sql = statements("tick")
        async with connection.pipeline():
            await connection.execute("begin")
            found = await connection.execute(sql["take"], {"unreadable": self._passed_over()})
        while (row := await found.fetchone()) is not None:
            try:
                return swarm_row(row, self._specs)
            except SpecUnreadable as error:
                self._unreadable[row[0]] = (row[14], error.message)
            found = await connection.execute(sql["take"], {"unreadable": self._passed_over()})
        return None

    def _passed_over(self) -> list[str]:
        """The rows that cannot be read as they are: one that was written since may well be."""
        return [version for version, _ in self._unreadable.values()]

    async def _ponder(self, connection: AsyncConnection[Any], row: SwarmRow, plan: Plan) -> None:
        if self._pondered.get(row.id) == _pondering(plan):
            return
        needs = json.dumps(plan.selected)
        values = {"swarm": row.id, "at": row.now, "idle": plan.idle_reason, "needs": needs}
        await connection.execute(statements("tick")["ponder"], values)


def _pondering(plan: Plan) -> tuple[object, ...]:
    return (plan.idle_reason, plan.selected)


def _policy(row: SwarmRow, binding: Binding) -> dict[str, Any]:
    budget = binding.budget is not None
    return terms.told(binding.policy_hash, row.spec, binding.installation, budget=budget)


async def _lapse(
    connection: AsyncConnection[Any], row: SwarmRow, binding: Binding
) -> tuple[Cursor | None, Cursor]:
    """Answer wake-ups, excuse whom nobody asked, void what another policy decided or was asked."""
    sql = statements("tick")
    values = {"swarm": row.id, "policy_hash": binding.policy_hash}
    # What commits after this is not seen by this tick, and its wake-up stays.
    await connection.execute(sql["answer_wakes"], {"swarm": row.id})
    await connection.execute(sql["excuse_silence"], {"swarm": row.id})
    changed = row.policy_hash != binding.policy_hash
    voiding = await connection.execute(sql["lapse_policy"], values) if changed else None
    return voiding, await connection.execute(sql["lapse_approvals"], values)


async def _lapsed(
    connection: AsyncConnection[Any],
    row: SwarmRow,
    binding: Binding,
    chains: Chains,
    lapsing: tuple[Cursor | None, Cursor],
) -> tuple[str, ...] | None:
    """Tell what lapsed to the trail; the orders that were voided, None where nothing lapsed."""
    gone = await lapsing[0].fetchall() if lapsing[0] is not None else []
    lapsed = await lapsing[1].fetchall()
    if not gone and not lapsed:
        return None
    missions = sorted({mission for mission, *_ in (*gone, *lapsed) if mission})
    heads = await connection.execute(statements("missions")["lock"], {"ids": missions})
    for head in await heads.fetchall():
        chains.know(head[0], head[7], head[8])
    for mission, key in gone:
        body = {"order": key, "reason": "another policy", "policy_hash": binding.policy_hash}
        chains.add(mission or row.id, EventKind.ORDER_VOIDED, body)
    for mission, approval, state in lapsed:
        chains.add(mission, EventKind.APPROVAL_LAPSED, {"approval": approval, "state": state})
    await chains.write(connection)
    await connection.execute(
        statements("missions")["advance"],
        {
            "ids": missions,
            "seqs": [chains.head(id_)[0] for id_ in missions],
            "hashes": [chains.head(id_)[1] for id_ in missions],
            "versions": [1] * len(missions),
            "standings": [None] * len(missions),
        },
    )
    return tuple(key for _, key in gone)


async def _write(writing: Writing, plan: Plan) -> None:
    opened: set[str] = {record.id for record in plan.records if isinstance(record, OpenMission)}
    known = {mission.id: mission for mission in writing.snapshot.missions}
    standings = [
        (id_, standing)
        for id_, standing in plan.standings
        if id_ in known and known[id_].standing != standing
    ]
    settled = {record.mission for record in plan.records if isinstance(record, Settle)}
    voiding = {record.mission for record in plan.records if isinstance(record, VoidOrder)}
    new = _new_orders(writing, plan)
    judged = {
        *_missions_of(plan),
        *(order.mission for order in new),
        *(id_ for id_, _ in standings),
    }
    freed = {need for id_ in settled & known.keys() if (need := known[id_].need)}
    await writing.lock(
        ending=(settled | voiding) - opened,
        missions=judged - opened,
        needs={*_needs_of(plan), *freed},
    )
    await apply(writing, plan.records)
    await writing.issue(_allowed(writing, new, opened))
    failed = {_owner(record) for record, _ in writing.refused}
    for id_, standing in standings:
        # A standing says that everything it decided is written. Where a record was refused it is
        # not: without the standing, the next tick judges the mission again.
        if id_ in writing.missions and id_ not in failed:
            writing.stand(id_, shapes.dump(shapes.standing_adapter(), standing))
    for mission in failed & writing.missions.keys():
        writing.touch(mission, versions=1)


def _new_orders(writing: Writing, plan: Plan) -> list[Order]:
    """Orders that the snapshot does not show as open; repeating those would write nothing."""
    sent = {order.key for mission in writing.snapshot.missions for order in mission.orders}
    return [order for order in plan.orders if order.key not in sent]


def _allowed(writing: Writing, orders: Iterable[Order], opened: set[str]) -> list[Order]:
    """Orders whose mission is really open, and whose approval was really used."""
    denied = {
        record.approval.mission for record, _ in writing.refused if isinstance(record, UseApproval)
    }
    never = opened - writing.missions.keys()
    ended = {id_ for id_, row in writing.missions.items() if row.ended_at is not None}
    return [
        order
        for order in orders
        if order.mission not in never and not (order.forward and order.mission in denied | ended)
    ]


def _missions_of(plan: Plan) -> set[str]:
    return {owner for record in plan.records if (owner := _owner(record))}


def _owner(record: Record) -> str:
    """The mission whose judgement made this record; empty for others."""
    if isinstance(record, GiveVerdict | AskApproval | Settle | VoidOrder):
        return record.mission
    return record.approval.mission if isinstance(record, UseApproval) else ""


def _needs_of(plan: Plan) -> set[str]:
    return {
        record.need
        for record in plan.records
        if isinstance(record, OpenMission | RejectNeed) and record.need is not None
    }


def _due(writing: Writing, plan: Plan, reading: TickReading) -> datetime | None:
    times = [time for time in (plan.look_again, reading.next_due, *writing.due) if time is not None]
    if writing.refused:
        # What was refused would be decided again at once; the world needs a moment to move.
        return writing.now + _AFTER_REFUSAL
    return min(times) if times else None


def _status(
    row: SwarmRow, reading: TickReading, plan: Plan, status_of: StatusOf | None
) -> Mapping[str, Any] | None:
    """The new status; None where it would say what is written already."""
    if status_of is None:
        return None
    status = status_of(reading.snapshot, plan, reading.figures, row.status)
    return None if means_the_same(row.status, status) else status


async def _write_status(
    connection: AsyncConnection[Any], row: SwarmRow, status: Mapping[str, Any] | None
) -> None:
    if status is not None:
        values = {"swarm": row.id, "status": texts.storable(json.dumps(status))}
        await connection.execute(statements("tick")["write_status"], values)


async def _close(
    connection: AsyncConnection[Any],
    row: SwarmRow,
    binding: Binding,
    chains: Chains,
    due: datetime | None,
) -> None:
    seq, digest = chains.head(row.id)
    values = {"swarm": row.id, "policy_hash": binding.policy_hash, "due": due}
    await connection.execute(statements("tick")["close"], {**values, "seq": seq, "hash": digest})


def _result(
    row: SwarmRow,
    writing: Writing,
    plan: Plan,
    voided: tuple[str, ...],
    due: datetime | None,
    status: Mapping[str, Any] | None,
) -> Tick:
    return Tick(
        swarm=row.id,
        namespace=row.namespace,
        name=row.name,
        at=row.now,
        plan=plan,
        issued=tuple(writing.issued),
        applied=tuple(writing.applied),
        refused=tuple(writing.refused),
        voided=voided,
        due=due,
        status=status,
    )
