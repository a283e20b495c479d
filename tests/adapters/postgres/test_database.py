"""Transactions through `Database.run`: whole, repeated when that helps, with typed errors."""

import asyncio
import os
import signal
import threading
import time
from datetime import timedelta

import psycopg
import pytest

from swarm.adapters.postgres.connect import connect_sync, describe
from swarm.adapters.postgres.database import POOL_SIZE, Database
from swarm.adapters.postgres.errors import (
    DatabaseRefused,
    DatabaseUnavailable,
    DsnInvalid,
    StatementTooSlow,
)
from swarm.adapters.postgres.server import EmbeddedServer


async def fetch(database, statement):
    async def read(connection):
        cursor = await connection.execute(statement)
        return await cursor.fetchall()

    return await database.run(read)


@pytest.mark.req("OWN-3")
async def test_a_transaction_commits_what_it_returns(database):
    async def write(connection):
        await connection.execute("create table public.t (n int)")
        await connection.execute("insert into public.t values (1)")
        return 7

    assert await database.run(write) == 7
    assert await fetch(database, "select n from public.t") == [(1,)]


async def test_an_error_rolls_everything_back_and_passes(database):
    class OurOwnError(Exception):
        pass

    async def write(connection):
        await connection.execute("create table public.t (n int)")
        raise OurOwnError

    with pytest.raises(OurOwnError):
        await database.run(write)
    assert await fetch(database, "select to_regclass('public.t')") == [(None,)]


async def test_a_violated_constraint_is_the_callers_to_see_and_not_tried_again(database):
    calls = []

    async def write(connection):
        calls.append(1)
        await connection.execute("select 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        await database.run(write)
    assert calls == [1]


@pytest.mark.req("FAIL-6")
async def test_a_transaction_is_run_again_when_its_backend_is_killed(database):
    killed = []

    async def write(connection):
        await connection.execute("create table public.t as select 1 as n")
        if not killed:
            killed.append(connection.info.backend_pid)
            with connect_sync(database.dsn) as other:
                other.execute("select pg_terminate_backend(%s)", killed)
        await connection.execute("insert into public.t values (2)")

    await database.run(write)
    assert await fetch(database, "select n from public.t order by n") == [(1,), (2,)]


@pytest.mark.slow
async def test_two_transactions_that_deadlock_both_finish(database):
    async def make(connection):
        await connection.execute("create table public.t as select 1 as n union select 2")

    await database.run(make)
    met = asyncio.Barrier(2)
    attempts = []

    async def lock(connection, first, second):
        attempts.append(first)
        await connection.execute("select * from public.t where n = %s for update", [first])
        if len(attempts) <= 2:
            await met.wait()
        await connection.execute("select * from public.t where n = %s for update", [second])

    await asyncio.gather(
        database.run(lambda connection: lock(connection, 1, 2)),
        database.run(lambda connection: lock(connection, 2, 1)),
    )
    assert len(attempts) == 3, "one of them was the victim and was run again"


async def test_a_statement_without_end_is_stopped_and_named(database_dsn):
    async with Database(database_dsn, settings={"statement_timeout": "100ms"}) as database:
        with pytest.raises(StatementTooSlow):
            await fetch(database, "select pg_sleep(30)")
        assert await fetch(database, "select 1") == [(1,)]


async def test_more_callers_than_connections_wait_their_turn(database):
    seen = set()

    async def work(connection):
        seen.add(connection.info.backend_pid)
        await connection.execute("select pg_sleep(0.02)")

    await asyncio.gather(*(database.run(work) for _ in range(POOL_SIZE * 4)))
    assert len(seen) == POOL_SIZE


async def test_a_cancelled_transaction_is_rolled_back_and_its_connection_is_fit(database):
    async def work(connection):
        await connection.execute("create table public.t (n int)")
        await connection.execute("select pg_sleep(30)")

    task = asyncio.create_task(database.run(work))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await fetch(database, "select to_regclass('public.t')") == [(None,)]


@pytest.mark.req("FAIL-6")
@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        pytest.param({"port": "1"}, DatabaseUnavailable, id="nobody-listens"),
        pytest.param({"host": "/nowhere"}, DatabaseUnavailable, id="no-such-socket"),
        pytest.param({"dbname": "absent"}, DatabaseRefused, id="no-such-database"),
        pytest.param({"user": "absent"}, DatabaseRefused, id="no-such-account"),
    ],
)
async def test_a_database_that_cannot_be_had_gives_a_typed_error(database_dsn, changes, kind):
    dsn = psycopg.conninfo.make_conninfo(database_dsn, **changes)
    with pytest.raises(kind):
        connect_sync(dsn)
    begun = time.monotonic()
    async with Database(dsn, patience=timedelta(seconds=0.3)) as database:
        with pytest.raises(kind) as caught:
            await fetch(database, "select 1")
    assert caught.value.fix
    assert (time.monotonic() - begun < 0.3) == (kind is DatabaseRefused), "a refusal is final"


@pytest.mark.parametrize(
    "dsn", ["postgresql://u:hunter2@[::1", "host=x pass word=hunter2", "nonsense"]
)
def test_an_unreadable_dsn_is_refused_without_repeating_its_password(dsn):
    with pytest.raises(DsnInvalid) as caught:
        connect_sync(dsn)
    assert "hunter2" not in str(caught.value)


