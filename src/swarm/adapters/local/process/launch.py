"""Starts the supervisor of a job, detached, with the locks that say that it lives."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import swarm
from swarm.adapters.local.errors import JobNotStarted
from swarm.adapters.local.process import orphans
from swarm.adapters.local.process.folder import lock_handle
from swarm.adapters.local.process.spec import JobSpec
from swarm.adapters.local.process.supervisor import place_json, rooms

# Isolated and without site: it starts in half the time and nothing in the environment, the
# current folder or a user's site-packages can change what it does.
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from swarm.adapters.local.process.supervisor import main; main()"
)
_PATIENCE = 60.0


def start(generation: Path, spec: JobSpec, slot: int | None) -> None:
    """Start the job of this folder. Returns once its supervisor is on record.

    slot: a handle whose lock the supervisor keeps until it ends; closed here in any case.
    Raises JobNotStarted when the supervisor could not come up; the command then never ran.
    """
    alive = lock_handle(generation / "alive")
    handles = [handle for handle in (alive, slot) if handle is not None]
    try:
        if alive is None:
            raise JobNotStarted(f"{generation} is held by a supervisor that is still alive")
        env = dict(spec.env)
        room = _room(generation)
        env["HOME"], env["TMPDIR"] = str(generation / "home"), str(room)
        # A job without a repository of its own has none: git must not find the one around us.
        env["GIT_CEILING_DIRECTORIES"] = os.pathsep.join(map(str, (generation, room.parent)))
        env[orphans.MARK] = orphans.mark(generation)
        data = spec.to_json() | {"env": env}
        # An absolute number, because the supervisor itself may run before the controller.
        data["limits"]["niceness"] = min(19, os.getpriority(os.PRIO_PROCESS, 0) + spec.limits.nice)
        place_json(generation / "spec.json", data)
        _launch(generation, handles, env[orphans.MARK])
    finally:
        for handle in handles:
            os.close(handle)


def _room(generation: Path) -> Path:
    """A fresh TMPDIR; its supervisor removes it, or else whoever clears up after that one."""
    beside = rooms(generation)
    beside.mkdir(mode=0o700, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="", dir=beside))


def _launch(generation: Path, handles: list[int], mark: str) -> None:
    root = str(Path(swarm.__file__).parent.parent)
    log = generation / "supervisor.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BOOT, root, str(generation), *map(str, handles)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd="/",
            env={"LANG": "C.UTF-8", orphans.MARK: mark},
            pass_fds=handles,
        )
        try:
            code = process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            return  # a machine this slow may still bring it up; the state will tell
    if code != 0:
        words = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise JobNotStarted(f"the supervisor of {generation} did not come up: {words.strip()}")
