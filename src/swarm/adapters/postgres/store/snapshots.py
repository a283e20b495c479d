"""Reads all that decide may know about one swarm; only what changed is read anew."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from psycopg import AsyncConnection, AsyncCursor
from pydantic import ValidationError

from swarm.contract.errors import UnknownProfile
from swarm.contract.profiles import Thresholds, profile_of
from swarm.contract.swarm import SwarmSpec
from swarm.core.ids import SwarmId
from swarm.core.nouns import GIST, MissionKind, Need, NeedState, Risk
from swarm.core.phase import Figures
from swarm.core.policy.citation import TRUSTED_FROM
from swarm.core.snapshot import Budget, Mission, Snapshot
from swarm.ports.store import Binding, BudgetTerms

from . import shapes
from .candidates import takeable
from .errors import SpecUnreadable
from .statements import statements
from .surroundings import Texts

V = TypeVar("V")
T = TypeVar("T")
Cursor = AsyncCursor[tuple[Any, ...]]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class SwarmRow:
    """The locked row of the swarm whose tick this is."""

    id: SwarmId
    namespace: str
    name: str
    generation: int
    spec: SwarmSpec
    policy_hash: str
    shadow: bool
    deleted: bool
    due_at: datetime | None
    status: dict[str, Any]
    trail_seq: int
    trail_hash: bytes
    now: datetime
    held_to: Thresholds


@dataclass(frozen=True, slots=True)
class Versioned:
    """Missions and candidate needs by id, in the order of the snapshot, each with its version."""

    missions: dict[str, tuple[int, Mission]] = field(default_factory=dict)
    needs: dict[str, tuple[str, Need]] = field(default_factory=dict)


@dataclass(slots=True)
class TickReading:
    """What one tick read.

    fresh: enters the cache only after the commit: a revision that was made in a transaction that
           rolls back may be made again with another content.
    """

    snapshot: Snapshot
    figures: Figures
    budget_id: int | None
    next_due: datetime | None
    fresh: Versioned


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The questions of one tick, whose answers are under way together."""

    open: Cursor
    stale: Cursor
    best: Cursor
    about: Cursor
    budget: Cursor | None


class Specs:
    """Parsed specs by generation: parsing one costs more than reading it."""

    def __init__(self) -> None:
        self._known: dict[SwarmId, tuple[int, SwarmSpec]] = {}

    def read(self, swarm: SwarmId, generation: int, text: str) -> SwarmSpec:
        """The spec of that generation. Raises SpecUnreadable."""
        known = self._known.get(swarm)
        if known is not None and known[0] == generation:
            return known[1]
        try:
            spec = SwarmSpec.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise SpecUnreadable(f"{swarm}: spec.{where}: {first['msg']}") from None
        self._known[swarm] = (generation, spec)
        return spec


class Snapshots:
    """Reads snapshots, keeping what is immutable by id and version between ticks."""

    def __init__(self) -> None:
        self._known: dict[SwarmId, Versioned] = {}
        self._texts: dict[SwarmId, Texts] = {}

    async def ask(self, connection: AsyncConnection[Any], row: SwarmRow, binding: Binding) -> Asked:
        """Send every question about one swarm; inside its tick's transaction, in a pipeline."""
        sql, missions = statements("tick"), statements("missions")
        known = self._known.get(row.id, Versioned()).missions
        me = {"swarm": row.id}
        stale = {
            **me,
            "known": list(known),
            "revisions": [revision for revision, _ in known.values()],
        }
        best = takeable(row.id, row.spec, binding.installation)
        if row.deleted:
            best["limit"] = 0
        window = _window(row, binding.budget)
        return Asked(
            open=await connection.execute(missions["open"], me),
            stale=await connection.execute(missions["load"], stale),
            best=await connection.execute(statements("needs")["best"], best),
            about=await connection.execute(
                sql["surroundings"],
                {**me, "gist": GIST, "class_row": binding.installation.class_freeze_after},
            ),
            budget=await connection.execute(sql["read_budget"], window) if window else None,
        )

    async def read(
        self, connection: AsyncConnection[Any], row: SwarmRow, binding: Binding, asked: Asked
    ) -> TickReading:
        """Everything about one swarm, from the answers."""
        fresh = await self._fresh(connection, row.id, asked)
        about = self._texts.setdefault(row.id, Texts()).read(
            cast("tuple[Any, ...]", await asked.about.fetchone())
        )
        money = await _money(connection, row, binding.budget, asked)
        snapshot = Snapshot(
            now=row.now,
            swarm=row.id,
            generation=row.generation,
            spec=row.spec,
            installation=binding.installation,
            policy_hash=binding.policy_hash,
            held_to=row.held_to,
            shadow=row.shadow,
            needs=tuple(need for _, need in fresh.needs.values()),
            queued_needs=about.queued,
            missions=tuple(mission for _, mission in fresh.missions.values()),
            settled=about.settled,
            freezes=about.freezes,
            budget=_budget_of(binding.budget, money),
            sources=about.sources,
            denied=frozenset(about.denied),
            drifted=about.drifted,
            class_bias=about.class_bias,
            source_trust=about.source_trust,
        )
        return TickReading(
            snapshot=snapshot,
            figures=about.figures,
            budget_id=money[0] if money else None,
            next_due=about.next_due,
            fresh=fresh,
        )

    def keep(self, swarm: SwarmId, fresh: Versioned) -> None:
        """Remember what a committed tick read; what it did not read is forgotten with it."""
        self._known[swarm] = fresh

    async def _fresh(
        self, connection: AsyncConnection[Any], swarm: SwarmId, asked: Asked
    ) -> Versioned:
        """The open missions and the best needs, from memory where their version is known."""
        known = self._known.get(swarm, Versioned())
        open_, best = await asked.open.fetchall(), await asked.best.fetchall()
        missions, _ = _recalled(known.missions, open_)
        missions.update({row[0]: (row[1], mission_of(row)) for row in await asked.stale.fetchall()})
        needs, stale = _recalled(known.needs, best)
        if stale:
            read = await read_needs(connection, stale)
            needs.update({row[0]: (row[-1], need_of(row)) for row in await read.fetchall()})
        # What is gone since it was listed is not there to be decided about.
        return Versioned(
            missions={id_: missions[id_] for id_, _ in open_ if id_ in missions},
            needs={id_: needs[id_] for id_, _ in best if id_ in needs},
        )


