"""One controller at a time changes a target: a lock on a file, released by the kernel at death."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from swarm.adapters.local.service.errors import TargetLocked

_POLL = 0.02


@asynccontextmanager
async def held(folder: Path, within: float) -> AsyncIterator[None]:
    """Hold the target alone, across threads and processes. Raises TargetLocked after `within` s."""
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        until = time.monotonic() + within
        while not _take(handle):
            if time.monotonic() >= until:
                raise TargetLocked(f"{folder.name} is being changed by another controller")
            await asyncio.sleep(_POLL)
        yield
    finally:
        os.close(handle)


def _take(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
