"""`swarmctl up`: start database and controller on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from swarm.cli.desk import home_of
from swarm.cli.options import Home
from swarm.cli.output import emit, say
from swarm.runtime.errors import AlreadyRunning, ControllerFailed, SettingsMissing
from swarm.runtime.home import Home as Place

READY_WITHIN = 60.0  #: seconds; a first start makes a database, on a slow disk in a few


def up(
    *,
    foreground: Annotated[
        bool, Parameter(help="Stay here and work; Ctrl-C ends it cleanly.")
    ] = False,
    home: Home = None,
) -> int:
    """Start the database and the controller, and apply swarm.yaml. Needs no root and no Docker.

    Returns once the controller works; it goes on in the background until `swarmctl down`.
    Your working copy and your remote are never touched.
    Exit status: 0 it works, 1 it failed to start, 7 it runs already.

    Example: swarmctl up && swarmctl watch
    """
    place = home_of(home)
    if not place.file.exists():
        raise SettingsMissing(f"there is no {place.file}")
    if foreground:
        from swarm.runtime.supervise import main  # noqa: PLC0415 - imports the whole runtime

        return main(str(place.folder))
    start(place)
    emit(f"controller of {place.folder} is working, pid {place.read_note().get('pid')}")
    say("next: `swarmctl watch` shows it, `swarmctl get needs` what it found")
    say("      `swarmctl down` stops it")
    return 0


def start(place: Place) -> None:
    """Start a controller in the background and wait until it works.

    Raises `AlreadyRunning`, or `ControllerFailed` with what it said last.
    """
    if running_pid(place) is not None:
        raise AlreadyRunning(f"pid {running_pid(place)} works for {place.folder}")
    place.make()
    said = place.logs / "controller.out"
    place.note.unlink(missing_ok=True)
    with said.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "swarm.runtime.supervise", str(place.folder)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if place.read_note().get("pid") == process.pid:
            return
        if process.poll() is not None:
            raise ControllerFailed(_last_words(said), remedy=f"The whole log: {said}")
        time.sleep(0.02)
    raise ControllerFailed(f"it is not ready after {READY_WITHIN:.0f} s; its log: {said}")


def running_pid(place: Place) -> int | None:
    """The pid of the installation's controller, if it lives; pids of strangers do not count."""
    pid = place.read_note().get("pid")
    if not isinstance(pid, int):
        return None
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return None
    except OSError:
        return pid if _signals(pid) else None
    return pid if b"swarm" in words else None


def _signals(pid: int) -> bool:
    """Whether a process of this number exists, where there is no /proc to look at."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _last_words(said: Path) -> str:
    text = said.read_text(encoding="utf-8", errors="replace").strip()
    return text[-2_000:] or "it ended without a word"
