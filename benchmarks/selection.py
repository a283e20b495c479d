"""Selecting from a large backlog: the store's part, and a whole tick that selects.

    python benchmarks/selection.py --quick      10,000 and 200,000 needs, a minute
    python benchmarks/selection.py              10,000 and 10,000,000 needs, ten minutes and 8 GB

Peers in the same run: the same question without a static rank (decay computed per row and sorted).
The backlog is made inside the server, with five classes and ranks as the ranking policy gives them.

A whole tick misses its 200 a second: on a quiet machine of two cores it came to 140, with 4.4 ms of
processor here and 4.6 in the server, one behind the other. It is eighteen statements; three fifths
of our part is what the driver and the loop take for each, and of the server's part 2 ms read the
thousand best needs. Two statements merged into others won 1 %.
"""

import argparse
import math
import random
import time

from stand import Stand, head, manifest, quantile, row, run, settle_memory, stand, yardstick

from swarm.adapters.postgres.store.candidates import NEEDS_READ, takeable
from swarm.adapters.postgres.store.statements import statements
from swarm.adapters.postgres.store.tick import PostgresTicks
from swarm.core.decide import decide
from swarm.core.decision import OpenMission
from swarm.core.snapshot import AgentBinding, Installation
from swarm.ports.store import Binding

CLASSES = 5
INSTALLATION = Installation(agents=(AgentBinding(name="tidy"),), max_missions=1)
ALLOWED = {"repo_allowlist": ["acme/shop"]}
SPEC = manifest().spec
SPEC = SPEC.model_copy(update={"delivery": SPEC.delivery.model_copy(update=ALLOWED)})
FILL = """
insert into need (id, swarm, rank, heat, confidence, value, cost, first_seen, last_seen, signals,
  citations, risk, cited, external, state, mission_class, repo, rule, paths, origins, heard,
  anchored, title, body)
select 'n-' || left(md5(i::text), 20), %(swarm)s,
       floor((ln(value) + ln(confidence) - ln(cost / 100000.0) - 0.5 * risk + heat) * 16) / 16,
       heat, confidence, value, cost, now(), now(), 1, 2, risk, true, false,
       case when i %% 10 < 7 then 'open' else 'done' end, 'class-' || i %% 5, 'acme/shop', 'F401',
       array['src/m' || i || '.py'], array['ruff', 'ast'], 2, true,
       '`os` imported but unused', ''
from (
  select i, exp(random() * 4 - 2) as value, 0.8 + random() * 0.2 as confidence,
         (10000 + random() * 900000)::bigint as cost, (random() * 3)::int as risk,
         300 + random() * 20 as heat
  from generate_series(%(first)s::int, %(last)s::int) i) drawn
"""
NAIVE = """
select id from need
where swarm = %s and state = 'open'
order by ln(value * confidence / cost) + heat
         - extract(epoch from now() - first_seen) / 28800.0 desc
limit 100
"""


async def fill(stood: Stand, first: int, last: int) -> None:
    step = 500_000
    for start in range(first, last, step):
        async with stood.database.connection() as connection:
            await connection.execute("set statement_timeout = 0")
            values = {"swarm": stood.swarm, "first": start, "last": min(start + step, last) - 1}
            await connection.execute(FILL, values)
            await connection.execute("reset statement_timeout")
    async with stood.database.connection() as connection:
        await connection.execute("set statement_timeout = 0")
        await connection.execute("vacuum analyze need")
        await connection.execute("truncate tally")
        await connection.execute(
            "insert into tally select swarm, mission_class, count(*) from need"
            " where state = 'open' group by 1, 2"
        )
        await connection.execute("reset statement_timeout")


async def top(stood: Stand, limit: int, rounds: int) -> list[float]:
    """Seconds per reading of the best needs of all classes with live biases."""
    times = []
    rng = random.Random(1)
    async with stood.database.connection() as connection:
        for _ in range(rounds):
            asked = takeable(stood.swarm, SPEC, INSTALLATION) | {"limit": limit}
            await connection.execute(
                "update learned set class_bias = jsonb_build_array(jsonb_build_array('class-1', "
                "%s::float8))", (rng.uniform(-1, 1),)
            )  # fmt: skip
            begun = time.perf_counter()
            found = await connection.execute(statements("needs")["best"], asked)
            assert len(await found.fetchall()) == limit
            times.append(time.perf_counter() - begun)
    return times


