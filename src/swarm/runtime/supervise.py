"""One controller process of one installation: start everything, work, end cleanly.

    python -m swarm.runtime.supervise HOME

SIGTERM and SIGINT end it: orders are given back, agents and services go on, the embedded
database is stopped if nobody else uses it. SIGKILL loses nothing; the next start goes on.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.contract.errors import SwarmError
from swarm.contract.swarm import SwarmObject
from swarm.contract.validate import load_swarms
from swarm.runtime import telemetry
from swarm.runtime.controller import Controller
from swarm.runtime.database import opened
from swarm.runtime.errors import AlreadyRunning
from swarm.runtime.home import Home
from swarm.runtime.settings import load
from swarm.runtime.wiring import wire

log = structlog.get_logger()


async def serve(home: Home, stop: asyncio.Event) -> None:
    """Work until `stop` is set. Raises before anything is begun when the files are bad."""
    settings = load(home.file)
    swarms = _manifest(home)
    home.make()
    with only_one(home):
        async with opened(home) as database:
            for swarm in swarms:
                await SwarmDesk(database, "swarm.yaml").apply(swarm)
            name = f"{socket.gethostname()}-{os.getpid()}"
            parts = wire(settings, home, database, name)
            controller = Controller(
                parts.store,
                parts.hands,
                parts.binding_of,
                name,
                now=lambda: datetime.now(UTC),
                keepers=parts.keepers,
            )
            parts.on_news(controller.kick)
            home.write_note(_note(database, name))
            try:
                await controller.run(stop)
            finally:
                home.note.unlink(missing_ok=True)


@contextmanager
def only_one(home: Home) -> Iterator[None]:
    """Hold the installation; the kernel lets go when the process ends, however it ends."""
    with (home.state / "controller.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            known = home.read_note().get("pid", "unknown")
            raise AlreadyRunning(f"a controller of {home.folder} runs, pid {known}") from error
        yield


def _manifest(home: Home) -> list[SwarmObject]:
    if not home.manifest.exists():
        return []
    return load_swarms(home.manifest.read_bytes(), source=str(home.manifest))


def _note(database: Database, name: str) -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "controller": name,
        "dsn": database.dsn,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


async def run(home: Home) -> None:
    """Serve until a signal says stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(home, stop)


def main(folder: str) -> int:
    """Run one controller; returns the exit code."""
    home = Home(Path(folder).resolve())
    home.make()
    telemetry.configure(home.logs / "controller.jsonl")
    try:
        asyncio.run(run(home))
    except SwarmError as error:
        sys.stderr.write(f"error {error.code}: {error.message}\nfix:  {error.fix}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
