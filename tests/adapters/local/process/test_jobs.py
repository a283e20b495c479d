"""Supervised commands: real processes, real signals, a controller that is killed with -9."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from swarm.adapters.local.errors import JobNotStarted
from swarm.adapters.local.process import orphans
from swarm.adapters.local.process.jobs import Jobs
from swarm.adapters.local.process.spec import Confine, Ended, JobSpec, Phase


async def test_a_command_runs_once_and_its_result_stays(jobs, tmp_path, prepare, ended):
    first = await ended(
        jobs, "m-1/run/0", "sh", "-c", f"echo said; echo once >>{tmp_path}/log", confine=Confine.OFF
    )
    assert first.result.ended is Ended.EXITED
    assert first.result.exit_code == 0
    assert (first.folder / "stdout").read_text() == "said\n"
    again = await jobs.ensure("m-1/run/0", prepare("false"))
    assert again == first
    assert (tmp_path / "log").read_text() == "once\n"


async def test_exit_code_signal_and_standard_error_are_told_apart(jobs, ended):
    red = await ended(jobs, "red", "sh", "-c", "echo why >&2; exit 3")
    assert (red.result.ended, red.result.exit_code) == (Ended.EXITED, 3)
    assert (red.folder / "stderr").read_text() == "why\n"
    shot = await ended(jobs, "shot", "sh", "-c", "kill -SEGV $$")
    assert (shot.result.ended, shot.result.signal) == (Ended.SIGNALLED, signal.SIGSEGV)


async def test_a_missing_binary_is_its_own_ending_not_an_exit_code(jobs, ended):
    state = await ended(jobs, "k", "no-such-command-here")
    assert state.result.ended is Ended.NOT_STARTED
    assert "no-such-command-here" in state.result.detail
    assert "No such file" in state.result.detail


@pytest.mark.req("OWN-3")
async def test_two_controllers_that_race_start_one_command(jobs, tmp_path, prepare, until_ended):
    others = [Jobs(tmp_path / "jobs") for _ in range(6)]
    made = prepare("sh", "-c", f"echo x >>{tmp_path}/log; sleep 0.3", confine=Confine.OFF)
    await asyncio.gather(*(one.ensure("k", made) for one in others))
    await until_ended(jobs, "k")
    assert (tmp_path / "log").read_text() == "x\n"
    assert jobs.job("k").generations() == [1]


async def test_nothing_is_inherited_but_what_the_spec_names(jobs, monkeypatch, ended):
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_secret")
    state = await ended(jobs, "k", "env", env={"WANTED": "yes"})
    names = {line.partition("=")[0] for line in (state.folder / "stdout").read_text().splitlines()}
    ours = {"HOME", "TMPDIR", "SWARM_JOB", "GIT_CEILING_DIRECTORIES"}
    assert names == {"PATH", "LANG", "WANTED", *ours}
    home = (state.folder / "home").stat()
    assert home.st_mode & 0o077 == 0


async def test_git_in_a_job_does_not_find_the_repository_around_it(jobs, tmp_path, ended):
    """It would list none of the job's files, and whoever lints what git lists would find no fault;
    it could also move what is the user's."""
    made = await asyncio.create_subprocess_exec("git", "init", "-q", tmp_path)
    assert await made.wait() == 0
    state = await ended(jobs, "k", "git", "ls-files")
    assert state.result.exit_code == 128
    assert "not a git repository" in (state.folder / "stderr").read_text()


@pytest.mark.slow
async def test_a_finished_job_wakes_its_waiter_without_being_asked(tmp_path, prepare):
    woken = asyncio.Event()
    jobs = Jobs(tmp_path / "jobs", on_finished=lambda key: woken.set())
    began = time.monotonic()
    state = await jobs.ensure("k", prepare("sleep", "0.5"))
    assert state.phase is Phase.RUNNING
    await asyncio.wait_for(woken.wait(), 10)
    assert (await jobs.state("k")).phase is Phase.FINISHED
    assert time.monotonic() - began < 3
    jobs.close()


@pytest.mark.slow
async def test_where_there_is_no_pidfd_a_poll_wakes_the_waiter(tmp_path, monkeypatch, prepare):
    monkeypatch.delattr(os, "pidfd_open")
    woken = asyncio.Event()
    jobs = Jobs(tmp_path / "jobs", on_finished=lambda key: woken.set())
    assert (await jobs.ensure("k", prepare("sleep", "0.5"))).phase is Phase.RUNNING
    await asyncio.wait_for(woken.wait(), 10)
    jobs.close()


