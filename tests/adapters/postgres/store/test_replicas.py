"""Controllers beside each other: they share the work, die and stall, and nothing happens twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.desk.trails import Trails
from swarm.adapters.postgres.store.tick import PostgresTicks
from swarm.ports.store import BudgetTerms

REPLICA = Path(__file__).parent / "replica.py"
LEASE = 0.5


def start(dsn, folder, name):
    return subprocess.Popen([sys.executable, str(REPLICA), dsn, str(folder), name, str(LEASE)])


def stop(process):
    if process.poll() is None:
        os.kill(process.pid, signal.SIGCONT)
        process.kill()
    process.wait()


async def issue(world, make, missions, orders, named="n"):
    ids = []
    for number in range(missions):
        need = await world.need(f"{named}-{number}")
        record = make.opening(need)
        await world.tick(make.nothing(records=(record,)))
        ids.append(record.id)
    plan = tuple(make.run_check(id_, f"c{number}") for id_ in ids for number in range(orders))
    await world.tick(make.nothing(orders=plan))
    return {order.key for order in plan}


OPEN = "select count(*) from decision where settled_at is null"
CONNECTIONS = "select count(*) from pg_stat_activity where datname = current_database()"


async def connected(world, wanted, patience=60):
    """Until so many are connected to this database."""
    deadline = asyncio.get_running_loop().time() + patience
    while await world.one(CONNECTIONS) < wanted:
        assert asyncio.get_running_loop().time() < deadline, "the replicas do not start"
        await asyncio.sleep(0.02)


async def all_settled(world, patience=60):
    deadline = asyncio.get_running_loop().time() + patience
    while await world.one(OPEN):
        assert asyncio.get_running_loop().time() < deadline, "the work stopped"
        await asyncio.sleep(0.05)


def lines(folder, kind):
    return [line for path in folder.glob(f"{kind}-*") for line in path.read_text().splitlines()]


@pytest.mark.req("OWN-4")
async def test_two_controllers_share_the_work_and_nothing_happens_twice(
    world, make, database_dsn, tmp_path
):
    before = await world.one(CONNECTIONS)
    replicas = [start(database_dsn, tmp_path, name) for name in ("a", "b")]
    try:
        await connected(world, before + 2)  # or one could be done before the other is there
        keys = await issue(world, make, 10, 30)
        await all_settled(world)
    finally:
        for replica in replicas:
            stop(replica)
    assert sorted(lines(tmp_path, "tries")) == sorted(keys), "each order was tried exactly once"
    assert await world.one("select count(*) from evidence") == len(keys)
    did = {
        source for (source,) in await world.sql("select distinct body ->> 'source' from evidence")
    }
    assert did == {"a", "b"}


@pytest.mark.slow
@pytest.mark.req("OWN-3", "OWN-4", "FAIL-6")
async def test_replicas_that_are_killed_and_frozen_lose_and_double_nothing(
    world, make, database_dsn, tmp_path
):
    """kill -9, and SIGSTOP for longer than the lease: the hard case, a holder that comes back."""
    rng = random.Random(5)
    keys = await issue(world, make, 12, 60)
    names = iter(f"r{number}" for number in range(1000))
    replicas = [start(database_dsn, tmp_path, next(names)) for _ in range(3)]
    kills = stalls = 0
    try:
        while kills + stalls < 6 or await world.one(OPEN):
            if kills + stalls < 6:  # there is always work to lose
                keys |= await issue(world, make, 4, 30, f"more-{kills + stalls}")
            await asyncio.sleep(rng.uniform(0.05, 0.2))
            place = rng.randrange(3)
            if rng.random() < 0.5:
                replicas[place].kill()
                replicas[place].wait()
                replicas[place] = start(database_dsn, tmp_path, next(names))
                kills += 1
            else:
                os.kill(replicas[place].pid, signal.SIGSTOP)
                await asyncio.sleep(LEASE * 1.6)
                os.kill(replicas[place].pid, signal.SIGCONT)
                stalls += 1
            assert kills + stalls < 300, "the work stopped"
    finally:
        for replica in replicas:
            stop(replica)
    made = {path.name for path in tmp_path.iterdir() if path.name.startswith("m-")}
    assert made == {key.replace("/", "_") for key in keys}
    assert await world.one("select count(*) from evidence") == len(keys)
    versions = await world.one("select sum(version)::int from mission")
    assert versions == len(keys), "each fact advanced its mission once"
    seen = await world.one("select count(*) from trail where kind = 'evidence.seen'")
    assert seen == len(keys)
    assert (await Trails(world.database).verify_all(world.swarm)).faults == ()


@pytest.mark.req("OWN-4", "LOOP-5")
async def test_controllers_that_tick_one_swarm_at_once_decide_one_after_another(
    world, make, database_dsn
):
    """Eight of them; each opens the best need it is shown. Were two shown the same backlog, the
    later one's opening would be refused."""
    for number in range(30):
        await world.need(f"n-{number:02}", rank=float(number))

    def open_best(snapshot):
        records = tuple(make.opening(need.id) for need in snapshot.needs[:1])
        return make.nothing(records=records)

    async def controller(number):
        opened = 0
        async with Database(database_dsn, size=1) as own:
            ticks = PostgresTicks(own)
            for _ in range(10):
                await world.bell.ring(world.swarm)
                tick = await ticks.tick(open_best, world.script.bind, f"c{number}")
                opened += len(tick.applied) if tick else 0
                assert not (tick and tick.refused)
        return opened

    opened = await asyncio.gather(*(controller(number) for number in range(8)))
    assert sum(opened) == await world.one("select count(*) from mission")
    assert await world.one("select count(distinct need) from mission") == sum(opened)


