"""A database of the first schema, with a mission under way, goes on under the present one."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.migrate import migrate, read_migrations
from swarm.adapters.postgres.store.bell import PostgresBell
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.adapters.postgres.store.ingest import PostgresIntake
from swarm.adapters.postgres.store.orders import PostgresOrders
from swarm.adapters.postgres.store.tick import PostgresTicks
from swarm.contract.swarm import SwarmObject
from swarm.core.decide import decide
from swarm.core.ids import signal_id, swarm_id
from swarm.core.nouns import Risk, Signal
from swarm.core.snapshot import AgentBinding, Installation
from swarm.ports.sources import Reading
from swarm.ports.store import Binding, BudgetTerms
from swarm.runtime.controller import Controller, Store
from swarm.runtime.hands import Hands
from swarm.testing.world import World, WorldForge

SWARM = swarm_id("default", "shop")
REPO = "acme/shop"
MANIFEST = SwarmObject.model_validate(
    {
        "apiVersion": "swarm.proompteng.ai/v1alpha1",
        "kind": "Swarm",
        "metadata": {"name": "shop"},
        "spec": {
            "owner": {"id": "alice", "channel": "swarm://owner/platform"},
            "domains": ["platform"],
            "objectives": ["fewer defects"],
            "mode": "lights-out",
            "delivery": {"repoAllowlist": [REPO], "requiredChecks": ["lint"]},
        },
    }
)


def binding(_swarm, _spec):
    bound = Installation(checks=frozenset({"lint"}), agents=(AgentBinding(name="tidy", cost=100),))
    terms = BudgetTerms(name="default-budget", cap=10_000, window=timedelta(days=400))
    return Binding(installation=bound, policy_hash="policy-1", budget=terms)


def said(source):
    return Signal(
        id=signal_id(SWARM, source, "1"), source=source, external_id="1", title="unused import",
        body="", citation="src/a.py:1@main0000", origin=source, author=source, external=False,
        trust=0.8, observed_at=datetime.now(UTC), content_hash=source, mission_class="tidy",
        repo=REPO, paths=("src/a.py",), rule="F401", risk=Risk.R1,
    )  # fmt: skip


async def begun(dsn):
    """A swarm with one mission whose agent was ordered and not asked yet."""
    async with Database(dsn) as database:
        await SwarmDesk(database, "alice").apply(MANIFEST)
        intake = PostgresIntake(database)
        for source in ("ruff", "reference-search"):
            await intake.ingest(SWARM, source, Reading(signals=(said(source),), cursor="1"))
        ticks = PostgresTicks(database)
        while await ticks.tick(decide, binding, "c0") is not None:
            pass


def hand_down(present, first):
    """What a program that knew the first schema alone had stored: its tables, its columns."""
    moved = 0
    with psycopg.connect(present) as new, psycopg.connect(first) as old:
        old.execute("set session_replication_role = replica")  # references in any order
        tables = old.execute(
            "select table_name from information_schema.tables where table_schema = 'swarm'"
            " and table_type = 'BASE TABLE' and table_name <> 'migration'"
        ).fetchall()
        for (table,) in tables:
            columns = old.execute(
                "select column_name from information_schema.columns"
                " where table_schema = 'swarm' and table_name = %s and is_generated = 'NEVER'",
                [table],
            ).fetchall()
            names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in columns)
            place = sql.Identifier("swarm", table)
            reading = sql.SQL("copy (select {} from {}) to stdout").format(names, place)
            writing = sql.SQL("copy {} ({}) from stdin").format(place, names)
            with new.cursor().copy(reading) as source, old.cursor().copy(writing) as sink:
                for block in source:
                    sink.write(block)
            moved += old.execute(sql.SQL("select count(*) from {}").format(place)).fetchone()[0]
            if ("id",) in columns:
                old.execute(
                    "select setval(s, 1000) from pg_get_serial_sequence(%s, 'id') s"
                    " where s is not null",
                    [f"swarm.{table}"],
                )
    return moved


async def ended(database):
    async def read(connection):
        rows = await connection.execute("select mission, outcome, kind from outcome")
        return await rows.fetchall()

    async with asyncio.timeout(30):
        while not (found := await database.run(read)):  # noqa: ASYNC110 - Postgres tells nobody
            await asyncio.sleep(0.02)
    return found


@pytest.mark.slow
@pytest.mark.req("LOOP-11")
async def test_a_mission_that_the_first_schema_held_ends_under_the_present_one(
    database_dsn, empty_database_dsn
):
    await begun(database_dsn)
    known = read_migrations()
    assert migrate(empty_database_dsn, known[:1]).version == 1
    assert hand_down(database_dsn, empty_database_dsn) > 5
    with psycopg.connect(empty_database_dsn) as old:
        (before,) = old.execute("select id from swarm.mission").fetchall()
        assert old.execute("select count(*) from swarm.decision").fetchone() == (1,)

    assert len(migrate(empty_database_dsn).applied) == len(known) - 1

    world = World()
    hands = Hands(
        runs=world, checks=world, forge=WorldForge(world), attestations=world,
        targets=world, metrics=world, channel=world, pages=world, files=world,
    )  # fmt: skip
    async with Database(empty_database_dsn) as database:
        store = Store(
            ticks=PostgresTicks(database),
            orders=PostgresOrders(database, "c1"),
            bell=PostgresBell(database),
        )
        stop = asyncio.Event()
        controller = Controller(store, hands, binding, "c1", now=lambda: datetime.now(UTC))
        task = asyncio.create_task(controller.run(stop))
        try:
            (end,) = await ended(database)
        finally:
            stop.set()
            await task
    assert end == (before[0], "delivered", "deliver")
    assert set(world.journal.values()) == {1}


@pytest.mark.req("LOOP-11")
def test_a_program_that_knows_the_first_schema_alone_runs_on_the_present_one(database_dsn):
    """Every step so far is an expand step: an old controller may go on beside a new one."""
    known = read_migrations()
    report = migrate(database_dsn, known[:1])
    assert report.applied == ()
    assert report.ahead == tuple(one.name for one in known[1:])
