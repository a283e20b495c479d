"""Failure semantics on the real controller and store, in a world that can be told to fail."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.bell import PostgresBell
from swarm.adapters.postgres.store.desk.freezes import FreezeDesk
from swarm.adapters.postgres.store.desk.look import Look
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.adapters.postgres.store.errors import ResumeRefused
from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.adapters.postgres.store.orders import PostgresOrders
from swarm.adapters.postgres.store.tick import PostgresTicks
from swarm.contract.swarm import SwarmObject
from swarm.core.evidence import RunEnded, RunResult
from swarm.core.ids import signal_id, swarm_id
from swarm.core.nouns import ResumeRule, Risk, Signal
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds
from swarm.core.snapshot import AgentBinding, Installation
from swarm.ports.reply import Later
from swarm.ports.sources import Reading
from swarm.ports.store import Binding, BudgetTerms
from swarm.runtime.controller import Controller, Store
from swarm.runtime.hands import Hands
from swarm.testing.world import World, WorldForge

REPO, TARGET = "acme/shop", "orders"
SWARM = swarm_id("default", "shop")
FAST = timedelta(milliseconds=100)


def manifest(freeze_duration="60m", pause="0s", domain="platform"):
    return SwarmObject.model_validate(
        {
            "apiVersion": "swarm.proompteng.ai/v1alpha1",
            "kind": "Swarm",
            "metadata": {"name": "shop"},
            "spec": {
                "owner": {"id": "alice", "channel": "swarm://owner/platform"},
                "domains": [domain],
                "objectives": ["fewer defects"],
                "mode": "lights-out",
                "risk": {"freezeDuration": freeze_duration},
                "delivery": {
                    "repoAllowlist": [REPO],
                    "requiredChecks": ["lint"],
                    "deploymentTargets": [TARGET],
                    "rollout": {
                        "steps": [
                            {"setWeight": 10, "pause": pause},
                            {"setWeight": 100, "pause": "0s"},
                        ]
                    },
                },
            },
        }
    )


def binding(_swarm, _spec):
    bound = Installation(
        checks=frozenset({"lint"}),
        targets=((TARGET, REPO),),
        agents=(AgentBinding(name="tidy"),),
        attests=frozenset({REPO}),
        canary=CanaryThresholds(look_every=FAST, max_hold=timedelta(seconds=60)),
        slo=SloThresholds(look_every=FAST, window=FAST, max_hold=timedelta(seconds=60)),
    )
    terms = BudgetTerms(name="default-budget", cap=10_000_000)
    return Binding(installation=bound, policy_hash="policy-1", budget=terms)


@asynccontextmanager
async def swarm_at_work(dsn, world, made=None, bind=None):
    hands = Hands(
        runs=world, checks=world, forge=WorldForge(world), attestations=world,
        targets=world, metrics=world, channel=world, pages=world, files=world,
    )  # fmt: skip
    async with Database(dsn) as database:
        await SwarmDesk(database, "alice").apply(made or manifest())
        store = Store(
            ticks=PostgresTicks(database),
            orders=PostgresOrders(database, "c1"),
            bell=PostgresBell(database),
        )
        stop = asyncio.Event()
        bind = bind or binding
        controller = Controller(store, hands, bind, "c1", now=lambda: datetime.now(UTC))
        task = asyncio.create_task(controller.run(stop))
        try:
            yield database
        finally:
            stop.set()
            await task


async def add_need(database, number=1):
    signals = tuple(
        Signal(
            id=signal_id(SWARM, source, str(number)),
            source=source,
            external_id=str(number),
            title=f"unused import in file {number}",
            body="",
            citation=f"src/file{number}.py:1@main0000",
            origin=source,
            author=source,
            external=False,
            trust=0.8,
            observed_at=datetime.now(UTC),
            content_hash=f"{source}-{number}",
            mission_class="tidy",
            repo=REPO,
            paths=(f"src/file{number}.py",),
            rule="F401",
            risk=Risk.R1,
        )
        for source in ("ruff", "reference-search")
    )
    await PostgresIntake(database).ingest(SWARM, "ruff", Reading(signals=signals, cursor="1"))


async def until(database, kind, ready, seconds=30.0):
    """Rows of a kind, once `ready(rows)` holds."""
    async with asyncio.timeout(seconds):
        while True:
            rows = await Look(database).rows(kind)
            if ready(rows):
                return rows
            await asyncio.sleep(0.02)


@pytest.mark.req("FAIL-1")
async def test_a_red_check_leads_to_exactly_three_fixes_then_degraded(database_dsn):
    world = World()
    world.red = {"lint"}
    async with swarm_at_work(database_dsn, world) as database:
        await add_need(database)
        (outcome, *_) = await until(database, "outcomes", lambda rows: rows)
        swarms = await until(
            database, "swarms", lambda rows: rows[0]["status"].get("phase") == "Degraded"
        )
    first = [key for key in world.journal if "/run/" in key and outcome["mission"] in key]
    assert sorted(key.rsplit("/", 1)[1] for key in first) == ["0", "1", "2", "3"]
    assert (outcome["outcome"], outcome["reason"]) == ("failed", "RetriesSpent")
    degraded = [c for c in swarms[0]["status"]["conditions"] if c["type"] == "Degraded"]
    assert degraded[0]["status"] == "True"
    assert not [key for key in world.journal if "/land/" in key]


class Ponderous(World):
    """Its checks go on until they are told to end; then they are green."""

    under_way = True

    async def check(self, order):
        if self.under_way:
            return Later(delay=FAST)
        return await super().check(order)


@pytest.mark.req("FAIL-6")
async def test_a_check_that_nobody_was_awake_to_ask_is_asked_before_it_is_judged(database_dsn):
    """The lid was closed, or everything was down, for longer than a check may be silent."""
    world = Ponderous()
    async with swarm_at_work(database_dsn, world) as database:
        await add_need(database)
        await until(
            database,
            "orders",
            lambda rows: [row for row in rows if row["kind"] == "run-check" and row["begun_at"]],
        )
        # As a machine that slept for two hours finds it; a controller ticks it behind this.
        async with database.connection() as connection, connection.transaction():
            await connection.execute("select from swarm for update")
            await connection.execute(
                "update decision set begun_at = begun_at - interval '2 hours',"
                " issued_at = issued_at - interval '2 hours', due_at = now() - interval '1 hour'"
                " where kind = 'run-check'"
            )
            await connection.execute(
                "update mission set revision = revision + 1, standing = jsonb_set(standing::jsonb,"
                " '{look_again}', to_jsonb(now() - interval '1 hour'))"
            )
            await connection.execute("update swarm set due_at = now() - interval '1 hour'")
        world.under_way = False
        (outcome, *_) = await until(database, "outcomes", lambda rows: rows)
    assert outcome["outcome"] == "delivered"
    assert sum("/run/" in key for key in world.journal) == 1


class Hostile(World):
    """Agents whose every patch breaks a rule of intake."""

    async def run(self, order):
        def refused(common):
            return RunEnded(
                **common, run=order.run, attempt=order.attempt, result=RunResult.REFUSED,
                violations=("GuardedPath: .github/workflows/ci.yml",),
            )  # fmt: skip

        return await self._once(order, refused)


@pytest.mark.req("FRZ-5")
@pytest.mark.parametrize(
    ("domain", "holds"), [("quant-strategy", [("*", "PolicyViolation")]), ("platform", [])]
)
async def test_one_violation_freezes_a_swarm_that_trades_and_another_goes_on(
    database_dsn, domain, holds
):
    made = manifest(domain=domain)
    async with swarm_at_work(database_dsn, Hostile(), made) as database:
        await add_need(database)
        (outcome,) = await until(database, "outcomes", lambda rows: rows)
        frozen = await Look(database).rows("freezes", state="open")
    assert (outcome["outcome"], outcome["reason"]) == ("refused", "ChangeRefused")
    assert [(one["mission_class"], one["reason"]) for one in frozen] == holds


@pytest.mark.slow
@pytest.mark.req("FRZ-2")
async def test_a_freeze_stops_promotion_within_a_second_and_lets_the_rollback_finish(database_dsn):
    world = World()
    async with swarm_at_work(database_dsn, world, manifest(pause="3s")) as database:
        await add_need(database)
        await until(
            database, "rollouts", lambda rows: [r for r in rows if r["step_kind"] == "traffic-set"]
        )
        await FreezeDesk(database, "alice").freeze(SWARM, "drill")
        frozen_at = datetime.now(UTC)
        world.bad_errors = 0.3
        outcomes = await until(
            database, "outcomes", lambda rows: [r for r in rows if r["kind"] == "deliver"]
        )
        outcome = next(row for row in outcomes if row["kind"] == "deliver")
        rollouts = await Look(database).rows("rollouts")
        orders = await Look(database).rows("orders")
    assert outcome["outcome"] == "rolled-back"
    late = [row for row in rollouts if row["at"] > frozen_at + timedelta(seconds=1)]
    assert not [row for row in late if row["step_kind"] in {"traffic-set", "promoted"}]
    begun = [row for row in orders if row["begun_at"] and row["forward"]]
    assert not [row for row in begun if row["begun_at"] > frozen_at + timedelta(seconds=1)]


@pytest.mark.slow
@pytest.mark.req("FRZ-3")
async def test_resume_refuses_until_the_window_and_the_requalification(database_dsn):
    world = World()
    world.delay = timedelta(milliseconds=300)
    async with swarm_at_work(database_dsn, world) as database:
        desk = FreezeDesk(database, "alice")
        await desk.freeze(SWARM, "drill", lasts=timedelta(seconds=2))
        with pytest.raises(ResumeRefused) as refused:
            await desk.resume(SWARM, "too early", rule=ResumeRule())
        assert "window" in refused.value.message
        assert "requalification" in refused.value.message
        lifted = await until(database, "freezes", lambda rows: rows[0]["lifted_at"] is not None)
        assert lifted[0]["requalified"]
        assert lifted[0]["lifted_at"] >= lifted[0]["until"]
        await add_need(database)
        outcomes = await until(
            database, "outcomes", lambda rows: [r for r in rows if r["kind"] == "deliver"]
        )
    outcome = next(row for row in outcomes if row["kind"] == "deliver")
    assert outcome["outcome"] == "delivered"


@pytest.mark.req("FAIL-3")
async def test_repeated_failure_of_a_class_freezes_that_class(database_dsn):
    world = World()
    world.red = {"lint"}
    async with swarm_at_work(database_dsn, world) as database:
        await add_need(database, 1)
        await add_need(database, 2)
        freezes = await until(
            database, "freezes", lambda rows: [r for r in rows if r["mission_class"] == "tidy"]
        )
    assert freezes[0]["reason"] == "RepeatedClassFailure"


class Exhausted(World):
    """A world whose agents have no quota for the first three tries."""

    async def run(self, order):
        self.asked[order.key] += 1
        if self.asked[order.key] <= 3:
            return Later(delay=FAST, reason="Quota", detail="429", capacity=True)
        return await super().run(order)


@pytest.mark.req("FAIL-6")
async def test_an_agent_without_quota_backs_off_and_counts_for_nothing(database_dsn):
    world = Exhausted()
    async with swarm_at_work(database_dsn, world) as database:
        await add_need(database)
        (outcome, *_) = await until(database, "outcomes", lambda rows: rows)
        freezes = await Look(database).rows("freezes")
    assert (outcome["outcome"], outcome["attempts"]) == ("delivered", 1)
    assert freezes == []


@pytest.mark.slow
@pytest.mark.req("API-7")
async def test_a_quiet_swarm_writes_nothing(database_dsn):
    """No row of any table is inserted, changed or removed while nothing happens."""
    world = World()

    async def written(connection):
        """Per table: how many rows, and the newest transaction that wrote one."""
        found = await connection.execute(
            "select tablename from pg_tables where schemaname not in"
            " ('pg_catalog', 'information_schema') order by 1"
        )
        state = {}
        for (table,) in await found.fetchall():
            rows = await connection.execute(
                f'select count(*), max(xmin::text::bigint) from "{table}"'
            )
            state[table] = await rows.fetchone()
        return state

    async with swarm_at_work(database_dsn, world) as database:
        await until(database, "swarms", lambda rows: rows[0]["status"].get("phase") == "Idle")
        await asyncio.sleep(3)
        before = await database.run(written)
        await asyncio.sleep(5)
        after = await database.run(written)
    assert after == before


@pytest.mark.slow
@pytest.mark.req("LOOP-11")
async def test_an_upgrade_in_mid_mission_binds_it_to_the_new_rules(database_dsn):
    """The old rules let R1 land by itself; the new ones ask. The mission is between the two."""
    world = World()
    world.delay = timedelta(seconds=1)
    async with swarm_at_work(database_dsn, world) as database:
        await add_need(database)
        await until(database, "runs", lambda rows: rows and rows[0]["result"] == "changed")

    def stricter(swarm, spec):
        old = binding(swarm, spec)
        asks = replace(old.installation, auto_execute=frozenset())
        return replace(old, installation=asks, policy_hash="policy-2")

    async with swarm_at_work(database_dsn, world, bind=stricter) as database:
        (mission,) = await until(
            database, "missions", lambda rows: [r for r in rows if r["reason"] == "ApprovalNeeded"]
        )
    assert mission["outcome"] == "open"
    assert not [key for key in world.journal if "/land/" in key]
    assert set(world.journal.values()) == {1}
