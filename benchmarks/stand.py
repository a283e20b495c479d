"""The test stand of the store's benchmarks: a durable server of its own, and one table style."""

import asyncio
import gc
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.migrate import migrate
from swarm.adapters.postgres.server import EmbeddedServer
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.adapters.postgres.store.orders import PostgresOrders
from swarm.adapters.postgres.store.tick import PostgresTicks
from swarm.contract.swarm import SwarmObject
from swarm.core.decision import OpenMission, Plan, RunCheck
from swarm.core.ids import mission_id, order_key
from swarm.core.nouns import MissionKind, Risk, ValidationContract
from swarm.core.snapshot import Installation
from swarm.ports.sources import Reading
from swarm.ports.store import Binding

CONTRACT = ValidationContract(
    checks=("lint",),
    targets=(),
    allowed_paths=("src",),
    error_increase=0.2,
    latency_increase=0.15,
    observe_for=timedelta(minutes=10),
    evidence_wanted=("check:lint",),
)
BINDING = Binding(installation=Installation(), policy_hash="p1")


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def head(title: str) -> None:
    cores = len(os.sched_getaffinity(0))
    print(f"\n{title}   ({cores} cores, load {load()} at the beginning)")
    print(f"{'what':<58} {'goal':>12} {'found':>14}   note")


def row(what: str, goal: str, found: str, note: str = "") -> None:
    print(f"{what:<58} {goal:>12} {found:>14}   {note}  [load {load()}]", flush=True)


def missed(found: float, most: float) -> str:
    """For a note: by how much a goal is missed, or nothing. Why is what the table begins with."""
    return f", MISSED by {found / most - 1:.1%}: see above" if found > most else ""


def fell_short(found: float, least: float) -> str:
    """The same for a goal that is at least to be reached."""
    return f", MISSED by {1 - found / least:.1%}: see above" if found < least else ""


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, round(share * (len(values) - 1)))]


def per_second(count: int, seconds: float) -> str:
    return f"{count / seconds:,.0f}/s"


@dataclass(slots=True)
class Spent:
    """Processor time of some work, seconds: what it costs on a machine where nothing else waits.

    What one caller does in turns takes at least the sum, whatever the disk; the rest of a time
    that was measured is waiting, for the disk and for others on a machine that is shared.
    """

    postmaster: int
    here: float = 0.0
    server: float = 0.0

    @contextmanager
    def more(self) -> Iterator[None]:
        """Count what happens inside as well."""
        here, there = time.process_time(), self._sessions()
        try:
            yield
        finally:
            self.here += time.process_time() - here
            spent = (now - there.get(id_, 0) for id_, now in self._sessions().items())
            self.server += sum(spent) / 1e9

    def note(self, count: int, of: int = 1) -> str:
        """What one of so many operations took, and how many `of` it there were at that price."""
        here, server = self.here / count, self.server / count
        bound = per_second(of, here + server)
        spent = f"processor {here * 1e3:.2f} ms here + {server * 1e3:.2f} ms in the server each"
        return f"{spent}, in turns {bound}"

    def _sessions(self) -> dict[str, int]:
        """Nanoseconds so far of each process that is there; what ends meanwhile is not counted."""
        children = Path(f"/proc/{self.postmaster}/task/{self.postmaster}/children").read_text()
        files = {child: Path(f"/proc/{child}/schedstat") for child in children.split()}
        return {child: int(file.read_text().split()[0]) for child, file in files.items()}


