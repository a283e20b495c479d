"""Where an order path keeps what must be there without a database."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from swarm.regime.limits.in_force import LimitsInForce
from swarm.regime.limits.limit_set import canonical_bytes
from swarm.regime.limits.people import Roster

_ROSTER = TypeAdapter(Roster)


@dataclass(frozen=True, slots=True)
class TradingPlace:
    """The folder of one order path, private to its account."""

    folder: Path

    @property
    def kills(self) -> Path:
        """Every kill and every lift; whoever may write here may stop trading."""
        return self.folder / "kills"

    @property
    def door(self) -> Path:
        """The socket where the order path is spoken to."""
        return self.folder / "door"

    @property
    def limits(self) -> Path:
        """The limit set in force, as it is hashed."""
        return self.folder / "limits.json"

    @property
    def signature(self) -> Path:
        """The signature that put it in force."""
        return self.folder / "limits.sig"

    @property
    def roster(self) -> Path:
        """The people of swarm.toml."""
        return self.folder / "people.json"

    @property
    def measures(self) -> Path:
        """The newest regime and measures."""
        return self.folder / "measures.json"

    @property
    def day(self) -> Path:
        """What today opened with."""
        return self.folder / "day.json"

    def keep(self, held: LimitsInForce, signature: str, roster: Roster) -> None:
        """Write down for the monitor what it verifies again by itself."""
        replace(self.limits, canonical_bytes(held.limits))
        replace(self.signature, signature.encode())
        replace(self.roster, _ROSTER.dump_json(roster))


def replace(path: Path, content: bytes) -> None:
    """A file whole or as it was; private to this account."""
    fresh = path.with_name(f".{path.name}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    fresh.replace(path)
