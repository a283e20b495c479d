"""The process that stands over one job: starts it, watches its limits, clears up, reports.

It is started detached, in a session of its own, and knows nothing but the job's folder, so it
goes on when the controller is killed. It holds the lock on `alive` for as long as it lives;
whoever finds that lock free knows that it is gone, also after a reboot and whatever pid it had.
It is a child subreaper, so what a command daemonises falls back to it and is killed with it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

from swarm.adapters.local.process import cgroup, child, kernel
from swarm.adapters.local.process.capture import Capture

# Short, because a fork bomb doubles within milliseconds; one look costs about 30 us.
TICK = 0.05
DRAIN = 2.0
MEASURE_EVERY = 2.0
BLOCK = 4096  #: bytes that any file counts for
FREE_FILES = 5_000  #: the disk is called full when it takes fewer new files than this


def place_json(path: Path, data: dict[str, Any]) -> None:
    """Replace a file in one step. A power cut may lose it, and with it the job that it is about."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(data), encoding="utf-8")
    fresh.rename(path)


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Replace a file in one step that survives a power cut."""
    fresh = path.with_suffix(".new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(data, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def used_bytes(folders: set[Path]) -> int:
    """Bytes on disk below these folders; what disappears meanwhile counts nothing.

    A file without content takes a block's worth too: file systems run out of files as of bytes.
    """
    total = 0
    front = [str(folder) for folder in folders]
    while front:
        try:
            with os.scandir(front.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        front.append(entry.path)
                        total += BLOCK
                    else:
                        total += max(entry.stat(follow_symlinks=False).st_blocks * 512, BLOCK)
        except OSError:
            continue
    return total


def rooms(generation: Path) -> Path:
    """Where the TMPDIR of each job is: not below the job, whose own path is too long for sockets.

    Their paths have 107 bytes, of which the folder of a job takes 90, and Python's own
    multiprocessing has one.
    """
    return generation.parents[2] / "t"


def room_left(generation: Path, spec: dict[str, Any]) -> Path | None:
    """A job's TMPDIR, if it is still there."""
    room = Path(spec.get("env", {}).get("TMPDIR", ""))
    return room if room.parent == rooms(generation) and room.exists() else None


def remove_room(generation: Path, spec: dict[str, Any]) -> None:
    """Remove a job's TMPDIR with what is left in it."""
    import shutil  # noqa: PLC0415 - nothing that a supervisor needs at its start

    if (room := room_left(generation, spec)) is not None:
        shutil.rmtree(room, ignore_errors=True)


