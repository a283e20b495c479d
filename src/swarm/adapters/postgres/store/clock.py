"""The store's time."""

from __future__ import annotations

from datetime import datetime

from swarm.adapters.postgres.database import Database
from swarm.adapters.postgres.store import single


class PostgresClock:
    """What time it is for whoever decides."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now(self) -> datetime:
        """The server's time (aware). Raises Unavailable."""
        ((now,),) = await single.rows(self._database, "select clock_timestamp()", {})
        assert isinstance(now, datetime)  # noqa: S101 - the server's clock
        return now