@dataclass
class Stand:
    """A server that keeps every promise (fsync on, on a disk), with one Swarm on it."""

    dsn: str
    database: Database
    swarm: str = ""

    async def sql(self, text: str, *values: object) -> list[tuple[object, ...]]:
        async with self.database.connection() as connection:
            found = await connection.execute(text.encode(), values or None)
            return await found.fetchall() if found.description else []

    async def settle(self) -> None:
        """Let what was filled in be as if it had been there for long: nobody tidies up after it.

        And take the benchmark's own data out of the collector's sight: it is not the product's.
        """
        await self.sql("vacuum (analyze)")
        settle_memory()

    async def spent(self) -> Spent:
        """A meter of processor time, of this process and of the server's."""
        ((session,),) = await self.sql("select pg_backend_pid()")
        status = Path(f"/proc/{session}/status").read_text()  # noqa: ASYNC240 - kept in memory
        return Spent(int(status.split("PPid:")[1].split()[0]))

    async def missions(self, count: int) -> list[str]:
        """That many open missions, opened by one tick."""
        now = datetime.now(UTC)
        records = tuple(
            OpenMission(
                id=mission_id(f"bench-{time.monotonic_ns()}", number), need=None,
                kind=MissionKind.DELIVER, parent=None, depth=0, mission_class="docs",
                risk=Risk.R1, repo="orders", title="t", agent="tidy", contract=CONTRACT,
                reserve=0, rank_terms=(), at=now,
            )
            for number in range(count)
        )  # fmt: skip
        await self.tick(plan(records=records))
        return [record.id for record in records]

    async def issue(self, missions: Iterable[str], each: int) -> None:
        """That many orders for each mission, issued by one tick per 5,000."""
        orders = [
            RunCheck(
                key=order_key(mission, "check", f"{time.monotonic_ns()}", str(number)),
                mission=mission, mission_class="docs", policy_hash="p1", forward=True,
                check="lint", repo="orders", commit="c", base="b", deadline=timedelta(minutes=1),
            )
            for mission in missions
            for number in range(each)
        ]  # fmt: skip
        for start in range(0, len(orders), 5_000):
            await self.tick(plan(orders=tuple(orders[start : start + 5_000])))

    async def tick(self, made: Plan) -> None:
        await self.sql("insert into wake values (%s)", self.swarm)
        ticks = PostgresTicks(self.database)
        assert await ticks.tick(lambda _: made, lambda *_: BINDING, "bench")

    def orders(self) -> PostgresOrders:
        return PostgresOrders(self.database, "bench")


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What this machine gives at this moment, seconds: no figure is better than what it is made of.

    trip:   to the server and back.
    commit: that the disk has.
    """

    trip: float
    commit: float


async def yardstick(stood: Stand) -> Yardstick:
    """Measure it, and print it to read the other figures by."""
    async with stood.database.connection() as connection:
        trips, commits = [], []
        await connection.execute("create table if not exists yardstick (number int)")
        for number in range(400):
            begun = time.perf_counter()
            await connection.execute("select %s::int", (number,))
            trips.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            await connection.execute("insert into yardstick values (%s)", (number,))
            commits.append(time.perf_counter() - begun)
    begun = time.process_time()
    sum(number * number for number in range(300_000))
    spun = (time.process_time() - begun) / 0.3
    row(
        "yardstick: round trip / durable commit",
        "",
        f"{median(trips) * 1e6:.0f}/{median(commits) * 1e6:.0f} us",
        f"70/182 us where the goals were set; a million Python steps take {spun * 1e3:.0f} ms",
    )
    return Yardstick(median(trips), median(commits))


def plan(**given: object) -> Plan:
    empty: dict[str, object] = {
        "orders": (), "records": (), "standings": (), "look_again": None, "idle_reason": "",
    }  # fmt: skip
    return Plan(**{**empty, **given})


def manifest(name: str = "bench") -> SwarmObject:
    return SwarmObject.model_validate(
        {
            "apiVersion": "swarm.proompteng.ai/v1alpha1",
            "kind": "Swarm",
            "metadata": {"name": name},
            "spec": {
                "owner": {"id": "bench", "channel": "swarm://owner/bench"},
                "domains": ["bench"],
                "objectives": ["measure"],
                "mode": "lights-out",
            },
        }
    )


@asynccontextmanager
async def stand(**options: str) -> AsyncIterator[Stand]:
    """A server on the disk of /var/tmp, gone afterwards. options: server settings."""
    folder = Path(tempfile.mkdtemp(prefix="swarm-bench-", dir="/var/tmp"))
    folder.chmod(0o711)  # noqa: ASYNC240 - once, before anything is measured
    try:
        with EmbeddedServer(folder / "server", server_options=options) as server:
            migrate(server.dsn)
            async with Database(server.dsn) as database:
                made = Stand(server.dsn, database)
                made.swarm = (await SwarmDesk(database, "bench").apply(manifest())).swarm
                yield made
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def read_in(intake: PostgresIntake, swarm: str, readings: dict[str, Reading]) -> float:
    """Ingest the readings of these sources side by side; seconds."""
    begun = time.perf_counter()
    await asyncio.gather(*(intake.ingest(swarm, *of_one) for of_one in readings.items()))
    return time.perf_counter() - begun


def settle_memory() -> None:
    """Take the benchmark's own data out of the collector's sight: it is not the product's."""
    gc.collect()
    gc.freeze()


def run(main: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(main())  # type: ignore[arg-type]