@pytest.mark.slow
@pytest.mark.req("FAIL-5")
async def test_eight_swarms_on_one_budget_stop_exactly_at_its_cap(world, make, database_dsn):
    """Each reserves 7 of 1,000 as often as it can: 142 missions, not one more."""
    terms = BudgetTerms(name="default-budget", cap=1_000)
    names = [make.manifest(f"swarm-{number}") for number in range(7)]
    swarms = [world.swarm, *[(await world.desk.apply(name)).swarm for name in names]]
    for swarm in swarms:
        for number in range(25):
            await world.need(f"n-{swarm[-4:]}-{number}", swarm=swarm)

    def greedy(snapshot):
        # Deliberately blind to snapshot.budget: the store alone must hold the line.
        records = tuple(make.opening(need.id, reserve=7) for need in snapshot.needs[:5])
        return make.nothing(records=records)

    world.script.budget = terms

    async def controller(number):
        async with Database(database_dsn, size=1) as own:
            ticks = PostgresTicks(own)
            for _ in range(12):
                for swarm in swarms:
                    await world.bell.ring(swarm)
                while await ticks.tick(greedy, world.script.bind, f"c{number}"):
                    pass

    await asyncio.gather(*(controller(number) for number in range(8)))
    ((cap, reserved, spent),) = await world.sql("select cap, reserved, spent from budget")
    assert (cap, reserved, spent) == (1_000, 994, 0)
    assert await world.one("select count(*) from mission") == 142
    assert await world.one("select sum(amount)::int from ledger where kind = 'reserve'") == 994


@pytest.mark.slow
@pytest.mark.req("OWN-4")
async def test_an_order_of_a_dead_replica_is_taken_over_when_its_lease_ends(
    world, make, database_dsn, tmp_path
):
    await issue(world, make, 1, 1)
    (claim,) = await world.orders.claim("dead", 1, timedelta(seconds=1))
    replica = start(database_dsn, tmp_path, "heir")
    try:
        await all_settled(world, 20)
    finally:
        stop(replica)
    settled = await world.one("select settled_at from decision")
    assert settled - claim.issued_at > timedelta(seconds=0.9)
    assert datetime.now(UTC) - settled < timedelta(seconds=15)
