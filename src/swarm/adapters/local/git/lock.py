"""One writer of refs at a time, over all processes of this machine; ends with its last holder.

The lock is a kernel lock on a file beside the clone. Git children inherit it, so a lock that we
get proves that no earlier writer lives, not even as an orphan; lock files that git left behind
after a kill are therefore stale and may be removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

from swarm.adapters.local.git.errors import CloneBusy

#: A person's own git command in the private clone is not ours; its lock gets this long to end.
FOREIGN_LOCK_AGE = timedelta(seconds=5)
_PAUSE = 0.01

#: What some call or other locks, besides the refs that it is about.
_ALWAYS = ("packed-refs", "HEAD", "shallow", "config", "gc.pid", "objects/info/commit-graph")

#: Made under one of these locks, and only where it is not: left by a kill, it fails every call.
_NEW = ("packed-refs.new",)


@contextlib.asynccontextmanager
async def writing(lock: Path, wait: timedelta) -> AsyncIterator[int]:
    """Hold the lock; gives the descriptor that children must inherit. CloneBusy after `wait`."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until = time.monotonic() + wait.total_seconds()
        while not _taken(descriptor):
            if time.monotonic() > until:
                raise CloneBusy(f"{lock} has been held for {wait.total_seconds():g} s")
            await asyncio.sleep(_PAUSE)
        yield descriptor
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def sweep(folder: Path, names: Sequence[str]) -> None:
    """Remove git's lock files for these refs or files; only to be called while writing."""
    locks = (f"{name}.lock" for name in (*names, *_ALWAYS))
    for stale in (folder / name for name in (*locks, *_NEW)):
        with contextlib.suppress(FileNotFoundError):
            age = time.time() - stale.stat().st_mtime
            if age < FOREIGN_LOCK_AGE.total_seconds():
                await asyncio.sleep(FOREIGN_LOCK_AGE.total_seconds() - max(0.0, age))
            stale.unlink()
