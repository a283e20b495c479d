"""Finds and ends processes that outlived their supervisor, so that an old start is fenced off.

A process belongs to a generation when it carries its mark in the environment, works inside its
folder, or is in the session that its supervisor recorded for it. Two kinds of evidence are
enough for processes that never tried to hide; one that changed all three is told from any other
process of this user only by its control group, where there is one.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from swarm.adapters.local.process import cgroup, kernel
from swarm.adapters.local.process.folder import read_json
from swarm.adapters.local.process.supervisor import remove_room

MARK = "SWARM_JOB"


def mark(generation: Path) -> str:
    """The value of the mark: the generation's folder, so that two installations never meet."""
    return str(generation)


def _carries(pid: int, wanted: bytes, inside: Path) -> bool:
    try:
        where = Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return False
    return where.is_relative_to(inside) or _marked(pid, wanted)


def _marked(pid: int, wanted: bytes) -> bool:
    try:
        return wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _kill(living: dict[int, str]) -> None:
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid, started in living.items():
            kernel.send_same(pid, started, number)
    time.sleep(0.01)


def find(generation: Path) -> dict[int, str]:
    """Living processes of this generation but its supervisor: pid to start time."""
    record = read_json(generation / "supervisor.json") or {}
    own = {os.getpid()}
    if kernel.is_same(int(record.get("pid", 0)), str(record.get("started", ""))):
        own.add(int(record["pid"]))
    if not kernel.LINUX:
        child, began = int(record.get("child", 0)), str(record.get("child_started", ""))
        return {child: began} if kernel.is_same(child, began) else {}
    wanted = f"{MARK}={mark(generation)}".encode()
    session = _session(record)
    found = [
        pid
        for pid in kernel.all_pids()
        if pid not in own
        and (_carries(pid, wanted, generation) or (session and _getsid(pid) == session))
    ]
    return {pid: started for pid in found if (started := kernel.start_time(pid))}


def _session(record: dict[str, object]) -> int:
    """The command's session, as long as it cannot be anybody else's: same boot, same leader."""
    leader, began = record.get("child", 0), str(record.get("child_started", ""))
    boot = kernel.start_time(os.getpid()).partition(":")[0]
    if not isinstance(leader, int) or leader == 0 or not began.startswith(boot + ":"):
        return 0
    return leader if kernel.start_time(leader) in {"", began} else 0


def _getsid(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def clear_marked(value: str, patience: float = 2.0) -> None:
    """Kill every process that carries the mark with this value, in whatever session it is."""
    wanted = f"{MARK}={value}".encode()
    until = time.monotonic() + patience
    while time.monotonic() < until:
        found = [pid for pid in (kernel.all_pids() if kernel.LINUX else []) if _marked(pid, wanted)]
        living = {pid: started for pid in found if (started := kernel.start_time(pid))}
        if not living:
            break
        _kill(living)


def clear(generation: Path, patience: float = 10.0) -> int:
    """Kill every process of this generation whose supervisor is gone; returns how many.

    Stops them all first, so that what forks stands still while it is cleared.
    """
    killed: set[int] = set()
    record = read_json(generation / "supervisor.json") or {}
    supervisor = int(record.get("pid", 0)), str(record.get("started", ""))
    if (group := record.get("group")) and not kernel.is_same(*supervisor):
        # Also what changed all three signs of itself: nothing leaves a group by itself.
        killed.update(find(generation))
        cgroup.kill(Path(str(group)))
        cgroup.remove(Path(str(group)))
    until = time.monotonic() + patience
    while time.monotonic() < until:
        living = find(generation)
        if not living:
            break
        _kill(living)
        killed.update(living)
    if not kernel.is_same(*supervisor):
        remove_room(generation, read_json(generation / "spec.json") or {})
    return len(killed)
