"""Room in hand for a full disk: a file that is deleted when the server could not come up without.

A server whose write-ahead log cannot grow stops, and cannot even recover; with these 64 MB back it
can, and work goes on slowly while a person makes room.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from .account import belong_to_folder

if TYPE_CHECKING:
    from pathlib import Path

    from .layout import Layout

#: Four segments of write-ahead log, 16 MB each.
BALLAST_BYTES = 64 * 1024 * 1024

#: Taken only when this much stays free besides: on a small disk it would cause what it cures.
_SPARE_BYTES = 256 * 1024 * 1024

#: Below 1 GB or 5 % no new work is begun (the loop sets DiskPressure); protection goes on.
PRESSURE_BYTES = 1024**3
PRESSURE_SHARE = 0.05


def take(layout: Layout) -> bool:
    """Reserve the ballast when it is missing and there is room; True when it is there after."""
    path = layout.ballast
    if size(path) >= BALLAST_BYTES:
        return True
    if free_bytes(layout.data) < BALLAST_BYTES + _SPARE_BYTES:
        return False
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o600)
        try:
            belong_to_folder(descriptor, path.parent)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
            else:  # macOS: a sparse file would give nothing back, so write it
                for _ in range(BALLAST_BYTES // (1024 * 1024)):
                    os.write(descriptor, bytes(1024 * 1024))
        finally:
            os.close(descriptor)
    except OSError:
        path.unlink(missing_ok=True)
        return False
    return True


def give_up(path: Path) -> bool:
    """Delete the ballast; False when there was none."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def size(path: Path) -> int:
    """Bytes of ballast held at the moment."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written below `folder` (or its nearest existing parent)."""
    return _usage(folder)[1]


def under_pressure(folder: Path) -> bool:
    """True when so little is free that no new work should begin."""
    total, free = _usage(folder)
    return free < PRESSURE_BYTES or free < total * PRESSURE_SHARE


def _usage(folder: Path) -> tuple[int, int]:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return usage.total, usage.free
