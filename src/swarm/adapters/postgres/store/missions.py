"""What those ask of missions who do the work: which are open, and where main was left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swarm.adapters.postgres.database import Database
from swarm.core.ids import MissionId, SwarmId

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

    async def newest_landed(self, swarms: Sequence[SwarmId]) -> Mapping[str, str]:
        """The commit that main of each repository came to when these swarms last moved it."""
        asked = {"swarms": sorted(set(swarms))}
        return dict(await single.rows(self._database, statements("missions")["landed"], asked))
