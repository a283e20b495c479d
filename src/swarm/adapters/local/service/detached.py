"""Processes that outlive the controller: started in a session of their own, found again, ended.

Each carries a mark in its environment that names the target and what it is there. The mark finds
what a crash between the start and its record left behind, and everything a version started.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from swarm.adapters.local.process import kernel

MARK = "SWARM_SERVICE"
_POLL = 0.02
_LOG_MOST = 10 * 1024 * 1024
# Ended children are collected here; nobody else waits for them.
_ours: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process by pid and start time, with the mark of what belongs to it."""

    pid: int
    started: str
    mark: str


def spawn(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, mark: str
) -> Process:
    """Start a command, detached. Raises OSError when it cannot be executed."""
    with log.open("ab") as said:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env={**env, MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    _ours.append(process)
    return Process(pid=process.pid, started=kernel.start_time(process.pid), mark=mark)


def alive(pid: int, started: str) -> bool:
    """Whether exactly this process still runs; a zombie does not, a reused pid is another."""
    _collect()
    return pid > 0 and kernel.is_same(pid, started)


def _collect() -> None:
    _ours[:] = [process for process in _ours if process.poll() is None]


def marked(mark: str) -> dict[int, str]:
    """Living processes that carry the mark: pid to start time. Empty where /proc is missing.

    A mark that ends in `#` stands for all marks that begin with it: everything of one target.
    """
    wanted = f"{MARK}={mark}".encode()
    found = {}
    for pid in kernel.all_pids() if kernel.LINUX else []:
        with suppress(OSError):
            pairs = (kernel.PROC / str(pid) / "environ").read_bytes().split(b"\0")
            if wanted in pairs or (mark.endswith("#") and _begins(pairs, wanted)):
                found[pid] = kernel.start_time(pid)
    found.pop(os.getpid(), None)
    return {pid: started for pid, started in found.items() if started}


def _begins(pairs: list[bytes], wanted: bytes) -> bool:
    return any(pair.startswith(wanted) for pair in pairs)


async def end(process: Process, within: float) -> None:
    """End a process, its group and everything with its mark: SIGTERM, then SIGKILL.

    within: seconds between the two. Nothing is left when this returns.
    """
    for number, patience in ((signal.SIGTERM, within), (signal.SIGKILL, 10.0)):
        _signal(process, number)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if not alive(process.pid, process.started) and not marked(process.mark):
                return
            await asyncio.sleep(_POLL)
            if number is signal.SIGKILL:
                _signal(process, number)


def _signal(process: Process, number: signal.Signals) -> None:
    # The group's number cannot be used again while its leader or any member lives, so a group
    # is only signalled when one of ours is known to be in it.
    living = marked(process.mark)
    leader_lives = kernel.is_same(process.pid, process.started)
    group_lives = leader_lives or any(_group(pid) == process.pid for pid in living)
    if group_lives and process.pid > 1:  # 0 would be our own group
        with suppress(OSError):
            os.killpg(process.pid, number)
    for pid, started in living.items():
        kernel.send_same(pid, started, number)


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return -1


def cap_log(log: Path) -> None:
    """Keep a version's log from filling the disk. It is appended to, so emptying is safe."""
    with suppress(OSError):
        if log.stat().st_size > _LOG_MOST:
            os.truncate(log, 0)


def tail(log: Path, most: int = 2000) -> str:
    """The last words of a log."""
    try:
        with log.open("rb") as said:
            said.seek(max(0, said.seek(0, os.SEEK_END) - most))
            return said.read().decode("utf-8", errors="replace").strip()
    except OSError:
        return ""
