"""Folders for a moment's work. What a kill left of them is swept away when somebody comes by."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

PREFIX = ".scratch-"

#: Longer than any single call of ours may last, so that nobody's folder is taken from under him.
LEFT_BEHIND = timedelta(hours=2)

#: The same of a folder in which somebody's command works, which may be told to take hours.
WORK_LEFT_BEHIND = timedelta(days=1)


@contextlib.contextmanager
def scratch(inside: Path) -> Iterator[Path]:
    """A private folder below `inside`, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=inside) as name:
        yield Path(name)


def sweep(inside: Path, prefix: str, left_behind: timedelta = LEFT_BEHIND) -> None:
    """Remove folders below `inside` whose name begins so and that nobody can be using any more."""
    oldest = time.time() - left_behind.total_seconds()
    for left in inside.glob(f"{prefix}*"):
        with contextlib.suppress(FileNotFoundError):
            if left.lstat().st_mtime < oldest:
                shutil.rmtree(left, ignore_errors=True)
