"""Everything at once on one swarm: no lock ring, no lost count, no chain that breaks."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.desk.freezes import FreezeDesk
from swarm.adapters.postgres.store.desk.look import Look
from swarm.adapters.postgres.store.desk.people import People
from swarm.adapters.postgres.store.desk.trails import Trails
from swarm.adapters.postgres.store.errors import MissionEnded, StaleFence
from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.adapters.postgres.store.orders import PostgresOrders
from swarm.adapters.postgres.store.retain import retain
from swarm.adapters.postgres.store.tick import PostgresTicks
from swarm.core.decision import Settle
from swarm.core.ids import signal_id
from swarm.core.nouns import Outcome, OutcomeKind, Signal
from swarm.ports.reply import Later
from swarm.ports.sources import Reading
from swarm.ports.store import BudgetTerms

LEASE = timedelta(seconds=30)


class Storm:
    """Parties that work on one swarm until told to stop."""

    def __init__(self, world, make, dsn) -> None:
        self.world, self.make, self.dsn = world, make, dsn
        self.rng, self.done = random.Random(11), False
        self.did: dict[str, int] = {}

    def note(self, what: str) -> None:
        self.did[what] = self.did.get(what, 0) + 1

    def decide(self, snapshot):
        """Open what may be opened, ask for two things each, end what has both answers."""
        make, records, orders = self.make, [], []
        for mission in snapshot.missions:
            if len(mission.facts) >= 2:
                kind = self.rng.choice(
                    [OutcomeKind.DELIVERED, OutcomeKind.FAILED, OutcomeKind.REJECTED]
                )
                again = snapshot.now if kind is OutcomeKind.FAILED else None
                outcome = Outcome(
                    kind=kind, reason="X", detail="", at=snapshot.now, attempts=1, cost=1,
                    counts_as_failure=False,
                )  # fmt: skip
                done = kind is OutcomeKind.DELIVERED
                records.append(
                    Settle(mission=mission.id, outcome=outcome, need_done=done, retry_need_at=again)
                )
            else:
                orders += [make.start_run(mission.id), make.run_check(mission.id)]
        free = 12 - len(snapshot.missions)
        records += [
            make.opening(need.id, round_=need.rounds, reserve=3, at=snapshot.now)
            for need in snapshot.needs[: max(0, free)]
        ]
        return make.nothing(records=tuple(records), orders=tuple(orders))

    async def ticking(self, name):
        self.world.script.budget = BudgetTerms(name="default-budget", cap=10_000)
        async with Database(self.dsn, size=2) as database:
            ticks = PostgresTicks(database)
            while not self.done:
                tick = await ticks.tick(self.decide, self.world.script.bind, name)
                self.note("tick" if tick else "nothing to tick")
                if tick is None:
                    await self.world.bell.ring(self.world.swarm)

    async def acting(self, name):
        async with Database(self.dsn, size=2) as database:
            orders = PostgresOrders(database, name)
            while not self.done:
                claims = await orders.claim(name, 8, LEASE)
                if not claims:
                    await asyncio.sleep(0.005)
                    continue
                first, *rest = claims
                try:
                    await orders.begin(first)
                    later = Later(delay=timedelta(0), reason="Quota", capacity=True)
                    await orders.postpone(first, later)
                except StaleFence:
                    self.note("stale")
                await orders.settle_all([(claim, self._fact(claim)) for claim in rest])
                self.note("settled")

    def _fact(self, claim):
        order = claim.order
        if order.kind == "start-run":
            return replace(self.make.run_ended(order, cost=2), source="storm")
        return self.make.check_ended(order)

    async def reading(self, name):
        number = 0
        async with Database(self.dsn, size=1) as database:
            intake = PostgresIntake(database)
            while not self.done:
                signals = []
                for _ in range(40):
                    number += 1
                    path = f"src/{self.rng.randrange(60)}.py"
                    signals.append(self._said(name, number, path))
                await intake.ingest(
                    self.world.swarm, name, Reading(signals=tuple(signals), cursor=str(number))
                )
                self.note("reading")

    def _said(self, name, number, path):
        return Signal(
            id=signal_id(self.world.swarm, name, str(number)), source=name,
            external_id=str(number), title="t", body="", citation=path, origin=name, author="",
            external=False, trust=0.5, observed_at=datetime.now(UTC), content_hash="h",
            mission_class=self.rng.choice(["docs", "tidy"]), repo="orders", paths=(path,), rule="F",
        )  # fmt: skip

    async def meddling(self):
        people, look = People(self.world.database, "ann"), Look(self.world.database)
        freezes = FreezeDesk(self.world.database, "ann")
        while not self.done:
            open_ = await look.rows("missions", self.world.swarm, state="open")
            for row in open_[:1]:
                try:
                    await people.say(row["id"], "cancel", "just so")
                except MissionEnded:
                    self.note("too late")
            await freezes.freeze(self.world.swarm, "just so", mission_class="tidy", lasts=LEASE)
            await retain(self.world.database)
            self.note("meddled")
            await asyncio.sleep(0.05)


class ServerLog:
    """What the server writes from now on: tests before this one made rings of their own there."""

    def __init__(self, data_directory) -> None:
        self.file = Path(data_directory).parent / "log" / "postgres.log"
        self.began = self.file.stat().st_size

    def rings(self):
        """The lock rings told since: who waited for whom, and in which statement."""
        told = self.file.read_bytes()[self.began :].decode(errors="replace")
        return [part[:1500] for part in told.split("ERROR:  deadlock detected")[1:]]


@pytest.mark.slow
@pytest.mark.req("OWN-4", "LOOP-5", "FAIL-5", "VAL-6")
async def test_everything_at_once_makes_no_lock_ring_and_loses_nothing(world, make, database_dsn):
    log = ServerLog(await world.one("show data_directory"))
    storm = Storm(world, make, database_dsn)
    parties = [
        storm.ticking("c1"), storm.ticking("c2"), storm.acting("c1"), storm.acting("c2"),
        storm.reading("ruff"), storm.reading("pytest"), storm.meddling(),
    ]  # fmt: skip
    tasks = [asyncio.create_task(party) for party in parties]
    await asyncio.wait(tasks, timeout=12, return_when=asyncio.FIRST_EXCEPTION)
    storm.done = True
    await asyncio.gather(*tasks)
    assert min(storm.did[what] for what in ("tick", "settled", "reading", "meddled")) > 10
    rings = log.rings()
    assert not rings, "\n".join(rings)
    counted = await world.one("select sum(open)::int from tally")
    assert counted == await world.one("select count(*)::int from need where state = 'open'")
    taken = await world.one("select count(*)::int from need where state = 'taken'")
    assert taken == await world.one("select count(*)::int from mission where ended_at is null")
    assert await Look(world.database).accounts() == []
    verified = await Trails(world.database).verify_all(world.swarm)
    assert verified.faults == ()
    assert verified.events > 100
    said = await world.one("select sum(signals)::int from need")
    assert said == await world.one("select count(*)::int from signal")
