"""A real store and the real core, with the outside answered by hand: what each incident needs."""

from datetime import UTC, datetime, timedelta

import pytest

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.bell import PostgresBell
from swarm.adapters.postgres.store.desk.look import Look
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.adapters.postgres.store.orders import PostgresOrders
from swarm.adapters.postgres.store.tick import PostgresTicks
from swarm.contract.swarm import SwarmObject
from swarm.core.decide import decide
from swarm.core.ids import signal_id
from swarm.core.nouns import Risk, Signal
from swarm.core.snapshot import AgentBinding, Installation
from swarm.ports.reply import Done, Later
from swarm.ports.sources import Reading
from swarm.ports.store import Binding, BudgetTerms
from swarm.runtime.hands import Hands
from swarm.runtime.status import status_of
from swarm.testing.world import World, WorldForge

REPO = "acme/shop"
LEASE = timedelta(seconds=15)


def manifest(name, **spec):
    return SwarmObject.model_validate(
        {
            "apiVersion": "swarm.proompteng.ai/v1alpha1",
            "kind": "Swarm",
            "metadata": {"name": name},
            "spec": {
                "owner": {"id": "alice", "channel": "swarm://owner/platform"},
                "domains": ["platform"],
                "objectives": ["fewer defects"],
                "mode": "lights-out",
                "delivery": {"repoAllowlist": [REPO], "requiredChecks": ["lint"]},
                **spec,
            },
        }
    )


def bind(_swarm, _spec):
    bound = Installation(checks=frozenset({"lint"}), agents=(AgentBinding(name="tidy"),))
    terms = BudgetTerms(name="default-budget", cap=10_000_000)
    return Binding(installation=bound, policy_hash="policy-1", budget=terms)


class Place:
    """One database with swarms in it, ticked by hand as a controller does."""

    def __init__(self, database):
        self.database = database
        self.ticks = PostgresTicks(database)
        self.orders = PostgresOrders(database, "c1")
        self.bell = PostgresBell(database)
        self.look = Look(database)
        self.bind = bind
        self.world = World()
        world = self.world
        self.hands = Hands(
            runs=world, checks=world, forge=WorldForge(world), attestations=world, targets=world,
            metrics=world, channel=world, pages=world, files=world,
        )  # fmt: skip

    async def apply(self, name, **spec):
        return (await SwarmDesk(self.database, "alice").apply(manifest(name, **spec))).swarm

    async def need(self, swarm, *numbers):
        for source in ("ruff", "reference-search"):
            signals = tuple(_signal(swarm, source, number) for number in numbers)
            await PostgresIntake(self.database).ingest(
                swarm, source, Reading(signals=signals, cursor=f"{numbers[-1]}")
            )

    async def tick(self):
        """Everything that is due now."""
        done = []
        while tick := await self.ticks.tick(decide, self.bind, "c1", status_of):
            done.append(tick)
            assert len(done) < 200, "a swarm wakes itself"
        return done

    async def work(self, instead=None):
        """Tick and carry out, until nothing more is due.

        instead: by kind of order, who carries it out; None for an answer is one that never came.
        """
        for _ in range(50):
            await self.tick()
            if not (claims := await self.claim(16)):
                return
            for claim in claims:
                await self.orders.begin(claim)
                carry_out = (instead or {}).get(claim.order.kind, self.hands.carry_out)
                match await carry_out(claim.order):
                    case Done(fact=fact):
                        await self.orders.settle(claim, fact)
                    case Later() as later:
                        await self.orders.postpone(claim, later)
        raise AssertionError("it never comes to rest")

    async def claim(self, limit):
        """What a controller would be given to carry out now."""
        return await self.orders.claim("c1", limit, LEASE)

    async def sql(self, statement, *values):
        async def tx(connection):
            await connection.execute(statement, values)

        await self.database.run(tx)

    async def status(self, name):
        (row,) = [row for row in await self.look.rows("swarms") if row["name"] == name]
        return row["status"]

    async def condition(self, name, kind):
        conditions = (await self.status(name))["conditions"]
        return next(one for one in conditions if one["type"] == kind)


def _signal(swarm, source, number):
    return Signal(
        id=signal_id(swarm, source, str(number)), source=source, external_id=str(number),
        title=f"unused import in file {number}", body="", citation=f"src/file{number}.py:1@main0",
        origin=source, author=source, external=False, trust=0.8, observed_at=datetime.now(UTC),
        content_hash=f"{source}-{number}", mission_class="tidy", repo=REPO,
        paths=(f"src/file{number}.py",), rule="F401", risk=Risk.R1,
    )  # fmt: skip


@pytest.fixture
async def place(database_dsn):
    async with Database(database_dsn) as database:
        yield Place(database)
