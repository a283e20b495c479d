"""The real controller on a real Postgres, in a world that answers at once."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.errors import DatabaseUnavailable
from swarm.adapters.postgres.store.bell import PostgresBell
from swarm.adapters.postgres.store.desk.histories import Histories
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.adapters.postgres.store.orders import PostgresOrders
from swarm.adapters.postgres.store.tick import PostgresTicks
from swarm.contract.swarm import SwarmObject
from swarm.core.history.check import check
from swarm.core.history.finding import Rule
from swarm.core.history.journal import Deed, Effect
from swarm.core.ids import mission_of, signal_id, swarm_id
from swarm.core.nouns import Risk, Signal
from swarm.core.rollout.thresholds import CanaryThresholds, SloThresholds
from swarm.core.snapshot import AgentBinding, Installation
from swarm.ports.sources import Reading
from swarm.ports.store import Binding, BudgetTerms
from swarm.runtime import act
from swarm.runtime.controller import Controller, Store
from swarm.runtime.events import Event
from swarm.runtime.hands import Hands
from swarm.testing.world import World, WorldForge

REPO, TARGET = "acme/shop", "orders"
SWARM = swarm_id("default", "shop")
FAST = timedelta(milliseconds=100)


def manifest(**delivery):
    return SwarmObject.model_validate(
        {
            "apiVersion": "swarm.proompteng.ai/v1alpha1",
            "kind": "Swarm",
            "metadata": {"name": "shop"},
            "spec": {
                "owner": {"id": "alice", "channel": "swarm://owner/platform"},
                "domains": ["platform"],
                "objectives": ["fewer defects"],
                "mode": "lights-out",
                "delivery": {
                    "repoAllowlist": [REPO],
                    "requiredChecks": ["lint"],
                    "deploymentTargets": [TARGET],
                    "rollout": {
                        "steps": [
                            {"setWeight": 10, "pause": "0s"},
                            {"setWeight": 100, "pause": "0s"},
                        ]
                    },
                    **delivery,
                },
            },
        }
    )


def binding(_swarm, _spec):
    fast = CanaryThresholds(look_every=FAST, max_hold=timedelta(seconds=30))
    slo = SloThresholds(look_every=FAST, window=FAST, max_hold=timedelta(seconds=30))
    bound = Installation(
        checks=frozenset({"lint"}),
        targets=((TARGET, REPO),),
        agents=(AgentBinding(name="tidy"),),
        attests=frozenset({REPO}),
        canary=fast,
        slo=slo,
    )
    terms = BudgetTerms(name="default-budget", cap=10_000_000)
    return Binding(installation=bound, policy_hash="policy-1", budget=terms)


def signal(number, source):
    return Signal(
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


class InVain(PostgresTicks):
    """Ticks that note when there was nothing to be had."""

    def __init__(self, database):
        super().__init__(database)
        self.times, self.found = asyncio.Queue(), asyncio.Event()

    async def tick(self, *asked, **more):
        tick = await super().tick(*asked, **more)
        if tick is None:
            self.times.put_nowait(asyncio.get_running_loop().time())
        else:
            self.found.set()
        return tick


class Away(PostgresTicks):
    """Ticks that cannot be asked once what is due."""

    away = True

    async def agenda(self):
        if self.away:
            self.away = False
            raise DatabaseUnavailable("the store is away")
        return await super().agenda()


class Unheard(PostgresOrders):
    """Orders of which the first that is done cannot be told."""

    unheard = False

    async def settle(self, *told):
        if not self.unheard:
            self.unheard = True
            raise DatabaseUnavailable("the store was away for just too long")
        await super().settle(*told)


@asynccontextmanager
async def running(dsn, world, name="c1", ticks=None, orders=PostgresOrders):
    hands = Hands(
        runs=world, checks=world, forge=WorldForge(world), attestations=world,
        targets=world, metrics=world, channel=world, pages=world, files=world,
    )  # fmt: skip
    async with Database(dsn) as database:
        store = Store(
            ticks=ticks(database) if ticks else PostgresTicks(database),
            orders=orders(database, name),
            bell=PostgresBell(database),
        )
        stop = asyncio.Event()
        controller = Controller(store, hands, binding, name, now=lambda: datetime.now(UTC))
        task = asyncio.create_task(controller.run(stop))
        try:
            yield database
        finally:
            stop.set()
            await task


async def add_need(database, number=1):
    intake = PostgresIntake(database)
    for source in ("ruff", "reference-search"):
        reading = Reading(signals=(signal(number, source),), cursor=f"{number}")
        await intake.ingest(SWARM, source, reading)


async def outcomes(database, count, seconds=20.0):
    """The outcomes once there are `count` of them."""

    async def read(connection):
        rows = await connection.execute("select outcome, reason from outcome order by at")
        return await rows.fetchall()

    async with asyncio.timeout(seconds):
        while True:
            found = await database.run(read)
            if len(found) >= count:
                return [tuple(row) for row in found]
            await asyncio.sleep(0.02)


@pytest.mark.req("LOOP-8")
async def test_a_need_becomes_a_delivered_mission(database_dsn):
    world = World()
    async with running(database_dsn, world) as database:
        await SwarmDesk(database, "alice").apply(manifest())
        await add_need(database)
        assert await outcomes(database, 1) == [("delivered", "Delivered")]
    assert set(world.journal.values()) == {1}
    assert world.main[REPO] == world.stable[TARGET]


@pytest.mark.req("FAIL-2")
async def test_a_bad_version_is_rolled_back_and_repaired_once(database_dsn):
    world = World()
    world.bad_errors = 0.3
    async with running(database_dsn, world) as database:
        await SwarmDesk(database, "alice").apply(manifest())
        await add_need(database)
        first = (await outcomes(database, 1))[0]
    assert first[0] == "rolled-back"
    assert world.stable[TARGET] == "main0000"


@pytest.mark.slow
@pytest.mark.req("OWN-4")
async def test_two_controllers_share_the_work_and_nothing_happens_twice(database_dsn):
    world = World()
    async with running(database_dsn, world, "c1") as database:
        await SwarmDesk(database, "alice").apply(manifest())
        async with running(database_dsn, world, "c2"):
            for number in range(4):
                await add_need(database, number)
            found = await outcomes(database, 4, seconds=60)
    assert [kind for kind, _ in found] == ["delivered"] * 4
    assert set(world.journal.values()) == {1}


@pytest.mark.slow
@pytest.mark.req("FAIL-2")
async def test_one_bad_version_is_one_rollback_however_many_look_at_it(database_dsn):
    """Three controllers look at it again and again; there is no second rollback."""
    world = World()
    world.bad_errors = 0.3
    async with running(database_dsn, world, "c1") as database:
        await SwarmDesk(database, "alice").apply(manifest())
        async with running(database_dsn, world, "c2"), running(database_dsn, world, "c3"):
            await add_need(database)
            assert (await outcomes(database, 1))[0][0] == "rolled-back"
            bell = PostgresBell(database)
            for _ in range(30):
                await bell.ring(SWARM)
    (bad,) = {mission_of(key) for key in world.journal if "/revert/" in key}
    verbs = Counter(key.split("/")[1] for key in world.journal if mission_of(key) == bad)
    assert set(world.journal.values()) == {1}
    assert (verbs["abort"], verbs["revert"]) == (1, 1)


# --- the past, judged ----------------------------------------------------------------------------

DEEDS = {
    "run-ended": (Deed.RUN, "", "run"),
    "landed": (Deed.LAND, "repo", "commit"),
    "synced": (Deed.SYNC, "target", "revision"),
    "traffic-set": (Deed.TRAFFIC, "target", ""),
    "promoted": (Deed.PROMOTE, "target", "revision"),
    "aborted": (Deed.ABORT, "target", "revision"),
    "reverted": (Deed.REVERT, "repo", "undone"),
}


def effects_of(world):
    """What the world's own journal says happened, as effects."""
    heads = {fact.repo: fact.commit for fact in world.facts.values() if fact.kind == "landed"}
    for key, fact in world.facts.items():
        if fact.kind not in DEEDS or (fact.kind == "landed" and not fact.landed):
            continue
        deed, where, subject = DEEDS[fact.kind]
        yield Effect(
            at=fact.at, deed=deed, mission=mission_of(key), key=key,
            where=getattr(fact, where) if where else "",
            subject=getattr(fact, subject) if subject else heads[REPO],
            step=getattr(fact, "step", 0),
        )  # fmt: skip


