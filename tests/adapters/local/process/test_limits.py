"""What a hostile or broken command may do to this machine: nothing that stays."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from swarm.adapters.local.process import cgroup, confine, network
from swarm.adapters.local.process.jobs import Jobs
from swarm.adapters.local.process.spec import Confine, Ended, Limits, Network, Phase
from swarm.adapters.postgres.server import EmbeddedServer

QUICK = timedelta(seconds=0.3)


@pytest.mark.slow
@pytest.mark.req("GATE-2")
async def test_a_command_that_never_ends_is_ended_at_its_deadline(jobs, tmp_path, ended, marked):
    state = await ended(jobs, "k", "sleep", "300", wall=0.5)
    assert state.result.ended is Ended.TIMED_OUT
    assert 0.5 <= state.result.seconds < 5
    assert await marked(tmp_path) == []


@pytest.mark.slow
async def test_a_command_that_ignores_sigterm_is_killed_after_the_grace(
    jobs, tmp_path, ended, marked
):
    line = "trap '' TERM; while :; do sleep 0.1; done"
    state = await ended(jobs, "k", "sh", "-c", line, wall=0.5)
    assert (state.result.ended, state.result.signal) == (Ended.TIMED_OUT, signal.SIGKILL)
    assert state.result.seconds >= 0.8
    assert await marked(tmp_path) == []


@pytest.mark.slow
async def test_a_command_may_clean_up_within_the_grace(jobs, ended):
    line = "trap 'echo cleaned; exit 0' TERM; while :; do sleep 0.05; done"
    limits = Limits(grace=timedelta(seconds=5))
    state = await ended(jobs, "k", "sh", "-c", line, wall=0.5, limits=limits)
    assert state.result.ended is Ended.TIMED_OUT
    assert (state.folder / "stdout").read_text() == "cleaned\n"


async def test_what_a_command_daemonised_dies_with_it(jobs, tmp_path, ended):
    """Double fork, own session, closed streams, emptied environment: all the usual ways out."""
    daemon = "import os,time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\n"
    daemon += "os.closerange(0,64)\nos.chdir('/')\n"
    daemon += "os.execve('/bin/sleep',['sleep','31415'],{})\n"
    state = await ended(jobs, "k", sys.executable, "-c", daemon)
    assert state.result.exit_code == 0
    assert state.result.leftover in {1, 2}  # whoever forked it last may not have left yet
    assert "31415" not in _commands()


def _commands() -> str:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)


@pytest.mark.parametrize("stream", ["1", "2"])
async def test_a_flood_of_output_ends_the_job_and_keeps_little(jobs, stream, ended):
    limits = Limits(keep_output=30_000, output_bytes=50_000_000, grace=QUICK)
    began = time.monotonic()
    state = await ended(jobs, "k", "sh", "-c", f"exec yes >&{stream}", limits=limits)
    assert state.result.ended is Ended.OUTPUT_LIMIT
    kept = sum((state.folder / name).stat().st_size for name in ("stdout", "stderr"))
    assert kept < 31_000
    assert time.monotonic() - began < 20


async def test_beginning_and_end_of_long_output_are_kept(jobs, ended):
    limits = Limits(keep_output=3000)
    line = "echo first; head -c 1000000 /dev/zero | tr '\\0' .; echo; echo last"
    state = await ended(jobs, "k", "sh", "-c", line, limits=limits)
    text = (state.folder / "stdout").read_text()
    assert text.startswith("first\n")
    assert text.endswith("\nlast\n")
    assert "bytes left out here" in text
    assert state.result.ended is Ended.EXITED


DOUBLES = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
#: Ignores what can be ignored, and each child is a daemon in a session of its own.
SCATTERS = """
import os, signal
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
while True:
    try:
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
    except OSError:
        pass
