"""A network that swallows everything: it must be noticed by both sides, and work must resume."""

import asyncio
import time

import psycopg
import pytest

from swarm.adapters.postgres.connect import connect_sync
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.errors import DatabaseUnavailable
from swarm.adapters.postgres.server import EmbeddedServer
from swarm.testing.black_hole import CannotMakeNetwork, Wire

pytestmark = pytest.mark.slow

NOTICED_WITHIN = 10.0


@pytest.fixture
def wire():
    try:
        with Wire() as made:
            yield made
    except CannotMakeNetwork as reason:
        pytest.skip(str(reason))


@pytest.fixture
def far_dsn(wire, data_folder, start_program):
    """The DSN of a server behind the wire."""
    rules = data_folder / "cluster" / "pg_hba.conf"
    rules.write_text(rules.read_text() + f"host all all {wire.our_address}/30 trust\n")
    server = start_program(
        "program_network_server.py", data_folder, wire.their_address,
        through=wire.command(),
    )  # fmt: skip
    assert server.line() == "ready"
    yield f"host={wire.their_address} port=5432 user=swarm dbname=postgres"
    server.go_on()
    server.process.wait(30)


async def lost(work):
    """Seconds until `work` says that the database is gone."""
    begun = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        await work
    return time.monotonic() - begun


async def sleep_there(connection):
    await connection.execute("select pg_sleep(25)")


async def ask_there(connection):
    await connection.execute("select 1")


@pytest.mark.req("FAIL-6")
async def test_a_lost_network_is_noticed_within_ten_seconds_and_work_resumes(wire, far_dsn):
    async with Database(far_dsn) as database:
        await database.run(ask_there)
        waiting = asyncio.create_task(lost(database.run(sleep_there)))
        await asyncio.sleep(0.3)
        wire.cut()
        asking = asyncio.create_task(lost(database.run(ask_there)))
        seconds = await asyncio.gather(waiting, asking)
        assert max(seconds) <= NOTICED_WITHIN + 0.3, seconds
        assert database.lost_since is not None
        wire.mend()
        await database.run(ask_there)
        assert database.lost_since is None


@pytest.mark.req("FAIL-6")
async def test_the_server_drops_a_session_whose_network_died(wire, far_dsn, data_folder):
    """Else its row locks would stop everybody else for a quarter of an hour."""
    near = EmbeddedServer(data_folder).dsn
    count = "select count(*) from pg_stat_activity where client_addr is not null"
    held = connect_sync(far_dsn)
    held.execute("select 1")
    with psycopg.connect(near, autocommit=True) as connection:
        assert connection.execute(count).fetchone() == (1,)
        wire.cut()
        begun = time.monotonic()
        while connection.execute(count).fetchone() != (0,):
            assert time.monotonic() - begun < NOTICED_WITHIN
            await asyncio.sleep(0.1)
    held.close()


@pytest.mark.req("LOOP-1")
async def test_a_listener_notices_and_listens_again(wire, far_dsn, data_folder):
    near = EmbeddedServer(data_folder).dsn
    async with Database(far_dsn) as database:
        hints = database.listen("wake")
        assert await anext(hints) == ""
        wire.cut()
        assert await asyncio.wait_for(anext(hints), NOTICED_WITHIN) == "", (
            "it must say that it is lost"
        )
        again = asyncio.create_task(anext(hints))
        done, _ = await asyncio.wait({again}, timeout=1)
        assert not done
        wire.mend()
        assert await asyncio.wait_for(again, 10) == "", "it must say that it may have missed hints"
        with psycopg.connect(near, autocommit=True) as connection:
            connection.execute("notify wake, 'swarm-7'")
        assert await asyncio.wait_for(anext(hints), 5) == "swarm-7"
        await hints.aclose()
