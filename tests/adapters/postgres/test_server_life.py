"""Starting, sharing and stopping the embedded server."""

import os
import re
import select
import shutil
import stat
import subprocess
from pathlib import Path

import psycopg
import pytest

from swarm.adapters.postgres.postmaster import Answer, server_processes
from swarm.adapters.postgres.server import EmbeddedServer, LastOut

pytestmark = pytest.mark.req("LOOP-11")


def query(server, statement):
    with psycopg.connect(server.dsn) as connection:
        return connection.execute(statement).fetchone()[0]


@pytest.mark.slow
def test_data_is_there_again_after_a_stop_and_a_start(data_folder):
    with EmbeddedServer(data_folder) as server, psycopg.connect(server.dsn) as connection:
        connection.execute("create table kept as select 42 as n")
    assert server.status().state is Answer.NOBODY
    with EmbeddedServer(data_folder) as server:
        assert query(server, "select n from kept") == 42


@pytest.mark.slow
def test_a_server_whose_data_was_removed_ends_with_its_last_user(data_folder):
    """Whoever leaves was told that a lock could not be opened, and the server went on."""
    with EmbeddedServer(data_folder) as server:
        processes = [os.pidfd_open(pid) for pid in server_processes(server.layout)]
        assert processes
        shutil.rmtree(server.layout.data)
    for process in processes:  # by itself it looks once a minute
        assert select.select([process], [], [], 20)[0]
        os.close(process)


@pytest.mark.slow
def test_the_cluster_is_made_as_the_store_needs_it(public_folder):
    wanted = {
        "data_checksums": "on",
        "listen_addresses": "",
        "jit": "off",
        "huge_pages": "off",
        "dynamic_shared_memory_type": "mmap",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
        "idle_in_transaction_session_timeout": "30s",
        "transaction_timeout": "1min",
        "max_connections": "40",
        "wal_compression": "off",
    }
    with EmbeddedServer(public_folder / "data") as server:
        made = (server.layout.cluster / "postgresql.conf").read_text()
        found = {name: query(server, f"select current_setting('{name}')") for name in wanted}
        provider = query(
            server,
            "select datlocprovider::text || ' ' || datlocale"
            " from pg_database where datname = current_database()",
        )
    assert found == wanted
    assert "\nhuge_pages = off" in made, "initdb runs servers of its own"
    assert provider == "b C.UTF-8"


@pytest.mark.slow
def test_only_the_owner_can_reach_data_and_socket(data_folder):
    with EmbeddedServer(data_folder) as server:
        for folder in (data_folder, server.layout.sockets, data_folder / "cluster"):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
        rules = (data_folder / "cluster" / "pg_hba.conf").read_text()
    assert "trust" not in rules


@pytest.mark.slow
def test_a_cluster_of_the_time_without_a_password_is_given_one(data_folder):
    """As it was made before: whoever the kernel said was us came in."""
    server = EmbeddedServer(data_folder)
    with server, psycopg.connect(server.dsn) as connection:
        connection.execute("create table kept (n int)")
    (server.layout.cluster / "pg_hba.conf").write_text("local all all peer map=swarm\n")
    before = server.layout.secret.read_text()
    server.layout.secret.unlink()
    with server:
        assert query(server, "select count(*)::text from kept") == "0"
        assert server.layout.secret.read_text() != before
        with pytest.raises(psycopg.OperationalError, match="no password"):
            psycopg.connect(server.dsn.partition(" passfile")[0])


@pytest.mark.slow
def test_the_second_process_adopts_and_the_last_one_out_stops(data_folder, start_program):
    first = start_program("program_user.py", data_folder)
    started, launched = first.line().split()
    second = start_program("program_user.py", data_folder)
    seen, adopted = second.line().split()
    assert (launched, adopted) == ("True", "False")
    assert seen == started, "both must talk to the same server"
    first.go_on()
    assert first.line() == "left"
    server = EmbeddedServer(data_folder)
    assert server.status().state is Answer.READY, "the second still uses it"
    second.go_on()
    assert second.line() == "left"
    assert server.status().state is Answer.NOBODY
    assert server_processes(server.layout) == {}


