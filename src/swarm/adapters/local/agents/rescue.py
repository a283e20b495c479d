"""Keeps an agent's unrecorded work as a patch, before its folder is removed.

Read with the private clone's git and an index and an object store that are thrown away: the
agent's own git directory is never opened, and nothing of its work enters the clone.
"""

from __future__ import annotations

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

from swarm.adapters.local.git.plumbing import Git
from swarm.contract.errors import SwarmError

LARGEST = 16 * 1024 * 1024
_PATIENCE = timedelta(seconds=60)


async def store_patch(clone: Path, base: str, folder: Path, into: Path) -> bool:
    """Write the difference between commit `base` and `folder` to the file `into`.

    True when it was stored, or when there is none and so nothing to lose. False when it could
    not be: larger than 16 MiB, not readable, or git failed; the folder must then be kept.
    """
    if not await asyncio.to_thread(folder.is_dir):
        return True
    # Beside the patch and not in /tmp, which may be small, in memory, or not writable.
    with tempfile.TemporaryDirectory(prefix="swarm-rescue-", dir=into.parent) as scratch:
        objects = Path(scratch) / "objects"
        objects.mkdir()
        git = Git(clone, timeout=_PATIENCE).with_environment(
            GIT_INDEX_FILE=str(Path(scratch) / "index"),
            GIT_WORK_TREE=str(folder),
            GIT_OBJECT_DIRECTORY=str(objects),
            GIT_ALTERNATE_OBJECT_DIRECTORIES=str(clone / "objects"),
        )
        try:
            await git.run("read-tree", base)
            await git.run("add", "--all", "--ignore-errors", ok=(0, 1))
            said = await git.run(
                "diff-index",
                "--cached",
                "--patch",
                "--binary",
                "--no-ext-diff",
                "--no-textconv",
                base,
                limit=LARGEST,
            )
        except (SwarmError, OSError):
            return False
    if said.out:
        await asyncio.to_thread(into.write_bytes, said.out)
    return True
