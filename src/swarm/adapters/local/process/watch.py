"""Tells this event loop when a supervisor ends, without asking again and again."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

from swarm.adapters.local.process import kernel

POLL = 1.0


class Watch:
    """One callback per key when the process behind it ends.

    A pidfd becomes readable when its process ends, whoever its parent is. Where the kernel has
    none, one task asks once a second.
    """

    def __init__(self) -> None:
        self._handles: dict[str, int] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._handles or key in self._tasks

    def add(self, key: str, pid: int, started: str, ended: Callable[[str], None]) -> None:
        """Call `ended(key)` in this loop once, as soon as exactly this process is gone."""
        if key in self:
            return
        loop = asyncio.get_running_loop()
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            loop.call_soon(ended, key)
            return
        except (OSError, AttributeError):
            self._tasks[key] = loop.create_task(self._poll(key, pid, started, ended))
            return
        # Only now is the pid pinned; before, it might have been used again already.
        if not kernel.is_same(pid, started):
            os.close(handle)
            loop.call_soon(ended, key)
            return
        self._handles[key] = handle
        loop.add_reader(handle, self._gone, key, ended)

    def _gone(self, key: str, ended: Callable[[str], None]) -> None:
        self.drop(key)
        ended(key)

    async def _poll(self, key: str, pid: int, started: str, ended: Callable[[str], None]) -> None:
        while await asyncio.to_thread(kernel.is_same, pid, started):  # noqa: ASYNC110 - no pidfd
            await asyncio.sleep(POLL)
        self._tasks.pop(key, None)
        ended(key)

    def drop(self, key: str) -> None:
        """Stop watching this key."""
        handle = self._handles.pop(key, None)
        if handle is not None:
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(handle)
            os.close(handle)
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    def close(self) -> None:
        """Stop watching everything; the jobs themselves go on."""
        for key in [*self._handles, *self._tasks]:
            self.drop(key)
