"""The controller as a background process of an installation: start it, find it, stop it.

Light to import: a plain look asks only whether one runs.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from swarm.adapters.local.process.kernel import is_same, send_same, start_time
from swarm.runtime.errors import AlreadyRunning, ControllerFailed
from swarm.runtime.home import Home
from swarm.runtime.seat import FIRST, held

READY_WITHIN = 60.0  #: seconds; a first start makes a database, on a slow disk in a few
ENDS_WITHIN = 30.0
#: The error as `supervise.main` writes it: the last thing that a controller says.
_ERROR = re.compile(r"^error (SWM\d+: .+)\nfix:  (.+)\Z", re.MULTILINE | re.DOTALL)
_AGAIN = "`swarmctl up` starts it again."


def start(place: Home, environment: Mapping[str, str] | None = None) -> None:
    """Start a controller in the background and wait until it works.

    environment: what it is given instead of ours.
    Raises `AlreadyRunning`, or `ControllerFailed` with what it said last.
    """
    place.make()
    said = place.logs / "controller.out"
    with _alone(place):
        if (pid := running_pid(place)) is not None:
            raise AlreadyRunning(f"pid {pid} works for {place.folder}")
        if (pid := _starting_pid(place)) is not None:
            raise AlreadyRunning(f"pid {pid} is starting for {place.folder}")
        place.note.unlink(missing_ok=True)
        with said.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "swarm.runtime.supervise", str(place.folder)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                env=environment,
            )
        place.starting.write_text(f"{process.pid} {start_time(process.pid)}", encoding="utf-8")
    try:
        _until_ready(process, place, said)
    except KeyboardInterrupt:
        process.terminate()  # nobody waits for it any more
        process.wait()
        raise
    finally:
        place.starting.unlink(missing_ok=True)


@contextmanager
def _alone(place: Home) -> Iterator[None]:
    """One `up` of a folder at a time looks whether one runs, and begins; another waits for that."""
    folder = os.open(place.state, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _until_ready(process: subprocess.Popen[bytes], place: Home, said: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if place.read_note().get("pid") == process.pid:
            return
        if (code := process.poll()) is not None:
            if code in {0, -signal.SIGTERM}:
                raise ControllerFailed("it was stopped while it started", remedy=_AGAIN)
            raise _failure(said)
        time.sleep(0.02)
    raise ControllerFailed(f"it is not ready after {READY_WITHIN:.0f} s; its log: {said}")


def stop(place: Home) -> bool:
    """End the controller and wait for it, also one that is starting; False when none ran.

    Raises `ControllerFailed` if it hangs.
    """
    pid = running_pid(place) or _starting_pid(place)
    if pid is None:
        return False
    since = start_time(pid)
    send_same(pid, since, signal.SIGTERM)
    deadline = time.monotonic() + ENDS_WITHIN
    while time.monotonic() < deadline:
        if not is_same(pid, since):  # its note goes first, and then it still stops the database
            return True
        time.sleep(0.02)
    raise ControllerFailed(
        f"pid {pid} did not end within {ENDS_WITHIN:.0f} s",
        remedy=f"End it with `kill -9 {pid}`; nothing is lost by that.",
    )


def running_pid(place: Home) -> int | None:
    """The pid of the installation's controller, if it lives; pids of strangers do not count.

    Nor does that of another folder's: a folder that is copied while its controller works takes the
    note along, and not the seat.
    """
    note = place.read_note()
    pid = _living(note.get("pid"), note.get("started"))
    return pid if pid is not None and held(place.state / f"{FIRST}.lock") else None


def _starting_pid(place: Home) -> int | None:
    """The pid of a controller that somebody waits for; None when there is none."""
    try:
        pid, _, started = place.starting.read_text(encoding="utf-8").partition(" ")
        return _living(int(pid), started)
    except (OSError, ValueError):
        return None


def _living(pid: object, started: object) -> int | None:
    """The pid, if it is still that process's.

    A controller that was killed leaves its number behind, and a stranger's by now is no
    controller: nothing that would be ended, and nothing that another `up` must not replace.
    """
    if not (isinstance(pid, int) and isinstance(started, str)):
        return None
    return pid if is_same(pid, started) else None


def _failure(said: Path) -> ControllerFailed:
    """What the controller said at its end, with its own remedy if it had one."""
    words = said.read_text(encoding="utf-8", errors="replace").strip()
    log = f"The whole log: {said}"
    if known := _ERROR.search(words):
        return ControllerFailed(known[1], remedy=f"{known[2]} {log}")
    return ControllerFailed(words[-2_000:] or "it ended without a word", remedy=log)
