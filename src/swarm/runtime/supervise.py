"""One controller process of one installation: start everything, work, end cleanly.

    python -m swarm.runtime.supervise HOME [SEAT]

SIGTERM, SIGINT and a closed terminal end it: orders are given back, agents and services go on, the
embedded database is stopped if nobody else uses it. SIGKILL loses nothing; the next start gives
back what was held and goes on at once.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import signal
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

import structlog

from swarm.adapters.local.process.kernel import start_time
from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store.desk.swarms import SwarmDesk
from swarm.adapters.postgres.store.missions import PostgresMissions
from swarm.adapters.postgres.store.orders import PostgresOrders
from swarm.contract.errors import SwarmError
from swarm.contract.swarm import SwarmObject
from swarm.contract.validate import load_swarms
from swarm.core.ids import SwarmId
from swarm.runtime import telemetry
from swarm.runtime.controller import Controller
from swarm.runtime.database import opened
from swarm.runtime.errors import MainElsewhere, StateUnwritable
from swarm.runtime.events import Event
from swarm.runtime.home import Home
from swarm.runtime.seat import FIRST, Seat, taken
from swarm.runtime.seat_keeper import SeatKeeper
from swarm.runtime.settings import Settings, load
from swarm.runtime.wiring import order_path, private_clones, wire

log = structlog.get_logger()


async def serve(home: Home, stop: asyncio.Event, seat: str = FIRST) -> None:
    """Work until `stop` is set. Raises before anything is begun when the files are bad.

    seat: another one lets a second controller work beside the first; only the first leaves a note.
    """
    settings = load(home.file)
    swarms = _manifest(home)
    home.make()
    # Never an old name again: what its dead owner held is told from what we hold.
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    with taken(home.state / f"{seat}.lock", name) as held:
        async with opened(home) as database:
            desk = SwarmDesk(database, "swarm.yaml")
            applied = [(await desk.apply(swarm)).swarm for swarm in swarms]
            await _require_main(database, settings, home, applied)
            await _inherit(database, held)
            parts = wire(settings, home, database, name)
            trading = order_path(settings, home, database, parts, name) if seat == FIRST else ()
            controller = Controller(
                parts.store,
                parts.hands,
                parts.binding_of,
                name,
                now=lambda: datetime.now(UTC),
                keepers=(SeatKeeper(held, str(home.state)), *parts.keepers, *trading),
            )
            parts.on_news(controller.kick)
            if seat != FIRST:
                await controller.run(stop)
                return
            home.write_note(_note(database, name))
            try:
                await controller.run(stop)
            finally:
                if home.read_note().get("controller") == name:  # a successor's is not ours
                    home.note.unlink(missing_ok=True)


async def _require_main(
    database: Database, settings: Settings, home: Home, swarms: list[SwarmId]
) -> None:
    """Raise MainElsewhere when a repository here lacks the newest commit that these swarms landed.

    A second folder on the same database would make a clone of its own, and half of what is
    delivered would be on a main that nobody looks at.
    """
    forge = private_clones(settings, home)
    for repo, commit in (await PostgresMissions(database).newest_landed(swarms)).items():
        if await forge.lacks(repo, commit):
            raise MainElsewhere(f"{commit[:12]} was landed on main of {repo}, and is not here")


async def _inherit(database: Database, seat: Seat) -> None:
    """Give back at once what the dead of this seat held, instead of waiting for their leases."""
    if seat.former:
        orders = await PostgresOrders(database, seat.name).inherit(seat.former)
        if orders:
            log.info(Event.ORDERS_INHERITED, controller=seat.name, orders=orders)
    seat.settled()


def _manifest(home: Home) -> list[SwarmObject]:
    if not home.manifest.exists():
        return []
    return load_swarms(home.manifest.read_bytes(), source=str(home.manifest))


def _note(database: Database, name: str) -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "started": start_time(os.getpid()),
        "controller": name,
        "dsn": database.dsn,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


async def run(home: Home, seat: str = FIRST) -> None:
    """Serve until a signal says stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    ends = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # which is how nohup leaves it
        ends.append(signal.SIGHUP)
    for number in ends:
        loop.add_signal_handler(number, stop.set)
    await serve(home, stop, seat)


def _run(home: Home, seat: str) -> None:
    try:
        asyncio.run(run(home, seat))
    except OSError as error:
        if error.filename is None and error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise  # nobody could say what to mend
        where = error.filename or home.state
        raise StateUnwritable(f"{where}: {error.strerror or error}") from error


def main(folder: str, seat: str = FIRST) -> int:
    """Run one controller; returns the exit code."""
    home = Home(Path(folder).resolve())
    home.make()
    telemetry.configure(home.logs / f"{seat}.jsonl")
    try:
        _run(home, seat)
    except SwarmError as error:
        sys.stderr.write(f"error {error.code}: {error.message}\nfix:  {error.fix}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
