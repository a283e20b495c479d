"""Which missions are open, for those who do work for them."""

from __future__ import annotations

from collections.abc import Sequence

from swarm.adapters.postgres.database import Database
from swarm.core.ids import MissionId

from . import single
from .statements import statements


class PostgresMissions:
    """`ports.store.Missions` on Postgres."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_among(self, missions: Sequence[MissionId]) -> frozenset[MissionId]:
        """Those of `missions` that are open and whose swarm is not deleted."""
        asked = {"ids": sorted(set(missions))}
        found = await single.rows(self._database, statements("missions")["open_among"], asked)
        return frozenset(MissionId(id_) for (id_,) in found)