"""
BOMBS = {
    "shell": ("bash", "-c", "b() { b | b & sleep 60; }; b"),
    "doubles": (sys.executable, "-c", DOUBLES),
    "scatters": (sys.executable, "-c", SCATTERS),
}


@pytest.mark.alone
@pytest.mark.req("OWN-1")
@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_fork_bomb_is_ended_and_the_machine_is_clean(jobs, tmp_path, ended, marked, bomb):
    limits = Limits(processes=60, grace=QUICK)
    state = await ended(jobs, "k", *BOMBS[bomb], limits=limits, wall=60, seconds=60)
    assert state.result.ended is Ended.PROCESS_LIMIT
    assert state.result.seconds < 30
    assert await marked(tmp_path) == []


async def test_a_command_that_fills_the_disk_is_ended(jobs, ended):
    limits = Limits(disk_bytes=20_000_000, grace=QUICK)
    line = "i=0; while :; do head -c 5000000 /dev/urandom > f$i; i=$((i+1)); done"
    state = await ended(jobs, "k", "sh", "-c", line, limits=limits)
    assert state.result.ended is Ended.DISK_LIMIT
    assert "wrote" in state.result.detail


async def test_one_file_cannot_outgrow_its_limit(jobs, ended):
    limits = Limits(file_bytes=1_000_000)
    line = "head -c 5000000 /dev/zero > big; ls -l big >&2; exit 7"
    state = await ended(jobs, "k", "sh", "-c", line, limits=limits)
    assert state.result.exit_code == 7
    assert (state.folder / "work/big").stat().st_size == 1_000_000


@pytest.mark.slow
async def test_stop_ends_the_whole_tree_and_is_success_twice(jobs, tmp_path, prepare, marked):
    line = "trap '' TERM; (setsid sleep 300 &); sleep 300 & sleep 300"
    await jobs.ensure("k", prepare("sh", "-c", line))
    await asyncio.sleep(0.3)
    await jobs.stop("k")
    assert (await jobs.state("k")).result.ended is Ended.STOPPED
    assert await marked(tmp_path) == []
    await jobs.stop("k")
    await jobs.stop("never-was")


@pytest.mark.slow
async def test_stop_reaches_what_a_killed_supervisor_left_behind(
    jobs, tmp_path, prepare, until_ended, marked
):
    line = "(setsid sh -c 'sleep 300; :' &) ; exec sleep 300"
    state = await jobs.ensure("k", prepare("sh", "-c", line))
    await asyncio.sleep(0.3)
    pid = int((state.folder / "supervisor.json").read_text().split('"pid": ')[1].split(",")[0])
    os.kill(pid, signal.SIGKILL)
    await until_ended(jobs, "k")
    assert await marked(tmp_path) != []
    await jobs.stop("k")
    assert await marked(tmp_path) == []


@pytest.fixture
def group():
    made = cgroup.make(os.getpid(), time.time())
    if made is None:
        pytest.skip("no control group may be made here")
    cgroup.remove(made)
    return made


def test_a_mount_whose_name_is_in_another_encoding_ends_no_supervisor(tmp_path, monkeypatch):
    plain = cgroup.make(os.getpid(), 1.0)
    odd = b"99 1 0:9 / /mnt/gr\xf6\xdfe rw - tmpfs none rw\n"
    (tmp_path / "mounts").write_bytes(odd + cgroup.MOUNTS.read_bytes())
    monkeypatch.setattr(cgroup, "MOUNTS", tmp_path / "mounts")
    made = cgroup.make(os.getpid(), 2.0)
    assert (made is None) == (plain is None)
    for one in (plain, made):
        if one is not None:
            cgroup.remove(one)


HIDES = """
import os, time
if os.fork():
    time.sleep(300)
os.setsid()
if os.fork():
    os._exit(0)
os.closerange(0, 64)
os.chdir("/")
os.execve("/bin/sleep", ["sleep", "27182"], {})
"""


async def test_what_hid_from_its_supervisor_is_found_by_its_group(
    jobs, group, prepare, until_ended
):
    """Its mark, its folder and its session are gone, and so is the supervisor it had."""
    state = await jobs.ensure("k", prepare(sys.executable, "-c", HIDES))
    while "27182" not in _commands():  # noqa: ASYNC110 - of another process
        await asyncio.sleep(0.02)
    record = json.loads((state.folder / "supervisor.json").read_text())
    os.kill(record["pid"], signal.SIGKILL)
    await until_ended(jobs, "k")
    await jobs.stop("k")
    until = time.monotonic() + 5
    while "27182" in _commands() and time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    assert "27182" not in _commands()
    assert cgroup.count(Path(record["group"])) == 0


def test_a_mount_whose_server_is_gone_closes_nothing_beside_it(tmp_path, monkeypatch):
    """A share that dropped out of a home folder would else take every tool in it along."""
    for name in ("tools", "share", ".ssh"):
        (tmp_path / name).mkdir()
    looked = Path.is_symlink

    def gone(path):
        if path.name == "share":
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        return looked(path)

    monkeypatch.setattr(Path, "is_symlink", gone)
    kept = confine.readable_complement([tmp_path / ".ssh"], ())
    assert {path for path in kept if path.parent == tmp_path} == {tmp_path / "tools"}


needs_landlock = pytest.mark.skipif(confine.abi() == 0, reason="this kernel has no Landlock")


IN_A_CONTAINER = """
import resource
from swarm.adapters.local.process import child
before = resource.getrlimit(resource.RLIMIT_NPROC)
child._limit({"file_bytes": None, "address_space": None, "processes": 5, "niceness": 0})
assert resource.getrlimit(resource.RLIMIT_NPROC) == before
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a container here")
def test_what_others_of_this_user_run_in_other_containers_is_not_counted():
    """The kernel counts them, and no command could start a process beside a busy neighbour."""
    apart = ("unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", IN_A_CONTAINER)
    ran = subprocess.run(apart, capture_output=True, text=True, check=False)
    if "unshare failed" in ran.stderr:
        pytest.skip("no container may be made here")
    assert ran.returncode == 0, ran.stderr


