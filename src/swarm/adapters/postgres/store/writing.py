"""What one tick writes, gathered while its records are applied and flushed at its end.

Locks are taken in one order everywhere (swarm, orders, missions by id, needs by id, budgets,
tallies), so that a tick, a settling order and an ingest never wait for each other in a ring.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, AsyncCursor

from swarm.core.decision import Order, Record
from swarm.core.snapshot import Snapshot
from swarm.core.trail import EventKind

from . import shapes
from .chains import Chains
from .statements import statements


@dataclass(slots=True)
class MissionRow:
    """What a record needs to know about a locked mission."""

    id: str
    need: str | None
    kind: str
    mission_class: str
    budget: int | None
    reserved: int
    opened_at: datetime
    standing: str | None
    shadow: bool
    ended_at: datetime | None


@dataclass(slots=True)
class NeedRow:
    """What a record needs to know about a locked need. `state` follows what is written."""

    id: str
    state: str
    mission_class: str
    title: str
    body: str
    rule: str
    rounds: int
    own_rounds: int
    signals: int


@dataclass(slots=True)
class _Touch:
    versions: int = 0
    standing: str | None = None


@dataclass(slots=True)
class Writing:
    """One tick's writes on one connection.

    applied, refused: what became of the records.    issued: orders that are new.
    """

    connection: AsyncConnection[Any]
    snapshot: Snapshot
    chains: Chains
    budget_id: int | None
    missions: dict[str, MissionRow] = field(default_factory=dict)
    needs: dict[str, NeedRow] = field(default_factory=dict)
    applied: list[Record] = field(default_factory=list)
    refused: list[tuple[Record, str]] = field(default_factory=list)
    issued: list[Order] = field(default_factory=list)
    due: list[datetime] = field(default_factory=list)
    _touched: dict[str, _Touch] = field(default_factory=dict)
    _tally: Counter[str] = field(default_factory=Counter)

    @property
    def swarm(self) -> str:
        """The swarm's id."""
        return self.snapshot.swarm

    @property
    def now(self) -> datetime:
        """The tick's instant."""
        return self.snapshot.now

    async def lock(
        self, *, ending: Iterable[str], missions: Iterable[str], needs: Iterable[str]
    ) -> None:
        """Lock what the plan touches, in one round trip, and learn how it stands.

        ending: missions whose open orders are locked first: orders come before missions everywhere.
        """
        async with self.connection.pipeline():
            await self._ask("missions", "lock_orders", ending)
            heads = await self._ask("missions", "lock", set(missions) - {""})
            rows = await self._ask("needs", "lock", needs)
        for row in await heads.fetchall() if heads else ():
            self.missions[row[0]] = MissionRow(*row[:7], *row[9:])
            if not self.chains.knows(row[0]):
                self.chains.know(row[0], row[7], row[8])
        for row in await rows.fetchall() if rows else ():
            self.needs[row[0]] = NeedRow(*row)

    async def _ask(
        self, noun: str, name: str, ids: Iterable[str]
    ) -> AsyncCursor[tuple[Any, ...]] | None:
        wanted = sorted(set(ids))
        if not wanted:
            return None
        return await self.connection.execute(statements(noun)[name], {"ids": wanted})

    async def run(self, noun: str, name: str, **values: Any) -> int:
        """Execute one statement; how many rows it wrote."""
        return (await self.connection.execute(statements(noun)[name], values)).rowcount

    async def one(self, noun: str, name: str, **values: Any) -> Any:
        """The first column of the first row of one statement; None without a row."""
        row = await (await self.connection.execute(statements(noun)[name], values)).fetchone()
        return row[0] if row else None

    def tell(self, chain: str, kind: EventKind, body: dict[str, Any]) -> None:
        """Append an event to a mission's chain, or to the swarm's."""
        self.chains.add(chain, kind, body)

    def touch(self, mission: str, *, versions: int = 0) -> None:
        """Note that a mission changed; `versions` counts what decide has to think about again."""
        self._touched.setdefault(mission, _Touch()).versions += versions

    def stand(self, mission: str, standing: str) -> None:
        """Note where a mission stands."""
        self._touched.setdefault(mission, _Touch()).standing = standing

    async def move_need(
        self, need: str, state: str, reason: str = "", not_before: datetime | None = None
    ) -> None:
        """Write a need's state and keep the tally of open ones."""
        row = self.needs[need]
        await self.run(
            "needs", "state", id=need, state=state, at=self.now, reason=reason,
            not_before=not_before,
        )  # fmt: skip
        self.count_need(row, state)
        if state == "open" and not_before is not None:
            self.due.append(not_before)

    def count_need(self, row: NeedRow, state: str) -> None:
        """Keep the tally while a need goes to `state`."""
        self._tally[row.mission_class] += (state == "open") - (row.state == "open")
        row.state = state

    async def issue(self, orders: Iterable[Order]) -> None:
        """Write orders that are not there yet."""
        wanted = {order.key: order for order in orders}
        if not wanted:
            return
        rows = list(wanted.values())
        found = await self.connection.execute(
            statements("missions")["issue"],
            {
                "swarm": self.swarm,
                "at": self.now,
                "keys": [order.key for order in rows],
                "missions": [order.mission for order in rows],
                "classes": [order.mission_class for order in rows],
                "kinds": [order.kind for order in rows],
                "forwards": [order.forward for order in rows],
                "policies": [order.policy_hash for order in rows],
                "bodies": [shapes.dump(shapes.order_adapter(), order) for order in rows],
            },
        )
        new = {key for (key,) in await found.fetchall()}
        for order in rows:
            if order.key in new:
                self.issued.append(order)
                chain = order.mission if self.chains.knows(order.mission) else self.swarm
                body = {
                    "order": order.key, "kind": order.kind, "forward": order.forward,
                    "policy_hash": order.policy_hash,
                }  # fmt: skip
                self.tell(chain, EventKind.ORDER_ISSUED, body)

    async def flush(self) -> None:
        """Write trail, heads and tallies; nothing where nothing changed."""
        await self.chains.write(self.connection)
        for chain in self.chains.changed():
            if chain != self.swarm:
                self.touch(chain)
        await self._advance()
        changes = {name: change for name, change in sorted(self._tally.items()) if change}
        if changes:
            await self.run(
                "needs", "count", swarm=self.swarm, classes=list(changes),
                changes=list(changes.values()),
            )  # fmt: skip

    async def _advance(self) -> None:
        if not self._touched:
            return
        ids = sorted(self._touched)
        heads = [self.chains.head(id_) for id_ in ids]
        touches = [self._touched[id_] for id_ in ids]
        await self.run(
            "missions", "advance", ids=ids, seqs=[seq for seq, _ in heads],
            hashes=[digest for _, digest in heads],
            versions=[touch.versions for touch in touches],
            standings=[touch.standing for touch in touches],
        )  # fmt: skip
