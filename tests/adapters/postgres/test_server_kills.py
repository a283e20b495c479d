"""kill -9 of either side, at any moment: acknowledged commits stay, and the server comes back."""

import asyncio
import subprocess
import time

import psycopg
import pytest

from swarm.adapters.postgres.postmaster import Answer, ask, server_processes
from swarm.adapters.postgres.server import EmbeddedServer
from swarm.adapters.postgres.spawn import _ENVIRONMENT

pytestmark = pytest.mark.req("LOOP-11")

APPLICATION, POSTMASTER, SERVER, BACKEND, ALL, REUSED_PID = (
    "application",
    "postmaster",
    "all-server-processes",
    "one-backend",
    "everything",
    "everything-and-the-pid-is-reused",
)
MODES = [APPLICATION, POSTMASTER, SERVER, BACKEND, ALL, REUSED_PID]
#: Each mode starts two servers; one of the application's end and one of the server's are enough
#: for the fast part, where the last holds most of what can go wrong.
SOME_FAST = [
    pytest.param(mode, marks=[] if mode in (APPLICATION, REUSED_PID) else pytest.mark.slow)
    for mode in MODES
]


def reuse_number(layout):
    """A process of the server's account that the dead server's pid file now names."""
    # The trap of the wheels' wrappers: a living process of the server's own account has the number.
    account = layout.account
    bystander = subprocess.Popen(
        ["sleep", "60"], env=_ENVIRONMENT, user=account.uid if account.switched else None
    )
    pid_file = layout.cluster / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    lines[0] = str(bystander.pid)
    pid_file.write_text("\n".join(lines) + "\n")
    return bystander


async def strike(mode, layout, writer, backend, kill, until):
    """Kill what the mode names. Returns a bystander process that took a dead server's number."""
    processes = {}

    def one_postmaster():
        """A process that was forked just now still has the title of its parent."""
        processes.clear()
        processes.update(server_processes(layout))
        return list(processes.values()).count(True) == 1

    await until(one_postmaster)
    postmaster = [pid for pid, is_postmaster in processes.items() if is_postmaster]
    if mode == BACKEND:
        kill([backend])
        # Until the postmaster sees it, it answers as if nothing were; then it ends everyone, and
        # a plain connection made in between with them. Recovery has begun once they are gone.
        others = {pid for pid, is_postmaster in processes.items() if not is_postmaster}
        await until(lambda: not others & set(server_processes(layout)))
    if mode == POSTMASTER:
        kill(postmaster)
    if mode in (SERVER, ALL, REUSED_PID):
        kill(processes)
    if mode in (APPLICATION, ALL, REUSED_PID):
        writer.process.kill()
    if mode != REUSED_PID:
        return None
    await until(lambda: not server_processes(layout))
    return reuse_number(layout)


async def acknowledged_after_kill(mode, data_folder, start_program, kill, until, moment):
    """One drill: the last number acknowledged, all numbers found, seconds to the first query."""
    writer = start_program("program_writer.py", data_folder)
    backend = int(writer.line())
    last = int(writer.line())
    end = time.monotonic() + moment
    while time.monotonic() < end:
        last = int(writer.line())
    server = EmbeddedServer(data_folder)
    bystander = await strike(mode, server.layout, writer, backend, kill, until)
    begun = time.monotonic()
    with server:
        with psycopg.connect(server.dsn) as connection:
            connection.execute("select 1")
        seconds = time.monotonic() - begun
        if mode != APPLICATION and mode not in (ALL, REUSED_PID):
            writer.process.wait(30)
        # Whatever it had printed before it died was acknowledged; the pipe still holds it.
        last = max([last, *(int(line) for line in writer.rest())])
        with psycopg.connect(server.dsn) as connection:
            rows = connection.execute("select n from acknowledged order by n").fetchall()
        if bystander is not None:
            assert bystander.poll() is None, "a process that is not ours must be left alone"
            bystander.kill()
            bystander.wait()
    assert ask(server.layout) is Answer.NOBODY
    assert server_processes(server.layout) == {}
    return last, [row[0] for row in rows], seconds