@needs_landlock
async def test_a_command_writes_only_in_its_own_folders(jobs, tmp_path, ended):
    outside = tmp_path / "outside"
    outside.mkdir()
    line = "echo a > inside; echo b > $HOME/b; echo c > $TMPDIR/c; echo d > /dev/null; cat inside"
    line += f"; echo no > {outside}/x || exit 9"
    state = await ended(jobs, "k", "sh", "-c", line, confine=Confine.REQUIRE)
    assert state.result.exit_code == 9
    assert state.result.confined.startswith("landlock-")
    assert (state.folder / "stdout").read_text() == "a\n"
    assert list(outside.iterdir()) == []


async def test_a_command_may_have_a_socket_in_its_tmpdir(tmp_path_factory, ended):
    """Python's multiprocessing has one, and 107 bytes were too few behind a job's own folder."""
    home = tmp_path_factory.mktemp("h")  # that of a test with a long name is too long by itself
    # Without a name for it, the manager goes as soon as its list is made.
    code = "import multiprocessing as m; k = m.get_context('fork').Manager(); print(k.list([1]))"
    code += "; import os, tempfile as t; os.chdir(t.gettempdir()); assert os.getcwd() == t.tempdir"
    checking = "m-0123456789abcdef0123/check/unit"
    state = await ended(Jobs(home / "jobs"), checking, sys.executable, "-c", code)
    assert (state.folder / "stdout").read_text() == "[1]\n", (state.folder / "stderr").read_text()
    room = Path(json.loads((state.folder / "spec.json").read_text())["env"]["TMPDIR"])
    assert len(str(room)) < len(str(home)) + 12


@pytest.mark.parametrize("killed", [False, True])
async def test_a_tmpdir_goes_with_its_command_and_with_a_supervisor_that_was_killed(
    jobs, tmp_path, prepare, until_ended, marked, killed
):
    made = await asyncio.create_subprocess_exec("git", "init", "-q", tmp_path)
    assert await made.wait() == 0
    line = "echo x > $TMPDIR/x; sleep 0.3; git -C $TMPDIR rev-parse"
    state = await jobs.ensure("k", prepare("sh", "-c", line))
    if killed:
        os.kill(json.loads((state.folder / "supervisor.json").read_text())["pid"], signal.SIGKILL)
    state = await until_ended(jobs, "k")
    await jobs.stop("k")
    assert await marked(tmp_path) == []
    async with asyncio.timeout(20):  # a supervisor writes the result first
        while list((tmp_path / "t").iterdir()):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)
    if not killed:
        assert "not a git repository" in (state.folder / "stderr").read_text()


@needs_landlock
async def test_a_command_cannot_rewrite_its_own_result(jobs, ended):
    line = "echo '{}' > ../result.json; echo x > ../spec.json; echo x > ../../outcome.json; exit 5"
    state = await ended(jobs, "k", "sh", "-c", line)
    assert state.result.exit_code == 5
    assert not (state.folder.parent / "outcome.json").exists()


@needs_landlock
@pytest.mark.req("OWN-1")
async def test_hidden_files_and_foreign_environments_cannot_be_read(jobs, tmp_path, ended):
    secret, plain = tmp_path / "vault/.ssh/id", tmp_path / "vault/readme"
    secret.parent.mkdir(parents=True)
    secret.write_text("key")
    plain.write_text("plain\n")
    line = f"cat {plain}; cat {secret} && exit 1; cat /proc/{os.getpid()}/environ && exit 2; exit 0"
    state = await ended(jobs, "k", "sh", "-c", line, hidden=(secret.parent,))
    assert state.result.exit_code == 0
    assert (state.folder / "stdout").read_text() == "plain\n"


