"""A control group around one job, where this user may make one: then its end is one write.

The kernel kills every process of the group at once, also those that are being forked at that
moment; without it a fork bomb has to be stopped process by process, which a bomb of root that
scatters its children over sessions of their own drew out to 40 s. Nothing else is limited here.

Source: Documentation/admin-guide/cgroup-v2.rst of the kernel, `cgroup.kill` (Linux 5.14).
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

MOUNTS, GROUPS = Path("/proc/self/mountinfo"), Path("/proc/self/cgroup")
_PREFIX = "swarm-job-"
_OLD = 3600.0  #: seconds; an empty group this old is one whose supervisor was killed


def make(pid: int, at: float) -> Path | None:
    """A fresh group for the job that process `pid` supervises; None where none may be made.

    at: when it began, in seconds since the epoch, so that a pid used again names another group.
    """
    parent = _own()
    if parent is None:
        return None
    group = parent / f"{_PREFIX}{pid}-{int(at * 1000)}"
    try:
        _forget_old(parent)
        group.mkdir()
    except OSError:
        return None
    if not (group / "cgroup.kill").exists():
        remove(group)
        return None
    return group


def _own() -> Path | None:
    """The folder of this process's own group in the version 2 hierarchy."""
    try:
        # Names of mounts are bytes: one in another encoding is nothing to end a supervisor for.
        mounts, groups = (os.fsdecode(path.read_bytes()).splitlines() for path in (MOUNTS, GROUPS))
    except OSError:
        return None
    roots = [line.split()[4] for line in mounts if " - cgroup2 " in line]
    paths = [line.partition("::")[2] for line in groups if line.startswith("0::")]
    return Path(roots[0]) / paths[0].lstrip("/") if roots and paths else None


def _forget_old(parent: Path) -> None:
    for group in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - group.stat().st_mtime > _OLD:
                group.rmdir()  # refused while anything lives in it


def add(group: Path, pid: int) -> bool:
    """Put a process, and so all that it will start, into the group; False when it is refused."""
    return _write(group / "cgroup.procs", str(pid))


def count(group: Path) -> int:
    """How many processes are in the group; one read, whatever they do meanwhile."""
    try:
        return len((group / "cgroup.procs").read_bytes().splitlines())
    except OSError:
        return 0


def kill(group: Path) -> bool:
    """Kill everything in the group at once; False when there is no such group."""
    return _write(group / "cgroup.kill", "1")


def remove(group: Path) -> None:
    """Remove the group once nothing lives in it; a later job removes what could not be."""
    with contextlib.suppress(OSError):
        group.rmdir()


def _write(path: Path, text: str) -> bool:
    try:
        path.write_text(text, encoding="ascii")
    except OSError:
        return False
    return True
