"""What the store's tests share: a swarm, needs in its backlog, and plans made by hand."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from swarm.adapters.postgres.store.bell import PostgresBell
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.adapters.postgres.store.orders import PostgresOrders
from swarm.adapters.postgres.store.tick import PostgresTicks
from swarm.contract.swarm import SwarmObject
from swarm.core.decision import OpenMission, Plan, RunCheck, StartRun
from swarm.core.evidence import CheckEnded, CheckResult, RunEnded, RunResult
from swarm.core.ids import evidence_id, mission_id, order_key, run_id
from swarm.core.nouns import Brief, MissionKind, Risk, ValidationContract
from swarm.core.snapshot import AgentBinding, Installation
from swarm.ports.store import Binding, BudgetTerms

MINUTE = timedelta(minutes=1)
CONTRACT = ValidationContract(
    checks=("lint",),
    targets=(),
    allowed_paths=("src",),
    error_increase=0.2,
    latency_increase=0.15,
    observe_for=10 * MINUTE,
    evidence_wanted=("check:lint",),
)


def manifest(name="orders", **spec) -> SwarmObject:
    return SwarmObject.model_validate(
        {
            "apiVersion": "swarm.proompteng.ai/v1alpha1",
            "kind": "Swarm",
            "metadata": {"name": name},
            "spec": {
                "owner": {"id": "platform-owner", "channel": "swarm://owner/platform"},
                "domains": ["platform-reliability"],
                "objectives": ["keep the order service fast"],
                "mode": "assisted",
                "delivery": {"repoAllowlist": ["orders"]},
                **spec,
            },
        }
    )


@dataclass
class Script:
    """A decide that does what the test says, and remembers what it was shown."""

    plans: list[Any] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)
    policy: str = "p1"
    budget: BudgetTerms | None = None
    installation: Installation = field(
        default_factory=lambda: Installation(agents=(AgentBinding(name="tidy"),))
    )

    def __call__(self, snapshot) -> Plan:
        self.seen.append(snapshot)
        if not self.plans:
            return nothing()
        made = self.plans.pop(0)
        return made(snapshot) if callable(made) else made

    def bind(self, _swarm, _spec) -> Binding:
        return Binding(installation=self.installation, policy_hash=self.policy, budget=self.budget)


def nothing(**given) -> Plan:
    empty = Plan(orders=(), records=(), standings=(), look_again=None, idle_reason="NothingToDo")
    return replace(empty, **given)


def opening(need: str, *, round_=0, reserve=0, at=None, **given) -> OpenMission:
    return replace(
        OpenMission(
            id=mission_id(need, round_), need=need, kind=MissionKind.DELIVER, parent=None, depth=0,
            mission_class="docs", risk=Risk.R1, repo="orders", title="Mend it", agent="tidy",
            contract=CONTRACT, reserve=reserve, rank_terms=(("value", 1.0),),
            at=at or datetime.now(UTC),
        ),
        **given,
    )  # fmt: skip


def start_run(mission: str, attempt=0, policy="p1", **given) -> StartRun:
    brief = Brief(
        run=run_id(mission, attempt), goal="g", facts=(), allowed_paths=("src",), checks=(), rule=""
    )
    return replace(
        StartRun(
            key=order_key(mission, "run", str(attempt)), mission=mission, mission_class="docs",
            policy_hash=policy, run=brief.run, attempt=attempt, agent="tidy", repo="orders",
            base="", onto="", brief=brief, deadline=30 * MINUTE,
        ),
        **given,
    )  # fmt: skip


def run_check(mission: str, commit="c1", check="lint", **given) -> RunCheck:
    return replace(
        RunCheck(
            key=order_key(mission, "check", commit, check), mission=mission, mission_class="docs",
            policy_hash="p1", forward=False, check=check, repo="orders", commit=commit, base="b",
            deadline=MINUTE,
        ),
        **given,
    )  # fmt: skip


def run_ended(order, cost=0, result=RunResult.FAILED) -> RunEnded:
    return RunEnded(
        id=evidence_id(order.key), at=datetime.now(UTC), run=order.run, attempt=order.attempt,
        result=result, cost=cost,
    )  # fmt: skip


def check_ended(order, result=CheckResult.GREEN) -> CheckEnded:
    return CheckEnded(
        id=evidence_id(order.key), at=datetime.now(UTC), check=order.check, commit=order.commit,
        result=result,
    )  # fmt: skip


@pytest.fixture
def make():
    """The builders of this file, by name: tests are no package and cannot import them."""

    class Make:
        pass

    for builder in (
        manifest, nothing, opening, start_run, run_check, run_ended, check_ended, Script,
    ):  # fmt: skip
        setattr(Make, builder.__name__, staticmethod(builder))
    Make.CONTRACT = CONTRACT
    return Make


class World:
    """A swarm on a fresh database, with its store."""

    def __init__(self, database) -> None:
        self.database = database
        self.ticks = PostgresTicks(database)
        self.orders = PostgresOrders(database, "controller-a")
        self.bell = PostgresBell(database)
        self.desk = SwarmDesk(database, "ann")
        self.script = Script()
        self.swarm = ""

    async def sql(self, text, *values):
        async with self.database.connection() as connection:
            found = await connection.execute(text, values or None)
            return await found.fetchall() if found.description else found.rowcount

    async def one(self, text, *values):
        return (await self.sql(text, *values))[0][0]

    async def need(self, id_="n-1", mission_class="docs", rank=1.0, swarm=None, **given):
        row = {
            "id": id_, "swarm": swarm or self.swarm, "rank": rank, "heat": 0.0, "confidence": 0.9,
            "value": 1.0, "cost": 1000, "first_seen": datetime.now(UTC),
            "last_seen": datetime.now(UTC), "signals": 1, "citations": 2, "risk": 1, "cited": True,
            "external": False, "mission_class": mission_class, "repo": "orders", "rule": "F401",
            "paths": ["src"], "origins": ["ruff"], "title": f"Need {id_}", "body": "text",
            **given,
        }  # fmt: skip
        names = ", ".join(row)
        marks = ", ".join(["%s"] * len(row))
        await self.sql(f"insert into need ({names}) values ({marks})", *row.values())
        await self.sql(
            "insert into tally (swarm, mission_class, open) values (%s, %s, 1)"
            " on conflict (swarm, mission_class) do update set open = tally.open + 1",
            row["swarm"], mission_class,
        )  # fmt: skip
        return id_

    async def tick(self, *plans, status_of=None):
        """One tick with these plans; rings first, so that the swarm is due."""
        self.script.plans = list(plans)
        await self.bell.ring(self.swarm)
        return await self.ticks.tick(self.script, self.script.bind, "controller-a", status_of)

    async def snapshot(self):
        await self.tick()
        return self.script.seen[-1]

    async def open_mission(self, need="n-1", *orders, **given):
        """A mission that is really open, with these orders (made from its id) issued."""
        if not await self.sql("select 1 from need where id = %s", need):
            await self.need(need)
        record = opening(need, **given)
        await self.tick(nothing(records=(record,)))
        if orders:
            await self.tick(nothing(orders=tuple(order(record.id) for order in orders)))
        return record.id


@pytest.fixture
async def world(database):
    world = World(database)
    world.swarm = (await world.desk.apply(manifest())).swarm
    return world
