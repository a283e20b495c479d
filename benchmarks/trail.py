"""The audit trail: appending events with the state they tell of, and verifying chains.

    python benchmarks/trail.py            about a minute
    python benchmarks/trail.py --quick

One append is a fact with its link: evidence, order, mission version, head and event, in one
transaction on a disk that syncs. Verification reads every event and every fact again, hashes both
and compares. Peer in the same run: the same events into a plain table without any chain.
"""

import argparse
import asyncio
import time
from datetime import UTC, datetime, timedelta

from stand import Stand, head, median, row, run, settle_memory, stand, yardstick
from transitions import fact_of

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.desk.trails import Trails
from swarm.adapters.postgres.store.orders import PostgresOrders
from swarm.core.trail import Event, Head, canonical, link, verify

LEASE = timedelta(seconds=60)


async def appended(stood: Stand, count: int, writers: int) -> float:
    """Facts per second by that many controllers' worth of writers, one fact per transaction."""
    await stood.issue(await stood.missions(writers * 4), count // (writers * 4))

    async def writer(number: int) -> float:
        async with Database(stood.dsn, size=1) as own:
            orders = PostgresOrders(own, f"w{number}")
            claims = await orders.claim(f"w{number}", count // writers, LEASE)
            ready = [(claim, fact_of(claim)) for claim in claims]
            await asyncio.sleep(0)
            begun = time.perf_counter()
            for claim, fact in ready:
                await orders.settle(claim, fact)
            return time.perf_counter() - begun

    took = await asyncio.gather(*(writer(number) for number in range(writers)))
    return count / max(took)


async def plain(stood: Stand, count: int) -> float:
    """The peer: one row per transaction into a table that proves nothing."""
    await stood.sql("create table if not exists plain_event (id bigint, body text)")
    body = canonical({"evidence": "e-0123456789", "kind": "check-ended", "sha256": "0" * 64})
    async with stood.database.connection() as connection:
        begun = time.perf_counter()
        for number in range(count):
            await connection.execute("insert into plain_event values (%s, %s)", (number, body))
        return count / (time.perf_counter() - begun)


def pure(count: int) -> float:
    """The hashing alone, without the database."""
    events, prev, at = [], b"", datetime.now(UTC)
    body = canonical({"evidence": "e-0123456789", "kind": "check-ended", "sha256": "0" * 64})
    for seq in range(1, count + 1):
        prev = link(prev, "m-1", seq, (at, "evidence.seen", "bench", body))
        events.append(
            Event(seq=seq, at=at, kind="evidence.seen", actor="bench", body=body, hash=prev)
        )
    begun = time.perf_counter()
    assert verify("m-1", events, Head(seq=count, hash=prev)) is None
    return count / (time.perf_counter() - begun)


async def measure(*, quick: bool) -> None:
    count = 800 if quick else 4_000
    head("The audit trail")
    async with stand() as stood:
        yard = await yardstick(stood)
        settle_memory()
        rounds = 1 if quick else 3
        one = [await appended(stood, count, 1) for _ in range(rounds)]
        four = [await appended(stood, count, 4) for _ in range(rounds)]
        bare = await plain(stood, count)
        # One writer that waits for the disk at every event cannot pass the plain insert beside it,
        # whatever it writes; only writers that share a commit can.
        row(
            "append with its state, one writer",
            "3,000/s",
            f"{median(one):,.0f}/s",
            f"{median(one) / bare:.0%} of the plain insert; a durable commit bounds both, "
            f"by {1 / yard.commit:,.0f}/s",
        )
        row("append with its state, four writers in one process", "", f"{median(four):,.0f}/s")
        row("peer: plain insert without a chain", "", f"{bare:,.0f}/s")
        missions = await stood.missions(1)
        await stood.issue(missions, count)
        orders = stood.orders()
        begun = time.perf_counter()
        for _ in range(count // 50):
            claims = await orders.claim("bench", 50, LEASE)
            await orders.settle_all([(claim, fact_of(claim)) for claim in claims])
        row(
            "append in batches of 50, claims included",
            "",
            f"{count / (time.perf_counter() - begun):,.0f}/s",
        )
        trails = Trails(stood.database)
        begun = time.perf_counter()
        verified = await trails.verify_all(stood.swarm)
        took = time.perf_counter() - begun
        assert not verified.faults
        row(
            "verify, events and facts from the database",
            "100,000/s",
            f"{verified.events / took:,.0f}/s",
            f"{verified.events:,} events in {verified.chains} chains",
        )
        row("verify, the chain itself, in memory", "", f"{pure(50_000):,.0f}/s")
        sizes = await stood.sql(
            "select pg_total_relation_size('trail') / (select count(*) from trail),"
            " pg_total_relation_size('evidence') / (select count(*) from evidence)"
        )
        row("bytes per event / per fact", "", f"{sizes[0][0]} / {sizes[0][1]}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    run(lambda: measure(quick=given.quick))