@pytest.mark.slow
@pytest.mark.parametrize("mode", SOME_FAST)
async def test_acknowledged_commits_survive(mode, data_folder, start_program, kill, until):
    last, found, _ = await acknowledged_after_kill(
        mode, data_folder, start_program, kill, until, moment=0.05
    )
    assert found[:last] == list(range(1, last + 1))
    # An ambiguous commit is normal: at most one more than was acknowledged.
    assert len(found) - last in (0, 1)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", MODES)
async def test_acknowledged_commits_survive_many_kills(
    mode, data_folder, start_program, kill, until
):
    """The same folder is hit again and again at other moments; numbers go on where they stopped."""
    for drill in range(12):
        last, found, _ = await acknowledged_after_kill(
            mode, data_folder, start_program, kill, until, moment=0.013 * drill
        )
        assert found == list(range(1, len(found) + 1))
        assert len(found) - last in (0, 1)


@pytest.mark.fast("0")
@pytest.mark.parametrize("milliseconds", [0, 5, 20, 60, 120])
async def test_a_stop_that_meets_the_servers_own_restart_ends(data_folder, kill, milliseconds):
    """A fast shutdown that comes while the server restarts after a crash can hang for ever."""
    server = EmbeddedServer(data_folder).start()
    with psycopg.connect(server.dsn) as victim:
        kill([victim.info.backend_pid])
        await asyncio.sleep(milliseconds / 1000)
        begun = time.monotonic()
        server.leave()
        assert time.monotonic() - begun < 30
        victim.close()
    assert server_processes(server.layout) == {}


@pytest.mark.slow
@pytest.mark.parametrize("made", ["global/pg_control", "", "PG_VERSION", "base/5/PG_VERSION"])
async def test_a_half_made_cluster_is_never_seen(public_folder, start_program, until, made):
    """A process killed inside initdb leaves nothing that the next one would take for a cluster."""
    folder = public_folder / "data"
    user = start_program("program_user.py", folder)
    await until((folder / "cluster.unfinished" / made).exists)
    user.process.kill()
    user.process.wait()
    assert not (folder / "cluster").exists()
    with EmbeddedServer(folder) as server, psycopg.connect(server.dsn) as connection:
        assert connection.execute("select count(*) > 0 from pg_class").fetchone() == (True,)


@pytest.mark.slow
async def test_a_backend_that_outlives_its_postmaster_is_ended(
    data_folder, start_program, kill, until
):
    """A computing backend does not notice that the postmaster died, and blocks a new server."""
    user = start_program("program_user.py", data_folder)
    user.line()
    server = EmbeddedServer(data_folder)
    busy = psycopg.connect(server.dsn, autocommit=True)
    computing = busy.info.backend_pid
    busy.pgconn.send_query(b"do $$ begin loop perform 1; end loop; end $$")
    with psycopg.connect(server.dsn, autocommit=True) as watcher:
        state = "select state from pg_stat_activity where pid = %s"
        await until(lambda: watcher.execute(state, [computing]).fetchone() == ("active",))
    kill(pid for pid, is_postmaster in server_processes(server.layout).items() if is_postmaster)
    await until(lambda: list(server_processes(server.layout)) == [computing])
    with server:
        assert computing not in server_processes(server.layout)
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    busy.close()


@pytest.mark.slow
def test_a_server_whose_socket_was_deleted_comes_back(data_folder, start_program):
    """What a cleaner of temporary folders does to a socket that nobody touched for days."""
    user = start_program("program_user.py", data_folder)
    user.line()
    server = EmbeddedServer(data_folder)
    server.layout.socket.unlink()
    with server, psycopg.connect(server.dsn) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
