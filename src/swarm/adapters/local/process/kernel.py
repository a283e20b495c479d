"""What the kernel says about processes: who is alive, since when, and who descends from whom.

On Linux everything is read from /proc; elsewhere `ps` is asked, which is slower and good enough
for a laptop. A process is named by its pid *and* its start time, because pids are used again.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

LINUX = sys.platform.startswith("linux")
PROC = Path("/proc")
PR_SET_PDEATHSIG = 1
PR_CAPBSET_DROP = 24
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38


def prctl(option: int, value: int) -> bool:
    """Set an option of this process, see prctl in the manual; False when the kernel refused."""
    if not LINUX:
        return False
    return bool(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0)


def _ps(*argv: str) -> str:
    # By hand, because importing subprocess is a sixth of the time that a supervisor starts in.
    read, write = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, write, 1)]
    pid = os.posix_spawn("/bin/ps", ["ps", *argv], {}, file_actions=actions)
    os.close(write)
    with os.fdopen(read, encoding="utf-8", errors="replace") as file:
        said = file.read()
    os.waitpid(pid, 0)
    return said


def start_time(pid: int) -> str:
    """When a process started, in the kernel's own words; "" when there is no such process.

    Linux: clock ticks since boot, field 22 of /proc/PID/stat, with the boot's id.
    """
    if LINUX:
        try:
            stat = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
            boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return ""
        # The command's name may hold spaces and brackets; the last bracket ends it.
        fields = stat[stat.rindex(")") + 2 :].split()
        return "" if fields[0] in {"Z", "X"} else f"{boot}:{fields[19]}"
    return _ps("-o", "lstart=", "-p", str(pid)).strip()


def is_same(pid: int, started: str) -> bool:
    """True when the process that was recorded is the one that has this pid now."""
    return bool(started) and start_time(pid) == started


def children(pid: int) -> list[int]:
    """The direct children of a process, zombies included."""
    found: list[int] = []
    try:
        for thread in (PROC / str(pid) / "task").iterdir():
            found += [int(child) for child in (thread / "children").read_text().split()]
    except OSError:
        return found
    return found


def all_pids() -> list[int]:
    """Every process of this machine that /proc shows."""
    return [int(path.name) for path in PROC.iterdir() if path.name.isdecimal()]


def _children_by_scan() -> dict[int, list[int]]:
    """Parent to children for all processes; for kernels without /proc/.../children."""
    tree: dict[int, list[int]] = {}
    for line in _ps("-A", "-o", "pid=,ppid=").splitlines():
        pid, parent = line.split()
        tree.setdefault(int(parent), []).append(int(pid))
    return tree


def _has_children_files() -> bool:
    return (PROC / "self" / "task" / str(os.getpid()) / "children").exists()


def descendants(root: int) -> list[int]:
    """All processes below `root`, nearest first; not `root` itself."""
    direct = _has_children_files()
    tree = {} if direct else _children_by_scan()
    found: list[int] = []
    front = [root]
    seen = {root}
    while front:
        pid = front.pop()
        fresh = [c for c in (children(pid) if direct else tree.get(pid, [])) if c not in seen]
        seen.update(fresh)
        found += fresh
        front += fresh
    return found


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; False when the process is gone or not ours."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def send_same(pid: int, started: str, number: signal.Signals) -> bool:
    """Send a signal to exactly the recorded process; a pid used again is left alone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except (OSError, AttributeError):
        # No such call here: an older kernel, a container that lets only older ones through.
        return is_same(pid, started) and send(pid, number)
    try:
        # The handle pins the process, so between this look and the signal nothing can change.
        if not is_same(pid, started):
            return False
        signal.pidfd_send_signal(handle, number)
    except (ProcessLookupError, PermissionError):
        return False
    finally:
        os.close(handle)
    return True


def reap() -> list[tuple[int, int]]:
    """Collect ended children without waiting: (pid, wait status)."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, status))


def _freeze(stopped: set[int]) -> bool:
    """Stop everything below this process that is not in `stopped` yet; True if there was any.

    A parent is stopped before its children are listed, so it cannot have more meanwhile.
    """
    fresh = False
    front = [os.getpid()]
    tree = None if _has_children_files() else _children_by_scan()
    while front:
        pid = front.pop()
        for child in children(pid) if tree is None else tree.get(pid, []):
            if child not in stopped:
                send(child, signal.SIGSTOP)
                stopped.add(child)
                fresh = True
            front.append(child)
    return fresh


def prefer() -> None:
    """Weigh more than what we watch over, where this is allowed."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) - 10)


def hurry() -> None:
    """Run before everything else, where this is allowed: a fork bomb takes every time slice."""
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def kill_descendants(patience: float = 30.0) -> tuple[list[tuple[int, int]], int]:
    """Kill everything below this process, which must be a child subreaper.

    Everything is stopped before anything is killed, so that a fork bomb stands still while it
    is cleared; passes repeat until nothing is left. Returns what was reaped, as `reap` does,
    and how many processes were found alive.
    """
    ended = reap()
    hit: set[int] = set()
    give_up = time.monotonic() + patience
    while descendants(os.getpid()) and time.monotonic() < give_up:
        stopped: set[int] = set()
        while _freeze(stopped) and time.monotonic() < give_up:
            ended += reap()
        # Zombies wait for their parent only; they are no process that was left over.
        hit.update(pid for pid in stopped if pid not in hit and start_time(pid))
        for pid in stopped:
            send(pid, signal.SIGKILL)
        time.sleep(0.002)
        ended += reap()
    return ended, len(hit)