def test_a_dsn_is_shown_without_its_password():
    assert describe("postgresql://u:hunter2@db.example:6432/swarm") == "db.example:6432/swarm"


async def test_every_session_is_told_its_limits(database):
    wanted = {
        "lock_timeout": "5s",
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "30s",
        "TimeZone": "UTC",
        "search_path": "swarm",
        "application_name": "swarm",
    }
    for name, value in wanted.items():
        assert await fetch(database, f"select current_setting('{name}')") == [(value,)], name


@pytest.mark.slow
@pytest.mark.req("FAIL-6")
async def test_a_killed_embedded_server_is_brought_back_within_the_same_call(data_folder):
    with EmbeddedServer(data_folder) as server:
        async with Database(server.dsn, revive=server.revive) as database:
            await fetch(database, "select 1")
            pid_file = data_folder / "cluster" / "postmaster.pid"
            os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGKILL)
            assert await fetch(database, "select 1") == [(1,)]


@pytest.mark.slow
async def test_after_leaving_nothing_is_revived(data_folder):
    server = EmbeddedServer(data_folder).start()
    async with Database(
        server.dsn, revive=server.revive, patience=timedelta(seconds=0.2)
    ) as database:
        await fetch(database, "select 1")
        server.leave()
        with pytest.raises(DatabaseUnavailable):
            await fetch(database, "select 1")


@pytest.mark.req("LOOP-1")
async def test_a_listener_hears_payloads_and_says_when_it_may_have_missed_some(database):
    hints = database.listen("Wake-Up")
    assert await anext(hints) == ""
    with connect_sync(database.dsn) as other:
        other.execute("select pg_notify('Wake-Up', 'a'), pg_notify('Wake-Up', 'b')")
        assert [await anext(hints), await anext(hints)] == ["a", "b"]
        other.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        assert await asyncio.wait_for(anext(hints), 5) == "", "the connection is lost"
        assert await asyncio.wait_for(anext(hints), 5) == "", "there is one again"
        other.execute("select pg_notify('Wake-Up', 'c')")
        assert await asyncio.wait_for(anext(hints), 5) == "c"
    await hints.aclose()


@pytest.mark.req("FAIL-6")
async def test_a_listener_hears_of_a_lost_database_at_once_and_until_it_is_back(databases):
    """Not at its next poll: until it looks, nobody knows that there is nothing to decide upon.

    Its look at the first word may be answered by a connection that is cut a moment later.
    """
    with databases.empty() as dsn:
        name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
        other = connect_sync(psycopg.conninfo.make_conninfo(dsn, dbname="postgres"))
        async with Database(dsn) as database:
            hints = database.listen("wake")
            assert await anext(hints) == ""
            lost = asyncio.create_task(anext(hints))
            other.execute(f"alter database {name} with allow_connections false")
            other.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,)
            )
            assert await asyncio.wait_for(lost, 5) == ""
            assert await asyncio.wait_for(anext(hints), 5) == "", "it still cannot be reached"
            other.execute(f"alter database {name} with allow_connections true")
            async with asyncio.timeout(5):
                back = asyncio.create_task(_says(hints, "x"))
                while not back.done():
                    await fetch(database, "select pg_notify('wake', 'x')")
                    await asyncio.sleep(0.02)
            await hints.aclose()
        other.close()


@pytest.mark.req("FAIL-6")
async def test_who_was_let_in_before_is_turned_away_for_a_while_only(databases):
    """A password that is being changed, or a restore, must not end what works through the night."""
    with databases.empty() as dsn:
        name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
        other = connect_sync(psycopg.conninfo.make_conninfo(dsn, dbname="postgres"))
        async with Database(dsn) as database:
            assert await fetch(database, "select 1") == [(1,)]
            other.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s",
                (name,),
            )
            other.execute(f"alter database {name} rename to {name}_away")
            try:
                with pytest.raises(DatabaseUnavailable, match="does not exist") as caught:
                    await fetch(database, "select 1")
                with pytest.raises(DatabaseUnavailable, match="does not exist"):
                    await anext(database.listen("wake"))
                async with Database(dsn) as stranger:
                    with pytest.raises(DatabaseRefused):
                        await fetch(stranger, "select 1")
            finally:
                other.execute(f"alter database {name}_away rename to {name}")
            assert caught.value.fix == DatabaseRefused.remedy
            assert await fetch(database, "select 1") == [(1,)]
        other.close()


async def _says(hints, word):
    async for payload in hints:
        if payload == word:
            return


@pytest.mark.slow
async def test_a_waiting_listener_costs_nothing(database):
    hints = database.listen("quiet")
    await anext(hints)
    waiting = asyncio.create_task(anext(hints))
    await asyncio.sleep(0.05)
    before = time.process_time()
    await asyncio.sleep(2)
    assert time.process_time() - before < 0.005
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.req("FAIL-6")
async def test_who_waits_for_a_server_hears_of_his_own_wait_and_not_of_the_next_one():
    """Lost again as it came back: who woke first begins the next revival before the other looks."""
    begun, go_on = threading.Event(), threading.Event()

    def revive():
        if begun.is_set():
            go_on.wait(10)
        begun.set()

    database = Database("postgresql://nobody@127.0.0.1:1/none", revive=revive)

    async def twice():
        await database._after_loss(5)
        await database._after_loss(0.01)

    try:
        await asyncio.gather(twice(), database._after_loss(5))
    finally:
        go_on.set()
        await database.close()
