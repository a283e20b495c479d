"""What the tests of supervised commands share: real jobs below a folder that is cleared."""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import timedelta
from pathlib import Path

import pytest

from swarm.adapters.local.process import kernel, orphans
from swarm.adapters.local.process.jobs import Jobs
from swarm.adapters.local.process.spec import JobSpec, JobState, Limits, Phase

PATH = "/usr/local/bin:/usr/bin:/bin"


def _prepare(*argv: str, wall: float = 20, limits: Limits | None = None, **more):
    async def made(generation: Path) -> JobSpec:
        work = generation / "work"
        work.mkdir()
        return JobSpec(
            argv=argv,
            cwd=work,
            wall=timedelta(seconds=wall),
            env={"PATH": PATH, "LANG": "C.UTF-8"} | more.pop("env", {}),
            limits=limits or Limits(grace=timedelta(seconds=0.3)),
            **more,
        )

    return made


async def _until_ended(jobs: Jobs, key: str, seconds: float = 30) -> JobState:
    going = {Phase.RUNNING, Phase.STARTING}
    async with asyncio.timeout(seconds):
        while (state := await jobs.state(key)).phase in going:  # noqa: ASYNC110 - no hint here
            await asyncio.sleep(0.02)
    return state


async def _ended(jobs: Jobs, key: str, *argv: str, seconds: float = 30, **more) -> JobState:
    await jobs.ensure(key, _prepare(*argv, **more))
    return await _until_ended(jobs, key, seconds)


async def _gone(folder: Path) -> list[int]:
    """Living processes anywhere on this machine that carry a mark below this folder.

    A supervisor writes its result as its last act; it is given a moment to be gone.
    """
    until = time.monotonic() + 2
    while (found := _marked(folder)) and time.monotonic() < until:  # noqa: ASYNC110 - of other processes
        await asyncio.sleep(0.02)
    return found


def _marked(folder: Path) -> list[int]:
    found = []
    for pid in kernel.all_pids():
        try:
            environ = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if f"{orphans.MARK}={folder}" in environ and kernel.start_time(pid):
            found.append(pid)
    return found


@pytest.fixture
def jobs(tmp_path):
    made = Jobs(tmp_path / "jobs")
    yield made
    for pid in _marked(tmp_path):
        kernel.send(pid, signal.SIGKILL)


@pytest.fixture
def prepare():
    return _prepare


@pytest.fixture
def until_ended():
    return _until_ended


@pytest.fixture
def ended():
    return _ended


@pytest.fixture
def marked():
    return _gone
