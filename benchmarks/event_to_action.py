"""From an event to the action that follows from it, through the real controller and decide.

    python benchmarks/event_to_action.py            two minutes
    python benchmarks/event_to_action.py --quick    without the load, one lost wake-up

Two events: a new signal until the agent is asked (two ticks: open the mission, send the agent), and
an answer of one port until the next port is asked (one tick: nine round trips, two of which wait
for the disk; the yardstick says what both cost now). Quiet: one swarm, one signal at a time. Under
load: eight swarms at work at once while a source brings 2,000 signals a second. Lost wake-ups: the
notification is never sent, so that the poll behind it has to find the event.

Quiet, 5 ms are met where a round trip takes .06 ms and a durable commit .16, as where the goal was
set: 4.2 ms. On two cores of half that speed they are missed by a third: 6.5 ms, of which round
trips and commits are 2, and the processor's work on both sides is the rest.
"""

import argparse
import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta

import structlog
from stand import (
    Stand,
    Yardstick,
    head,
    manifest,
    quantile,
    row,
    run,
    settle_memory,
    stand,
    yardstick,
)

from swarm.adapters.postgres.store import ingest
from swarm.adapters.postgres.store.bell import PostgresBell
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.adapters.postgres.store.orders import PostgresOrders
from swarm.adapters.postgres.store.tick import PostgresTicks
from swarm.contract.swarm import SwarmObject
from swarm.core.decision import Order
from swarm.core.ids import SwarmId, signal_id
from swarm.core.nouns import Signal
from swarm.core.snapshot import AgentBinding, Installation
from swarm.ports.reply import Reply
from swarm.ports.sources import Reading
from swarm.ports.store import Binding
from swarm.runtime.controller import Controller, Store
from swarm.runtime.hands import Hands
from swarm.testing.world import World, WorldForge

BOUND = Binding(
    installation=Installation(
        checks=frozenset({"lint"}), agents=(AgentBinding(name="tidy"),), max_missions=2
    ),
    policy_hash="p1",
)
OPEN = "select count(*) from mission where ended_at is null"
LOAD_RATE, LOAD_BATCH = 2_000, 100


class Timed(Hands):
    """The world's hands with a watch: when each order was asked for, and when it was answered."""

    async def carry_out(self, order: Order) -> Reply:
        asked = time.perf_counter()
        reply = await super().carry_out(order)
        MARKS[order.mission].append((asked, time.perf_counter()))
        FIRST.setdefault(order.mission, asked)
        if order.kind == "start-run":
            BEGUN.set()
        return reply


MARKS: dict[str, list[tuple[float, float]]] = defaultdict(list)
FIRST: dict[str, float] = {}
BEGUN = asyncio.Event()


def shop(name: str) -> SwarmObject:
    said = manifest(name).model_dump(by_alias=True, mode="json", exclude_none=True)
    said["spec"]["discovery"] = {"minCitations": 1, "minConfidence": 0.5}
    said["spec"]["delivery"] = {"repoAllowlist": [f"acme/{name}"], "requiredChecks": ["lint"]}
    return SwarmObject.model_validate(said)


def signal(swarm: str, name: str, number: int, rule: str = "F401") -> Signal:
    return Signal(
        id=signal_id(SwarmId(swarm), "ruff", f"{rule}-{number}"), source="ruff",
        external_id=f"{rule}-{number}", title="unused import", body="",
        citation=f"src/m{number}.py:1@c", origin="ruff", author="", external=False, trust=0.9,
        observed_at=datetime.now(UTC), content_hash=str(number), mission_class="docs",
        repo=f"acme/{name}", paths=(f"src/m{number}.py",), rule=rule,
    )  # fmt: skip


@asynccontextmanager
async def working(stood: Stand) -> AsyncIterator[PostgresIntake]:
    """A controller at work on the stand."""
    world = World()
    hands = Timed(
        runs=world, checks=world, forge=WorldForge(world), attestations=world,
        targets=world, metrics=world, channel=world, pages=world, files=world,
    )  # fmt: skip
    store = Store(
        ticks=PostgresTicks(stood.database),
        orders=PostgresOrders(stood.database, "bench"),
        bell=PostgresBell(stood.database),
    )
    stop = asyncio.Event()
    controller = Controller(store, hands, lambda *_: BOUND, "bench", now=lambda: datetime.now(UTC))
    task = asyncio.create_task(controller.run(stop))
    try:
        yield PostgresIntake(stood.database)
    finally:
        stop.set()
        await task


