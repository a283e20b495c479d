"""The controller as a background process of an installation: start it, find it, stop it.

Light to import: a plain look asks only whether one runs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from swarm.runtime.errors import AlreadyRunning, ControllerFailed
from swarm.runtime.home import Home

READY_WITHIN = 60.0  #: seconds; a first start makes a database, on a slow disk in a few
ENDS_WITHIN = 30.0
_AGAIN = "`swarmctl up` starts it again."


def start(place: Home, environment: Mapping[str, str] | None = None) -> None:
    """Start a controller in the background and wait until it works.

    environment: what it is given instead of ours.
    Raises `AlreadyRunning`, or `ControllerFailed` with what it said last.
    """
    if (pid := running_pid(place)) is not None:
        raise AlreadyRunning(f"pid {pid} works for {place.folder}")
    if (pid := _starting_pid(place)) is not None:
        raise AlreadyRunning(f"pid {pid} is starting for {place.folder}")
    place.make()
    said = place.logs / "controller.out"
    place.note.unlink(missing_ok=True)
    with said.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", *_supervised(place)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env=environment,
        )
    place.starting.write_text(str(process.pid), encoding="ascii")
    try:
        _until_ready(process, place, said)
    except KeyboardInterrupt:
        process.terminate()  # nobody waits for it any more
        process.wait()
        raise
    finally:
        place.starting.unlink(missing_ok=True)


def _until_ready(process: subprocess.Popen[bytes], place: Home, said: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if place.read_note().get("pid") == process.pid:
            return
        if (code := process.poll()) is not None:
            if code in {0, -signal.SIGTERM}:
                raise ControllerFailed("it was stopped while it started", remedy=_AGAIN)
            raise ControllerFailed(_last_words(said), remedy=f"The whole log: {said}")
        time.sleep(0.02)
    raise ControllerFailed(f"it is not ready after {READY_WITHIN:.0f} s; its log: {said}")


def stop(place: Home) -> bool:
    """End the controller and wait for it, also one that is starting; False when none ran.

    Raises `ControllerFailed` if it hangs.
    """
    pid = running_pid(place) or _starting_pid(place)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + ENDS_WITHIN
    while time.monotonic() < deadline:
        if not _lives(pid):  # its note goes first, and then it still stops the database
            return True
        time.sleep(0.02)
    raise ControllerFailed(
        f"pid {pid} did not end within {ENDS_WITHIN:.0f} s",
        remedy=f"End it with `kill -9 {pid}`; nothing is lost by that.",
    )


def running_pid(place: Home) -> int | None:
    """The pid of the installation's controller, if it lives; pids of strangers do not count."""
    pid = place.read_note().get("pid")
    return pid if isinstance(pid, int) and _lives(pid) else None


def _starting_pid(place: Home) -> int | None:
    """The pid of a controller that somebody waits for; None when there is none."""
    try:
        pid = int(place.starting.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    # `up` may have been killed, and the number be a stranger's by now: this is no reason to end it.
    return pid if _lives(pid, "\0".join(_supervised(place)).encode()) else None


def _supervised(place: Home) -> tuple[str, str]:
    return "swarm.runtime.supervise", str(place.folder)


def _lives(pid: int, called: bytes = b"swarm") -> bool:
    """Whether a controller of this number lives; what is dead and not yet buried does not."""
    if not Path("/proc/self").exists():  # macOS
        return _signals(pid)
    try:
        return called in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False
    except OSError:
        return _signals(pid)


def _signals(pid: int) -> bool:
    """Whether a process of this number exists, where /proc does not tell what it is."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _last_words(said: Path) -> str:
    text = said.read_text(encoding="utf-8", errors="replace").strip()
    return text[-2_000:] or "it ended without a word"
