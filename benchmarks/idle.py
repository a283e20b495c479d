"""What a quiet swarm costs: transactions, rows written, processor time of controller and server.

    python benchmarks/idle.py            three minutes
    python benchmarks/idle.py --quick    one minute

The real controller, wired as `up` does it with all its keepers and two sources that are read every
30 seconds and say nothing new, waits on a swarm with some needs that policy does not allow.
Counted by the server itself, after a minute in which everything may settle.
"""

import argparse
import asyncio
import logging
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import structlog
from stand import Stand, head, manifest, row, run, stand

from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.contract.swarm import SwarmObject
from swarm.core.ids import signal_id
from swarm.core.nouns import Signal
from swarm.ports.sources import Reading
from swarm.runtime.controller import Controller
from swarm.runtime.home import Home
from swarm.runtime.settings import load
from swarm.runtime.wiring import wire
from swarm.testing.repository import ScratchRepository

TOLD_AFTER = 11  #: seconds; a session that fell idle tells its counters ten seconds later
COUNTERS = """
select xact_commit + xact_rollback, tup_inserted + tup_updated + tup_deleted,
       (select pg_current_wal_insert_lsn() - '0/0'::pg_lsn)
from pg_stat_database where datname = current_database()
"""


async def counted(stood: Stand) -> tuple[int, int, int]:
    """Transactions, rows written and bytes of write-ahead log so far."""
    await asyncio.sleep(TOLD_AFTER)
    transactions, written, wal = (await stood.sql(COUNTERS))[0]
    return int(str(transactions)), int(str(written)), int(float(str(wal)))


def server_seconds(backend: int) -> float:
    """Processor time so far of the server that this backend belongs to, all processes."""
    server = psutil.Process(backend).parent()
    assert server is not None
    family = [server, *server.children()]
    return sum(sum(process.cpu_times()[:4]) for process in family)


def spent(of_whom: int = resource.RUSAGE_SELF) -> float:
    """Processor seconds so far of this process, or of its ended children."""
    usage = resource.getrusage(of_whom)
    return usage.ru_utime + usage.ru_stime


SETTINGS = """
[database]
url = "{dsn}"
[repositories."acme/shop"]
path = "{repo}"
[agents.tidy]
run = ["true"]
[sources.one]
kind = "command"
run = ["cat", "said.jsonl"]
workdir = "{folder}"
repo = "acme/shop"
mission_class = "docs"
every = "30s"
[sources.two]
kind = "command"
run = ["cat", "said.jsonl"]
workdir = "{folder}"
repo = "acme/shop"
mission_class = "docs"
every = "30s"
"""


def installation(stood: Stand, folder: Path) -> Home:
    """Two files and a repository in `folder`."""
    (folder / "said.jsonl").touch()
    ScratchRepository(folder / "shop").commit({"README": "shop"})
    home = Home(folder)
    home.file.write_text(SETTINGS.format(dsn=stood.dsn, repo=folder / "shop", folder=folder))
    home.make()
    return home


def listening() -> SwarmObject:
    """The stand's Swarm with both sources."""
    made = manifest().model_dump(mode="json", by_alias=True, exclude_none=True)
    made["spec"]["discovery"] = {"sources": [{"name": "one"}, {"name": "two"}]}
    return SwarmObject.model_validate(made)


def cited(swarm: str, number: int) -> Signal:
    return Signal(
        id=signal_id(swarm, "ruff", str(number)), source="ruff", external_id=str(number),
        title="unused import", body="", citation=f"src/m{number}.py:1@c", origin="ruff", author="",
        external=False, trust=0.9, observed_at=datetime.now(UTC), content_hash=str(number),
        mission_class="docs", repo="acme/shop", paths=(f"src/m{number}.py",), rule="F401",
    )  # fmt: skip


async def measure(*, seconds: int) -> None:
    head("A quiet swarm")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    # The vacuum's own transactions are not the product's, and come at any time.
    with tempfile.TemporaryDirectory(prefix="swarm-idle-") as folder:
        async with stand(autovacuum="off") as stood:
            await watch(stood, installation(stood, Path(folder)), seconds)


async def watch(stood: Stand, home: Home, seconds: int) -> None:
    """Let a controller stand idle for so long, and print what it cost."""
    signals = tuple(cited(stood.swarm, number) for number in range(200))
    await PostgresIntake(stood.database).ingest(
        stood.swarm, "ruff", Reading(signals=signals, cursor="1")
    )
    stop = asyncio.Event()
    await SwarmDesk(stood.database, "bench").apply(listening())
    parts = wire(load(home.file), home, stood.database, "bench")
    controller = Controller(
        parts.store, parts.hands, parts.binding_of, "bench",
        now=lambda: datetime.now(UTC), keepers=parts.keepers,
    )  # fmt: skip
    parts.on_news(controller.kick)
    task = asyncio.create_task(controller.run(stop))
    await asyncio.sleep(20 if seconds < 100 else 60)
    backend = int(str((await stood.sql("select pg_backend_pid()"))[0][0]))
    before, own, sources = await counted(stood), spent(), spent(resource.RUSAGE_CHILDREN)
    server, begun = server_seconds(backend), time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - begun
    server = server_seconds(backend) - server
    mine, sources = spent() - own, spent(resource.RUSAGE_CHILDREN) - sources
    after = await counted(stood)
    apart = time.monotonic() - begun
    # Reading the counters twice, each with its own transaction, is not the product's.
    transactions = after[0] - before[0] - 2
    row("transactions per minute and controller", "10", f"{transactions * 60 / apart:.1f}")
    row("write-ahead log", "0 bytes", f"{after[2] - before[2]:,} bytes", f"in {apart:.0f} s")
    row("rows written", "0", str(after[1] - before[1]))
    row(
        "processor, controller / server",
        "1 % of a core",
        f"{mine / took:.2%} / {server / took:.2%}",
    )
    row("processor of the sources' own commands", "", f"{sources / took:.2%}")
    stop.set()
    await task


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    run(lambda: measure(seconds=40 if given.quick else 120))
