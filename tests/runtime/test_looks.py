"""A look is said before its data come, whatever two processes do at the same moment."""

import asyncio

import pytest

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.regime.trials import Trials
from swarm.adapters.postgres.store.statements import statements
from swarm.runtime.regime.errors import LookRefused
from swarm.runtime.regime.excess import add
from swarm.runtime.regime.looks import announce

pytestmark = pytest.mark.req("REG-9")
KEY = {"objective": "momentum", "regime": "trend"}
WAITS = "select count(*) from pg_locks where locktype = 'advisory' and not granted"


async def waiting(connection, work):
    """Until that work waits for the turn of another connection; or has ended, which is wrong."""
    while not work.done():
        (count,) = await (await connection.execute(WAITS)).fetchone()
        if count:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"it did not wait: {work.result()}")


async def test_a_look_at_data_that_are_just_being_shown_is_refused(database, database_dsn):
    """The data are written and not committed yet: nobody else can see them, and they are known."""
    ledger = Trials(database, **KEY)
    trial, _ = await add(ledger, "momentum", {"what": "w"}, dict.fromkeys(range(100), 0.1))
    shown = {**KEY, "trial": trial, "first_tick": 100, "excess": [0.1] * 100}
    async with Database(database_dsn) as other, other.connection() as watched:
        async with other.connection() as writer, writer.transaction():
            await writer.execute(statements("regime")["ledger_turn"], shown)
            await writer.execute(statements("regime")["add_excess"], shown)
            look = asyncio.create_task(announce(ledger, 150))
            await waiting(watched, look)
        with pytest.raises(LookRefused, match="tick 150 was seen already; one behind tick 199"):
            await look
        assert await ledger.looks() == ()
        assert await announce(ledger, 200) == 1


async def test_two_that_say_different_ticks_get_two_looks_in_order(database, database_dsn):
    ledger = Trials(database, **KEY)
    async with Database(database_dsn) as other, other.connection() as watched:
        async with other.connection() as writer, writer.transaction():
            first = {**KEY, "look": 1, "due_tick": 300}
            await writer.execute(statements("regime")["ledger_turn"], first)
            await writer.execute(statements("regime")["add_look"], first)
            later = asyncio.create_task(announce(ledger, 400))
            await waiting(watched, later)
        assert await later == 2
    assert [(one.look, one.due_tick) for one in await ledger.looks()] == [(1, 300), (2, 400)]


async def test_of_two_looks_at_once_the_earlier_tick_is_refused_when_it_comes_second(
    database, database_dsn
):
    ledger = Trials(database, **KEY)
    async with Database(database_dsn) as other, other.connection() as watched:
        async with other.connection() as writer, writer.transaction():
            first = {**KEY, "look": 1, "due_tick": 300}
            await writer.execute(statements("regime")["ledger_turn"], first)
            await writer.execute(statements("regime")["add_look"], first)
            later = asyncio.create_task(announce(ledger, 200))
            await waiting(watched, later)
        with pytest.raises(LookRefused, match="lies before look 1"):
            await later


async def test_many_at_once_leave_one_look_for_each_that_was_not_refused(database, database_dsn):
    """Twenty rounds of both at the same moment: a look, or a refusal, and no look twice."""
    async with Database(database_dsn) as other:
        mine, theirs = Trials(database, **KEY), Trials(other, **KEY)
        trial = await theirs.register("momentum", {"what": "w"})
        stands = 0
        for tick in range(20):
            said, _ = await asyncio.gather(
                announce(mine, tick), theirs.add_excess(trial, tick, [0.1]), return_exceptions=True
            )
            stands += not isinstance(said, LookRefused)
            assert isinstance(said, int | LookRefused), said
        looks = await mine.looks()
        assert len(looks) == stands
        assert [one.due_tick for one in looks] == sorted({one.due_tick for one in looks})