async def first_call(intake: PostgresIntake, swarm: str, name: str, number: int) -> float:
    """Seconds from handing a signal in until its agent is asked."""
    BEGUN.clear()
    begun = time.perf_counter()
    reading = Reading(signals=(signal(swarm, name, number),), cursor=str(number))
    await intake.ingest(SwarmId(swarm), "ruff", reading)
    await asyncio.wait_for(BEGUN.wait(), 30)
    return time.perf_counter() - begun


def between() -> list[float]:
    """Seconds from each answer until the next order of the same mission was asked for."""
    return [
        after[0] - before[1]
        for marks in MARKS.values()
        for before, after in zip(sorted(marks), sorted(marks)[1:], strict=False)
        if after[0] >= before[1]
    ]


async def idle(stood: Stand) -> None:
    """Until no mission is open."""
    async with asyncio.timeout(60):
        while (await stood.sql(OPEN))[0][0]:  # noqa: ASYNC110 - the store says it in rows
            await asyncio.sleep(0.02)


def tell(what: str, goal: str, seconds: list[float], why: str = "") -> None:
    spread = f"p95 {quantile(seconds, 0.95) * 1e3:.1f} ms, most {max(seconds) * 1e3:.1f} ms"
    found = f"p50 {quantile(seconds, 0.5) * 1e3:.1f} ms"
    row(what, goal, found, f"{spread}, n {len(seconds)}{why}")


async def quiet(stood: Stand, yard: Yardstick, swarm: str, rounds: int) -> None:
    spent = await stood.spent()
    async with working(stood) as intake:
        calls = []
        with spent.more():
            for number in range(rounds):
                calls.append(await first_call(intake, swarm, "quiet", number))
                await idle(stood)
    tell("quiet: a signal until the agent is asked", "", calls[5:])
    floor = (7 * yard.trip + 2 * yard.commit) * 1e3
    floor_note = f"; its nine round trips, two with a commit, take {floor:.1f} ms"
    tell("quiet: an answer until the next action", "p50 5 ms", between(), floor_note)
    actions = sum(map(len, MARKS.values()))
    row("  an action of these, from signals to outcomes", "", "", spent.note(actions))


async def loaded(stood: Stand, seconds: float) -> None:
    """Eight swarms that always have work, and a source that never stops."""
    swarms = [(await SwarmDesk(stood.database, "b").apply(shop(f"s{n}"))).swarm for n in range(8)]
    MARKS.clear()
    brought = 0
    async with working(stood) as intake:
        until = time.perf_counter() + seconds
        step = LOAD_BATCH / LOAD_RATE
        while (now := time.perf_counter()) < until:
            place = brought // LOAD_BATCH % 8
            batch = tuple(
                signal(swarms[place], f"s{place}", brought + offset, "E501")
                for offset in range(LOAD_BATCH)
            )
            await intake.ingest(swarms[place], "ruff", Reading(signals=batch, cursor=str(brought)))
            brought += LOAD_BATCH
            await asyncio.sleep(max(0.0, now + step - time.perf_counter()))
    tell("under load: an answer until the next action", "p95 1 s", between())
    done = (await stood.sql("select count(*) from outcome"))[0][0]
    row("load: signals brought / missions ended", "", f"{brought / seconds:,.0f}/s", f"{done}")


async def lost(stood: Stand, swarm: str, rounds: int) -> None:
    """A wake-up is a row; the notification that should announce it never comes."""
    waits = []
    async with working(stood) as intake:
        await idle(stood)
        for number in range(rounds):
            await asyncio.sleep(0.5 + number)  # the poll is somewhere in its pause
            with silence():
                waits.append(await first_call(intake, swarm, "quiet", 10_000 + number))
            await idle(stood)
    row("wake-ups lost: a signal until the agent is asked", "15 s", f"{max(waits):.1f} s",
        f"the longest of {rounds}; the poll comes every 15 s")  # fmt: skip


@contextmanager
def silence() -> Iterator[None]:
    """Whatever is brought meanwhile is stored, and its notification is lost on the way."""

    async def nothing(*_: object) -> None:
        return None

    kept, ingest.hint = ingest.hint, nothing
    try:
        yield
    finally:
        ingest.hint = kept


async def measure(*, quick: bool) -> None:
    head("From an event to an action")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    async with stand() as stood:
        yard = await yardstick(stood)
        swarm = (await SwarmDesk(stood.database, "bench").apply(shop("quiet"))).swarm
        settle_memory()
        await quiet(stood, yard, swarm, 40 if quick else 120)
        await lost(stood, swarm, 1 if quick else 3)
        if not quick:
            await loaded(stood, timedelta(seconds=40).total_seconds())


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    given = arguments.parse_args()
    run(lambda: measure(quick=given.quick))