async def read_needs(
    connection: AsyncConnection[Any], ids: Sequence[str]
) -> AsyncCursor[tuple[Any, ...]]:
    """Open needs in full, for `need_of`. Binary: times and arrays take a third of the time."""
    asked = {"ids": list(ids), "trusted": TRUSTED_FROM}
    return await connection.execute(statements("needs")["whole"], asked, binary=True)


def _recalled(
    known: Mapping[str, tuple[V, T]], heads: Sequence[tuple[str, V]]
) -> tuple[dict[str, tuple[V, T]], list[str]]:
    """What is known in the version that the heads name, and the ids of the rest."""
    found = {id_: known[id_] for id_, version in heads if id_ in known and known[id_][0] == version}
    return found, [id_ for id_, _ in heads if id_ not in found]


def need_of(row: tuple[Any, ...]) -> Need:
    """A need from the columns that `needs.whole` selects."""
    return Need(
        id=row[0], title=row[1], body=row[2], mission_class=row[3], repo=row[4],
        paths=tuple(row[5]), rule=row[6], risk=Risk(row[7]), value=row[8], cost=row[9],
        confidence=row[10], citations=row[11], cited=row[12], external=row[13], signals=row[14],
        heat=row[15], rank=row[16], first_seen=row[17], last_seen=row[18],
        state=NeedState(row[19]), not_before=row[20], rounds=row[21], own_rounds=row[22],
        origins=tuple(row[23]),
        # Null in a row that an older release wrote.
        heard=row[11] if row[24] is None else row[24], anchored=bool(row[25]),
    )  # fmt: skip


def mission_of(row: tuple[Any, ...]) -> Mission:
    """A mission from the columns that `missions.load` selects."""
    contract, standing, facts, approvals, asked, orders, verdicts, sources, cited = row[18:27]
    return Mission(
        id=row[0], version=row[2], need=row[3], kind=MissionKind(row[4]), parent=row[5],
        depth=row[6], mission_class=row[7], risk=Risk(row[8]), repo=row[9], title=row[10],
        body=row[11], rule=row[12], agent=row[13], freeze=row[14], opened_at=row[15],
        reserved=row[16], cause=row[17],
        contract=shapes.contract_adapter().validate_json(contract),
        standing=shapes.standing_adapter().validate_json(standing) if standing else None,
        facts=shapes.read_facts(facts),
        approvals=shapes.approvals_adapter().validate_json(approvals or "[]"),
        asked=shapes.asked_adapter().validate_json(asked or "[]"),
        orders=shapes.open_orders_adapter().validate_json(orders or "[]"),
        verdicts=shapes.verdicts_adapter().validate_json(verdicts or "[]"),
        sources=tuple(sources or ()),
        cited=shapes.cited_adapter().validate_json(cited or "[]"),
    )  # fmt: skip


def swarm_row(found: tuple[Any, ...], specs: Specs) -> SwarmRow:
    """The swarm from the columns that `tick.take` selects. Raises SpecUnreadable."""
    spec = specs.read(found[0], found[3], found[4])
    try:
        held_to = profile_of(spec.domains, json.loads(found[13])).thresholds
    except UnknownProfile as error:
        raise SpecUnreadable(f"{found[0]}: {error.message}") from None
    return SwarmRow(
        id=found[0], namespace=found[1], name=found[2], generation=found[3], spec=spec,
        policy_hash=found[5], shadow=found[6], deleted=found[7], due_at=found[8],
        status=json.loads(found[9]), trail_seq=found[10], trail_hash=found[11], now=found[12],
        held_to=held_to,
    )  # fmt: skip


def window_of(now: datetime, window: timedelta) -> tuple[datetime, datetime]:
    """Start and end of the budget window that holds `now`."""
    start = _EPOCH + ((now - _EPOCH) // window) * window
    return start, start + window


def _window(row: SwarmRow, terms: BudgetTerms | None) -> dict[str, Any] | None:
    if terms is None:
        return None
    start, end = window_of(row.now, terms.window)
    return {"namespace": row.namespace, "name": terms.name, "start": start, "end": end}


async def _money(
    connection: AsyncConnection[Any], row: SwarmRow, terms: BudgetTerms | None, asked: Asked
) -> tuple[Any, ...] | None:
    """The row of the budget's present window, which is opened where nobody did yet."""
    if terms is None or asked.budget is None:
        return None
    money = await asked.budget.fetchone()
    window = _window(row, terms)
    ends = window["end"] if window else None
    if money is not None and (money[1], money[4]) == (terms.cap, ends):
        return money
    await connection.execute(statements("tick")["budget"], {**(window or {}), "cap": terms.cap})
    return await (await connection.execute(statements("tick")["read_budget"], window)).fetchone()


def _budget_of(terms: BudgetTerms | None, row: tuple[Any, ...] | None) -> Budget | None:
    if terms is None or row is None:
        return None
    _, cap, reserved, spent, ends = row
    return Budget(
        name=terms.name, cap=cap, reserved=reserved, spent=spent, window_ends=ends,
        when_spent=terms.when_spent,
    )  # fmt: skip
