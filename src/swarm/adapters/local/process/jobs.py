"""Supervised commands by name: started once, found again after a restart, ended for certain.

A key names a job for good. Each start of it is a *generation* in a folder of its own; a new one
begins only when its caller says which one it replaces, and everything of the old one is killed
before. So two controllers that race, or one that was killed anywhere, leave one command running.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGKILL, SIGTERM

from swarm.adapters.local.process import kernel, launch, orphans
from swarm.adapters.local.process.folder import JobFolder, is_locked, lock_handle, read_json
from swarm.adapters.local.process.spec import JobSpec, JobState, Phase
from swarm.adapters.local.process.supervisor import room_left
from swarm.adapters.local.process.watch import Watch

Prepare = Callable[[Path], Awaitable[JobSpec]]
"""Makes the spec of a new generation, given its empty folder; may fill `work/` below it."""

_STOP_PATIENCE = 15.0
_CLEARING = 5.0  #: seconds; of a supervisor whose job has ended
_SLOTS = ".slots"


class Jobs:
    """All jobs below one folder of this machine, which any number of controllers may share.

    slots:       how many may run at a time; None for any number. A slot is a lock that the
                 supervisor itself holds, so a crash of anybody gives it back.
    on_finished: called in this event loop with the key of a job that ended, or of one that
                 waited for a slot. A hint only: `state` is the truth.
    """

    def __init__(
        self,
        folder: Path,
        *,
        slots: int | None = None,
        on_finished: Callable[[str], None] | None = None,
    ) -> None:
        self.folder = folder
        self._slots = slots
        self._on_finished = on_finished or (lambda _key: None)
        self._watch = Watch()
        self._waiting: set[str] = set()

    def job(self, key: str) -> JobFolder:
        """What is on disk about this key."""
        return JobFolder(self.folder, key)

    async def state(self, key: str) -> JobState:
        """Where the job stands. A running job is watched from now on, whoever started it."""
        job = self.job(key)
        state = await asyncio.to_thread(job.state)
        if state.phase is Phase.RUNNING and state.folder is not None:
            record = read_json(state.folder / "supervisor.json") or {}
            self._watch.add(key, record.get("pid", 0), record.get("started", ""), self._ended)
        return state

    async def ensure(self, key: str, prepare: Prepare) -> JobState:
        """Start the job if it never was, else say where it stands.

        `prepare` is awaited at most by one controller at a time. A job that vanished or
        finished is not started again here; that takes `restart`.
        """
        state = await self.state(key)
        if state.phase is not Phase.ABSENT:
            return state
        return await self._start(key, prepare, after=0)

    async def restart(self, key: str, prepare: Prepare, *, after: int) -> JobState:
        """Replace generation `after`, which has finished or vanished, by a new one.

        Whatever of the old generation still lives is killed first. When another controller
        has replaced it already, this only says where the job stands.
        """
        return await self._start(key, prepare, after=after)

    async def _start(self, key: str, prepare: Prepare, *, after: int) -> JobState:
        async with self.hold(key) as job:
            if job is None:
                return JobState(phase=Phase.STARTING)
            state = await self.state(key)
            replaceable = state.phase in {Phase.ABSENT, Phase.FINISHED, Phase.VANISHED}
            if not replaceable or state.generation != after:
                return state
            slot = self._take_slot(key)
            if slot is None and self._slots is not None:
                self._waiting.add(key)
                return replace(state, phase=Phase.NO_SLOT)
            self._waiting.discard(key)
            try:
                if state.folder is not None:
                    await asyncio.to_thread(orphans.clear, state.folder)
                generation = await asyncio.to_thread(job.fresh, after + 1)
                spec = await prepare(generation)
            except BaseException:
                if slot is not None:
                    os.close(slot)
                raise
            await asyncio.to_thread(launch.start, generation, spec, slot)
        state = await self.state(key)
        if state.phase is not Phase.RUNNING:
            # It ended before anybody could watch it; its slot is free for those who wait.
            asyncio.get_running_loop().call_soon(self._ended, key)
        return state

    def _take_slot(self, key: str) -> int | None:
        folder = self.folder / _SLOTS
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(self._slots or 0):
            handle = lock_handle(folder / str(number))
            if handle is not None:
                os.ftruncate(handle, 0)
                os.pwrite(handle, key.encode(), 0)
                return handle
        return None

    def at_work(self) -> list[str]:
        """Keys of the jobs that run now, as the slots they hold say; one look at each slot.

        A job that is being started is among them, perhaps before there is anything to stop.
        """
        taken = [path for path in (self.folder / _SLOTS).glob("*") if is_locked(path)]
        return [key for path in sorted(taken) if (key := path.read_text(encoding="utf-8"))]

    def known(self) -> list[str]:
        """Keys of all jobs that lie here, alive or not."""
        return [path.read_text(encoding="utf-8") for path in sorted(self.folder.glob("*/key"))]

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[JobFolder | None]:
        """Be the only one on this machine who starts or judges this job; None if another is."""
        job = self.job(key)
        with job.held() as mine:
            yield job if mine else None

    def _ended(self, key: str) -> None:
        waiting, self._waiting = self._waiting, set()
        for name in [key, *sorted(waiting)]:
            self._on_finished(name)

    async def stop(self, key: str) -> None:
        """End the job and everything it started; success when there is nothing to end.

        SIGTERM, the job's grace, SIGKILL; if even its supervisor does not answer, that as well.
        """
        state = await self.state(key)
        if state.folder is None:
            return
        await asyncio.to_thread(_end, state.folder, self.job(key))

    async def sweep(
        self,
        wanted: Callable[[str], bool],
        *,
        older_than: timedelta,
        rescue: Callable[[str, Path], Awaitable[bool]] | None = None,
    ) -> list[str]:
        """End jobs whose key nobody wants and remove what is old; returns the keys removed.

        A job is removed only if it was settled (an outcome was kept) before `older_than`. One
        that was not settled and is not wanted is offered to `rescue(key, generation folder)`,
        which stores what must not be lost and says True; without that it is left in place.
        """
        removed = []
        for key in await asyncio.to_thread(self.known):
            job = self.job(key)
            # Most jobs are of this kind, and looking for what they left costs much more.
            if await asyncio.to_thread(_rests, job, older_than):
                continue
            still = wanted(key)
            if not still:
                await self.stop(key)
            if await self._removable(job, still, older_than, rescue):
                await asyncio.to_thread(shutil.rmtree, job.path, ignore_errors=True)
                removed.append(key)
        return removed

    async def _removable(
        self,
        job: JobFolder,
        wanted: bool,  # noqa: FBT001 - a fact about the job, it switches nothing
        older_than: timedelta,
        rescue: Callable[[str, Path], Awaitable[bool]] | None,
    ) -> bool:
        with job.held() as mine:
            state = job.state()
            if not mine or state.phase in {Phase.RUNNING, Phase.STARTING}:
                return False
            if (since := _settled_for(job)) is not None:
                return since > older_than
            if wanted:
                return False
            if state.folder is None:
                return True
            return rescue is not None and await rescue(job.key, state.folder)

    def close(self) -> None:
        """Stop watching; the jobs go on and another controller may adopt them."""
        self._watch.close()


def _settled_for(job: JobFolder) -> timedelta | None:
    """How long ago its outcome was kept; None when none was."""
    try:
        written = (job.path / "outcome.json").stat().st_mtime
    except FileNotFoundError:
        return None
    return datetime.now(UTC) - datetime.fromtimestamp(written, UTC)


def _rests(job: JobFolder, older_than: timedelta) -> bool:
    """Whether it lies here to be read for a while: nothing is to be ended, cleared or removed."""
    since = _settled_for(job)
    if since is None or since > older_than:
        return False
    state = job.state()
    if state.folder is None:
        return state.phase is Phase.ABSENT
    if state.phase is not Phase.FINISHED:
        return False
    return room_left(state.folder, read_json(state.folder / "spec.json") or {}) is None


def _end(generation: Path, job: JobFolder) -> None:
    record = read_json(generation / "supervisor.json") or {}
    pid, started = int(record.get("pid", 0)), str(record.get("started", ""))
    if kernel.send_same(pid, started, SIGTERM):
        grace = (read_json(generation / "spec.json") or {}).get("limits", {}).get("grace", 0.0)
        _await(lambda: job.state().phase is not Phase.RUNNING, grace + _STOP_PATIENCE)
        if job.state().phase is not Phase.RUNNING:
            # It clears up behind its result, and what it is killed in the middle of stays.
            _await(lambda: not kernel.is_same(pid, started), _CLEARING)
        if kernel.send_same(pid, started, SIGKILL):
            _await(lambda: not kernel.is_same(pid, started), _CLEARING)
    orphans.clear(generation)


def _await(over: Callable[[], bool], patience: float) -> None:
    until = time.monotonic() + patience
    while time.monotonic() < until and not over():
        time.sleep(0.02)