@pytest.mark.req("VAL-6", "OWN-3")
@pytest.mark.parametrize(("errors", "outcome"), [(0.0, "delivered"), (0.3, "rolled-back")])
async def test_what_postgres_kept_and_the_world_saw_break_no_promise(database_dsn, errors, outcome):
    """And the same history without one verdict does: the checker reads the real trail."""
    world = World()
    world.bad_errors = errors
    async with running(database_dsn, world) as database:
        await SwarmDesk(database, "alice").apply(manifest())
        await add_need(database)
        assert (await outcomes(database, 1))[0][0] == outcome
    async with Database(database_dsn) as database:
        histories = Histories(database)
        asked = datetime.now(UTC)
        bare = await histories.read(SWARM)
        assert abs(bare.until - asked) < timedelta(minutes=1), "what comes later was not read"
        history = await histories.with_effects(SWARM, bare, effects_of(world))
    assert history.until == bare.until
    texts = [text for one in history.entries for text in (one.chain, one.kind, *one.body)]
    assert len({id(text) for text in texts}) == len(set(texts)), "as is each text in it"
    judged = check(history)
    assert judged.violations == ()
    examined = {Rule.ONCE, Rule.GATES, Rule.FREEZE, Rule.RETRIES, Rule.MODE}
    assert examined <= set(judged.examined)
    assert judged.unjudged == {}, "the trail tells which policy each landing was decided under"
    assert all(effect.begun_at for effect in history.effects)
    doctored = [one for one in history.entries if one.body.get("gate") != "code_quality"]
    broken = check(replace(history, entries=tuple(doctored))).violations
    assert Rule.GATES in {one.rule for one in broken}
    risky = [replace(one, risk=3 if one.deed is Deed.LAND else None) for one in history.effects]
    broken = check(replace(history, effects=tuple(risky))).violations
    assert {one.rule for one in broken} == {Rule.RISK}, "lights-out, and R3 is allowed nowhere"


