"""The database of this very test suite: shared out to parallel workers, and never left behind."""

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from swarm.adapters.postgres.migrate import migrate
from swarm.adapters.postgres.postmaster import server_processes
from swarm.adapters.postgres.server import EmbeddedServer
from swarm.testing.database import DisposableDatabases

HERE = Path(__file__).parent


def places(run):
    return [
        folder / f"swarm-tests-{run}"
        for folder in (Path("/dev/shm"), Path("/tmp"), Path("/var/tmp"))
        if (folder / f"swarm-tests-{run}").exists()
    ]


def session(run, sample, *arguments):
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
    }
    command = [sys.executable, "-m", "pytest", str(HERE / sample), "-n", "2", *arguments]
    return subprocess.Popen(
        [*command, "-p", "no:cacheprovider", "--testrunuid", run],
        cwd=HERE.parents[2],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_two_databases_of_one_server_know_nothing_of_each_other(database_dsn, empty_database_dsn):
    with psycopg.connect(database_dsn) as first, psycopg.connect(empty_database_dsn) as second:
        first.execute("create table public.only_here (n int)")
        first.commit()
        found = second.execute("select to_regclass('public.only_here')").fetchone()
        assert found == (None,)
        assert second.execute("select to_regnamespace('swarm')").fetchone() == (None,)


def test_a_database_is_shut_when_its_test_ends_and_gone_after_the_next(
    database_server,
):
    """Not at once: Postgres would sleep a tenth of a second for a session that just ends."""

    def there():
        with psycopg.connect(database_server.dsn) as connection:
            return connection.execute("select datname from pg_database order by 1").fetchall()

    before = there()
    with closing(DisposableDatabases(database_server.dsn, migrate)) as made:
        with made.empty() as first:
            left = psycopg.connect(first, autocommit=True)
        with pytest.raises(psycopg.OperationalError, match="terminating connection"):
            left.execute("select 1")
        with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
            psycopg.connect(first)
        with made.empty():
            pass
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(first)
    assert there() == before


@pytest.mark.slow
def test_parallel_workers_leave_nothing_behind():
    run = uuid.uuid4().hex
    wanted = "commits_what_it_returns or violated_constraint or rolls_everything_back"
    done = session(run, "test_database.py", "-k", wanted)
    said, _ = done.communicate(timeout=100)
    assert done.returncode == 0, said
    assert "3 passed" in said
    assert places(run) == []


@pytest.mark.slow
async def test_servers_of_a_killed_run_are_ended_by_the_next(until):
    """Nobody can clean up after itself when it is killed; the next run does it."""
    killed = uuid.uuid4().hex
    victim = session(killed, "sample_that_sleeps.py")
    sockets = "server-*/socket/.s.PGSQL.5432"
    await until(lambda: any(list(place.glob(sockets)) for place in places(killed)))
    os.killpg(victim.pid, signal.SIGKILL)  # the run and its workers; servers are no part of it
    victim.communicate()
    (left,) = places(killed)
    servers = [EmbeddedServer(folder) for folder in left.glob("server-*")]
    assert any(server_processes(server.layout) for server in servers)
    os.utime(left, (time.time() - 3600,) * 2)  # a fresh one may be somebody's start
    after = session(uuid.uuid4().hex, "test_database.py", "-k", "commits_what_it_returns")
    said, _ = after.communicate(timeout=100)
    assert after.returncode == 0, said
    assert places(killed) == []
    assert not any(server_processes(server.layout) for server in servers)