async def one_class(stood: Stand, rounds: int) -> list[float]:
    times = []
    async with stood.database.connection() as connection:
        for number in range(rounds):
            begun = time.perf_counter()
            found = await connection.execute(
                "select id, rank from need where swarm = %s and mission_class = %s and"
                " state = 'open' order by rank desc, id limit 100",
                (stood.swarm, f"class-{number % CLASSES}"),
            )
            assert len(await found.fetchall()) == 100
            times.append(time.perf_counter() - begun)
    return times


async def ticks(stood: Stand, rounds: int) -> tuple[list[float], str]:
    """Whole ticks of the real decide that selects one need and opens its mission."""
    store, times, spent = PostgresTicks(stood.database), [], await stood.spent()
    binding = Binding(installation=INSTALLATION, policy_hash="p1")
    await stood.sql(
        "update swarm set spec = jsonb_set(spec, '{delivery,repoAllowlist}', '[\"acme/shop\"]'),"
        " generation = generation + 1"
    )
    for _ in range(rounds):
        await stood.sql("insert into wake values (%s)", stood.swarm)
        with spent.more():
            begun = time.perf_counter()
            tick = await store.tick(decide, lambda *_: binding, "bench")
            times.append(time.perf_counter() - begun)
        assert tick is not None
        assert sum(isinstance(one, OpenMission) for one in tick.applied) == 1, tick.refused
        # Ended at once, so that each tick selects from the backlog and not among missions.
        await stood.sql("update mission set ended_at = now() where ended_at is null")
    return times, spent.note(rounds)


async def measure(*, quick: bool) -> None:
    head("Selection")
    async with stand(max_wal_size="4GB") as stood:
        await yardstick(stood)
        await stood.sql(
            "insert into learned values (%s, 1, now(), 'bench', '[[\"class-1\", 0.5]]', '[]')",
            stood.swarm,
        )
        await fill(stood, 0, math.ceil(10_000 / 0.7))
        settle_memory()
        times = await top(stood, NEEDS_READ, 200)
        row(
            f"top {NEEDS_READ}, as a tick reads them, 10,000 open needs",
            "",
            f"{quantile(times, 0.5) * 1e3:.2f} ms",
            f"dearest of a tick's 18 statements: {NEEDS_READ} rows from each of {CLASSES} classes",
        )
        times, spent = await ticks(stood, 60 if quick else 300)
        row(
            "a tick that selects, 10,000 open needs",
            "200/s",
            f"{1 / quantile(times, 0.5):,.0f}/s",
            f"p95 {quantile(times, 0.95) * 1e3:.1f} ms (goal 50 ms); {spent}",
        )
        size = 200_000 if quick else 10_000_000
        begun = time.perf_counter()
        await fill(stood, math.ceil(10_000 / 0.7), size)
        row(f"fill to {size:,} needs", "", f"{time.perf_counter() - begun:.0f} s")
        settle_memory()
        for name, times in (
            ("top 100 of one class", await one_class(stood, 400)),
            ("top 100 of five classes with live biases", await top(stood, 100, 400)),
            (f"top {NEEDS_READ}, as a tick reads them", await top(stood, NEEDS_READ, 200)),
        ):
            row(
                f"{name}, {size:,} needs",
                "p99 2 ms",
                f"{quantile(times, 0.5) * 1e3:.2f} ms",
                f"p99 {quantile(times, 0.99) * 1e3:.2f} ms",
            )
        times, spent = await ticks(stood, 60 if quick else 200)
        row(
            f"a tick that selects, {size:,} needs",
            "",
            f"{1 / quantile(times, 0.5):,.0f}/s",
            f"p95 {quantile(times, 0.95) * 1e3:.1f} ms; {spent}",
        )
        async with stood.database.connection() as connection:
            await connection.execute("set statement_timeout = 0")
            begun = time.perf_counter()
            await connection.execute(NAIVE, (stood.swarm,))
            row(
                "peer: decay computed per row and sorted",
                "",
                f"{(time.perf_counter() - begun) * 1e3:,.0f} ms",
            )
            await connection.execute("reset statement_timeout")
        sizes = await stood.sql(
            "select pg_total_relation_size('need') / (select count(*) from need)"
        )
        row(
            "bytes per need with its indexes",
            "",
            str(sizes[0][0]),
        )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    run(lambda: measure(quick=given.quick))