@pytest.mark.parametrize(
    "why",
    [
        pytest.param(errno.ENOSYS, id="older-kernel"),
        pytest.param(errno.EPERM, id="not-in-this-container"),
    ],
)
async def test_where_the_kernel_or_its_container_has_no_pidfd_a_job_is_stopped_too(
    jobs, monkeypatch, prepare, until_ended, why
):
    """Python has the call wherever it was built with it; that says nothing of where it runs."""

    def refused(_pid):
        raise OSError(why, os.strerror(why))

    monkeypatch.setattr(os, "pidfd_open", refused)
    await jobs.ensure("k", prepare("sleep", "300"))
    await jobs.stop("k")
    assert (await until_ended(jobs, "k")).result.ended is Ended.STOPPED


CONTROLLER = """
import asyncio, sys
from datetime import timedelta
from pathlib import Path
from swarm.adapters.local.process.jobs import Jobs
from swarm.adapters.local.process.spec import Confine, JobSpec
async def prepare(generation):
    (generation / "work").mkdir()
    return JobSpec(argv=("sh", "-c", sys.argv[2]), cwd=generation / "work",
        wall=timedelta(seconds=30), env={"PATH": "/usr/bin:/bin"}, confine=Confine.OFF)
async def main():
    print((await Jobs(Path(sys.argv[1])).ensure("k", prepare)).phase, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def controller(folder: Path, shell: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, str(folder), shell], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
@pytest.mark.req("LOOP-11", "OWN-3")
async def test_a_job_survives_kill_9_of_its_controller_and_is_adopted(jobs, tmp_path, prepare):
    line = f"echo begun >>{tmp_path}/log; sleep 1; echo ended >>{tmp_path}/log; echo result"
    first = controller(tmp_path / "jobs", line)
    assert first.stdout.readline() == "running\n"
    first.kill()
    first.wait()
    woken = asyncio.Event()
    second = Jobs(tmp_path / "jobs", on_finished=lambda key: woken.set())
    assert (await second.ensure("k", prepare("false"))).phase is Phase.RUNNING
    await asyncio.wait_for(woken.wait(), 10)
    state = await second.state("k")
    assert state.result.exit_code == 0
    assert (state.folder / "stdout").read_text() == "result\n"
    assert (tmp_path / "log").read_text() == "begun\nended\n"
    second.close()


@pytest.mark.slow
@pytest.mark.req("OWN-3")
async def test_kill_9_at_any_instant_of_a_start_runs_the_command_once(jobs, tmp_path, prepare):
    """The controller dies 0 to 300 ms after its own start, again and again, on one key each."""
    for at in range(12):
        folder, log = tmp_path / f"jobs-{at}", tmp_path / f"log-{at}"
        line = f"echo x >>{log}"
        one = controller(folder, line)
        await asyncio.sleep(0.1 + at * 0.02)
        one.kill()
        one.wait()
        after = Jobs(folder)
        async with asyncio.timeout(20):
            while True:
                made = prepare("sh", "-c", line, confine=Confine.OFF)
                state = await after.ensure("k", made)
                if state.phase is Phase.FINISHED:
                    break
                await asyncio.sleep(0.02)
        after.close()
        assert log.read_text() == "x\n", f"killed {100 + at * 20} ms after its start"


@pytest.mark.slow
async def test_a_killed_supervisor_is_vanished_and_its_command_is_dead(
    jobs, tmp_path, prepare, until_ended, marked
):
    line = "(setsid sleep 300 </dev/null >/dev/null 2>&1 &) ; sleep 300"
    state = await jobs.ensure("k", prepare("sh", "-c", line))
    record = json.loads((state.folder / "supervisor.json").read_text())
    await asyncio.sleep(0.3)
    os.kill(record["pid"], signal.SIGKILL)
    state = await until_ended(jobs, "k")
    assert (state.phase, state.vanished) == (Phase.VANISHED, 1)
    assert (await jobs.ensure("k", prepare("true"))).phase is Phase.VANISHED
    state = await jobs.restart("k", prepare("true"), after=1)
    state = await until_ended(jobs, "k")
    assert (state.generation, state.result.exit_code, state.vanished) == (2, 0, 1)
    assert await marked(jobs.job("k").generation(1)) == []


async def test_only_one_controller_replaces_a_generation(
    jobs, tmp_path, prepare, until_ended, ended
):
    await ended(jobs, "k", "false")
    made = prepare("sh", "-c", f"echo x >>{tmp_path}/log", confine=Confine.OFF)
    await asyncio.gather(*(Jobs(tmp_path / "jobs").restart("k", made, after=1) for _ in range(5)))
    await until_ended(jobs, "k")
    assert (tmp_path / "log").read_text() == "x\n"
    assert (await jobs.restart("k", made, after=1)).generation == 2


async def test_a_reused_pid_is_neither_alive_nor_signalled(jobs, tmp_path, ended, marked):
    """A record of another boot names a pid that a stranger has now: ours is dead, he is safe."""
    await ended(jobs, "k", "true")
    folder = jobs.job("k").generation(1)
    assert await marked(tmp_path) == []
    stranger = subprocess.Popen(["sleep", "60"])  # noqa: ASYNC220 - a bystander
    try:
        record = {"pid": stranger.pid, "started": "another-boot:12345", "child": stranger.pid}
        (folder / "supervisor.json").write_text(
            json.dumps(record | {"child_started": "another-boot:1"})
        )
        (folder / "result.json").unlink()
        assert (await jobs.state("k")).phase is Phase.VANISHED
        await jobs.stop("k")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_a_start_that_fails_leaves_no_trace_and_is_tried_again(
    jobs, monkeypatch, prepare, ended
):
    async def broken(generation: Path) -> JobSpec:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        await jobs.ensure("k", broken)
    assert (await jobs.state("k")).phase is Phase.ABSENT
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(JobNotStarted):
        await jobs.ensure("k", prepare("true"))
    monkeypatch.undo()
    assert (await ended(jobs, "k", "true")).result.exit_code == 0


@pytest.mark.slow
async def test_slots_bound_how_many_run_and_come_back_after_a_crash(tmp_path, prepare, until_ended):
    woken = asyncio.Queue()
    jobs = Jobs(tmp_path / "jobs", slots=2, on_finished=woken.put_nowait)
    states = [await jobs.ensure(f"k{n}", prepare("sleep", "1")) for n in range(3)]
    assert [state.phase for state in states] == [Phase.RUNNING, Phase.RUNNING, Phase.NO_SLOT]
    other = Jobs(tmp_path / "jobs", slots=2)
    assert (await other.ensure("k3", prepare("true"))).phase is Phase.NO_SLOT
    record = json.loads((states[0].folder / "supervisor.json").read_text())
    os.kill(record["pid"], signal.SIGKILL)
    assert {await woken.get(), await woken.get()} == {"k0", "k2"}
    assert (await jobs.ensure("k2", prepare("true"))).phase in {Phase.RUNNING, Phase.FINISHED}
    await until_ended(jobs, "k1")
    jobs.close()


async def test_sweep_ends_what_nobody_wants_and_removes_what_was_settled(
    jobs, tmp_path, prepare, ended, marked
):
    await jobs.ensure("unwanted", prepare("sleep", "300"))
    await ended(jobs, "settled", "true")
    jobs.job("settled").keep({"done": True})
    await ended(jobs, "open", "true")
    swept = await jobs.sweep(lambda key: key != "unwanted", older_than=timedelta(0))
    assert swept == ["settled"]
    state = await jobs.state("unwanted")
    assert state.result.ended is Ended.STOPPED
    assert await marked(tmp_path) == []


async def test_sweep_looks_for_nothing_that_a_settled_job_may_have_left(jobs, ended, monkeypatch):
    """That reads every process of the machine, and two weeks of jobs lie here at every sweep."""
    state = await ended(jobs, "settled", "true")
    jobs.job("settled").keep({"done": True})
    room = Path(json.loads((state.folder / "spec.json").read_text())["env"]["TMPDIR"])
    async with asyncio.timeout(5):
        while await asyncio.to_thread(room.exists):  # noqa: ASYNC110 - its supervisor's last act
            await asyncio.sleep(0.01)
    searched = []
    monkeypatch.setattr(orphans, "clear", searched.append)
    assert await jobs.sweep(lambda key: False, older_than=timedelta(days=14)) == []
    assert searched == []
    await asyncio.to_thread(room.mkdir)
    await jobs.sweep(lambda key: False, older_than=timedelta(days=14))
    assert searched == [state.folder], "what its supervisor was killed over lies there"


@pytest.mark.req("LOOP-11")
async def test_sweep_never_removes_unrecorded_work_that_was_not_rescued(jobs, ended):
    """A work tree with changes that nobody recorded is kept until its patch is stored."""
    await ended(jobs, "k", "sh", "-c", "echo precious > change")
    assert await jobs.sweep(lambda key: False, older_than=timedelta(0)) == []
    rescued = []

    async def rescue(key: str, generation: Path) -> bool:
        rescued.append((key, (generation / "work/change").read_text()))
        return True

    assert await jobs.sweep(lambda key: False, older_than=timedelta(0), rescue=rescue) == ["k"]
    assert rescued == [("k", "precious\n")]
