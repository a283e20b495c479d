"""The folder of one job: its name, its lock, its generations, and what is kept about it.

JOB/key            the key, as text          JOB/lock      held while it is started or judged
JOB/outcome.json   kept after the rest       JOB/N/        one folder per start (generation)
JOB/N/spec.json supervisor.json result.json stdout stderr alive home/ work/
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swarm.adapters.local.process.spec import JobResult, JobState, Phase
from swarm.adapters.local.process.supervisor import remove_room, write_json

_PRIVATE = 0o700


def folder_name(key: str) -> str:
    """A folder name for a key: a readable part and 80 bits of hash, safe on any file system."""
    readable = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")[-40:].strip("-")
    return f"{readable}-{hashlib.sha256(key.encode()).hexdigest()[:20]}"


def lock_handle(path: Path, *, exclusive: bool = True) -> int | None:
    """An open handle that holds the lock on this file; None when somebody else holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def is_locked(path: Path) -> bool:
    """True while somebody holds the lock on this file. Asking shares, so askers do not meet."""
    if not path.exists():
        return False
    handle = lock_handle(path, exclusive=False)
    if handle is None:
        return True
    os.close(handle)
    return False


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file; None when there is none or it is not whole."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def result_in(generation: Path) -> JobResult | None:
    """How this start ended; None while it has not, or when its supervisor vanished."""
    data = read_json(generation / "result.json")
    return None if data is None else JobResult.from_json(data)


class JobFolder:
    """What is on disk about one key."""

    def __init__(self, jobs: Path, key: str) -> None:
        self.key = key
        self.path = jobs / folder_name(key)

    def create(self) -> None:
        """Make the folder if it is not there; only its owner may look inside."""
        self.path.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        named = self.path / "key"
        if not named.exists():
            named.write_text(self.key, encoding="utf-8")

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Hold this job alone, across threads and processes; False when somebody else does."""
        self.create()
        handle = lock_handle(self.path / "lock")
        try:
            yield handle is not None
        finally:
            if handle is not None:
                os.close(handle)

    def generations(self) -> list[int]:
        """Numbers of the starts on record, oldest first."""
        if not self.path.is_dir():
            return []
        return sorted(int(path.name) for path in self.path.iterdir() if path.name.isdecimal())

    def generation(self, number: int) -> Path:
        """Folder of one start."""
        return self.path / str(number)

    def fresh(self, number: int) -> Path:
        """An empty folder for a new start; leftovers of a start that never ran are removed."""
        folder = self.generation(number)
        if folder.exists():
            remove_room(folder, read_json(folder / "spec.json") or {})
            shutil.rmtree(folder)
        for name in ("", "home"):
            (folder / name).mkdir(mode=_PRIVATE)
        return folder

    def state(self) -> JobState:
        """Where the job stands, from what is on disk and who holds which lock."""
        numbers = self.generations()
        ran = [n for n in numbers if (self.generation(n) / "supervisor.json").exists()]
        vanished = sum(1 for n in ran if not (self.generation(n) / "result.json").exists())
        if not ran:
            starting = any(is_locked(self.generation(n) / "alive") for n in numbers)
            return JobState(phase=Phase.STARTING if starting else Phase.ABSENT)
        last = ran[-1]
        folder = self.generation(last)
        # The order matters: it may write its result and go between two of these questions.
        alive = is_locked(folder / "alive")
        result = result_in(folder)
        if result is not None:
            return JobState(
                phase=Phase.FINISHED,
                generation=last,
                folder=folder,
                result=result,
                vanished=vanished,
            )
        phase = Phase.RUNNING if alive else Phase.VANISHED
        gone = vanished - (1 if alive else 0)
        return JobState(phase=phase, generation=last, folder=folder, vanished=gone)

    def history(self) -> list[JobResult | None]:
        """How each start that ran has ended, oldest first; None for one that has no result."""
        ran = [self.generation(n) for n in self.generations()]
        found = [folder for folder in ran if (folder / "supervisor.json").exists()]
        return [result_in(folder) for folder in found]

    def outcome(self, name: str = "outcome") -> dict[str, Any] | None:
        """What was kept under this name; None when nothing was."""
        return read_json(self.path / f"{name}.json")

    def keep(self, data: dict[str, Any], name: str = "outcome") -> None:
        """Keep a small object with the job, in one step that survives a power cut."""
        self.create()
        write_json(self.path / f"{name}.json", data)

    def forget(self, name: str) -> None:
        """Remove what was kept under this name."""
        (self.path / f"{name}.json").unlink(missing_ok=True)