@pytest.mark.slow
def test_a_server_that_is_kept_outlives_all_users_until_it_is_stopped(data_folder, start_program):
    keeper = start_program("program_user.py", data_folder, "KEEP")
    started = keeper.line().split()[0]
    keeper.go_on()
    assert keeper.line() == "left"
    visitor = start_program("program_user.py", data_folder)
    assert visitor.line().split()[0] == started
    visitor.go_on()
    assert visitor.line() == "left"
    server = EmbeddedServer(data_folder)
    assert server.status().state is Answer.READY
    assert server.status().keeps_running
    server.stop()
    assert server.status().state is Answer.NOBODY
    assert not server.status().keeps_running


@pytest.mark.slow
def test_a_server_whose_users_were_all_killed_can_be_found_and_stopped(data_folder, start_program):
    user = start_program("program_user.py", data_folder)
    user.line()
    server = EmbeddedServer(data_folder)
    assert not server.stop_abandoned(), "it has a user"
    user.close()
    assert server.status().state is Answer.READY
    assert server.stop_abandoned()
    assert server.status().state is Answer.NOBODY


@pytest.mark.slow
def test_a_server_outlives_the_login_of_who_started_it(data_folder):
    """With the last session of a user, systemd-logind removes whatever shared memory has a name."""
    with EmbeddedServer(data_folder) as server:
        processes = server_processes(server.layout)
        maps = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in processes)
        for named in set(re.findall(r"/dev/shm/PostgreSQL\.\d+", maps)):
            Path(named).unlink()
        for segment in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
            fields = segment.split()
            if int(fields[4]) in processes:  # who made it
                subprocess.run(["ipcrm", "-m", fields[1]], check=True)
        with psycopg.connect(server.dsn, options="-c debug_parallel_query=on") as connection:
            (found,) = connection.execute("select count(*) from pg_stat_all_tables").fetchone()
        assert found > 0


@pytest.mark.slow
def test_starting_twice_and_leaving_twice_is_harmless(data_folder):
    server = EmbeddedServer(data_folder)
    server.start()
    server.start()
    assert query(server, "select 1") == 1
    server.leave()
    server.leave()
    assert server.status().state is Answer.NOBODY


@pytest.mark.slow
async def test_it_serves_async_callers_too(data_folder):
    async with (
        EmbeddedServer(data_folder, last_out=LastOut.STOP) as server,
        await psycopg.AsyncConnection.connect(server.dsn) as connection,
    ):
        cursor = await connection.execute("select 1")
        assert await cursor.fetchone() == (1,)
    assert server.status().state is Answer.NOBODY


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("a folder with spaces", id="spaces"),
        pytest.param('it\'s, a "hard" \\name', id="quotes-commas-backslashes"),
        pytest.param("größe-数据", id="not-ascii"),
        pytest.param("deep/" * 30 + "end", id="longer-than-a-socket-path"),
    ],
)
def test_any_path_will_do(public_folder, name):
    with EmbeddedServer(public_folder / name) as server:
        assert query(server, "select 1") == 1
        assert stat.S_IMODE(server.layout.sockets.stat().st_mode) == 0o700
        assert server.layout.sockets.stat().st_uid == server.layout.account.uid


@pytest.mark.slow
def test_a_users_libpq_variables_do_not_bend_the_server(data_folder, monkeypatch):
    monkeypatch.setenv("PGOPTIONS", "-c default_transaction_read_only=on -c no_such_thing=1")
    monkeypatch.setenv("PGHOST", "192.0.2.1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGPORT", "1")
    server = EmbeddedServer(data_folder).start()
    assert server.status().state is Answer.READY
    server.leave()
    assert server.status().state is Answer.NOBODY