KNOCKS = """
import sys, psycopg
for dsn in (sys.argv[1], sys.argv[1].partition(" passfile")[0]):
    try:
        with psycopg.connect(dsn) as connection:
            print(connection.execute("select current_user").fetchone())
    except psycopg.OperationalError as error:
        print("refused:", error)
"""


@pytest.mark.slow
@needs_landlock
@pytest.mark.req("MODE-5")
async def test_a_command_cannot_speak_to_the_database_that_keeps_the_approvals(
    jobs, tmp_path, ended
):
    """It may connect, for Landlock is about files; but it cannot read what lets anybody in."""
    with EmbeddedServer(tmp_path / "data") as server:
        hidden = (tmp_path / "data", server.layout.data)
        command = (sys.executable, "-c", KNOCKS, server.dsn)
        open_, shut = (
            await ended(jobs, "a", *command),
            await ended(jobs, "b", *command, hidden=hidden),
        )
    assert (open_.folder / "stdout").read_text().startswith("('swarm',)")  # the test can fail
    words = (shut.folder / "stdout").read_text()
    assert words.count("refused: ") == 2
    assert words.count("no password supplied") == 2


@pytest.mark.skipif(confine.abi() < 6, reason="signals are scoped from Landlock 6 on")
async def test_a_command_cannot_kill_its_supervisor(jobs, ended):
    state = await ended(jobs, "k", "sh", "-c", "kill -9 $PPID && exit 1; exit 0")
    assert (state.phase, state.result.exit_code) == (Phase.FINISHED, 0)


needs_namespaces = pytest.mark.skipif(
    not network.can_cut(), reason="no network namespaces are allowed here"
)

#: Reaches this machine's own loopback, then a name server outside, then talks to itself.
REACHES = """
import socket, sys
def reach(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), 2).close()
        return "reached"
    except OSError as error:
        return type(error).__name__
print(reach(int(sys.argv[1])), reach(53, "192.0.2.1"))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    udp.sendto(b"secret", ("192.0.2.1", 53)); print("sent")
except OSError as error:
    print(type(error).__name__)
own = socket.create_server(("127.0.0.1", 0))
print(reach(own.getsockname()[1]))
"""


@needs_namespaces
@pytest.mark.req("OWN-1")
async def test_a_command_without_network_reaches_nothing_but_itself(jobs, ended):
    with socket.create_server(("127.0.0.1", 0)) as here:
        port = str(here.getsockname()[1])
        argv = (sys.executable, "-c", REACHES, port)
        state = await ended(jobs, "cut", *argv, network=Network.NONE)
        plain = await ended(jobs, "plain", sys.executable, "-c", REACHES, port)
    said = (state.folder / "stdout").read_text().split()
    assert (state.result.exit_code, state.result.network) == (0, "none")
    assert said == ["ConnectionRefusedError", "OSError", "OSError", "reached"]
    assert (plain.folder / "stdout").read_text().split()[0] == "reached"
    assert plain.result.network == "host"


@needs_namespaces
async def test_a_command_without_network_keeps_its_files_and_dies_with_its_supervisor(
    jobs, tmp_path, prepare, until_ended, marked
):
    line = "id -u; touch made; exec sleep 300"
    state = await jobs.ensure("k", prepare("sh", "-c", line, network=Network.NONE))
    made = state.folder / "work/made"
    while not made.exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.02)
    assert made.stat().st_uid == os.getuid()
    record = json.loads((state.folder / "supervisor.json").read_text())
    os.kill(record["pid"], signal.SIGKILL)
    assert (await until_ended(jobs, "k")).phase is Phase.VANISHED
    assert await marked(tmp_path) == []


@pytest.mark.slow
async def test_an_idle_watch_costs_nothing(tmp_path, prepare):
    """Waiting for a job is a kernel event, not a loop that asks."""
    jobs = Jobs(tmp_path / "jobs")
    await jobs.ensure("k", prepare("sleep", "300"))
    before = time.process_time()
    await asyncio.sleep(1)
    assert time.process_time() - before < 0.05
    await jobs.stop("k")
    jobs.close()


@pytest.mark.slow
async def test_a_command_that_makes_files_without_end_is_ended(jobs, ended):
    """They take no bytes, and still nobody else on this disk can make one any more."""
    limits = Limits(disk_bytes=20_000_000, grace=QUICK)
    line = "import itertools\nfor n in itertools.count(): open(f'f{n}', 'x').close()"
    state = await ended(jobs, "k", sys.executable, "-c", line, limits=limits)
    assert state.result.ended is Ended.DISK_LIMIT
