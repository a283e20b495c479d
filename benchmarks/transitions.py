"""Durable mission transitions: claim an order, do nothing, keep its fact. Beside DBOS and others.

    python benchmarks/transitions.py            about three minutes
    python benchmarks/transitions.py --quick    less of everything, half a minute

A transition is everything that must survive: the order's lease and fence, the fact, the mission's
version, the link of its trail, and the wake-up of its swarm. The server syncs to disk. Peers run
in turns with ours on the same server: one durable step of a DBOS workflow, one procrastinate job.
"""

import argparse
import asyncio
import math
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from stand import Stand, head, median, quantile, row, run, settle_memory, stand, yardstick

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.bell import PostgresBell
from swarm.adapters.postgres.store.orders import PostgresOrders
from swarm.core.evidence import CheckEnded, CheckResult
from swarm.core.ids import evidence_id
from swarm.ports.store import Claim

LEASE = timedelta(seconds=60)
PEERS = Path(__file__).with_name("peers")


def fact_of(claim: Claim) -> CheckEnded:
    return CheckEnded(
        id=evidence_id(claim.order.key), at=datetime.now(UTC), check="lint", commit="c",
        result=CheckResult.GREEN, source="bench",
    )  # fmt: skip


async def one_by_one(orders: PostgresOrders, count: int) -> tuple[float, list[float]]:
    times = []
    begun = time.perf_counter()
    for _ in range(count):
        started = time.perf_counter()
        (claim,) = await orders.claim("bench", 1, LEASE)
        await orders.settle(claim, fact_of(claim))
        times.append(time.perf_counter() - started)
    return time.perf_counter() - begun, times


async def one_transaction_each(orders: PostgresOrders, count: int) -> float:
    """As a controller with sixteen hands works: it claims for all of them, and settles singly."""
    begun = time.perf_counter()
    for _ in range(count // 16):
        for claim in await orders.claim("bench", 16, LEASE):
            await orders.settle(claim, fact_of(claim))
    return time.perf_counter() - begun


async def side_by_side(stood: Stand, count: int, workers: int) -> float:
    """One controller with several orders in hand, as the real one works."""
    left = iter(range(count))
    orders = stood.orders()

    async def worker() -> None:
        for _ in left:
            claims = await orders.claim("bench", 1, LEASE)
            for claim in claims:
                await orders.settle(claim, fact_of(claim))

    begun = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(workers)))
    return time.perf_counter() - begun


async def batched(orders: PostgresOrders, count: int, size: int) -> float:
    begun = time.perf_counter()
    for _ in range(count // size):
        claims = await orders.claim("bench", size, LEASE)
        assert not await orders.settle_all([(claim, fact_of(claim)) for claim in claims])
    return time.perf_counter() - begun


async def event_to_claim(stood: Stand, rounds: int) -> list[float]:
    """From the ring of another process to the claim here, through LISTEN."""
    missions = await stood.missions(1)
    bell, orders = PostgresBell(stood.database), stood.orders()
    times = []
    async with Database(stood.dsn) as other:
        ringer = PostgresBell(other)
        heard = bell.listen()
        await anext(heard)
        for _ in range(rounds):
            await stood.issue(missions, 1)
            started = time.perf_counter()
            await asyncio.gather(ringer.ring(stood.swarm), anext(heard))
            (claim,) = await orders.claim("bench", 1, LEASE)
            times.append(time.perf_counter() - started)
            await orders.settle(claim, fact_of(claim))
    return times


def peer(name: str, dsn: str, count: int) -> float:
    """Transitions per second; no number when it does not run here."""
    done = subprocess.run(
        [sys.executable, str(PEERS / f"{name}_peer.py"), dsn, str(count)],
        check=False, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    if done.returncode:
        print(f"{name}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return math.nan
    return float(done.stdout.split()[-1])


def database_for(dsn: str, name: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    parts = psycopg.conninfo.conninfo_to_dict(dsn) | {"dbname": name}
    return psycopg.conninfo.make_conninfo(**parts)


async def measure(*, quick: bool) -> None:
    count = 500 if quick else 4_000
    rounds = 1 if quick else 3
    async with stand() as stood:
        head("Durable mission transitions")
        yard = await yardstick(stood)
        cost = await stood.spent()
        single, latencies, each, parallel, batch = [], [], [], [], []
        peers: dict[str, list[float]] = {"dbos": [], "procrastinate": []}
        names = {name: database_for(stood.dsn, f"peer_{name}") for name in peers}
        for _ in range(rounds):
            missions = await stood.missions(50)
            await stood.issue(missions, count // 50)
            settle_memory()
            took, times = await one_by_one(stood.orders(), count)
            single.append(count / took)
            latencies += times
            await stood.issue(missions, count // 50)
            with cost.more():
                each.append(count / await one_transaction_each(stood.orders(), count))
            await stood.issue(missions, count // 50)
            parallel.append(count / await side_by_side(stood, count, 6))
            await stood.issue(missions, 4 * count // 50)
            batch.append(4 * count / await batched(stood.orders(), 4 * count, 50))
            for name, found in peers.items():
                found.append(peer(name, names[name], 200 if quick else 600))
        row("one by one, a transaction each", "1,500/s", f"{median(each):,.0f}/s",
            f"claimed for sixteen hands; {cost.note(rounds * count)}; "
            f"a durable commit by itself {1 / yard.commit:,.0f}/s")  # fmt: skip
        row(
            "one by one, claimed singly as well: two transactions",
            "",
            f"{median(single):,.0f}/s",
            f"p50 {quantile(latencies, 0.5) * 1e3:.2f} ms, "
            f"p99 {quantile(latencies, 0.99) * 1e3:.2f} ms",
        )
        row("six orders in hand at once, claim + settle each", "", f"{median(parallel):,.0f}/s")
        row("batches of 50", "5,000/s", f"{median(batch):,.0f}/s")
        for name, found in peers.items():
            row(f"peer: {name}", "", f"{median(found):,.0f}/s", f"best {max(found):,.0f}/s")
        times = await event_to_claim(stood, 100 if quick else 400)
        row(
            "ring in another process to claim",
            "p50 5 ms",
            f"{quantile(times, 0.5) * 1e3:.2f} ms",
            f"p95 {quantile(times, 0.95) * 1e3:.2f} ms",
        )
        faults = await stood.sql("select count(*) from evidence")
        row("facts kept", "", str(faults[0][0]))


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    run(lambda: measure(quick=given.quick))