class Supervision:
    """One job from start to result."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec: dict[str, Any] = json.loads((folder / "spec.json").read_text("utf-8"))
        self.limits: dict[str, Any] = self.spec["limits"]
        self.began = time.monotonic()
        self.started_at = datetime.now(UTC)
        self.free_at_start = self._free()
        self.measure_at = self.began
        self.cause = ""
        self.detail = ""
        self.confined = ""
        self.kill_at = 0.0
        self.status: int | None = None
        self.pid = 0
        self.group = cgroup.make(os.getpid(), self.started_at.timestamp())
        self.stop_asked = False
        self.captures: list[Capture] = []
        self.wake_read, self.wake_write = os.pipe()

    def listen(self) -> None:
        """Take SIGTERM as a request to stop; ignore what a closing terminal sends."""
        os.set_blocking(self.wake_write, False)
        os.set_blocking(self.wake_read, False)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._asked)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)

    def _asked(self, *_: object) -> None:
        self.stop_asked = True

    def record(self, pid: int) -> None:
        """Put this process and its command on record, before the command may run."""
        self.pid = pid
        own = os.getpid()
        if self.group is not None and not cgroup.add(self.group, pid):
            cgroup.remove(self.group)
            self.group = None
        place_json(
            self.folder / "supervisor.json",
            {
                "pid": own,
                "started": kernel.start_time(own),
                "child": pid,
                "child_started": kernel.start_time(pid),
                "group": str(self.group or ""),
                "at": self.started_at.isoformat(),
            },
        )

    def start(self) -> None:
        """Start the command with its two streams captured."""
        ends = []
        for name in ("stdout", "stderr"):
            read, write = os.pipe()
            keep = self.limits["keep_output"]
            self.captures.append(Capture(read, self.folder / name, keep))
            if name == "stdout" and self.spec.get("notes"):
                self.captures[-1].note(self.folder / "notes", self.spec["notes"].encode())
            ends.append(write)
        _pid, self.confined, failure = child.fork(self.spec, (ends[0], ends[1]), self.record)
        if failure:
            self.cause, self.detail = "not-started", failure

    def watch(self) -> None:
        """Wait for the end, or bring it about."""
        poller = select.poll()
        poller.register(self.wake_read, select.POLLIN)
        by_pipe = {capture.pipe: capture for capture in self.captures}
        for pipe in by_pipe:
            poller.register(pipe, select.POLLIN)
        while self.status is None:
            for handle, _event in poller.poll(TICK * 1000):
                if handle == self.wake_read:
                    os.read(handle, 4096)
                elif by_pipe[handle].drain() == 0 and not by_pipe[handle].open:
                    poller.unregister(handle)
            self._reaped(kernel.reap())
            self._judge(time.monotonic())

    def _reaped(self, ended: list[tuple[int, int]]) -> None:
        for pid, status in ended:
            if pid == self.pid:
                self.status = status

    def _judge(self, now: float) -> None:
        if self.status is not None:
            return
        if not self.cause:
            self.cause, self.detail = self._breach(now)
            if not self.cause:
                return
            gently = self.cause in {"timed-out", "stopped"}
            if self.cause == "process-limit":
                kernel.hurry()
            self.kill_at = now + (self.limits["grace"] if gently else 0.0)
            if gently:
                for pid in kernel.descendants(os.getpid()):
                    kernel.send(pid, signal.SIGTERM)
        if now >= self.kill_at:
            ended, _count = self._kill()
            self._reaped(ended)

    def _kill(self) -> tuple[list[tuple[int, int]], int]:
        """Kill everything below: at once where there is a group, and then whatever is left."""
        alive = len([pid for pid in kernel.descendants(os.getpid()) if kernel.start_time(pid)])
        if alive and self.group is not None:
            cgroup.kill(self.group)
        ended, left = kernel.kill_descendants()
        return ended, max(alive, left)

    def _alive(self) -> int:
        return cgroup.count(self.group) if self.group else len(kernel.descendants(os.getpid()))

    def _breach(self, now: float) -> tuple[str, str]:
        if self.stop_asked:
            return "stopped", ""
        if now - self.began > self.spec["wall"]:
            return "timed-out", f"ran longer than {self.spec['wall']:g} s"
        printed = sum(capture.printed for capture in self.captures)
        if printed > self.limits["output_bytes"]:
            return "output-limit", f"printed more than {self.limits['output_bytes']} bytes"
        alive = self._alive()
        if alive > self.limits["processes"]:
            return "process-limit", f"ran {alive} processes, {self.limits['processes']} may be"
        return self._disk(now)

    def _free(self) -> tuple[int, int]:
        """Bytes and files that the disk still takes; some file systems count no files."""
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize, disk.f_favail if disk.f_files else sys.maxsize

    def _disk(self, now: float) -> tuple[str, str]:
        free, files = self._free()
        low = free < self.limits["free_bytes"] or files < FREE_FILES
        before, files_before = self.free_at_start
        gone = before - free, (files_before - files) * BLOCK
        taken = max(gone) > self.limits["disk_bytes"]
        if now < self.measure_at or not (low or taken):
            return "", ""
        # Others write to this disk too, so what is missing is only a reason to measure.
        self.measure_at = now + MEASURE_EVERY
        room = Path(self.spec["env"]["TMPDIR"])
        used = used_bytes({self.folder, Path(self.spec["cwd"]), room})
        if used > self.limits["disk_bytes"]:
            most = self.limits["disk_bytes"]
            return "disk-limit", f"wrote {used} bytes to disk, {most} may be"
        left = f"{free} bytes and {files} files are free on the disk"
        return ("disk-low", left) if low else ("", "")

    def finish(self) -> None:
        """Kill what is left, drain what was printed, write the result in one step."""
        ended, leftover = self._kill()
        self._reaped(ended)
        if self.group is not None:
            cgroup.remove(self.group)
        until = time.monotonic() + DRAIN
        while any(capture.open for capture in self.captures) and time.monotonic() < until:
            if sum(capture.drain() for capture in self.captures) == 0:
                time.sleep(0.01)
        for capture in self.captures:
            capture.close()
        write_json(self.folder / "result.json", self._result(leftover))
        remove_room(self.folder, self.spec)

    def _result(self, leftover: int) -> dict[str, Any]:
        code, number = None, None
        if self.status is not None and os.WIFEXITED(self.status):
            code = os.WEXITSTATUS(self.status)
        elif self.status is not None:
            number = os.WTERMSIG(self.status)
        own = "exited" if code is not None else "signalled"
        use = getrusage(RUSAGE_CHILDREN)
        return {
            "schema": 1,
            "ended": self.cause or own,
            "exit_code": code,
            "signal": number,
            "started_at": self.started_at.isoformat(),
            "ended_at": datetime.now(UTC).isoformat(),
            "seconds": round(time.monotonic() - self.began, 3),
            "cpu_seconds": round(use.ru_utime + use.ru_stime, 3),
            "max_rss": use.ru_maxrss,
            "printed": sum(capture.printed for capture in self.captures),
            "leftover": leftover,
            "confined": self.confined,
            "network": self.spec.get("network", "host"),
            "detail": self.detail,
        }


def main() -> None:
    """`argv`: the generation's folder, then the numbers of the lock handles to keep.

    The first process ends as soon as the supervisor is on record, with 0, or with 1 if it died.
    """
    folder = Path(sys.argv[1])
    ready_read, ready_write = os.pipe()
    if os.fork():
        os.close(ready_write)
        os._exit(0 if os.read(ready_read, 1) else 1)
    os.close(ready_read)
    # The locks are this process's alone: a command that inherited one would outlive it.
    for handle in sys.argv[2:]:
        os.set_inheritable(int(handle), False)
    os.setsid()
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    kernel.prefer()
    supervision = Supervision(folder)
    supervision.listen()
    supervision.start()
    os.write(ready_write, b"1")
    os.close(ready_write)
    supervision.watch()
    supervision.finish()
