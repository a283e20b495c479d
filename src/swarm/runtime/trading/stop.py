"""A kill from another process than the order path: works with the database, or everything, down.

Halt first: the kill file holds before anything is asked. Then everything is cancelled at the venues
that the scope names; what a narrower scope has working, the order path knows and cancels itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from swarm.contract.errors import SwarmError
from swarm.ports.venue import Unreachable, Venue
from swarm.regime.controls import stop_checks
from swarm.regime.controls.events import Killed
from swarm.runtime.trading.asking import ask
from swarm.runtime.trading.kill_file import KillFile
from swarm.runtime.trading.place import TradingPlace

_LOOK = 0.05  #: seconds between two looks at what still works


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What a kill has come to.

    silent:  venues that could not be asked, with why. Somebody must telephone them.
    working: orders of the scope that still work, by the order path's books.
    unseen:  why the order path could not be asked; empty when it was.
    """

    kill: str
    scope: str
    by: str
    halted_ns: int
    silent: Mapping[str, str]
    working: tuple[str, ...]
    unseen: str

    @property
    def clean(self) -> bool:
        """Whether nothing of the scope is left, as far as was asked."""
        asked = not self.unseen or self.scope == stop_checks.WHOLE
        return asked and not self.silent and not self.working


async def stop(
    event: Killed, place: TradingPlace, venues: Mapping[str, Venue], wait: float
) -> Stopped:
    """Halt, cancel, and look for at most `wait` seconds until nothing works.

    Raises KillFileUnwritable only after the venues were asked: then the halt is not on the disk.
    """
    named = [
        venue
        for name, venue in venues.items()
        if event.scope in {stop_checks.WHOLE, f"venue:{name}"}
    ]
    unfiled: SwarmError | None = None
    try:
        KillFile(place.kills).add(event)
    except SwarmError as error:
        unfiled = error
    halted = time.time_ns()
    said = await asyncio.gather(*(venue.cancel_all() for venue in named))
    if unfiled is not None:
        raise unfiled
    silent = {
        venue.name: one.detail
        for venue, one in zip(named, said, strict=True)
        if isinstance(one, Unreachable)
    }
    working, unseen = await asyncio.to_thread(_left, place.door, event.scope, wait)
    return Stopped(
        kill=event.kill, scope=event.scope, by=event.by, halted_ns=halted, silent=silent,
        working=working, unseen=unseen,
    )  # fmt: skip


def _left(door: Path, scope: str, wait: float) -> tuple[tuple[str, ...], str]:
    """(what still works, why that is not known)."""
    until = time.monotonic() + wait
    while True:
        try:
            standing = ask(door, "confirm", scope, patience=max(0.5, until - time.monotonic()))
        except SwarmError as error:
            return (), error.message
        if not standing["working"] or time.monotonic() >= until:
            return tuple(standing["working"]), ""
        time.sleep(_LOOK)