@pytest.mark.req("FAIL-6")
async def test_that_the_store_answers_again_is_told_before_the_next_poll(database_dsn):
    """Whoever reads the log would think it lost for as long as nothing is due."""

    def told():
        return [line["event"] for line in lines if line["event"].startswith("store.")]

    with structlog.testing.capture_logs() as lines:
        async with running(database_dsn, World(), ticks=Away), asyncio.timeout(5):
            while len(told()) < 2:  # noqa: ASYNC110 - a line in the log sets no event
                await asyncio.sleep(0.01)
    assert told() == [Event.STORE_LOST, Event.STORE_FOUND]


@pytest.mark.req("FAIL-6")
async def test_what_could_not_be_told_is_asked_again_at_once(database_dsn, monkeypatch):
    """One call gave up just before the store was back, and no other noticed that it was away.

    Nothing else would ask again: neither the lease nor who extends it comes round in this test.
    """
    monkeypatch.setattr(act, "LEASE", timedelta(hours=1))
    world = World()
    async with running(database_dsn, world, orders=Unheard) as database:
        await SwarmDesk(database, "alice").apply(manifest())
        await add_need(database)
        assert await outcomes(database, 1) == [("delivered", "Delivered")]
    assert set(world.journal.values()) == {1}


@pytest.mark.slow
@pytest.mark.req("LOOP-11")
async def test_who_finds_a_swarm_held_by_another_waits_for_it(database_dsn):
    """It does not ask again and again; and it ticks at last, though nobody rings any more."""
    made = []

    def ticks(database):
        made.append(InVain(database))
        return made[0]

    async with Database(database_dsn) as other, other.connection() as holder:
        await SwarmDesk(other, "test").apply(manifest())
        await holder.execute("begin")
        await holder.execute("select from swarm where id = %s for no key update", (SWARM,))
        async with running(database_dsn, World(), ticks=ticks), asyncio.timeout(15):
            await made[0].times.get()  # the listener's first hint is worth a second look
            second, third = await made[0].times.get(), await made[0].times.get()
            assert third - second > 0.9, "it asked again at once"
            await holder.execute("rollback")
            await made[0].found.wait()
